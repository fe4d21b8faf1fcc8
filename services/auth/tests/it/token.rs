//! `POST /token?grant_type=password`

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{EMAIL, PASSWORD, autoconfirming, refused, with};

#[tokio::test]
async fn the_right_password_begins_a_session() {
    let service = autoconfirming().await;
    let first = service.signed_up(EMAIL).await;
    let second = service
        .sign_in("ADA@example.com", PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(first["user"]["id"], second["user"]["id"]);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert!(second["user"]["last_sign_in_at"].is_string());
    let entries = "select count(*)::text from auth.audit_log_entries \
                   where payload ->> 'action' = 'login'";
    assert_eq!(service.value(entries).await.as_deref(), Some("2"));
}

#[tokio::test]
async fn wrong_and_unknown_are_answered_alike() {
    let service = autoconfirming().await;
    service.signed_up(EMAIL).await;
    for body in [
        json!({"email": EMAIL, "password": "wrong horse"}),
        json!({"email": EMAIL, "password": ""}),
        json!({"email": EMAIL}),
        json!({"email": "nobody@example.com", "password": PASSWORD}),
    ] {
        let request = || {
            service
                .client
                .post("/token?grant_type=password")
                .json(&body)
        };
        refused(
            request,
            400,
            "invalid_credentials",
            "Invalid login credentials",
        )
        .await;
    }
}

#[tokio::test]
async fn refusals_come_with_gotrues_words() {
    let service = with([("GOTRUE_EXTERNAL_EMAIL_ENABLED", "false")]).await;
    let both = "Only an email address or phone number should be provided on login.";
    for (body, status, code, message) in [
        (
            json!({"email": EMAIL, "phone": "1"}),
            400,
            "validation_failed",
            both,
        ),
        (
            json!({"password": "x"}),
            400,
            "validation_failed",
            "missing email or phone",
        ),
        (
            json!({"email": EMAIL}),
            422,
            "email_provider_disabled",
            "Email logins are disabled",
        ),
        (
            json!({"phone": "15550100"}),
            422,
            "phone_provider_disabled",
            "Phone logins are disabled",
        ),
    ] {
        let request = || {
            service
                .client
                .post("/token?grant_type=password")
                .json(&body)
        };
        refused(request, status, code, message).await;
    }
    for path in ["/token", "/token?grant_type=magic"] {
        let request = || service.client.post(path).json(&json!({}));
        refused(
            request,
            400,
            "invalid_credentials",
            "unsupported_grant_type",
        )
        .await;
    }
}

#[tokio::test]
async fn a_banned_user_does_not_get_in() {
    let service = autoconfirming().await;
    service.signed_up(EMAIL).await;
    service
        .execute("update auth.users set banned_until = now() + interval '1 hour'")
        .await;
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let request = || {
        service
            .client
            .post("/token?grant_type=password")
            .json(&body)
    };
    refused(request, 400, "user_banned", "User is banned").await;
    service.pass(time::Duration::hours(2));
    service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_became_too_weak_still_works_but_says_so() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_PASSWORD_REQUIRED_CHARACTERS", "0123456789"),
    ])
    .await;
    let admin = crate::support::service_role();
    let body = json!({"email": EMAIL, "password": PASSWORD, "email_confirm": true});
    service
        .client
        .post("/admin/users")
        .bearer(&admin)
        .json(&body)
        .send()
        .await
        .expect(StatusCode::OK);
    let tokens = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(tokens["weak_password"]["reasons"], json!(["characters"]));
}

#[tokio::test]
async fn an_imported_bcrypt_hash_works_and_is_replaced() {
    let service = autoconfirming().await;
    service.signed_up(EMAIL).await;
    let hash = bcrypt::hash("imported password", 4).unwrap();
    service
        .execute(&format!(
            "update auth.users set encrypted_password = '{hash}'"
        ))
        .await;
    service
        .sign_in(EMAIL, "imported password")
        .await
        .expect(StatusCode::OK);
    let stored = service
        .value("select encrypted_password from auth.users")
        .await
        .unwrap();
    assert!(stored.starts_with("$argon2id$"), "{stored}");
    service
        .sign_in(EMAIL, "imported password")
        .await
        .expect(StatusCode::OK);
}
