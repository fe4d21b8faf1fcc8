//! `GET /settings` and `GET /.well-known/jwks.json`: what anybody may know.

use axum::{
    extract::State,
    http::header::CACHE_CONTROL,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde_json::{Map, Value, json};

use crate::{AppState, oauth::catalogue::NAMED};

/// Providers that clients ask about although they are not offered here.
const OTHERS: [&str; 3] = ["linkedin", "slack", "snapchat"];

/// The ways to sign in, and what a sign-up leads to.
#[utoipa::path(get, path = "/settings", responses((status = 200, body = Object)))]
pub async fn settings(State(state): State<AppState>) -> Json<Value> {
    let config = state.config();
    let is_on = |name: &str| {
        let mut providers = state.oauth().providers().iter();
        providers.any(|provider| provider.name == name)
    };
    let mut external: Map<String, Value> = NAMED
        .iter()
        .map(|named| named.name)
        .chain(OTHERS)
        .map(|name| (name.to_owned(), Value::Bool(is_on(name))))
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
        "saml_enabled": config.saml.is_some(),
        "saml_private_key_next_configured": false,
        "passkeys_enabled": config.passkeys.enabled,
    }))
}

/// The public keys access tokens can be verified with.
#[utoipa::path(get, path = "/.well-known/jwks.json", responses((status = 200, body = Object)))]
pub async fn jwks(State(state): State<AppState>) -> Response {
    let caching = [(CACHE_CONTROL, "public, max-age=600")];
    (caching, Json(state.keys().public_set())).into_response()
}
