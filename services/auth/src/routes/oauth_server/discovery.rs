//! `/.well-known/…`: what applications can find out by themselves (RFC 8414, OpenID Connect Discovery).

use axum::extract::State;
use common::extract::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::Enabled;
use crate::{
    AppState,
    error::Result,
    oauth_server::{client::AUTH_METHODS, issuer, scope::SUPPORTED},
};

/// Where everything is, and what is understood there.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    scopes_supported: Vec<&'static str>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: [&'static str; 3],
    claims_supported: Vec<&'static str>,
    code_challenge_methods_supported: [&'static str; 2],
}

/// What OAuth clients look for; there only where the OAuth server is.
#[utoipa::path(
    operation_id = "oauth_metadata",
    get,
    path = "/.well-known/oauth-authorization-server",
    responses((status = 200, body = Metadata), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn oauth(State(state): State<AppState>, _: Enabled) -> Result<Json<Metadata>> {
    Ok(Json(metadata(&state)))
}

/// What OpenID Connect clients look for.
#[utoipa::path(
    operation_id = "openid_metadata",
    get,
    path = "/.well-known/openid-configuration",
    responses((status = 200, body = Metadata))
)]
pub async fn openid(State(state): State<AppState>) -> Json<Metadata> {
    Json(metadata(&state))
}

fn metadata(state: &AppState) -> Metadata {
    let issuer = issuer(state.config());
    let config = &state.config().oauth_server;
    let registers = config.enabled && config.allow_dynamic_registration;
    // ID tokens are for everybody to verify, so a shared secret signs none.
    let scopes = SUPPORTED.into_iter();
    let scopes = scopes.filter(|scope| *scope != "openid" || state.keys().are_public());
    Metadata {
        authorization_endpoint: format!("{issuer}/oauth/authorize"),
        token_endpoint: format!("{issuer}/oauth/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        userinfo_endpoint: format!("{issuer}/oauth/userinfo"),
        registration_endpoint: registers.then(|| format!("{issuer}/oauth/clients/register")),
        scopes_supported: scopes.collect(),
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: state
            .keys()
            .public_algorithm()
            .into_iter()
            .collect(),
        token_endpoint_auth_methods_supported: AUTH_METHODS,
        claims_supported: vec![
            "sub",
            "aud",
            "iss",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "email",
            "email_verified",
            "phone",
            "phone_verified",
            "name",
            "picture",
            "preferred_username",
            "updated_at",
        ],
        code_challenge_methods_supported: ["S256", "plain"],
        issuer,
    }
}
