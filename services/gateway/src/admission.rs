//! Who may pass: the key a request shows, and the token it goes on with.

use http::HeaderValue;

use crate::{
    headers::Found,
    keys::{Key, Keys},
    refusal::Refusal,
    routes::Route,
};

/// What a request shows of itself.
#[derive(Debug)]
pub(crate) struct Credentials<'a> {
    api_key: Option<&'a [u8]>,
    authorization: Option<&'a HeaderValue>,
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
    pub(crate) fn new(found: &'a Found, query_key: Option<&'a str>) -> Self {
        let header = found.api_key.as_ref().map(HeaderValue::as_bytes);
        Self {
            api_key: header.or(query_key.map(str::as_bytes)),
            authorization: found.authorization.as_ref(),
        }
    }

    fn bearer(&self) -> Option<&'a [u8]> {
        let (scheme, token) = self.authorization?.as_bytes().split_at_checked(7)?;
        scheme
            .eq_ignore_ascii_case(b"bearer ")
            .then(|| token.trim_ascii())
    }
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
    let bearer = credentials.bearer();
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
