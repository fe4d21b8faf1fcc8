//! `/admin/users`

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    EMAIL, Fixture, PASSWORD, SECRET, access, autoconfirming, refused, service_role, text, with,
};

const NOBODY: &str = "/admin/users/00000000-0000-4000-8000-000000000000";

async fn created(service: &Fixture, body: Value) -> Value {
    let admin = service_role();
    let request = service
        .client
        .post("/admin/users")
        .bearer(&admin)
        .json(&body);
    request.send().await.expect(StatusCode::OK).json()
}

async fn updated(service: &Fixture, id: &str, body: Value) -> Value {
    let admin = service_role();
    let path = format!("/admin/users/{id}");
    let request = service.client.put(&path).bearer(&admin).json(&body);
    request.send().await.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn only_admins_manage_users() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let anon = testkit::jwt::role(SECRET, "anon");
    for path in ["/admin/users", NOBODY] {
        for token in [access(&tokens), anon.as_str()] {
            let request = || service.client.get(path).bearer(token);
            refused(request, 403, "not_admin", "User not allowed").await;
        }
        let message = "This endpoint requires a valid Bearer token";
        refused(
            || service.client.get(path),
            401,
            "no_authorization",
            message,
        )
        .await;
    }
    for request in [
        service
            .client
            .post("/admin/users")
            .json(&json!({"email": "x@example.com"})),
        service.client.put(NOBODY).json(&json!({})),
        service.client.delete(NOBODY),
    ] {
        request
            .bearer(access(&tokens))
            .send()
            .await
            .expect(StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_created_user_is_as_described() {
    let service = with([]).await;
    let user = created(
        &service,
        json!({
            "email": "Ada@example.com", "phone": "+1 555 0100", "password": "short",
            "email_confirm": true, "user_metadata": {"name": "Ada"},
            "app_metadata": {"plan": "pro"}, "role": "editor",
        }),
    )
    .await;
    assert_eq!(
        (&user["email"], &user["phone"]),
        (&json!(EMAIL), &json!("15550100"))
    );
    assert_eq!(
        user["user_metadata"],
        json!({"name": "Ada", "email_verified": true})
    );
    let expected = json!({"plan": "pro", "provider": "email", "providers": ["email", "phone"]});
    assert_eq!(user["app_metadata"], expected);
    assert_eq!(user["role"], "editor");
    assert!(user["email_confirmed_at"].is_string() && user.get("phone_confirmed_at").is_none());
    assert_eq!(user["identities"].as_array().map(Vec::len), Some(2));
    service.sign_in(EMAIL, "short").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_created_user_may_bring_id_and_hash() {
    let service = with([]).await;
    let id = "6b1e0f6e-9a3b-4a3c-8a55-3a1f1f1f1f1f";
    let hash = bcrypt::hash("old password", 4).unwrap();
    let body = json!({"id": id, "email": EMAIL, "password_hash": hash, "email_confirm": true});
    assert_eq!(created(&service, body).await["id"], id);
    service
        .sign_in(EMAIL, "old password")
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_user_is_created_once_and_only_with_sense() {
    let service = with([]).await;
    created(&service, json!({"email": EMAIL, "phone": "15550100"})).await;
    let taken = "A user with this email address has already been registered";
    let number = "Phone number already registered by another user";
    let neither = "Cannot create a user without either an email or phone";
    let both = "Only a password or a password hash should be provided";
    let id = "ID must conform to the uuid v4 format";
    let other = "grace@example.com";
    for (body, status, code, message) in [
        (
            json!({"email": "ADA@example.com"}),
            422,
            "email_exists",
            taken,
        ),
        (json!({"phone": "+15550100"}), 422, "phone_exists", number),
        (json!({}), 400, "validation_failed", neither),
        (
            json!({"email": other, "password": "a", "password_hash": "b"}),
            400,
            "validation_failed",
            both,
        ),
        (
            json!({"email": other, "id": "7"}),
            400,
            "validation_failed",
            id,
        ),
    ] {
        let admin = service_role();
        let request = || {
            service
                .client
                .post("/admin/users")
                .bearer(&admin)
                .json(&body)
        };
        refused(request, status, code, message).await;
    }
}

#[tokio::test]
async fn pages_are_described_in_headers() {
    let service = with([]).await;
    for n in 0..5 {
        created(&service, json!({"email": format!("user{n}@example.com")})).await;
    }
    let admin = service_role();
    let page = async |query: &str| {
        let path = format!("/admin/users{query}");
        service
            .client
            .get(&path)
            .bearer(&admin)
            .send()
            .await
            .expect(StatusCode::OK)
    };
    let first = page("?page=1&per_page=2").await;
    assert_eq!(first.header("x-total-count"), Some("5"));
    let links = "</admin/users?page=2&per_page=2>; rel=\"next\", \
                 </admin/users?page=3&per_page=2>; rel=\"last\"";
    assert_eq!(first.header("link"), Some(links));
    assert_eq!(first.json()["aud"], "authenticated");
    assert_eq!(first.json()["users"][0]["email"], "user4@example.com");
    assert_eq!(
        first.json()["users"][0]["identities"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let last = page("?page=3&per_page=2").await;
    assert_eq!(last.json()["users"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        page("").await.json()["users"].as_array().map(Vec::len),
        Some(5)
    );
    let found = page("?filter=user3").await.json();
    assert_eq!(found["users"].as_array().map(Vec::len), Some(1));

    let bad = service
        .client
        .get("/admin/users?page=x")
        .bearer(&admin)
        .send()
        .await;
    let bad = bad.expect(StatusCode::BAD_REQUEST).json();
    assert!(
        text(&bad, "msg").starts_with("Bad Pagination Parameters: "),
        "{bad}"
    );
}

#[tokio::test]
async fn an_unknown_user_is_not_found() {
    let service = with([]).await;
    let admin = service_role();
    for method in ["GET", "PUT", "DELETE"] {
        let method: Method = method.parse().unwrap();
        let request = |path: &'static str| {
            let request = service.client.request(method.clone(), path);
            request.bearer(&admin).json(&json!({}))
        };
        refused(|| request(NOBODY), 404, "user_not_found", "User not found").await;
        let path = "/admin/users/me";
        refused(
            || request(path),
            404,
            "validation_failed",
            "user_id must be an UUID",
        )
        .await;
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let id = text(&tokens["user"], "id");
    let user = updated(
        &service,
        id,
        json!({"email": "new@example.com", "app_metadata": {"plan": "pro"}, "role": "editor"}),
    )
    .await;
    assert_eq!(user["email"], "new@example.com");
    assert_eq!(
        user["identities"][0]["identity_data"]["email"],
        "new@example.com"
    );
    assert_eq!(user["app_metadata"]["plan"], "pro");
    assert_eq!(user["role"], "editor");
    service.user(access(&tokens)).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_password_set_by_an_admin_ends_every_session() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let id = text(&tokens["user"], "id");
    updated(&service, id, json!({"password": "battery staple"})).await;
    service
        .user(access(&tokens))
        .await
        .expect(StatusCode::FORBIDDEN);
    service
        .sign_in(EMAIL, "battery staple")
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_ban_is_given_and_lifted() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let id = text(&tokens["user"], "id");
    let user = updated(&service, id, json!({"ban_duration": "24h"})).await;
    assert!(user["banned_until"].is_string());
    service
        .user(access(&tokens))
        .await
        .expect(StatusCode::FORBIDDEN);
    let user = updated(&service, id, json!({"ban_duration": "none"})).await;
    assert!(user.get("banned_until").is_none());
    service.user(access(&tokens)).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_address_of_another_user_is_not_given() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    service.signed_up("grace@example.com").await;
    let path = format!("/admin/users/{}", text(&tokens["user"], "id"));
    let (admin, body) = (service_role(), json!({"email": "grace@example.com"}));
    let request = || service.client.put(&path).bearer(&admin).json(&body);
    let message = "A user with this email address has already been registered";
    refused(request, 422, "email_exists", message).await;
}

#[tokio::test]
async fn a_deleted_user_is_gone() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let path = format!("/admin/users/{}", text(&tokens["user"], "id"));
    let request = service.client.delete(&path).bearer(&service_role());
    assert_eq!(
        request.send().await.expect(StatusCode::OK).json(),
        json!({})
    );
    let message = "User from sub claim in JWT does not exist";
    let request = || service.client.get("/user").bearer(access(&tokens));
    refused(request, 403, "user_not_found", message).await;
    for table in ["identities", "sessions", "refresh_tokens"] {
        let count = format!("select count(*)::text from auth.{table}");
        assert_eq!(service.value(&count).await.as_deref(), Some("0"), "{table}");
    }
    service.signed_up(EMAIL).await;
}

#[tokio::test]
async fn a_softly_deleted_user_leaves_an_empty_row() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let path = format!("/admin/users/{}", text(&tokens["user"], "id"));
    let admin = service_role();
    let request = service.client.delete(&path).bearer(&admin);
    request
        .json(&json!({"should_soft_delete": true}))
        .send()
        .await
        .expect(StatusCode::OK);
    let user = service
        .client
        .get(&path)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert!(user["deleted_at"].is_string());
    assert!(!user.to_string().contains("example.com"), "{user}");
    assert_eq!(user["user_metadata"], json!({}));
    let hash = "select encrypted_password from auth.users";
    assert_eq!(service.value(hash).await.as_deref(), Some(""));
    service
        .user(access(&tokens))
        .await
        .expect(StatusCode::FORBIDDEN);
    service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::BAD_REQUEST);
    service.signed_up(EMAIL).await;
}
