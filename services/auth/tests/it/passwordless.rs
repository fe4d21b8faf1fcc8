//! `POST /otp`, `/magiclink`, `/recover` and `/resend`

use axum::http::StatusCode;
use serde_json::json;

use crate::{
    mailed::{CHALLENGE, fragment, mailed},
    support::{EMAIL, PASSWORD, refused},
};

#[tokio::test]
async fn a_resent_token_replaces_the_one_before() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let first = it.variable(EMAIL, "TokenHash");
    let body = json!({"type": "signup", "email": EMAIL});
    it.service
        .post("/resend", body)
        .await
        .expect(StatusCode::OK);
    let second = it.variable(EMAIL, "TokenHash");
    for (hash, status) in [(first, StatusCode::FORBIDDEN), (second, StatusCode::OK)] {
        let body = json!({"type": "signup", "token_hash": hash});
        it.service.post("/verify", body).await.expect(status);
    }
}

#[tokio::test]
async fn recovery_lets_a_user_choose_a_new_password() {
    let it = mailed(&[("GOTRUE_URI_ALLOW_LIST", "https://app.example.com/**")]).await;
    it.confirmed(EMAIL).await;
    let path = "/recover?redirect_to=https://app.example.com/new-password";
    let body = json!({"email": EMAIL});
    assert_eq!(
        it.service
            .post(path, body)
            .await
            .expect(StatusCode::OK)
            .json(),
        json!({})
    );
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-recovery");
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let location = response.header("location").unwrap_or_default();
    assert!(
        location.starts_with("https://app.example.com/new-password#"),
        "{location}"
    );
    assert_eq!(fragment(&response, "type").as_deref(), Some("recovery"));
    let token = fragment(&response, "access_token").expect("a token");
    let body = json!({"password": "battery staple"});
    it.service
        .put_user(&token, body)
        .await
        .expect(StatusCode::OK);
    it.service
        .sign_in(EMAIL, "battery staple")
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn unknown_addresses_are_answered_as_known_ones_and_get_nothing() {
    let it = mailed(&[]).await;
    for (path, body) in [
        ("/recover", json!({"email": "nobody@example.com"})),
        (
            "/resend",
            json!({"type": "signup", "email": "nobody@example.com"}),
        ),
    ] {
        assert_eq!(
            it.service
                .post(path, body)
                .await
                .expect(StatusCode::OK)
                .json(),
            json!({})
        );
    }
    assert_eq!(it.count(), 0);
}

#[tokio::test]
async fn a_magic_link_makes_an_account_and_later_signs_in() {
    let it = mailed(&[]).await;
    let body = json!({"email": EMAIL, "data": {"name": "Ada"}});
    it.service
        .post("/otp", body.clone())
        .await
        .expect(StatusCode::OK);
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-confirmation");
    it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    it.service.post("/otp", body).await.expect(StatusCode::OK);
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-magic_link");
    let code = it.variable(EMAIL, "Token");
    let body = json!({"type": "email", "email": EMAIL, "token": code});
    let tokens = it
        .service
        .post("/verify", body)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(tokens["user"]["user_metadata"]["name"], "Ada");
}

#[tokio::test]
async fn a_password_chosen_before_the_address_was_confirmed_dies_with_a_recovery() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    it.service
        .post("/recover", json!({"email": EMAIL}))
        .await
        .expect(StatusCode::OK);
    it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    it.service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn passwordless_refusals_come_with_gotrues_words() {
    let it = mailed(&[]).await;
    for (path, body, status, code, message) in [
        (
            "/otp",
            json!({}),
            400,
            "validation_failed",
            "One of email or phone must be set",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "phone": "1"}),
            400,
            "validation_failed",
            "Only an email address or phone number should be provided",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "channel": "sms"}),
            400,
            "validation_failed",
            "Channel should only be specified with Phone OTP",
        ),
        (
            "/otp",
            json!({"phone": "15550100"}),
            400,
            "phone_provider_disabled",
            "Unsupported phone provider",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "create_user": false}),
            422,
            "otp_disabled",
            "Signups not allowed for otp",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "code_challenge": CHALLENGE}),
            400,
            "validation_failed",
            "PKCE flow requires code_challenge_method and code_challenge",
        ),
        (
            "/recover",
            json!({}),
            400,
            "validation_failed",
            "Password recovery requires an email",
        ),
        (
            "/magiclink",
            json!({}),
            422,
            "validation_failed",
            "Password recovery requires an email",
        ),
    ] {
        let request = || it.service.client.post(path).json(&body);
        refused(request, status, code, message).await;
    }
}

#[tokio::test]
async fn what_is_to_be_sent_again_must_be_named() {
    let it = mailed(&[]).await;
    let types = "Missing one of these types: signup, email_change, sms, phone_change";
    for (path, body, status, code, message) in [
        (
            "/resend",
            json!({"email": EMAIL}),
            400,
            "validation_failed",
            types,
        ),
        (
            "/resend",
            json!({"type": "signup"}),
            400,
            "validation_failed",
            "Missing email address or phone number",
        ),
        (
            "/resend",
            json!({"type": "signup", "phone": "1"}),
            400,
            "validation_failed",
            "Type provided requires an email address",
        ),
    ] {
        let request = || it.service.client.post(path).json(&body);
        refused(request, status, code, message).await;
    }
}
