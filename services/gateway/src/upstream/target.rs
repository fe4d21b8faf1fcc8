//! Where an upstream is said to be, and which addresses that stands for.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use url::Url;

use super::{address::Address, names::Names};

/// Host and port of an upstream, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    host: String,
    port: u16,
}

impl Target {
    /// Reads a base URL: `http://host:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        match (url.scheme(), url.host_str(), url.port_or_known_default()) {
            ("http", Some(host), Some(port)) if is_bare => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => Err(format!("`{text}` is not of the form http://host:port")),
        }
    }

    /// The address, when the host is one already.
    fn literal(&self) -> Option<SocketAddr> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let address: IpAddr = host.parse().ok()?;
        Some(SocketAddr::new(address, self.port))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The addresses, when no target has to be looked up; else none.
pub(super) fn literal_addresses(targets: &[Target]) -> Vec<Arc<Address>> {
    let addresses = targets.iter().map(|target| {
        let socket = target.literal()?;
        Some(Arc::new(Address::new(socket, &target.to_string())))
    });
    addresses.collect::<Option<_>>().unwrap_or_default()
}

/// Looks every target up; addresses among `old` are taken over.
pub(super) async fn look_up(
    targets: &[Target],
    names: &Names,
    old: &[Arc<Address>],
) -> std::io::Result<Vec<Arc<Address>>> {
    let mut found: Vec<Arc<Address>> = Vec::new();
    for target in targets {
        let sockets: Vec<SocketAddr> = match target.literal() {
            Some(socket) => vec![socket],
            None => names.look_up(&target.host, target.port).await?,
        };
        for socket in sockets {
            if found.iter().any(|address| address.socket() == socket) {
                continue;
            }
            let known = old.iter().find(|address| address.socket() == socket);
            found.push(known.map_or_else(
                || Arc::new(Address::new(socket, &target.to_string())),
                Arc::clone,
            ));
        }
    }
    if found.is_empty() {
        return Err(std::io::Error::other("no name has an address"));
    }
    found.sort_by_key(|address| address.socket());
    Ok(found)
}
