//! Where the service listens.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
};

use common::{
    config::{self, Env},
    server::UnixSocket,
};

/// Who may connect to a Unix socket, unless configured, and what may be configured.
const SOCKET_MODE: &str = "660";
const SOCKET_MODES: RangeInclusive<u32> = 0o600..=0o777;

/// Where requests are answered: `PostgREST`'s variables, or else those all services have.
pub fn listen_address(env: &mut Env) -> SocketAddr {
    let usual = config::listen_address(env, "sql-rest", 3000);
    SocketAddr::new(
        host(env, "PGRST_SERVER_HOST").unwrap_or(usual.ip()),
        env.parse("PGRST_SERVER_PORT", usual.port()),
    )
}

/// Where an administrator asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// A port.
    Port(SocketAddr),
    /// A Unix socket.
    Socket(UnixSocket),
}

/// The administrator's server: at a socket, or else at a port of its own, or nowhere.
pub(super) fn admin(env: &mut Env) -> Option<Door> {
    let port = admin_address(env).map(Door::Port);
    let socket = socket(env, "PGRST_ADMIN_SERVER_UNIX_SOCKET").map(Door::Socket);
    socket.or(port)
}

/// The Unix socket at the path that `name` stands for, and its mode.
pub(super) fn socket(env: &mut Env, name: &str) -> Option<UnixSocket> {
    let path = env.optional(name);
    let mode_name = format!("{name}_MODE");
    let mode = env.text(&mode_name, SOCKET_MODE);
    let mode = u32::from_str_radix(&mode, 8).ok();
    let Some(mode) = mode.filter(|mode| SOCKET_MODES.contains(mode)) else {
        env.problem(format!(
            "{mode_name} is not an octal number from 600 to 777"
        ));
        return None;
    };
    path.map(|path| UnixSocket {
        path: path.into(),
        mode,
    })
}

fn admin_address(env: &mut Env) -> Option<SocketAddr> {
    let main = listen_address(env);
    let host = host(env, "PGRST_ADMIN_SERVER_HOST").unwrap_or(main.ip());
    let port = env.parse_optional("PGRST_ADMIN_SERVER_PORT")?;
    if port == main.port() {
        env.problem("PGRST_ADMIN_SERVER_PORT cannot be the same as PGRST_SERVER_PORT");
    }
    Some(SocketAddr::new(host, port))
}

/// An address, or one of the words for all there are.
fn host(env: &mut Env, name: &str) -> Option<IpAddr> {
    let text = env.optional(name)?;
    match text.as_str() {
        "*" | "*4" | "!4" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "*6" | "!6" => Some(Ipv6Addr::UNSPECIFIED.into()),
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        other => other
            .parse()
            .map_err(|_| env.problem(format!("{name} is not an address such as 127.0.0.1")))
            .ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(pairs: &[(&str, &str)], read: fn(&mut Env) -> T) -> Result<T, String> {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let value = read(&mut env);
        env.check().map_err(|invalid| invalid.to_string())?;
        Ok(value)
    }

    #[test]
    fn the_administrator_has_a_port_of_its_own() {
        assert_eq!(read(&[], admin).unwrap(), None);
        let both = [
            ("PGRST_SERVER_HOST", "!4"),
            ("PGRST_ADMIN_SERVER_PORT", "3001"),
        ];
        let expected = Door::Port("0.0.0.0:3001".parse().unwrap());
        assert_eq!(read(&both, admin).unwrap(), Some(expected));
        let same = [
            ("PGRST_SERVER_PORT", "3001"),
            ("PGRST_ADMIN_SERVER_PORT", "3001"),
        ];
        assert!(read(&same, admin).is_err());
    }

    #[test]
    fn words_stand_for_all_addresses() {
        for (word, address) in [
            ("*", "0.0.0.0:3000"),
            ("*4", "0.0.0.0:3000"),
            ("!4", "0.0.0.0:3000"),
            ("*6", "[::]:3000"),
            ("!6", "[::]:3000"),
            ("localhost", "127.0.0.1:3000"),
            ("::1", "[::1]:3000"),
        ] {
            let found = read(&[("PGRST_SERVER_HOST", word)], listen_address).unwrap();
            assert_eq!(found.to_string(), address, "{word}");
        }
        assert!(read(&[("PGRST_SERVER_HOST", "!5")], listen_address).is_err());
    }

    #[test]
    fn a_socket_has_a_mode() {
        let name = "PGRST_ADMIN_SERVER_UNIX_SOCKET";
        let mode = "PGRST_ADMIN_SERVER_UNIX_SOCKET_MODE";
        let socket = |mode: u32| {
            let path = "/run/admin.sock".into();
            Some(Door::Socket(UnixSocket { path, mode }))
        };
        let pairs = [(name, "/run/admin.sock"), (mode, "")];
        assert_eq!(read(&pairs, admin).unwrap(), socket(0o660));
        let pairs = [(name, "/run/admin.sock"), (mode, "600")];
        assert_eq!(read(&pairs, admin).unwrap(), socket(0o600));
        for bad in ["800", "599", "778", "1000", "rw"] {
            let problem = read(&[(mode, bad)], admin).unwrap_err();
            assert!(problem.contains(mode), "{problem}");
        }
    }
}
