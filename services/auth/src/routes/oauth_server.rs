//! The OAuth 2.1 server: what applications, users and admins ask of it.

pub mod admin_clients;
pub mod authorize;
pub mod consent;
pub mod discovery;
pub mod grants;
pub mod register;
pub mod token;
pub mod userinfo;

use axum::extract::FromRequestParts;
use http::request::Parts;
use uuid::Uuid;

use crate::{
    AppState,
    error::{Error, Result, code},
};

/// Proof that there is an OAuth server here.
#[derive(Clone, Copy, Debug)]
pub struct Enabled;

impl FromRequestParts<AppState> for Enabled {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, state: &AppState) -> Result<Self> {
        if state.config().oauth_server.enabled {
            return Ok(Self);
        }
        let message = "OAuth server is disabled";
        Err(Error::not_found(code::FEATURE_DISABLED, message))
    }
}

/// The client a text names.
fn client_id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::invalid("invalid client_id format"))
}

/// The refusal of a client nobody knows.
fn unknown_client() -> Error {
    Error::not_found(code::OAUTH_CLIENT_NOT_FOUND, "OAuth client not found")
}
