//! Calls from one service to another, authorised by a token that only the two hold.

use std::fmt;

use axum::extract::{FromRef, FromRequestParts};
use http::{HeaderName, StatusCode, request::Parts};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::error::{ApiError, Problem};

/// Header that carries a service token. The gateway removes it from what clients send.
pub const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");

/// The token a service expects from its callers. Compared in constant time.
#[derive(Clone)]
pub struct ServiceToken(SecretString);

impl ServiceToken {
    /// Expects `token`.
    pub fn new(token: SecretString) -> Self {
        Self(token)
    }

    fn admits(&self, presented: &[u8]) -> bool {
        let expected = self.0.expose_secret().as_bytes();
        !expected.is_empty() && bool::from(expected.ct_eq(presented))
    }
}

impl fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceToken")
    }
}

/// Extractor: the caller is another service.
#[derive(Clone, Copy, Debug)]
pub struct InternalCall;

impl<S> FromRequestParts<S> for InternalCall
where
    S: Send + Sync,
    ServiceToken: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let presented = parts.headers.get(SERVICE_TOKEN).ok_or(Refused)?;
        if ServiceToken::from_ref(state).admits(presented.as_bytes()) {
            Ok(Self)
        } else {
            Err(Refused.into())
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("this endpoint is for other services; send their token as X-Service-Token")]
struct Refused;

impl Problem for Refused {
    fn status(&self) -> StatusCode {
        StatusCode::UNAUTHORIZED
    }

    fn code(&self) -> &'static str {
        "invalid_service_token"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_is_admitted() {
        let token = ServiceToken::new(SecretString::from("token-of-a-service"));
        assert!(token.admits(b"token-of-a-service"));
        assert!(!token.admits(b"token-of-a-servicE"));
        assert!(!token.admits(b"token"));
        assert!(!token.admits(b""));
    }

    #[test]
    fn an_empty_expectation_admits_nobody() {
        assert!(!ServiceToken::new(SecretString::from("")).admits(b""));
    }
}
