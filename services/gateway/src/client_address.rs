//! Who the client is, when proxies may stand in between.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::headers::Forwarded;

/// Longest chain of proxies that is followed.
const MAX_PROXIES: usize = 32;

/// A list of networks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

/// Networks whose `X-Forwarded-*` headers are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Networks);

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether the connection is encrypted.
    pub(crate) is_secure: bool,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// Whether what its proxy said of protocol and host holds.
    pub(crate) is_trusted_peer: bool,
    /// Whether its request travelled encrypted, by all we know.
    pub(crate) is_secure: bool,
}

impl Networks {
    /// Reads an address or a network, such as `10.0.0.0/8`.
    pub(crate) fn parse(text: &str) -> Result<IpNet, String> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address
            .or_else(|_| text.parse())
            .map_err(|_| format!("`{text}` is neither an address nor a network"))
    }

    /// Whether the list is empty or `address` is on it.
    pub(crate) fn allow(&self, address: IpAddr) -> bool {
        self.0.is_empty() || self.contain(address)
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl TrustedProxies {
    /// Reads addresses and networks.
    pub(crate) fn new(texts: &[String]) -> Result<Self, String> {
        let networks = texts.iter().map(|text| Networks::parse(text));
        networks
            .collect::<Result<_, _>>()
            .map(|list| Self(Networks(list)))
    }

    /// The client behind `peer`: the last address in the chain that is not a trusted proxy.
    pub(crate) fn client(&self, peer: Peer, forwarded: &Forwarded<'_>) -> Client {
        let mut address = peer.address.ip().to_canonical();
        let is_trusted_peer = self.0.contain(address);
        if is_trusted_peer {
            let chain = forwarded.chain.iter().rev();
            let chain = chain.filter_map(|line| str::from_utf8(line).ok());
            let hops = chain.flat_map(|line| line.rsplit(',').map(str::trim));
            for hop in hops.take(MAX_PROXIES) {
                // What stands before something unreadable was said by nobody we know.
                let Some(hop) = hop_address(hop) else { break };
                address = hop;
                if !self.0.contain(hop) {
                    break;
                }
            }
        }
        Client {
            address,
            is_trusted_peer,
            is_secure: peer.is_secure || (is_trusted_peer && forwarded.says_secure()),
        }
    }
}

/// An address, with or without a port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, chain: &[&'static str]) -> IpAddr {
        let trusted: Vec<_> = trusted.iter().map(ToString::to_string).collect();
        let forwarded = Forwarded {
            chain: chain.iter().map(|text| text.as_bytes()).collect(),
            ..Forwarded::default()
        };
        let peer = Peer {
            address: SocketAddr::new(peer.parse().unwrap(), 1),
            is_secure: false,
        };
        let proxies = TrustedProxies::new(&trusted).unwrap();
        proxies.client(peer, &forwarded).address
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let found = client(&["10.0.0.0/8"], "192.0.2.9", &["198.51.100.1"]);
        assert_eq!(found, address("192.0.2.9"));
        assert_eq!(
            client(&[], "10.0.0.1", &["198.51.100.1"]),
            address("10.0.0.1")
        );
    }

    #[test]
    fn the_last_untrusted_address_of_the_chain_is_the_client() {
        let trusted = ["10.0.0.0/8", "192.0.2.9"];
        let chain = ["203.0.113.5, 198.51.100.1", "10.1.1.1"];
        assert_eq!(
            client(&trusted, "192.0.2.9", &chain),
            address("198.51.100.1")
        );
    }

    #[test]
    fn a_chain_of_proxies_only_ends_at_the_first_of_them() {
        let found = client(&["10.0.0.0/8"], "10.0.0.1", &["10.0.0.3, 10.0.0.2"]);
        assert_eq!(found, address("10.0.0.3"));
    }

    #[test]
    fn rubbish_in_the_chain_is_not_passed() {
        let found = client(&["10.0.0.0/8"], "10.0.0.1", &["198.51.100.1, unknown"]);
        assert_eq!(found, address("10.0.0.1"));
        let mapped = client(&["10.0.0.0/8"], "::ffff:10.0.0.1", &["[2001:db8::1]:99"]);
        assert_eq!(mapped, address("2001:db8::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        assert!(TrustedProxies::new(&["10.0.0.0/33".to_owned()]).is_err());
        assert!(TrustedProxies::new(&["proxy".to_owned()]).is_err());
    }
}
