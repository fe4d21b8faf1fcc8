//! Who a request speaks for: its token verified, its role found.

mod cache;
mod claims;
mod keys;
mod path;

use std::sync::Arc;

use common::clock::Clock;
use serde_json::{Map, Value};

use crate::{config::Settings, error::JwtError};

use self::cache::Cache;
pub use self::{keys::Keys, path::ClaimPath};

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Who a request speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The database role.
    pub role: String,
    /// The claims as JSON text, with the role in them.
    pub claims: String,
    /// The subject: the user's id. Empty when there is none.
    pub subject: String,
    /// Whether it comes from a token.
    pub authenticated: bool,
    /// When the token ends, in seconds since 1970.
    expires: Option<i64>,
}

/// Finds out who requests speak for.
#[derive(Debug)]
pub struct Authenticator {
    keys: Option<Keys>,
    audience: Option<String>,
    role_claim: ClaimPath,
    anonymous: Option<Arc<Identity>>,
    anonymous_role: Option<String>,
    cache: Cache,
    clock: Clock,
}

impl Authenticator {
    /// As `settings` say.
    pub fn new(settings: &Settings, clock: Clock) -> Self {
        let anonymous = settings.anonymous_role.clone().map(|role| {
            let claims = Map::from_iter([("role".to_owned(), Value::String(role.clone()))]);
            Arc::new(Identity::new(role, &claims, false))
        });
        Self {
            keys: settings.keys.clone(),
            audience: settings.audience.clone(),
            role_claim: settings.role_claim.clone(),
            anonymous,
            anonymous_role: settings.anonymous_role.clone(),
            cache: Cache::new(settings.cached_tokens),
            clock,
        }
    }

    /// Who a request with this `Authorization` header speaks for.
    pub fn identify(&self, authorization: Option<&str>) -> Result<Arc<Identity>, JwtError> {
        match authorization.and_then(bearer) {
            Some(token) => self.verify(token),
            None => self.anonymous.clone().ok_or(JwtError::Required),
        }
    }

    fn verify(&self, token: &str) -> Result<Arc<Identity>, JwtError> {
        let now = self.clock.now().unix_timestamp();
        if let Some(known) = self.cache.get(token) {
            return if claims::has_expired(known.expires, now) {
                Err(JwtError::Expired)
            } else {
                Ok(known)
            };
        }
        let keys = self.keys.as_ref().ok_or(JwtError::NoSecret)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::Crypto);
        }
        let mut claims = keys.verify(token)?;
        let checked = match claims::check(&claims, now, self.audience.as_deref()) {
            // One that is over is remembered as well: that will not change.
            checked @ (Ok(()) | Err(JwtError::Expired)) => checked,
            Err(error) => return Err(error),
        };
        let role = self
            .role_claim
            .find(&claims)
            .or_else(|| self.anonymous_role.clone());
        let role = role.ok_or(JwtError::Required)?;
        claims.insert("role".to_owned(), Value::String(role.clone()));
        let identity = Arc::new(Identity::new(role, &claims, true));
        self.cache.put(token, &identity);
        checked.map(|()| identity)
    }
}

impl Identity {
    fn new(role: String, claims: &Map<String, Value>, authenticated: bool) -> Self {
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Self {
            role,
            claims: serde_json::to_string(claims).unwrap_or_default(),
            subject: subject.to_owned(),
            authenticated,
            expires: claims::seconds(claims, "exp").ok().flatten(),
        }
    }
}

/// The token of `Bearer {token}`; other schemes are somebody else's.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests;
