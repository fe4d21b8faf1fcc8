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
    authentication::SignedIn,
    error::{Error, Result, code},
    user::User,
};

/// Proof that there is an OAuth server here.
#[derive(Clone, Copy, Debug)]
pub struct Enabled;

/// A user in person. Whoever has a token because the user let them cannot let others in with it.
#[derive(Clone, Debug)]
pub struct InPerson(pub User);

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

impl FromRequestParts<AppState> for InPerson {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        let session = signed_in.session.as_ref();
        let has_client = session.is_some_and(|session| session.oauth_client_id.is_some());
        if has_client || signed_in.claims.client_id.is_some() {
            let message = "An OAuth client cannot give consent for its user";
            return Err(Error::forbidden(code::BAD_JWT, message));
        }
        Ok(Self(signed_in.user))
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
