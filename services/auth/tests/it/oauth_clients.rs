//! `/admin/oauth/clients` and `/oauth/clients/register`: the applications themselves.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::client::Response;

use crate::{
    oauth_server::{BACK, registered, server},
    support::{EMAIL, Fixture, access, refused, service_role, text},
};

async fn send(service: &Fixture, method: Method, path: &str, body: &Value) -> Response {
    let request = service.client.request(method, path).bearer(&service_role());
    request.json(body).send().await
}

#[tokio::test]
async fn an_admin_registers_them_and_sees_their_secret_once() {
    let service = server(&[]).await;
    let made = registered(&service, "confidential").await;
    let secret = text(&made, "client_secret");
    for (name, expected) in [
        ("client_type", json!("confidential")),
        ("redirect_uris", json!([BACK])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        (
            "grant_types",
            json!(["authorization_code", "refresh_token"]),
        ),
        ("response_types", json!(["code"])),
        ("registration_type", json!("manual")),
        ("client_secret_expires_at", json!(0)),
    ] {
        assert_eq!(made[name], expected, "{name}");
    }
    let stored = service
        .value("select client_secret_hash from auth.oauth_clients")
        .await;
    assert_ne!(stored.as_deref(), Some(secret));

    let path = format!("/admin/oauth/clients/{}", text(&made, "client_id"));
    let read = send(&service, Method::GET, &path, &json!({})).await.json();
    assert_eq!(read["client_secret"], Value::Null);
}

#[tokio::test]
async fn an_admin_changes_and_removes_them() {
    let service = server(&[]).await;
    let made = registered(&service, "confidential").await;
    let path = format!("/admin/oauth/clients/{}", text(&made, "client_id"));
    let none = json!({});
    let read = send(&service, Method::GET, &path, &none).await.json();
    assert_eq!(read["client_name"], "Acme");
    let listed = send(&service, Method::GET, "/admin/oauth/clients", &none)
        .await
        .json();
    assert_eq!(listed["clients"], json!([read]));
    let name = json!({"client_name": "Other"});
    let changed = send(&service, Method::PUT, &path, &name)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        (&changed["client_name"], &changed["redirect_uris"]),
        (&json!("Other"), &json!([BACK]))
    );
    let unchanged = || {
        service
            .client
            .put(&path)
            .bearer(&service_role())
            .json(&none)
    };
    refused(
        unchanged,
        400,
        "validation_failed",
        "No fields provided for update",
    )
    .await;
    let renewed = send(
        &service,
        Method::POST,
        &format!("{path}/regenerate_secret"),
        &none,
    )
    .await;
    let renewed = renewed.expect(StatusCode::OK).json();
    assert!(
        renewed["client_secret"].is_string() && renewed["client_secret"] != made["client_secret"]
    );

    send(&service, Method::DELETE, &path, &none)
        .await
        .expect(StatusCode::NO_CONTENT);
    for method in [Method::GET, Method::DELETE] {
        let request = || {
            service
                .client
                .request(method.clone(), &path)
                .bearer(&service_role())
        };
        refused(
            request,
            404,
            "oauth_client_not_found",
            "OAuth client not found",
        )
        .await;
    }
    let odd = || {
        service
            .client
            .get("/admin/oauth/clients/x")
            .bearer(&service_role())
    };
    refused(odd, 400, "validation_failed", "invalid client_id format").await;
}

#[tokio::test]
async fn a_change_does_not_bring_a_replaced_secret_back() {
    let service = server(&[]).await;
    let made = registered(&service, "confidential").await;
    let path = format!("/admin/oauth/clients/{}", text(&made, "client_id"));
    let renewal = "update auth.oauth_clients set client_secret_hash = 'renewed'";
    let name = json!({"client_name": "Other"});
    let change = send(&service, Method::PUT, &path, &name);
    let changed = service.after(renewal, change).await;
    changed.expect(StatusCode::OK);
    let stored = "select client_secret_hash || client_name from auth.oauth_clients";
    let stored = service.value(stored).await;
    assert_eq!(stored.as_deref(), Some("renewedOther"));
}

#[tokio::test]
async fn a_public_application_has_no_secret() {
    let service = server(&[]).await;
    let made = registered(&service, "public").await;
    assert_eq!(made["client_secret"], Value::Null);
    assert_eq!(made["token_endpoint_auth_method"], "none");
    let id = text(&made, "client_id");
    let path = format!("/admin/oauth/clients/{id}/regenerate_secret");
    let request = || service.client.post(&path).bearer(&service_role());
    let message = "Cannot regenerate secret for public client";
    refused(request, 400, "validation_failed", message).await;
}

#[tokio::test]
async fn users_are_no_admins_of_applications() {
    let service = server(&[]).await;
    let tokens = service.signed_up(EMAIL).await;
    let made = registered(&service, "public").await;
    let one = format!("/admin/oauth/clients/{}", text(&made, "client_id"));
    let secret = format!("{one}/regenerate_secret");
    for (method, path) in [
        (Method::GET, "/admin/oauth/clients"),
        (Method::POST, "/admin/oauth/clients"),
        (Method::GET, &one),
        (Method::PUT, &one),
        (Method::DELETE, &one),
        (Method::POST, &secret),
    ] {
        let request = || {
            service
                .client
                .request(method.clone(), path)
                .bearer(access(&tokens))
        };
        refused(request, 403, "not_admin", "User not allowed").await;
    }
}

#[tokio::test]
async fn what_an_application_says_about_itself_is_checked() {
    let service = server(&[]).await;
    let many = vec!["https://app.example.com"; 11];
    for (body, message) in [
        (json!({}), "redirect_uris is required"),
        (json!({"redirect_uris": []}), "redirect_uris is required"),
        (
            json!({"redirect_uris": many}),
            "redirect_uris cannot exceed 10 items",
        ),
        (
            json!({"redirect_uris": [BACK], "grant_types": ["implicit"]}),
            "grant_types must only contain 'authorization_code' and/or 'refresh_token'",
        ),
        (
            json!({"redirect_uris": ["javascript://x/%0aalert(1)"]}),
            "invalid redirect_uri 'javascript://x/%0aalert(1)': scheme must be HTTPS or HTTP \
             (localhost only)",
        ),
    ] {
        let request = || {
            let request = service.client.post("/admin/oauth/clients");
            request.bearer(&service_role()).json(&body)
        };
        refused(request, 400, "validation_failed", message).await;
    }
}

#[tokio::test]
async fn applications_register_themselves_where_they_may_and_so_often() {
    let closed = server(&[]).await;
    let body = json!({"redirect_uris": [BACK], "token_endpoint_auth_method": "none"});
    let request = || closed.client.post("/oauth/clients/register").json(&body);
    let message = "Dynamic client registration is not enabled";
    refused(
        request,
        403,
        "oauth_dynamic_client_registration_disabled",
        message,
    )
    .await;

    let open = server(&[
        ("GOTRUE_OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION", "true"),
        ("GOTRUE_RATE_LIMIT_OAUTH_DYNAMIC_CLIENT_REGISTER", "3/1h"),
        ("AUTH_RATE_LIMIT_SCALE", "1"),
    ])
    .await;
    let register = |address: &'static str| {
        let request = open.client.post("/oauth/clients/register").json(&body);
        request.header("x-forwarded-for", address).send()
    };
    for _ in 0..3 {
        let made = register("192.0.2.1")
            .await
            .expect(StatusCode::CREATED)
            .json();
        assert_eq!(made["registration_type"], "dynamic");
    }
    let refused = register("192.0.2.1").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    register("192.0.2.2").await.expect(StatusCode::CREATED);
}
