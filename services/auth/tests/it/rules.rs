//! What holds for every request.

use axum::{Extension, http::StatusCode};
use common::{server::PeerAddr, service::Service};
use serde_json::json;
use testkit::Client;

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
        Some(27)
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
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/admin/audit",
        "/admin/custom-providers",
        "/admin/custom-providers/{provider_id}",
        "/admin/generate_link",
        "/admin/oauth/clients",
        "/admin/oauth/clients/{client_id}",
        "/admin/oauth/clients/{client_id}/regenerate_secret",
        "/admin/sso/providers",
        "/admin/sso/providers/{idp_id}",
        "/admin/users",
        "/admin/users/{user_id}",
        "/admin/users/{user_id}/factors",
        "/admin/users/{user_id}/factors/{factor_id}",
        "/admin/users/{user_id}/passkeys",
        "/admin/users/{user_id}/passkeys/{passkey_id}",
        "/authorize",
        "/callback",
        "/factors",
        "/factors/recovery-codes",
        "/factors/recovery-codes/regenerate",
        "/factors/recovery-codes/verify",
        "/factors/{factor_id}",
        "/factors/{factor_id}/challenge",
        "/factors/{factor_id}/verify",
        "/health",
        "/invite",
        "/logout",
        "/magiclink",
        "/oauth/authorizations/{authorization_id}",
        "/oauth/authorizations/{authorization_id}/consent",
        "/oauth/authorize",
        "/oauth/clients/register",
        "/oauth/token",
        "/oauth/userinfo",
        "/otp",
        "/passkeys",
        "/passkeys/authentication/options",
        "/passkeys/authentication/verify",
        "/passkeys/registration/options",
        "/passkeys/registration/verify",
        "/passkeys/{passkey_id}",
        "/reauthenticate",
        "/recover",
        "/resend",
        "/settings",
        "/signup",
        "/sso",
        "/sso/saml/acs",
        "/sso/saml/metadata",
        "/token",
        "/user",
        "/user/identities/authorize",
        "/user/identities/{identity_id}",
        "/user/oauth/grants",
        "/verify",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn a_client_may_try_so_often_whatever_it_says_about_itself() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_RATE_LIMIT_TOKEN_REFRESH", "2"),
    ])
    .await;
    let body = json!({"refresh_token": "aaaaaaaaaaaa"});
    let peer = PeerAddr("198.51.100.7:4000".parse().expect("an address"));
    let client = Client::new(service.router.clone().layer(Extension(peer)));
    let attempt = async |claimed: &str| {
        let path = "/token?grant_type=refresh_token";
        let request = client
            .post(path)
            .header("x-forwarded-for", claimed)
            .json(&body);
        request.send().await.status.as_u16()
    };
    assert_eq!(attempt("1.1.1.1").await, 400);
    assert_eq!(attempt("2.2.2.2").await, 400);
    assert_eq!(attempt("3.3.3.3").await, 429);
    service.pass(time::Duration::minutes(5));
    assert_eq!(attempt("4.4.4.4").await, 400);
}

#[tokio::test]
async fn guesses_at_one_account_are_limited_wherever_they_come_from() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("AUTH_RATE_LIMIT_ACCOUNT", "3/5m"),
    ])
    .await;
    service.signed_up(EMAIL).await;
    for _ in 0..3 {
        service
            .sign_in(EMAIL, "a wrong guess")
            .await
            .expect(StatusCode::BAD_REQUEST);
    }
    let body = json!({"email": EMAIL, "password": crate::support::PASSWORD});
    let request = || {
        service
            .client
            .post("/token?grant_type=password")
            .json(&body)
    };
    let message = "Request rate limit reached";
    refused(request, 429, "over_request_rate_limit", message).await;
    service
        .sign_in("grace@example.com", "x")
        .await
        .expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn there_is_no_single_sign_on_by_saml() {
    let service = autoconfirming().await;
    let body = json!({"domain": "example.com"});
    let request = || service.client.post("/sso").json(&body);
    let message = "SAML 2.0 is disabled";
    refused(request, 404, "saml_provider_disabled", message).await;
}

/// Sends the same until it is refused; how often it was not. What the client says of its address
/// is another each time.
async fn tries<'a>(request: impl Fn() -> testkit::client::RequestBuilder<'a>) -> usize {
    const TOO_MANY: usize = 400;
    for n in 0..TOO_MANY {
        let claimed = format!("203.0.{}.{}", n / 250, n % 250);
        let request = request().header("x-forwarded-for", &claimed);
        let answer = request.header("x-real-ip", &claimed).send().await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.json()["error_code"], "over_request_rate_limit");
            return n;
        }
    }
    TOO_MANY
}

#[tokio::test]
async fn without_a_setting_whatever_a_stranger_can_try_is_limited_by_their_real_address() {
    let service = with([("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true")]).await;
    let user = service.post("/signup", json!({})).await;
    let token = crate::support::access(&user.expect(StatusCode::OK).json()).to_owned();
    let peer = PeerAddr("198.51.100.7:4000".parse().expect("an address"));
    let client = Client::new(service.router.clone().layer(Extension(peer)));
    let nobody = "/factors/00000000-0000-4000-8000-000000000000";
    let (challenge, verify) = (format!("{nobody}/challenge"), format!("{nobody}/verify"));
    // Tokens come back while the test runs, so there may be some more.
    for (path, body, expected) in [
        ("/signup", json!({"email": EMAIL}), 30..60),
        ("/signup", json!({"data": {}}), 30..60),
        ("/otp", json!({"email": "x"}), 30..60),
        ("/recover", json!({}), 30..60),
        ("/resend", json!({}), 30..60),
        ("/verify", json!({}), 30..60),
        ("/token?grant_type=refresh_token", json!({}), 30..200),
        (challenge.as_str(), json!({}), 15..60),
    ] {
        let tried = tries(|| client.post(path).bearer(&token).json(&body)).await;
        assert!(expected.contains(&tried), "{path}: {tried}");
    }
    // These share what others have used up.
    for path in ["/magiclink", verify.as_str()] {
        let tried = tries(|| client.post(path).bearer(&token).json(&json!({}))).await;
        assert!(tried < 15, "{path}: {tried}");
    }
    let tried = tries(|| client.get("/verify?token=x&type=signup")).await;
    assert!(tried < 15, "GET /verify: {tried}");
    let body = json!({"data": {}});
    let tried = tries(|| client.put("/user").bearer(&token).json(&body)).await;
    assert!((30..60).contains(&tried), "PUT /user: {tried}");
}

#[tokio::test]
async fn without_a_setting_guesses_at_an_account_are_limited() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let token = crate::support::access(&tokens);
    let verify = json!({"type": "signup", "email": EMAIL, "token": "000000"});
    let guess = json!({"password": "x"});
    let code = json!({"email": EMAIL, "password": ""});
    // The peer is on a private network, so another client stands behind each of them.
    let verify = tries(|| service.client.post("/verify").json(&verify)).await;
    let update = tries(|| service.client.put("/user").bearer(token).json(&guess)).await;
    let password = tries(|| {
        service
            .client
            .post("/token?grant_type=password")
            .json(&code)
    })
    .await;
    for tried in [verify, update, password] {
        assert!((30..60).contains(&tried), "{tried}");
    }
}
