//! Headers on their way through: what a request brings, what must not pass, what is added.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{
        AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, ORIGIN, SERVER, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};

use crate::refusal::Refusal;

/// Header that carries the gateway's key.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("apikey");
/// Address of the client.
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Host the client asked for.
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Port the client connected to.
pub(crate) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// Path prefix that was removed.
pub(crate) const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// `http` or `https`.
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Names a client may not set, beside everything that begins with a [`FORGEABLE_PREFIXES`] entry.
const FORGEABLE: &[&str] = &[
    "x-service-token",
    "x-tenant-id",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "forwarded",
];
const FORGEABLE_PREFIXES: &[&str] = &["x-user-", "x-forwarded-", "x-consumer-"];

/// Names that speak of one connection only (RFC 9110, 7.6.1), and `Expect`, which the gateway
/// answers itself.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Names that `Connection` may not remove, because the request would mean something else.
const NOT_FOR_CONNECTION: [HeaderName; 4] = [AUTHORIZATION, HOST, CONTENT_LENGTH, COOKIE];

/// What was found in the headers of a request.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The key, if sent as a header.
    pub(crate) api_key: Option<HeaderValue>,
    /// The `Authorization` header.
    pub(crate) authorization: Option<HeaderValue>,
    /// The host that was asked for.
    pub(crate) host: Option<HeaderValue>,
    /// The origin of a browser's request.
    pub(crate) origin: Option<HeaderValue>,
    /// What came from a proxy, to be believed only if the proxy is.
    pub(crate) forwarded: Forwarded,
    /// The protocol the client wants to change to.
    pub(crate) upgrade: Option<HeaderValue>,
    /// Length of the body, when it was announced.
    pub(crate) content_length: Option<u64>,
}

/// `X-Forwarded-*` of a proxy in front.
#[derive(Debug, Default)]
pub(crate) struct Forwarded {
    /// The chain of addresses; the last was added last.
    pub(crate) chain: Vec<HeaderValue>,
    /// The protocol.
    pub(crate) proto: Option<HeaderValue>,
    /// The host.
    pub(crate) host: Option<HeaderValue>,
    /// The port.
    pub(crate) port: Option<HeaderValue>,
}

/// What happens to a header of a request.
enum Fate {
    Stays,
    Goes,
}

/// Takes out of `headers` everything that must not reach an upstream, in one pass.
pub(crate) fn take(headers: &mut HeaderMap) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let mut goes: Vec<HeaderName> = Vec::new();
    for (name, value) in &*headers {
        if let Fate::Goes = found.look_at(name, value)?
            && goes.last() != Some(name)
        {
            goes.push(name.clone());
        }
    }
    let connection: Vec<_> = headers.get_all(CONNECTION).iter().cloned().collect();
    let upgrades = tokens(&connection).any(|token| token.eq_ignore_ascii_case("upgrade"));
    if !upgrades {
        found.upgrade = None;
    }
    for token in tokens(&connection) {
        if let Ok(name) = HeaderName::from_bytes(token.as_bytes())
            && !NOT_FOR_CONNECTION.contains(&name)
        {
            headers.remove(name);
        }
    }
    for name in goes {
        headers.remove(name);
    }
    Ok(found)
}

impl Found {
    fn look_at(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<Fate, Refusal> {
        match *name {
            AUTHORIZATION => return unique(&mut self.authorization, value, Fate::Stays),
            ORIGIN => return unique(&mut self.origin, value, Fate::Stays),
            HOST => return unique(&mut self.host, value, Fate::Stays),
            UPGRADE => return unique(&mut self.upgrade, value, Fate::Goes),
            CONTENT_LENGTH => {
                let length = value.to_str().ok().and_then(|text| text.parse().ok());
                if self.content_length.is_some() || length.is_none() {
                    return Err(Refusal::BadHeader);
                }
                self.content_length = length;
                return Ok(Fate::Stays);
            }
            CONNECTION | TE | TRAILER | TRANSFER_ENCODING => return Ok(Fate::Goes),
            _ => {}
        }
        let text = name.as_str();
        // Every other name of interest begins with one of these letters.
        if !text.starts_with(['a', 'e', 'f', 'k', 'p', 't', 'x']) {
            return Ok(Fate::Stays);
        }
        if *name == API_KEY {
            return unique(&mut self.api_key, value, Fate::Goes);
        }
        if text.starts_with("x-forwarded-") {
            self.forwarded.note(name, value);
            return Ok(Fate::Goes);
        }
        let is_forgeable = FORGEABLE.contains(&text)
            || FORGEABLE_PREFIXES
                .iter()
                .any(|prefix| text.starts_with(prefix))
            || HOP_BY_HOP.contains(&text);
        Ok(if is_forgeable {
            Fate::Goes
        } else {
            Fate::Stays
        })
    }
}

impl Forwarded {
    /// Whether a proxy says that the client's request was encrypted.
    pub(crate) fn says_secure(&self) -> bool {
        self.proto.as_ref().is_some_and(|proto| proto == "https")
    }

    fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        if *name == FORWARDED_FOR {
            self.chain.push(value.clone());
        } else if *name == FORWARDED_PROTO {
            self.proto = Some(value.clone());
        } else if *name == FORWARDED_HOST {
            self.host = Some(value.clone());
        } else if *name == FORWARDED_PORT {
            self.port = Some(value.clone());
        }
    }
}

/// Notes a header that may come once; twice, the gateway and an upstream could pick differently.
fn unique(
    slot: &mut Option<HeaderValue>,
    value: &HeaderValue,
    fate: Fate,
) -> Result<Fate, Refusal> {
    if slot.is_some() {
        return Err(Refusal::BadHeader);
    }
    *slot = Some(value.clone());
    Ok(fate)
}

/// The items of comma-separated header values.
fn tokens(values: &[HeaderValue]) -> impl Iterator<Item = &str> {
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Joins the crumbs HTTP/2 makes of a cookie (RFC 9113, 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap, version: Version) {
    if version != Version::HTTP_2 || headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

/// Removes from a response what only the connection to the upstream meant, what would name the
/// software behind the gateway, and what the gateway decides itself.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    let connection = headers
        .get_all(CONNECTION)
        .iter()
        .cloned()
        .collect::<Vec<_>>();
    let named =
        tokens(&connection).filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok());
    let mut goes: Vec<_> = named.filter(|name| *name != CONTENT_LENGTH).collect();
    for name in headers.keys() {
        let text = name.as_str();
        let is_ours = text.starts_with("access-control-")
            || text.starts_with("ratelimit-")
            || *name == SERVER
            || text == "x-powered-by";
        if is_ours || HOP_BY_HOP.contains(&text) {
            goes.push(name.clone());
        }
    }
    for name in goes {
        headers.remove(name);
    }
}

/// Whether `method` may be sent through.
pub(crate) fn is_served(method: &Method) -> bool {
    *method != Method::CONNECT && *method != Method::TRACE
}

#[cfg(test)]
#[path = "headers/tests.rs"]
mod tests;
