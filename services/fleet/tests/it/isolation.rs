//! Attempts to reach another user's rows. Every one must fail closed.

use http::StatusCode;
use serde_json::{Value, json};
use testkit::{client::Response, jwt};

use crate::stack::{Stack, User};

/// Claims of `user` as the auth service would sign them.
fn claims_of(user: &User) -> Value {
    json!({
        "sub": user.id,
        "role": "authenticated",
        "aud": "authenticated",
        "exp": jwt::seconds_from_now(3600),
    })
}

async fn rest(stack: &Stack, token: &str, method: http::Method, path: &str) -> Response {
    stack
        .client
        .request(method, path)
        .header("apikey", stack.anon_key())
        .header("Prefer", "return=representation")
        .bearer(token)
        .json(&json!({ "name": "taken over" }))
        .send()
        .await
}

#[tokio::test]
async fn another_users_id_in_a_filter_reaches_nothing() {
    let stack = Stack::start().await;
    let (owner, intruder) = (stack.user().await, stack.user().await);
    let id = stack.project(&owner).await["id"]
        .to_string()
        .replace('"', "");

    for path in [
        format!("/rest/v1/projects?id=eq.{id}"),
        format!("/rest/v1/projects?owner_id=eq.{}", owner.id),
        format!("/rest/v1/projects?or=(id.eq.{id},owner_id.eq.{})", owner.id),
        "/rest/v1/projects?id=not.is.null".to_owned(),
    ] {
        for method in [http::Method::GET, http::Method::PATCH, http::Method::DELETE] {
            let answer = rest(&stack, &intruder.token, method.clone(), &path).await;
            assert_eq!(
                answer.json(),
                json!([]),
                "{method} {path}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(
        stack.projects(&owner.token).await.as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn another_users_id_in_a_body_is_refused() {
    let stack = Stack::start().await;
    let (owner, intruder) = (stack.user().await, stack.user().await);
    let id = stack.project(&owner).await["id"].clone();

    let insert = json!({ "name": "planted", "owner_id": owner.id });
    let upsert = json!({ "id": id, "name": "taken over", "owner_id": intruder.id });
    for (prefer, body) in [("", insert), ("resolution=merge-duplicates", upsert)] {
        let answer = stack
            .client
            .post("/rest/v1/projects")
            .header("apikey", stack.anon_key())
            .header("Prefer", prefer)
            .bearer(&intruder.token)
            .json(&body)
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
        assert_eq!(answer.json()["code"], "42501");
    }
    assert_eq!(
        stack.projects(&owner.token).await.as_array().unwrap().len(),
        1
    );
    assert_eq!(stack.projects(&intruder.token).await, json!([]));
}

#[tokio::test]
async fn a_row_cannot_be_given_to_another_user() {
    let stack = Stack::start().await;
    let (owner, other) = (stack.user().await, stack.user().await);
    stack.project(&owner).await;
    let answer = stack
        .client
        .patch(&format!("/rest/v1/projects?owner_id=eq.{}", owner.id))
        .header("apikey", stack.anon_key())
        .bearer(&owner.token)
        .json(&json!({ "owner_id": other.id }))
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
}

#[tokio::test]
async fn a_forged_token_is_refused_by_every_service() {
    let stack = Stack::start().await;
    let owner = stack.user().await;
    let secret = stack.jwt_secret();
    let good = claims_of(&owner);
    let mut service = good.clone();
    service["role"] = json!("service_role");
    let mut expired = good.clone();
    expired["exp"] = json!(jwt::seconds_from_now(-120));
    let mut future = good.clone();
    future["nbf"] = json!(jwt::seconds_from_now(3600));
    let none = json!({ "alg": "none", "typ": "JWT" });
    let hs512 = json!({ "alg": "HS512", "typ": "JWT" });

    let forgeries = [
        (
            "wrong secret",
            jwt::sign("another secret that is long enough", &good),
        ),
        ("no signature", jwt::unsigned(&good)),
        (
            "alg none but signed",
            jwt::sign_with_header(secret, &none, &good),
        ),
        (
            "another algorithm",
            jwt::sign_with_header(secret, &hs512, &good),
        ),
        ("expired", jwt::sign(secret, &expired)),
        ("not valid yet", jwt::sign(secret, &future)),
        (
            "role raised under the old signature",
            jwt::with_claims(&owner.token, &service),
        ),
        (
            "cut off",
            owner.token.strip_suffix(|_: char| true).unwrap().to_owned(),
        ),
        ("not a token", "service_role".to_owned()),
    ];
    for (what, token) in forgeries {
        for path in [
            "/rest/v1/projects",
            "/auth/v1/user",
            "/auth/v1/admin/users",
            "/mongo/v1/collections/notes/documents",
            "/email/v1/messages",
        ] {
            let answer = stack
                .client
                .get(path)
                .header("apikey", stack.anon_key())
                .bearer(&token)
                .send()
                .await;
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
            assert!(
                refused.contains(&answer.status),
                "{what} on {path}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn a_role_that_nobody_granted_is_refused() {
    let stack = Stack::start().await;
    let owner = stack.user().await;
    for role in [
        "postgres",
        "auth_admin",
        "authenticator",
        "no_such_role",
        "none",
    ] {
        let mut claims = claims_of(&owner);
        claims["role"] = json!(role);
        let token = jwt::sign(stack.jwt_secret(), &claims);
        let answer = rest(&stack, &token, http::Method::GET, "/rest/v1/projects").await;
        assert!(
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status),
            "{role}: {} {}",
            answer.status,
            answer.text()
        );
    }
}

#[tokio::test]
async fn forged_identity_headers_change_nothing() {
    let stack = Stack::start().await;
    let (owner, intruder) = (stack.user().await, stack.user().await);
    stack.project(&owner).await;
    for token in [intruder.token.as_str(), stack.anon_key()] {
        let answer = stack
            .client
            .get("/rest/v1/projects")
            .header("apikey", stack.anon_key())
            .header("X-User-Id", &owner.id)
            .header("X-User-Role", "service_role")
            .header("X-Tenant-Id", &owner.id)
            .header("X-Service-Token", stack.service_key())
            .header("X-Forwarded-User", &owner.id)
            .bearer(token)
            .send()
            .await;
        assert_eq!(answer.json(), json!([]), "{}", answer.text());
    }
}

#[tokio::test]
async fn the_anon_key_does_not_open_what_the_service_key_opens() {
    let stack = Stack::start().await;
    let owner = stack.user().await;
    stack.project(&owner).await;
    assert_eq!(stack.projects(stack.anon_key()).await, json!([]));
    let all = stack
        .client
        .get("/rest/v1/projects?select=id")
        .header("apikey", stack.service_key())
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(all.json().as_array().unwrap().len(), 1);
    let admin = stack.client.get("/auth/v1/admin/users");
    let refused = admin.header("apikey", stack.anon_key()).send().await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
}

#[tokio::test]
async fn the_schema_of_the_auth_service_is_not_exposed() {
    let stack = Stack::start().await;
    let owner = stack.user().await;
    for (path, profile) in [
        ("/rest/v1/users", "auth"),
        ("/rest/v1/auth.users", "public"),
    ] {
        let answer = stack
            .client
            .get(path)
            .header("apikey", stack.anon_key())
            .header("Accept-Profile", profile)
            .bearer(&owner.token)
            .send()
            .await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn operational_endpoints_do_not_show_through_the_gateway() {
    let stack = Stack::start().await;
    for prefix in ["", "/auth/v1", "/rest/v1", "/mongo/v1", "/email/v1"] {
        for path in ["/metrics", "/health/ready", "/openapi.json"] {
            let answer = stack
                .client
                .get(&format!("{prefix}{path}"))
                .header("apikey", stack.anon_key())
                .send()
                .await;
            let shown = answer.text();
            assert!(!shown.contains("http_requests_total"), "{prefix}{path}");
            assert!(!shown.contains("\"checks\""), "{prefix}{path}: {shown}");
            assert!(!shown.contains("\"openapi\""), "{prefix}{path}");
        }
    }
}
