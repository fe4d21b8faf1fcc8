//! `GET /settings` and `GET /.well-known/jwks.json`: what anybody may know.

use axum::{
    extract::State,
    http::header::CACHE_CONTROL,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde_json::{Map, Value, json};

use crate::AppState;

/// Providers that clients know by name.
const PROVIDERS: [&str; 21] = [
    "apple",
    "azure",
    "bitbucket",
    "discord",
    "facebook",
    "snapchat",
    "figma",
    "fly",
    "github",
    "gitlab",
    "google",
    "keycloak",
    "kakao",
    "linkedin",
    "linkedin_oidc",
    "notion",
    "spotify",
    "slack",
    "slack_oidc",
    "workos",
    "twitch",
];

/// The ways to sign in, and what a sign-up leads to.
#[utoipa::path(get, path = "/settings", responses((status = 200, body = Object)))]
pub async fn settings(State(state): State<AppState>) -> Json<Value> {
    let config = state.config();
    let mut external: Map<String, Value> = PROVIDERS
        .into_iter()
        .chain(["twitter", "zoom"])
        .map(|name| (name.to_owned(), Value::Bool(false)))
        .collect();
    external.insert(
        "anonymous_users".to_owned(),
        json!(config.external.anonymous_users),
    );
    external.insert("email".to_owned(), json!(config.external.email));
    external.insert("phone".to_owned(), json!(config.external.phone));
    Json(json!({
        "external": external,
        "disable_signup": config.disable_signup,
        "mailer_autoconfirm": config.mailer.autoconfirm,
        "phone_autoconfirm": config.sms.autoconfirm,
        "sms_provider": config.sms.provider,
        "saml_enabled": false,
        "saml_private_key_next_configured": false,
        "passkeys_enabled": false,
    }))
}

/// The public keys access tokens can be verified with.
#[utoipa::path(get, path = "/.well-known/jwks.json", responses((status = 200, body = Object)))]
pub async fn jwks(State(state): State<AppState>) -> Response {
    let caching = [(CACHE_CONTROL, "public, max-age=600")];
    (caching, Json(state.keys().public_set())).into_response()
}
