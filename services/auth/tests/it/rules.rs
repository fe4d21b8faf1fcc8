//! What holds for every request.

use axum::http::StatusCode;
use common::service::Service;
use serde_json::json;

use crate::support::{EMAIL, autoconfirming, refused, with};

#[tokio::test]
async fn an_unknown_path_is_answered_by_the_router() {
    let service = with([]).await;
    let response = service
        .client
        .get("/nothing")
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
    assert_eq!(response.text().trim_end(), "404 page not found");
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let response = service.client.get("/signup").send().await;
    assert!(
        response
            .expect(StatusCode::METHOD_NOT_ALLOWED)
            .bytes
            .is_empty()
    );
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let service = autoconfirming().await;
    for body in [
        "",
        "{",
        "[]",
        "\"x\"",
        r#"{"email":1}"#,
        r#"{"email":"\u0000"}"#,
    ] {
        let response = service.client.post("/signup").body(body).send().await;
        let refusal = response.expect(StatusCode::BAD_REQUEST).json();
        assert_eq!(refusal["error_code"], "bad_json", "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let service = autoconfirming().await;
    let body = format!("{{\"email\":\"{}\"}}", "a".repeat(1024 * 1024));
    let request = || service.client.post("/signup").body(body.clone());
    let message = "Request body too large (max 1048576 bytes)";
    refused(request, 413, "request_entity_too_large", message).await;
}

#[tokio::test]
async fn health_and_settings_speak_as_gotrue() {
    let service = autoconfirming().await;
    let health = service
        .client
        .get("/health")
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(health["name"], "GoTrue");
    let settings = service
        .client
        .get("/settings")
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(settings["mailer_autoconfirm"], true);
    assert_eq!(settings["external"]["email"], true);
    assert_eq!(settings["external"]["anonymous_users"], false);
    assert_eq!(
        settings["external"].as_object().map(serde_json::Map::len),
        Some(26)
    );
    let keys = service
        .client
        .get("/.well-known/jwks.json")
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(keys.json(), json!({"keys": []}));
    assert_eq!(keys.header("cache-control"), Some("public, max-age=600"));
}

#[tokio::test]
async fn a_users_trigger_speaks_to_the_client() {
    let service = autoconfirming().await;
    service
        .execute(
            "create function public.refuse() returns trigger language plpgsql as $$ \
             begin raise exception 'no more users' using errcode = 'PT429', hint = 'wait'; end $$; \
             create trigger refuse after insert on auth.users \
             for each row execute function public.refuse()",
        )
        .await;
    let answer = service
        .sign_up(EMAIL)
        .await
        .expect(StatusCode::TOO_MANY_REQUESTS)
        .json();
    let expected =
        json!({"code": "PT429", "message": "no more users", "hint": "wait", "detail": ""});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_database_that_is_away_is_a_503() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    service.pool.close().await;
    let response = service.user(crate::support::access(&tokens)).await;
    let answer = response.expect(StatusCode::SERVICE_UNAVAILABLE).json();
    assert_eq!(answer["error_code"], "unexpected_failure");
}

#[test]
fn the_contract_has_every_route() {
    let contract = auth::Auth::contract();
    let paths: Vec<_> = contract.paths.paths.keys().map(String::as_str).collect();
    let expected = [
        "/.well-known/jwks.json",
        "/admin/users",
        "/admin/users/{user_id}",
        "/health",
        "/logout",
        "/settings",
        "/signup",
        "/token",
        "/user",
    ];
    assert_eq!(paths, expected);
}
