//! Secrets that the database does not tell.

use serde_json::Value;
use time::Duration;

use crate::{
    factors::{enrolled, raised},
    support::{EMAIL, access, text, with},
};

const OF_FACTOR: &str = "select secret from auth.mfa_factors";

/// Secrets are encrypted with a key that is called `a`.
const KEYS: [(&str, &str); 4] = [
    ("GOTRUE_SECURITY_DATABASE_ENCRYPTION_ENCRYPT", "true"),
    ("GOTRUE_SECURITY_DATABASE_ENCRYPTION_ENCRYPTION_KEY_ID", "a"),
    (
        "GOTRUE_SECURITY_DATABASE_ENCRYPTION_ENCRYPTION_KEY",
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE",
    ),
    (
        "GOTRUE_SECURITY_DATABASE_ENCRYPTION_DECRYPTION_KEYS",
        "a:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE",
    ),
];

/// The name of the key that a stored secret is encrypted with.
fn key_of(stored: Option<String>) -> Value {
    let stored = stored.expect("a secret");
    serde_json::from_str::<Value>(&stored).expect("an encrypted secret")["key_id"].clone()
}

#[tokio::test]
async fn the_secret_of_an_authenticator_is_stored_encrypted() {
    let confirms = [("GOTRUE_MAILER_AUTOCONFIRM", "true")];
    let service = with(KEYS.into_iter().chain(confirms)).await;
    let tokens = service.signed_up(EMAIL).await;
    let factor = enrolled(&service, access(&tokens), "phone").await;
    assert_eq!(key_of(service.value(OF_FACTOR).await), "a");
    let tokens = raised(&service, access(&tokens), &factor).await;

    // As it was stored before anything was encrypted.
    let plain = text(&factor["totp"], "secret");
    let back = format!("update auth.mfa_factors set secret = '{plain}'");
    service.execute(&back).await;
    service.pass(Duration::minutes(2));
    raised(&service, access(&tokens), &factor).await;
    let stored = service.value(OF_FACTOR).await;
    assert_eq!(key_of(stored), "a", "it is encrypted once it was used");
}
