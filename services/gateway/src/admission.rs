//! Who may pass: the key a request shows, and the token it goes on with.

use common::identity::Verifier;
use http::HeaderValue;

use crate::{
    client_address::Client,
    headers::Found,
    keys::{Key, Keys},
    limits::Subject,
    proxy::Table,
    refusal::Refusal,
    routes::{LimitBy, Route},
};

/// What a request shows of itself.
#[derive(Debug)]
pub(crate) struct Credentials<'a> {
    api_key: Option<&'a [u8]>,
    authorization: Option<&'a [u8]>,
}

/// Who makes a request, in all the ways that limits ask.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) client: Client,
    pub(crate) consumer: Option<usize>,
    pub(crate) token: Option<&'a [u8]>,
}

/// A request that may pass.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The holder of its key.
    pub(crate) consumer: Option<usize>,
    /// The `Authorization` it goes on with, where that is not what the client sent.
    pub(crate) authorization: Option<HeaderValue>,
}

impl<'a> Credentials<'a> {
    /// The key of the header, else of the query; and the token.
    pub(crate) fn new(found: &Found<'a>, query_key: Option<&'a str>) -> Self {
        Self {
            api_key: found.api_key.or(query_key.map(str::as_bytes)),
            authorization: found.authorization,
        }
    }
}

impl Credentials<'_> {
    /// Whether what was refused was an attempt with a key, and not its absence.
    pub(crate) fn are_wrong(&self, refusal: Refusal) -> bool {
        match refusal {
            Refusal::InvalidKey => true,
            // The key may stand in place of a token, so what stands there was tried as one.
            Refusal::MissingKey => self.authorization.is_some(),
            _ => false,
        }
    }
}

impl Caller<'_> {
    /// Whose requests are counted together on `route`.
    pub(crate) fn subject(&self, route: &Route, table: &Table) -> Subject {
        let rule = route.limit_rule;
        let address = || Subject::address(rule, self.client.address);
        match route.limit_by {
            LimitBy::Address => address(),
            LimitBy::Consumer => Subject::named(rule, table.keys.name_of(self.consumer)),
            LimitBy::User => {
                let user = self.user(&table.verifier);
                user.map_or_else(address, |user| Subject::named(rule, &user))
            }
        }
    }

    /// The user of a genuine token; what a forged one says would let anybody choose a counter.
    fn user(&self, verifier: &Verifier) -> Option<String> {
        let token = bearer(self.token?)?;
        verifier.verify(std::str::from_utf8(token).ok()?).ok()?.sub
    }
}

/// The token of an `Authorization` header.
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    is_bearer.then(|| token.trim_ascii())
}

/// Decides whether a request to `path` may pass on `route`.
///
/// A token is judged by the upstream alone: it is passed on as it came, good or bad. Only where
/// there is none, or a key that no upstream could read stands in its place, a token of the key's
/// own role is set.
pub(crate) fn decide(
    keys: &Keys,
    route: &Route,
    credentials: &Credentials<'_>,
    path: &str,
) -> Result<Admission, Refusal> {
    let bearer = credentials.authorization.and_then(bearer);
    let key = match credentials.api_key {
        Some(presented) => Some(keys.find(presented).ok_or(Refusal::InvalidKey)?),
        None => bearer.and_then(|bearer| keys.find(bearer)),
    };
    match key {
        Some(key) if !route.consumers.contains(&key.consumer) => {
            return Err(Refusal::WrongConsumer);
        }
        None if !route.is_open(path) => return Err(Refusal::MissingKey),
        _ => {}
    }
    let speaks_for_itself = credentials.authorization.is_some();
    let token_of = if speaks_for_itself {
        bearer.and_then(|bearer| keys.find_opaque(bearer))
    } else {
        key
    };
    Ok(Admission {
        consumer: key.map(|key| key.consumer),
        authorization: token_of.map(Key::authorization),
    })
}
