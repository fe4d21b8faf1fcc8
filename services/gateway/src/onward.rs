//! The request as the upstream gets it, and the response as it comes back.

use std::{borrow::Cow, mem, net::IpAddr};

use http::{HeaderValue, StatusCode, Version};
use tokio::time::Instant;
use url::form_urlencoded;

use crate::{
    body::{BodyError, Incoming, RequestBody, ResponseBody},
    client_address::Client,
    headers::{
        self, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PREFIX, FORWARDED_PROTO,
        Found,
    },
    http1::RequestHead,
    message::Response,
    proxy::Exchange,
    refusal::Refusal,
    routes::Route,
    upstream::{Failure, Outgoing},
};

/// A request that may go on, and how.
#[derive(Debug)]
pub(crate) struct Departure<'a> {
    pub(crate) route: &'a Route,
    pub(crate) head: &'a RequestHead,
    /// The path the upstream is asked for.
    pub(crate) path: &'a str,
    /// The query without a key.
    pub(crate) query: Option<&'a str>,
    /// The `Authorization` to set in place of the client's.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) client: Client,
    /// The host the client asked for.
    pub(crate) host: &'a [u8],
    pub(crate) found: Found<'a>,
    /// Whether a WebSocket is to be opened.
    pub(crate) is_handshake: bool,
}

/// Passes the request on and its response back.
pub(crate) async fn send(
    mut departure: Departure<'_>,
    body: Incoming,
    exchange: &mut Exchange<'_>,
) -> Result<Response, Refusal> {
    let (route, is_handshake) = (departure.route, departure.is_handshake);
    let patience = route.patience();
    let passing = mem::take(&mut departure.found.passing);
    let lent = Lent::new(&departure, exchange);
    let request = outgoing(&departure, passing, &lent);
    let asked = Instant::now();
    let outcome = if is_handshake {
        // Boxed, so that other requests hold no room for it.
        Box::pin(route.upstream.open(&request, patience)).await
    } else {
        let body = RequestBody::new(body, route.max_body_bytes);
        route.upstream.send(&request, body, patience, asked).await
    };
    exchange.note_answer(asked, Instant::now());
    let (head, answer) = outcome.map_err(|failure| refusal_for(&failure, route))?;
    let mut response = Response {
        status: head.status,
        fields: head.fields,
        body: ResponseBody::EMPTY,
        tunnel: None,
    };
    headers::clean_response(&mut response.fields);
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        response.body = ResponseBody::from_upstream(answer, patience.read);
        return Ok(response);
    }
    if !is_handshake {
        return Err(Refusal::BadAnswer);
    }
    response.fields.append_fixed("connection", "upgrade");
    response.fields.append_fixed("upgrade", "websocket");
    response.tunnel = Some(answer.into_connection());
    Ok(response)
}

/// What the gateway says in the request, as long as it is needed.
struct Lent<'a> {
    address: Vec<u8>,
    proto: &'a [u8],
    host: &'a [u8],
    port: &'a [u8],
    id: &'a [u8],
    trace: [u8; 55],
}

impl<'a> Lent<'a> {
    fn new(departure: &Departure<'a>, exchange: &'a Exchange<'_>) -> Self {
        let (client, forwarded) = (departure.client, &departure.found.forwarded);
        let believed = |value: Option<&'a [u8]>| value.filter(|_| client.is_trusted_peer);
        let own_proto: &[u8] = if client.is_secure { b"https" } else { b"http" };
        let proto = believed(forwarded.proto).unwrap_or(own_proto);
        let host = believed(forwarded.host).unwrap_or(departure.host);
        Self {
            address: address_text(client.address),
            proto,
            host,
            port: believed(forwarded.port).unwrap_or_else(|| port_of(host, proto)),
            id: exchange.context.id_header().as_bytes(),
            trace: exchange.context.trace().header_text(),
        }
    }
}

/// The request with the upstream's path and the gateway's headers.
fn outgoing<'a>(
    departure: &'a Departure<'_>,
    mut fields: Vec<(&'a [u8], &'a [u8])>,
    lent: &'a Lent<'_>,
) -> Outgoing<'a> {
    if let Some(authorization) = &departure.authorization {
        fields.retain(|(name, _)| *name != b"authorization");
        fields.push((b"authorization", authorization.as_bytes()));
    }
    if departure.is_handshake {
        fields.extend([
            (&b"connection"[..], &b"upgrade"[..]),
            (b"upgrade", b"websocket"),
        ]);
    }
    fields.extend([
        (FORWARDED_FOR, &*lent.address),
        (FORWARDED_PROTO, lent.proto),
        (FORWARDED_PORT, lent.port),
        (FORWARDED_HOST, lent.host),
        (FORWARDED_PREFIX, departure.route.prefix.as_bytes()),
        (b"x-request-id", lent.id),
        (b"traceparent", &lent.trace),
    ]);
    Outgoing {
        method: &departure.head.method,
        path: departure.path,
        query: departure.query,
        fields,
    }
}

/// The host the client asked for, unless it is none; the request target goes before the header
/// (RFC 9112, 3.2.2), which HTTP/1.1 wants all the same (3.2) and HTTP/1.0 does not know.
pub(crate) fn asked_host<'a>(head: &'a RequestHead, found: &Found<'a>) -> Option<&'a [u8]> {
    let host = match head.uri.authority() {
        Some(_) if head.version == Version::HTTP_11 && found.host.is_none() => return None,
        Some(authority) => authority.as_str().as_bytes(),
        None if head.version == Version::HTTP_10 => found.host.unwrap_or_default(),
        None => found.host?,
    };
    host.iter().copied().all(is_of_host).then_some(host)
}

/// Whether a host and its port may have this character (RFC 3986, 3.2.2); a user's name may not come
/// before them (RFC 9110, 4.2.4).
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'$'..=b'.' | b':' | b';' | b'=' | b'[' | b']' | b'_' | b'~'
        )
}

/// Splits a key off a query: what is left, and the key.
pub(crate) fn split_key(query: Option<&str>) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    let Some(query) = query else {
        return (None, None);
    };
    if !query.contains("apikey=") {
        return (Some(Cow::Borrowed(query)), None);
    }
    let is_key = |pair: &&str| pair.starts_with("apikey=");
    let key = query.split('&').find(is_key).and_then(|pair| {
        let (_, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
        Some(value)
    });
    let rest: Vec<_> = query.split('&').filter(|pair| !is_key(pair)).collect();
    let rest = (!rest.is_empty()).then(|| Cow::Owned(rest.join("&")));
    (rest, key)
}

/// The client alone, not a chain: whichever end of a chain a service reads, it must be this.
fn address_text(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => dotted(address.octets()),
        IpAddr::V6(address) => address.to_string().into_bytes(),
    }
}

/// As an address prints itself, for a tenth of the time; every request has one.
fn dotted(octets: [u8; 4]) -> Vec<u8> {
    let mut text = Vec::with_capacity(15);
    for octet in octets {
        if !text.is_empty() {
            text.push(b'.');
        }
        if octet > 99 {
            text.push(b'0' + octet / 100);
        }
        if octet > 9 {
            text.push(b'0' + octet / 10 % 10);
        }
        text.push(b'0' + octet % 10);
    }
    text
}

fn port_of<'a>(host: &'a [u8], proto: &[u8]) -> &'a [u8] {
    let digits = host.iter().rev().take_while(|byte| byte.is_ascii_digit());
    match host.split_at_checked(host.len() - digits.count()) {
        Some((before, port)) if before.ends_with(b":") && !port.is_empty() => port,
        _ if proto == b"https" => b"443",
        _ => b"80",
    }
}

/// What the client is told, and the log.
fn refusal_for(failure: &Failure, route: &Route) -> Refusal {
    if let Failure::Client(error) = failure {
        return match error {
            BodyError::TooLarge => Refusal::TooLarge,
            BodyError::ClientSilent => Refusal::ClientSilent,
            _ => Refusal::BadBody,
        };
    }
    let upstream = &**route.upstream.name();
    tracing::warn!(
        upstream,
        route = &*route.name,
        error = common::error::chain(failure),
        "upstream failed"
    );
    match failure {
        Failure::Unreachable(_) => Refusal::Unreachable,
        Failure::Broken(_) | Failure::Client(_) => Refusal::BadAnswer,
        Failure::TimedOut => Refusal::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_split_off_the_query() {
        for (query, rest, key) in [
            (None, None, None),
            (Some("a=1&b=2"), Some("a=1&b=2"), None),
            (Some("apikey=k"), None, Some("k")),
            (
                Some("a=1&apikey=k%2F1&vsn=2"),
                Some("a=1&vsn=2"),
                Some("k/1"),
            ),
            (Some("apikey=one&apikey=two&c=3"), Some("c=3"), Some("one")),
            (Some("myapikey=x"), Some("myapikey=x"), None),
        ] {
            let (found_rest, found_key) = split_key(query);
            assert_eq!(found_rest.as_deref(), rest, "{query:?}");
            assert_eq!(found_key.as_deref(), key, "{query:?}");
        }
    }

    #[test]
    fn an_address_is_written_as_it_prints_itself() {
        for text in ["0.0.0.0", "10.20.100.255", "192.0.2.9", "2001:db8::1"] {
            assert_eq!(address_text(text.parse().unwrap()), text.as_bytes());
        }
    }

    #[test]
    fn the_port_is_the_hosts_or_the_protocols() {
        assert_eq!(port_of(b"example.org:8443", b"https"), b"8443");
        assert_eq!(port_of(b"example.org", b"https"), b"443");
        assert_eq!(port_of(b"[::1]", b"http"), b"80");
        assert_eq!(port_of(b"[::1]:8000", b"http"), b"8000");
    }
}
