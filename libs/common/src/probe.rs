//! The subcommand `healthcheck` of every service: asks the running service whether it is ready.
//!
//! A container image without a shell or an HTTP client can check itself with it. It runs every few
//! seconds beside the service, so it uses neither the runtime nor a client library.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use crate::config::Env;

/// Longest wait for a connection, and for each part of the answer.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Most bytes of an answer that are read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Whether this process was started as `<binary> healthcheck`.
pub fn is_asked_for() -> bool {
    std::env::args().nth(1).as_deref() == Some("healthcheck")
}

/// Asks the service that listens where this process's variables say: success when it is ready, else
/// failure with its answer on stdout.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the check reads the answer there"
)]
pub fn main(listen_address: fn(&mut Env) -> SocketAddr) -> ExitCode {
    let mut env = Env::from_process();
    let listening = listen_address(&mut env);
    let result = match env.check() {
        Ok(()) => ask(from_here(listening), "/health/ready").map_err(|error| error.to_string()),
        Err(invalid) => Err(invalid.to_string()),
    };
    match result {
        Ok(answer) if is_success(&answer) => ExitCode::SUCCESS,
        Ok(answer) => {
            println!("{answer}");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("{listening}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where a server that listens on `address` is reached from its own machine.
fn from_here(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The whole answer to `GET path`, head included.
fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn is_success(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What the probe makes of a server that answers `answer` to everything.
    fn verdict_on(answer: &'static str) -> bool {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let address = from_here(listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = socket.read(&mut request).unwrap();
            socket.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let verdict = is_success(&ask(address, "/health/ready").unwrap());
        let request = server.join().unwrap();
        assert!(
            request.starts_with("GET /health/ready HTTP/1.1\r\n"),
            "{request}"
        );
        verdict
    }

    #[test]
    fn only_an_answer_of_200_is_healthy() {
        assert!(verdict_on("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(!verdict_on(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
        ));
        assert!(!verdict_on(""));
    }

    #[test]
    fn nobody_listening_is_an_error() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        assert!(ask(address, "/health/ready").is_err());
    }

    #[test]
    fn a_server_on_all_addresses_is_asked_on_loopback() {
        let all = SocketAddr::from(([0, 0, 0, 0], 80));
        assert_eq!(from_here(all), SocketAddr::from(([127, 0, 0, 1], 80)));
        let one = SocketAddr::from(([10, 0, 0, 1], 80));
        assert_eq!(from_here(one), one);
    }
}
