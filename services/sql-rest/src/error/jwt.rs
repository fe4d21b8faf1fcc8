//! What can be wrong with a token.

use http::StatusCode;

/// Why a token (or its absence) is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// A token, but no secret to check it with.
    #[error("Server lacks JWT secret")]
    NoSecret,
    /// `Authorization: Bearer` and nothing behind it.
    #[error("Empty JWT is sent in Authorization header")]
    Empty,
    /// Not three parts between dots.
    #[error("Expected 3 parts in JWT; got {0}")]
    Parts(usize),
    /// No key verifies it.
    #[error("No suitable key or wrong key type")]
    Key(String),
    /// An algorithm that is not accepted.
    #[error("Wrong or unsupported encoding algorithm")]
    Algorithm(String),
    /// The signature could not be computed or does not fit.
    #[error("JWT cryptographic operation failed")]
    Crypto,
    /// An encrypted token.
    #[error("Unsupported token type")]
    TokenType,
    /// Neither a token nor an anonymous role.
    #[error("Anonymous access is disabled")]
    Required,
    /// `exp` has passed.
    #[error("JWT expired")]
    Expired,
    /// `nbf` has not come.
    #[error("JWT not yet valid")]
    NotYetValid,
    /// `iat` has not come.
    #[error("JWT issued at future")]
    IssuedInFuture,
    /// `aud` names somebody else.
    #[error("JWT not in audience")]
    NotInAudience,
    /// The claims are not a JSON object.
    #[error("Parsing claims failed")]
    Claims,
    /// `exp`, `nbf` or `iat` is no number.
    #[error("The JWT '{0}' claim must be a number")]
    NotANumber(&'static str),
    /// `aud` is neither text nor a list of texts.
    #[error("The JWT 'aud' claim must be a string or an array of strings")]
    Audience,
}

impl JwtError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoSecret => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The code in the body.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSecret => "PGRST300",
            Self::Empty
            | Self::Parts(_)
            | Self::Key(_)
            | Self::Algorithm(_)
            | Self::Crypto
            | Self::TokenType => "PGRST301",
            Self::Required => "PGRST302",
            Self::Expired
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::NotInAudience
            | Self::Claims
            | Self::NotANumber(_)
            | Self::Audience => "PGRST303",
        }
    }

    /// More about this case.
    pub fn details(&self) -> Option<&str> {
        match self {
            Self::Key(details) | Self::Algorithm(details) => Some(details),
            _ => None,
        }
    }

    /// The value of `WWW-Authenticate`, when one is sent.
    pub fn challenge(&self) -> Option<String> {
        match self {
            Self::NoSecret => None,
            Self::Required => Some(super::BEARER.to_owned()),
            _ => Some(format!(
                r#"Bearer error="invalid_token", error_description="{self}""#
            )),
        }
    }
}
