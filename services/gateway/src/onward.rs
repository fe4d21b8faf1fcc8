//! The request as the upstream gets it, and the response as it comes back.

use std::{borrow::Cow, net::IpAddr};

use common::{
    context::{REQUEST_ID, TRACEPARENT},
    lifecycle::Lifecycle,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::AUTHORIZATION, uri::PathAndQuery,
};
use hyper::body::Incoming;
use url::form_urlencoded;

use crate::{
    body::{BodyError, RequestBody, ResponseBody},
    client_address::Client,
    headers::{
        self, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PREFIX, FORWARDED_PROTO,
        Found,
    },
    proxy::Exchange,
    refusal::Refusal,
    routes::Route,
    tunnel,
    upstream::Failure,
};

const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");
const PORT_80: HeaderValue = HeaderValue::from_static("80");
const PORT_443: HeaderValue = HeaderValue::from_static("443");

/// A request that may go on, and how.
#[derive(Debug)]
pub(crate) struct Departure<'a> {
    pub(crate) route: &'a Route,
    /// The path the upstream is asked for.
    pub(crate) path: &'a str,
    /// The query without a key.
    pub(crate) query: Option<&'a str>,
    /// The `Authorization` to set in place of the client's.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) client: Client,
    /// The host the client asked for.
    pub(crate) host: HeaderValue,
    pub(crate) found: Found,
    /// Whether a WebSocket is to be opened.
    pub(crate) is_handshake: bool,
}

/// Passes the request on and its response back.
pub(crate) async fn send(
    departure: Departure<'_>,
    request: Request<Incoming>,
    exchange: &mut Exchange<'_>,
    lifecycle: &Lifecycle,
) -> Result<Response<ResponseBody>, Refusal> {
    let (route, is_handshake) = (departure.route, departure.is_handshake);
    let patience = route.patience();
    let request = prepare(departure, request, exchange)?;
    let asked = exchange.context.elapsed();
    let outcome = if is_handshake {
        // Boxed, so that other requests hold no room for it.
        Box::pin(tunnel::open(request, route, lifecycle)).await
    } else {
        route.upstream.send(request, patience).await.map(|answer| {
            let (mut parts, body) = answer.response.into_parts();
            headers::clean_response(&mut parts.headers);
            let body = ResponseBody::from_upstream(body, answer.lease, patience.read);
            Response::from_parts(parts, body)
        })
    };
    exchange.upstream = Some(exchange.context.elapsed().saturating_sub(asked));
    let response = outcome.map_err(|failure| refusal_for(&failure, route))?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !is_handshake {
        return Err(Refusal::BadAnswer);
    }
    Ok(response)
}

/// The request with the upstream's path and the gateway's headers.
fn prepare(
    departure: Departure<'_>,
    request: Request<Incoming>,
    exchange: &Exchange<'_>,
) -> Result<Request<RequestBody>, Refusal> {
    let Departure {
        route,
        client,
        host: asked_host,
        found,
        ..
    } = departure;
    let (mut parts, body) = request.into_parts();
    parts.extensions.clear();
    headers::join_cookies(&mut parts.headers, parts.version);
    parts.uri = uri(departure.path, departure.query)?;
    parts.version = Version::HTTP_11;

    let forwarded = found.forwarded;
    let believed = |value: Option<HeaderValue>| value.filter(|_| client.is_trusted_peer);
    let proto = believed(forwarded.proto).unwrap_or(if client.is_secure { HTTPS } else { HTTP });
    let host = believed(forwarded.host).unwrap_or(asked_host);
    let port = believed(forwarded.port).unwrap_or_else(|| port_of(&host, &proto));
    let set = [
        (FORWARDED_FOR, address_header(client.address)),
        (FORWARDED_PROTO, proto),
        (FORWARDED_PORT, port),
        (FORWARDED_HOST, host),
        (FORWARDED_PREFIX, route.prefix_header.clone()),
        (REQUEST_ID, exchange.context.id_header().clone()),
        (TRACEPARENT, exchange.context.trace().header()),
    ];
    set_all(&mut parts.headers, set);
    if let Some(authorization) = departure.authorization {
        parts.headers.insert(AUTHORIZATION, authorization);
    }
    let body = RequestBody::new(body, route.max_body_bytes);
    Ok(Request::from_parts(parts, body))
}

/// The host the client asked for; the request target goes before the header (RFC 9112, 3.2.2).
pub(crate) fn asked_host(uri: &Uri, found: &Found) -> Option<HeaderValue> {
    match uri.authority() {
        Some(authority) => HeaderValue::try_from(authority.as_str()).ok(),
        None => found.host.clone(),
    }
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

fn uri(path: &str, query: Option<&str>) -> Result<Uri, Refusal> {
    let path_and_query = match query {
        None => PathAndQuery::try_from(path),
        Some(query) => {
            let mut text = String::with_capacity(path.len() + 1 + query.len());
            text.push_str(path);
            text.push('?');
            text.push_str(query);
            PathAndQuery::from_maybe_shared(bytes::Bytes::from(text))
        }
    };
    path_and_query
        .map(Uri::from)
        .map_err(|_| Refusal::AmbiguousPath)
}

fn set_all(headers: &mut HeaderMap, set: [(HeaderName, HeaderValue); 7]) {
    headers.reserve(set.len() + 2);
    for (name, value) in set {
        headers.insert(name, value);
    }
}

/// The client alone, not a chain: whichever end of a chain a service reads, it must be this.
fn address_header(address: IpAddr) -> HeaderValue {
    let text = match address {
        IpAddr::V4(address) => HeaderValue::try_from(dotted(address.octets())),
        IpAddr::V6(address) => HeaderValue::try_from(address.to_string()),
    };
    text.unwrap_or_else(|_| HeaderValue::from_static("unknown"))
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

fn port_of(host: &HeaderValue, proto: &HeaderValue) -> HeaderValue {
    let text = host.as_bytes();
    let digits = text
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match text.split_at_checked(text.len() - digits) {
        Some((before, port)) if before.ends_with(b":") && digits > 0 => {
            HeaderValue::from_bytes(port).unwrap_or(PORT_80)
        }
        _ if *proto == HTTPS => PORT_443,
        _ => PORT_80,
    }
}

/// What the client is told, and the log.
fn refusal_for(failure: &Failure, route: &Route) -> Refusal {
    if let Failure::Broken(error) = failure {
        match BodyError::behind(error) {
            Some(BodyError::TooLarge) => return Refusal::TooLarge,
            Some(BodyError::ClientSilent) => return Refusal::ClientSilent,
            // Only the client's side of a body takes part in sending a request.
            Some(BodyError::Broken(_)) => return Refusal::BadBody,
            Some(BodyError::UpstreamSilent) | None => {}
        }
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
        Failure::Broken(_) => Refusal::BadAnswer,
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
            assert_eq!(address_header(text.parse().unwrap()), text);
        }
    }

    #[test]
    fn the_port_is_the_hosts_or_the_protocols() {
        let port = |host: &'static str, proto| port_of(&HeaderValue::from_static(host), &proto);
        assert_eq!(port("example.org:8443", HTTPS), "8443");
        assert_eq!(port("example.org", HTTPS), "443");
        assert_eq!(port("[::1]", HTTP), "80");
        assert_eq!(port("[::1]:8000", HTTP), "8000");
    }
}
