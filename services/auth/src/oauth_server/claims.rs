//! What an application learns about a user (OpenID Connect Core, 2 and 5.4).

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{issuer, scope::Scopes};
use crate::{
    config::Config,
    user::{Members, User},
};

/// What the scopes let an application know about the user.
pub fn about(user: &User, scopes: &Scopes) -> Members {
    let mut claims = Members::new();
    claims.insert("sub".to_owned(), json!(user.id));
    if scopes.has("email") && !user.email().is_empty() {
        claims.insert("email".to_owned(), json!(user.email()));
        let is_verified = user.email_confirmed_at.is_some();
        claims.insert("email_verified".to_owned(), json!(is_verified));
    }
    if scopes.has("profile") {
        add_profile(&mut claims, user);
    }
    if scopes.has("phone") && !user.phone().is_empty() {
        claims.insert("phone".to_owned(), json!(user.phone()));
        let is_verified = user.phone_confirmed_at.is_some();
        claims.insert("phone_verified".to_owned(), json!(is_verified));
    }
    claims
}

fn add_profile(claims: &mut Members, user: &User) {
    let metadata = user.user_metadata();
    let text = |name: &str| {
        let text = metadata.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let address = || Some(user.email().to_owned()).filter(|address| !address.is_empty());
    let found = [
        ("name", text("name").or_else(address)),
        ("picture", text("picture").or_else(|| text("avatar_url"))),
        (
            "preferred_username",
            text("preferred_username").or_else(|| text("username")),
        ),
    ];
    for (name, value) in found {
        if let Some(value) = value {
            claims.insert(name.to_owned(), Value::String(value));
        }
    }
    if let Some(at) = user.updated_at {
        claims.insert("updated_at".to_owned(), json!(at.unix_timestamp()));
    }
    claims.insert("user_metadata".to_owned(), Value::Object(metadata));
}

/// The claims of an ID token. It names its client, so it is never taken for an access token.
pub fn id_token(
    config: &Config,
    user: &User,
    client: Uuid,
    (scopes, nonce): (&Scopes, Option<&str>),
    now: OffsetDateTime,
) -> Members {
    let mut claims = about(user, scopes);
    let issued_at = now.unix_timestamp();
    let expires_at = issued_at + config.jwt.expires_in.whole_seconds();
    claims.remove("user_metadata");
    claims.insert("iss".to_owned(), json!(issuer(config)));
    claims.insert("aud".to_owned(), json!(client));
    claims.insert("client_id".to_owned(), json!(client));
    claims.insert("iat".to_owned(), json!(issued_at));
    claims.insert("exp".to_owned(), json!(expires_at));
    if let Some(at) = user.last_sign_in_at {
        claims.insert("auth_time".to_owned(), json!(at.unix_timestamp()));
    }
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    claims
}
