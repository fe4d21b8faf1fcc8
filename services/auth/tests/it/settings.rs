//! Variables that change what clients see.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    mailed::mailed,
    support::{EMAIL, PASSWORD, access, autoconfirming, refused, service_role, text, with},
};

const AUTOCONFIRM: (&str, &str) = ("GOTRUE_MAILER_AUTOCONFIRM", "true");

#[tokio::test]
async fn the_secret_has_the_name_it_was_given() {
    let service = with([AUTOCONFIRM, ("GOTRUE_JWT_KEY_ID", "the-secret")]).await;
    let tokens = service.signed_up(EMAIL).await;
    let (header, _) = access(&tokens).split_once('.').expect("a header");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    assert_eq!(header["kid"], "the-secret");
    service.user(access(&tokens)).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_token_counts_only_with_an_algorithm_that_is_listed() {
    let service = with([AUTOCONFIRM, ("GOTRUE_JWT_VALID_METHODS", "ES256")]).await;
    let admin = service_role();
    let request = || service.client.get("/admin/users").bearer(&admin);
    let message = "invalid JWT: unable to parse or verify signature, \
                   token signature is invalid: signing method is invalid";
    refused(request, 403, "bad_jwt", message).await;
}

#[tokio::test]
async fn a_user_has_one_session_for_each_tag() {
    let service = with([
        AUTOCONFIRM,
        ("GOTRUE_SESSIONS_SINGLE_PER_USER", "true"),
        ("GOTRUE_SESSIONS_TAGS", "web,mobile"),
    ])
    .await;
    let mobile = service.signed_up(EMAIL).await;
    service
        .execute("update auth.sessions set tag = 'mobile'")
        .await;
    service.pass(Duration::seconds(5));
    let web = service.sign_in(EMAIL, PASSWORD).await.json();
    let refresh = async |tokens: &Value| service.refresh(text(tokens, "refresh_token")).await;
    refresh(&mobile).await.expect(StatusCode::OK);
    // Whoever has no tag, or one that is not listed, counts for the first.
    service
        .execute("update auth.sessions set tag = 'tv' where tag is null")
        .await;
    service.pass(Duration::seconds(5));
    service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK);
    let ended = refresh(&web).await.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(ended["error_code"], "session_expired");
}

#[tokio::test]
async fn mails_go_to_authorized_addresses_only() {
    let it = mailed(&[(
        "GOTRUE_EXTERNAL_EMAIL_AUTHORIZED_ADDRESSES",
        "Ada@example.com",
    )])
    .await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    it.service
        .sign_up("ada+label@example.com")
        .await
        .expect(StatusCode::OK);
    let eve = "eve@example.com";
    let message = format!("Email address {eve:?} cannot be used as it is not authorized");
    for (path, body) in [
        ("/signup", json!({"email": eve, "password": PASSWORD})),
        ("/otp", json!({"email": eve})),
        ("/recover", json!({"email": eve})),
        ("/resend", json!({"email": eve, "type": "signup"})),
        ("/invite", json!({"email": eve})),
    ] {
        let admin = service_role();
        let request = || it.service.client.post(path).bearer(&admin).json(&body);
        refused(request, 400, "email_address_not_authorized", &message).await;
    }
    assert_eq!(it.count(), 2);
}

#[tokio::test]
async fn what_nobody_will_ask_for_again_is_removed() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let next = service.refresh(text(&tokens, "refresh_token")).await.json();
    let rows = "select (select count(*) from auth.refresh_tokens)::text \
                || (select count(*) from auth.sessions)::text";
    let remove = async || {
        auth::cleanup::remove_some(&service.state)
            .await
            .expect("a count")
    };
    assert_eq!(remove().await, 0);
    service.pass(Duration::hours(25));
    assert_eq!(remove().await, 1);
    assert_eq!(service.value(rows).await.as_deref(), Some("11"));
    service
        .refresh(text(&next, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    let ended = "update auth.sessions set not_after = now() - interval '3 days'";
    service.execute(ended).await;
    assert_eq!(remove().await, 1);
    assert_eq!(service.value(rows).await.as_deref(), Some("00"));
}
