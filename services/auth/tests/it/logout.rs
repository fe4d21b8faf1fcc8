//! `POST /logout`

use axum::http::StatusCode;
use serde_json::Value;

use crate::support::{EMAIL, Fixture, PASSWORD, access, autoconfirming, refused};

async fn two_sessions() -> (Fixture, Value, Value) {
    let service = autoconfirming().await;
    let one = service.signed_up(EMAIL).await;
    let other = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    (service, one, other)
}

async fn log_out(service: &Fixture, tokens: &Value, query: &str) {
    let request = service
        .client
        .post(&format!("/logout{query}"))
        .bearer(access(tokens));
    let response = request.send().await.expect(StatusCode::NO_CONTENT);
    assert!(response.bytes.is_empty());
}

async fn status(service: &Fixture, tokens: &Value) -> u16 {
    service.user(access(tokens)).await.status.as_u16()
}

#[tokio::test]
async fn a_logout_ends_every_session_at_once() {
    let (service, one, other) = two_sessions().await;
    log_out(&service, &one, "").await;
    let message = "Session from session_id claim in JWT does not exist";
    for tokens in [&one, &other] {
        let request = || service.client.get("/user").bearer(access(tokens));
        refused(request, 403, "session_not_found", message).await;
        let refreshed = service
            .refresh(tokens["refresh_token"].as_str().unwrap())
            .await;
        assert_eq!(refreshed.json()["error_code"], "refresh_token_not_found");
    }
}

#[tokio::test]
async fn a_local_logout_ends_this_session_only() {
    let (service, one, other) = two_sessions().await;
    log_out(&service, &one, "?scope=local").await;
    assert_eq!(
        (status(&service, &one).await, status(&service, &other).await),
        (403, 200)
    );
}

#[tokio::test]
async fn a_logout_of_others_keeps_this_session() {
    let (service, one, other) = two_sessions().await;
    log_out(&service, &one, "?scope=others").await;
    assert_eq!(
        (status(&service, &one).await, status(&service, &other).await),
        (200, 403)
    );
}

#[tokio::test]
async fn another_scope_is_refused() {
    let (service, one, _) = two_sessions().await;
    let request = || {
        service
            .client
            .post("/logout?scope=all")
            .bearer(access(&one))
    };
    refused(
        request,
        400,
        "validation_failed",
        "Unsupported logout scope \"all\"",
    )
    .await;
}
