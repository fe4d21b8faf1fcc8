//! Headers on their way through: what a request brings, what must not pass, what is added.

use http::Method;

use crate::{http1::Fields, refusal::Refusal};

/// Header that carries the gateway's key.
const API_KEY: &[u8] = b"apikey";
/// Address of the client.
pub(crate) const FORWARDED_FOR: &[u8] = b"x-forwarded-for";
/// Host the client asked for.
pub(crate) const FORWARDED_HOST: &[u8] = b"x-forwarded-host";
/// Port the client connected to.
pub(crate) const FORWARDED_PORT: &[u8] = b"x-forwarded-port";
/// Path prefix that was removed.
pub(crate) const FORWARDED_PREFIX: &[u8] = b"x-forwarded-prefix";
/// `http` or `https`.
pub(crate) const FORWARDED_PROTO: &[u8] = b"x-forwarded-proto";

/// Names a client may not set, beside everything that begins with a [`FORGEABLE_PREFIXES`] entry.
const FORGEABLE: &[&[u8]] = &[
    b"x-service-token",
    b"x-tenant-id",
    b"x-real-ip",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"true-client-ip",
    b"forwarded",
];
const FORGEABLE_PREFIXES: [&[u8]; 2] = [b"x-user-", b"x-consumer-"];

/// Names that speak of one connection only (RFC 9110, 7.6.1), and `Expect`, which the gateway
/// answers itself.
const HOP_BY_HOP: &[&[u8]] = &[
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"expect",
];

/// Names that `Connection` may not remove, because the request would mean something else.
const NOT_FOR_CONNECTION: [&[u8]; 3] = [b"authorization", b"content-length", b"cookie"];

/// What was found in the headers of a request.
#[derive(Debug, Default)]
pub(crate) struct Found<'h> {
    /// The key, if sent as a header.
    pub(crate) api_key: Option<&'h [u8]>,
    /// The `Authorization` header.
    pub(crate) authorization: Option<&'h [u8]>,
    /// The host that was asked for.
    pub(crate) host: Option<&'h [u8]>,
    /// The origin of a browser's request.
    pub(crate) origin: Option<&'h [u8]>,
    /// What came from a proxy, to be believed only if the proxy is.
    pub(crate) forwarded: Forwarded<'h>,
    /// The protocol the client wants to change to.
    pub(crate) upgrade: Option<&'h [u8]>,
    /// Length of the body, when it was announced.
    pub(crate) content_length: Option<u64>,
    /// What may go on to an upstream.
    pub(crate) passing: Vec<(&'h [u8], &'h [u8])>,
    /// Options of the connection.
    connection: Vec<&'h [u8]>,
}

/// `X-Forwarded-*` of a proxy in front.
#[derive(Debug, Default)]
pub(crate) struct Forwarded<'h> {
    /// The chain of addresses; the last was added last.
    pub(crate) chain: Vec<&'h [u8]>,
    /// The protocol.
    pub(crate) proto: Option<&'h [u8]>,
    /// The host.
    pub(crate) host: Option<&'h [u8]>,
    /// The port.
    pub(crate) port: Option<&'h [u8]>,
}

/// What happens to a header of a request.
enum Fate {
    Stays,
    Goes,
}

impl<'h> Found<'h> {
    /// Looks `fields` through, once.
    pub(crate) fn among(fields: &'h Fields) -> Result<Self, Refusal> {
        let mut found = Self::default();
        found.passing.reserve(24);
        for (name, value) in fields.iter() {
            if let Fate::Stays = found.look_at(name, value)? {
                found.passing.push((name, value));
            }
        }
        let Self {
            connection,
            passing,
            upgrade,
            ..
        } = &mut found;
        if !connection.is_empty() {
            passing
                .retain(|(name, _)| NOT_FOR_CONNECTION.contains(name) || !names(connection, name));
        }
        if upgrade.is_some() && !names(connection, b"upgrade") {
            *upgrade = None;
        }
        Ok(found)
    }

    fn look_at(&mut self, name: &'h [u8], value: &'h [u8]) -> Result<Fate, Refusal> {
        match name {
            b"authorization" => return unique(&mut self.authorization, value, Fate::Stays),
            b"origin" => return unique(&mut self.origin, value, Fate::Stays),
            b"host" => return unique(&mut self.host, value, Fate::Goes),
            b"upgrade" => return unique(&mut self.upgrade, value, Fate::Goes),
            API_KEY => return unique(&mut self.api_key, value, Fate::Goes),
            b"content-length" => {
                let length = str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
                if self.content_length.is_some() || length.is_none() {
                    return Err(Refusal::BadHeader);
                }
                self.content_length = length;
                return Ok(Fate::Stays);
            }
            b"connection" => {
                self.connection.push(value);
                return Ok(Fate::Goes);
            }
            // The gateway sets its own.
            b"x-request-id" | b"traceparent" => return Ok(Fate::Goes),
            _ => {}
        }
        // Every other name of interest begins with one of these letters.
        if !matches!(
            name.first(),
            Some(b'e' | b'f' | b'k' | b'p' | b't' | b'u' | b'x')
        ) {
            return Ok(Fate::Stays);
        }
        if name.starts_with(b"x-forwarded-") {
            self.forwarded.note(name, value);
            return Ok(Fate::Goes);
        }
        let is_forgeable = FORGEABLE.contains(&name)
            || FORGEABLE_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix));
        Ok(if is_forgeable || HOP_BY_HOP.contains(&name) {
            Fate::Goes
        } else {
            Fate::Stays
        })
    }
}

impl<'h> Forwarded<'h> {
    /// Whether a proxy says that the client's request was encrypted.
    pub(crate) fn says_secure(&self) -> bool {
        self.proto == Some(b"https")
    }

    fn note(&mut self, name: &[u8], value: &'h [u8]) {
        match name {
            FORWARDED_FOR => self.chain.push(value),
            FORWARDED_PROTO => self.proto = Some(value),
            FORWARDED_HOST => self.host = Some(value),
            FORWARDED_PORT => self.port = Some(value),
            _ => {}
        }
    }
}

/// Notes a header that may come once; twice, the gateway and an upstream could pick differently.
fn unique<'h>(slot: &mut Option<&'h [u8]>, value: &'h [u8], fate: Fate) -> Result<Fate, Refusal> {
    if slot.is_some() {
        return Err(Refusal::BadHeader);
    }
    *slot = Some(value);
    Ok(fate)
}

/// Whether one of the values of `Connection` names this field.
fn names(connection: &[&[u8]], name: &[u8]) -> bool {
    let options = connection
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','));
    let mut options = options.map(<[u8]>::trim_ascii);
    options.any(|option| option.eq_ignore_ascii_case(name))
}

/// Removes from a response what only the connection to the upstream meant, what would name the
/// software behind the gateway, and what the gateway decides itself.
pub(crate) fn clean_response(fields: &mut Fields) {
    // What almost every response says names no field.
    let connection = fields
        .all("connection")
        .filter(|value| !matches!(*value, b"keep-alive" | b"close"));
    let connection: Vec<_> = connection.map(<[u8]>::to_vec).collect();
    let connection: Vec<_> = connection.iter().map(Vec::as_slice).collect();
    fields.retain(|name, _| {
        let is_ours = name.starts_with(b"access-control-")
            || name.starts_with(b"ratelimit-")
            || matches!(name, b"server" | b"x-powered-by");
        let is_named = name != b"content-length" && names(&connection, name);
        !is_ours && !is_named && !HOP_BY_HOP.contains(&name)
    });
}

/// Whether `method` may be sent through.
pub(crate) fn is_served(method: &Method) -> bool {
    *method != Method::CONNECT && *method != Method::TRACE
}

#[cfg(test)]
#[path = "headers/tests.rs"]
mod tests;
