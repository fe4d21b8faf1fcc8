//! `POST /token?grant_type=refresh_token`

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::jwt;
use time::Duration;

use crate::support::{EMAIL, Fixture, access, autoconfirming, refused, text, with};

async fn refused_with(service: &Fixture, token: &str, code: &str, message: &str) {
    let body = json!({"refresh_token": token});
    let request = || {
        service
            .client
            .post("/token?grant_type=refresh_token")
            .json(&body)
    };
    refused(request, 400, code, message).await;
}

async fn refreshed(service: &Fixture, tokens: &Value) -> Value {
    service
        .refresh(text(tokens, "refresh_token"))
        .await
        .expect(StatusCode::OK)
        .json()
}

#[tokio::test]
async fn a_refresh_rotates_the_token_and_keeps_the_session() {
    let service = autoconfirming().await;
    let first = service.signed_up(EMAIL).await;
    let response = service
        .refresh(text(&first, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    let second = response.json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(
        response.header("sb-auth-refresh-token-rotated"),
        Some("true")
    );
    let (before, after) = (jwt::claims(access(&first)), jwt::claims(access(&second)));
    assert_eq!(before["session_id"], after["session_id"]);
    assert_eq!(before["amr"], after["amr"]);
    let noted = "select (refreshed_at is not null)::text from auth.sessions";
    assert_eq!(service.value(noted).await.as_deref(), Some("true"));
}

#[tokio::test]
async fn the_parent_of_the_active_token_yields_the_active_token() {
    let service = autoconfirming().await;
    let first = service.signed_up(EMAIL).await;
    let second = refreshed(&service, &first).await;
    service.pass(Duration::days(1));
    let response = service
        .refresh(text(&first, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    assert_eq!(response.json()["refresh_token"], second["refresh_token"]);
    assert_eq!(response.header("sb-auth-refresh-token-reuse"), Some("true"));
}

#[tokio::test]
async fn an_older_token_ends_the_whole_family() {
    let service = autoconfirming().await;
    let first = service.signed_up(EMAIL).await;
    let second = refreshed(&service, &first).await;
    let third = refreshed(&service, &second).await;
    let message = "Invalid Refresh Token: Already Used";
    let code = "refresh_token_already_used";
    refused_with(&service, text(&first, "refresh_token"), code, message).await;
    refused_with(&service, text(&third, "refresh_token"), code, message).await;
    let logged = "select count(*)::text from auth.audit_log_entries \
                  where payload ->> 'action' = 'token_revoked' \
                    and payload -> 'traits' ->> 'reason' = 'reuse'";
    assert_ne!(service.value(logged).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn without_rotation_a_misused_token_harms_nobody_else() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED", "false"),
    ])
    .await;
    let first = service.signed_up(EMAIL).await;
    let second = refreshed(&service, &first).await;
    let third = refreshed(&service, &second).await;
    service
        .refresh(text(&first, "refresh_token"))
        .await
        .expect(StatusCode::BAD_REQUEST);
    refreshed(&service, &third).await;
}

#[tokio::test]
async fn an_older_token_is_rotated_again_within_the_reuse_interval() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL", "10"),
    ])
    .await;
    let first = service.signed_up(EMAIL).await;
    let second = refreshed(&service, &first).await;
    refreshed(&service, &second).await;
    let again = refreshed(&service, &first).await;
    refreshed(&service, &again).await;
    service.pass(Duration::seconds(11));
    let message = "Invalid Refresh Token: Already Used";
    let token = text(&first, "refresh_token");
    refused_with(&service, token, "refresh_token_already_used", message).await;
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let service = autoconfirming().await;
    let unreadable = "Refresh token is not valid";
    for token in ["", "short"] {
        refused_with(&service, token, "validation_failed", unreadable).await;
    }
    let unknown = "Invalid Refresh Token: Refresh Token Not Found";
    for token in ["aaaaaaaaaaaa", &"a".repeat(5000)] {
        refused_with(&service, token, "refresh_token_not_found", unknown).await;
    }
}

#[tokio::test]
async fn banned_users_and_ended_sessions_are_refused() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let token = text(&tokens, "refresh_token");
    service
        .execute("update auth.users set banned_until = now() + interval '1 hour'")
        .await;
    refused_with(
        &service,
        token,
        "user_banned",
        "Invalid Refresh Token: User Banned",
    )
    .await;
    service
        .execute(
            "update auth.users set banned_until = null; \
             update auth.refresh_tokens set session_id = null",
        )
        .await;
    let message = "Invalid Refresh Token: No Valid Session Found";
    refused_with(&service, token, "session_not_found", message).await;
}

#[tokio::test]
async fn a_session_ends_with_its_timebox() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SESSIONS_TIMEBOX", "1h"),
    ])
    .await;
    let tokens = service.signed_up(EMAIL).await;
    service.pass(Duration::minutes(59));
    let tokens = refreshed(&service, &tokens).await;
    service.pass(Duration::minutes(2));
    let message = "Invalid Refresh Token: Session Expired";
    refused_with(
        &service,
        text(&tokens, "refresh_token"),
        "session_expired",
        message,
    )
    .await;
}

#[tokio::test]
async fn a_session_ends_when_it_rests_too_long() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SESSIONS_INACTIVITY_TIMEOUT", "10m"),
    ])
    .await;
    let tokens = service.signed_up(EMAIL).await;
    service.pass(Duration::minutes(9));
    let tokens = refreshed(&service, &tokens).await;
    service.pass(Duration::minutes(11));
    let message = "Invalid Refresh Token: Session Expired (Inactivity)";
    refused_with(
        &service,
        text(&tokens, "refresh_token"),
        "session_expired",
        message,
    )
    .await;
}

#[tokio::test]
async fn where_a_user_has_one_session_the_newest_wins() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SESSIONS_SINGLE_PER_USER", "true"),
    ])
    .await;
    let older = service.signed_up(EMAIL).await;
    service.pass(Duration::seconds(5));
    let newer = service
        .sign_in(EMAIL, crate::support::PASSWORD)
        .await
        .json();
    let message = "Invalid Refresh Token: Session Expired (Revoked by Newer Login)";
    refused_with(
        &service,
        text(&older, "refresh_token"),
        "session_expired",
        message,
    )
    .await;
    refreshed(&service, &newer).await;
}
