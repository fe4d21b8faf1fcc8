//! Tokens for tests, good and bad, made without the library that verifies them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A token with `claims`, signed with HS256.
pub fn sign(secret: &str, claims: &Value) -> String {
    sign_with_header(secret, &json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// A token of the signed-in user `sub`, good for an hour.
pub fn user(secret: &str, sub: &str) -> String {
    let claims = json!({
        "sub": sub,
        "role": "authenticated",
        "aud": "authenticated",
        "iat": seconds_from_now(0),
        "exp": seconds_from_now(3600),
    });
    sign(secret, &claims)
}

/// A token without a user, such as the anon key and the service key.
pub fn role(secret: &str, role: &str) -> String {
    sign(
        secret,
        &json!({"role": role, "exp": seconds_from_now(3600)}),
    )
}

/// A token that says it needs no signature.
pub fn unsigned(claims: &Value) -> String {
    let header = json!({"alg": "none", "typ": "JWT"});
    format!("{}.{}.", encode(&header), encode(claims))
}

/// A token with a header of the caller's choice, signed with HMAC-SHA-256 whatever it says.
pub fn sign_with_header(secret: &str, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", encode(header), encode(claims));
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key for HMAC");
    mac.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{text}.{signature}")
}

/// `token` with other claims under the old signature.
pub fn with_claims(token: &str, claims: &Value) -> String {
    let (header, rest) = token.split_once('.').expect("a token has three parts");
    let (_, signature) = rest.split_once('.').expect("a token has three parts");
    format!("{header}.{}.{signature}", encode(claims))
}

/// The claims of `token`, not verified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a token has three parts");
    let bytes = URL_SAFE_NO_PAD
        .decode(payload)
        .expect("a payload is base64url");
    serde_json::from_slice(&bytes).expect("a payload is JSON")
}

/// Now and `offset` seconds more, in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's token must be valid for real clocks"
)]
pub fn seconds_from_now(offset: i64) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    i64::try_from(now.as_secs()).expect("a date within reach") + offset
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_token_is_made() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let token = sign("your-256-bit-secret", &json!({"sub": "1234567890"}));
        assert!(token.starts_with(&header), "{token}");
        assert_eq!(claims(&token), json!({"sub": "1234567890"}));
        assert!(
            token.ends_with(".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
            "{token}"
        );
    }

    #[test]
    fn changed_claims_keep_the_signature() {
        let token = user("secret", "a");
        let forged = with_claims(&token, &json!({"sub": "b"}));
        assert_eq!(token.rsplit('.').next(), forged.rsplit('.').next());
        assert_eq!(claims(&forged)["sub"], "b");
    }
}
