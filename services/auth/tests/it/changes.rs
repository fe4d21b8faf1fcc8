//! Changes of address and password that need a proof.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    mailed::{fragment, mailed},
    support::{EMAIL, PASSWORD, access, refused},
};

#[tokio::test]
async fn a_new_address_counts_when_both_have_confirmed() {
    let it = mailed(&[]).await;
    let tokens = it.confirmed(EMAIL).await;
    let body = json!({"email": "new@example.com"});
    it.service
        .put_user(access(&tokens), body)
        .await
        .expect(StatusCode::OK);
    let half = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let message = "Confirmation link accepted. Please proceed to confirm link sent to the other \
                   email";
    assert_eq!(fragment(&half, "message").as_deref(), Some(message));
    let user = it.service.user(access(&tokens)).await.json();
    assert_eq!(user["email"], EMAIL);
    let response = it
        .follow("new@example.com")
        .await
        .expect(StatusCode::SEE_OTHER);
    let token = fragment(&response, "access_token").expect("a token");
    let user = it.service.user(&token).await.expect(StatusCode::OK).json();
    assert_eq!(user["email"], "new@example.com");
    assert!(user.get("new_email").is_none());
    assert_eq!(
        user["identities"][0]["identity_data"]["email"],
        "new@example.com"
    );
}

#[tokio::test]
async fn the_same_confirmation_does_not_count_twice() {
    let it = mailed(&[]).await;
    let tokens = it.confirmed(EMAIL).await;
    let body = json!({"email": "new@example.com"});
    it.service
        .put_user(access(&tokens), body)
        .await
        .expect(StatusCode::OK);
    it.follow("new@example.com")
        .await
        .expect(StatusCode::SEE_OTHER);
    let again = it
        .follow("new@example.com")
        .await
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(
        fragment(&again, "error_code").as_deref(),
        Some("otp_expired")
    );
    assert_eq!(
        it.service.user(access(&tokens)).await.json()["email"],
        EMAIL
    );
}

#[tokio::test]
async fn a_password_change_can_require_a_fresh_proof() {
    let it = mailed(&[(
        "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION",
        "true",
    )])
    .await;
    it.confirmed(EMAIL).await;
    it.service
        .execute("update auth.sessions set created_at = now() - interval '2 days'")
        .await;
    let tokens = it
        .service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    it.service
        .execute("update auth.sessions set created_at = now() - interval '2 days'")
        .await;
    let token = access(&tokens);
    let change = |nonce: &str| {
        let body = json!({"password": "battery staple", "nonce": nonce});
        it.service.client.put("/user").bearer(token).json(&body)
    };
    let needed = "Password update requires reauthentication";
    refused(|| change(""), 400, "reauthentication_needed", needed).await;
    let invalid = "Nonce has expired or is invalid";
    refused(
        || change("000000"),
        422,
        "reauthentication_not_valid",
        invalid,
    )
    .await;
    let request = it.service.client.get("/reauthenticate").bearer(token);
    request.send().await.expect(StatusCode::OK);
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-reauthentication");
    change(&it.variable(EMAIL, "Token"))
        .send()
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_password_change_can_require_the_present_password() {
    let it = mailed(&[(
        "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD",
        "true",
    )])
    .await;
    let tokens = it.confirmed(EMAIL).await;
    let change = |body: Value| {
        it.service
            .client
            .put("/user")
            .bearer(access(&tokens))
            .json(&body)
    };
    let message = "Current password required when setting new password.";
    let without = || change(json!({"password": "battery staple"}));
    refused(without, 400, "current_password_required", message).await;
    let wrong = || change(json!({"password": "battery staple", "current_password": "x"}));
    refused(wrong, 400, "current_password_invalid", message).await;
    let right = change(json!({"password": "battery staple", "current_password": PASSWORD}));
    right.send().await.expect(StatusCode::OK);
}
