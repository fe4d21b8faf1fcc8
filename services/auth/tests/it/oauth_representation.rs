//! What an application may do in the name of the user who let it in: read, and nothing else.

use axum::http::{Method, StatusCode};
use common::service::Service;
use serde_json::json;
use uuid::Uuid;

use crate::{
    oauth_tokens::{Signed, signed},
    support::{access, refused},
};

const MESSAGE: &str = "An OAuth client cannot do this in the name of its user";

/// What may be read with an application's token.
const READABLE: [&str; 2] = ["/user", "/oauth/userinfo"];

/// All that needs an access token, as `method path`, with an id wherever there must be one.
fn operations() -> Vec<(Method, String)> {
    let contract = serde_json::to_value(auth::Auth::contract()).expect("a contract is JSON");
    let mut operations = Vec::new();
    for (path, methods) in contract["paths"].as_object().expect("paths") {
        let id = Uuid::nil().to_string();
        let parts = path.split('/').map(|part| {
            let is_named = part.starts_with('{');
            if is_named { id.as_str() } else { part }
        });
        let path = parts.collect::<Vec<_>>().join("/");
        for (method, operation) in methods.as_object().expect("methods") {
            if operation["security"].is_array() {
                let method = method.to_ascii_uppercase().parse().expect("a method");
                operations.push((method, path.clone()));
            }
        }
    }
    operations
}

async fn with_everything() -> Signed {
    signed(
        "public",
        &[
            ("GOTRUE_PASSKEY_ENABLED", "true"),
            ("GOTRUE_SECURITY_MANUAL_LINKING_ENABLED", "true"),
        ],
    )
    .await
}

#[tokio::test]
async fn an_application_changes_nothing_of_an_account() {
    let it = with_everything().await;
    let tokens = it.tokens(&[]).await;
    let operations = operations();
    assert!(operations.len() > 40, "{operations:?}");
    for (method, path) in operations {
        if method == Method::GET && READABLE.contains(&path.as_str()) {
            continue;
        }
        let request = it.service.client.request(method.clone(), &path);
        let answer = request
            .bearer(access(&tokens))
            .json(&json!({}))
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        let expected = if path.starts_with("/admin") || path == "/invite" {
            "not_admin"
        } else {
            "insufficient_scope"
        };
        assert_eq!(answer.json()["error_code"], expected, "{method} {path}");
    }
    let put = || {
        let request = it.service.client.put("/user").bearer(access(&tokens));
        request.json(&json!({"password": "another horse"}))
    };
    refused(put, 403, "insufficient_scope", MESSAGE).await;
}

#[tokio::test]
async fn an_application_reads_whom_it_speaks_for() {
    let it = with_everything().await;
    let tokens = it.tokens(&[]).await;
    let user = it.service.user(access(&tokens)).await;
    let user = user.expect(StatusCode::OK).json();
    assert_eq!(user["id"], it.own["user"]["id"]);
    it.userinfo(access(&tokens)).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_application_ends_no_session_but_its_own() {
    let it = with_everything().await;
    let (tokens, other) = (it.tokens(&[]).await, it.tokens(&[]).await);
    for query in ["", "?scope=global", "?scope=others"] {
        let path = format!("/logout{query}");
        let request = || it.service.client.post(&path).bearer(access(&tokens));
        refused(request, 403, "insufficient_scope", MESSAGE).await;
    }
    let request = it.service.client.post("/logout?scope=local");
    let answer = request.bearer(access(&tokens)).send().await;
    answer.expect(StatusCode::NO_CONTENT);
    let ended = it.service.user(access(&tokens)).await;
    assert_eq!(ended.json()["error_code"], "session_not_found");
    for kept in [&other, &it.own] {
        let user = it.service.user(access(kept)).await;
        user.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn an_application_of_an_admin_is_none() {
    let it = with_everything().await;
    let change = "update auth.users set role = 'supabase_admin'";
    it.service.execute(change).await;
    let tokens = it.tokens(&[]).await;
    let claims = testkit::jwt::claims(access(&tokens));
    assert_eq!(claims["role"], "supabase_admin");
    let request = || {
        let request = it.service.client.get("/admin/users");
        request.bearer(access(&tokens))
    };
    refused(request, 403, "not_admin", "User not allowed").await;
}
