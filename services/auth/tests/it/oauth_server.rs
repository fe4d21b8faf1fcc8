//! `/oauth/authorize` and consent: an application sends a browser, and a user decides.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::client::Response;
use time::Duration;
use url::Url;

use crate::support::{EMAIL, Fixture, access, autoconfirming, refused, service_role, text, with};

pub(crate) const BACK: &str = "https://app.example.com/callback?kept=1";

// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const MISSING: &str = "authorization not found";

/// A service with an OAuth server, and whatever else.
pub(crate) async fn server(settings: &[(&str, &str)]) -> Fixture {
    let switched_on = [
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_OAUTH_SERVER_ENABLED", "true"),
        ("GOTRUE_OAUTH_SERVER_AUTHORIZATION_PATH", "/consent"),
        ("AUTH_RATE_LIMIT_SCALE", "100"),
    ];
    with(switched_on.into_iter().chain(settings.iter().copied())).await
}

/// Registers an application as an admin does.
pub(crate) async fn registered(service: &Fixture, client_type: &str) -> Value {
    let body = json!({
        "redirect_uris": [BACK], "client_name": "Acme", "client_uri": "https://app.example.com",
        "client_type": client_type,
    });
    let request = service.client.post("/admin/oauth/clients");
    let made = request.bearer(&service_role()).json(&body).send().await;
    made.expect(StatusCode::CREATED).json()
}

fn wish<'a>(client: &'a Value, changes: &[(&'a str, &'a str)]) -> String {
    let mut pairs = vec![
        ("client_id", text(client, "client_id")),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid email profile"),
        ("state", "a state & more"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("nonce", "a nonce"),
    ];
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("/oauth/authorize?{query}")
}

/// Where a browser is led from `/oauth/authorize`.
async fn led(service: &Fixture, client: &Value, changes: &[(&str, &str)]) -> Url {
    let answer = service.client.get(&wish(client, changes)).send().await;
    let answer = answer.expect(StatusCode::FOUND);
    let location = answer.header("location").expect("a place");
    location.parse().expect("a URL")
}

pub(crate) fn param(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// The id of a new authorization.
pub(crate) async fn asked(service: &Fixture, client: &Value, changes: &[(&str, &str)]) -> String {
    let url = led(service, client, changes).await;
    assert_eq!(url.path(), "/consent");
    param(&url, "authorization_id").expect("an id")
}

async fn seen(service: &Fixture, token: &str, id: &str) -> Response {
    let path = format!("/oauth/authorizations/{id}");
    service.client.get(&path).bearer(token).send().await
}

async fn decided(service: &Fixture, token: &str, id: &str, action: &str) -> Response {
    let path = format!("/oauth/authorizations/{id}/consent");
    let body = json!({ "action": action });
    service
        .client
        .post(&path)
        .bearer(token)
        .json(&body)
        .send()
        .await
}

fn continued(answer: Response) -> Url {
    let answer = answer.expect(StatusCode::OK).json();
    text(&answer, "redirect_url").parse().expect("a URL")
}

/// A code that the user of `token` lets the client have.
pub(crate) async fn code(
    service: &Fixture,
    client: &Value,
    token: &str,
    changes: &[(&str, &str)],
) -> String {
    let id = asked(service, client, changes).await;
    let details = seen(service, token, &id).await;
    let url = match details.json().get("redirect_url") {
        Some(_) => continued(details),
        None => continued(decided(service, token, &id, "approve").await),
    };
    param(&url, "code").expect("a code")
}

#[tokio::test]
async fn there_is_none_unless_it_is_switched_on() {
    let service = autoconfirming().await;
    for (method, path) in [
        (Method::GET, "/oauth/authorize"),
        (Method::GET, "/oauth/authorizations/x"),
        (Method::POST, "/oauth/authorizations/x/consent"),
        (Method::POST, "/oauth/token"),
        (Method::GET, "/oauth/userinfo"),
        (Method::POST, "/oauth/clients/register"),
        (Method::GET, "/user/oauth/grants"),
        (Method::GET, "/admin/oauth/clients"),
        (Method::GET, "/.well-known/oauth-authorization-server"),
    ] {
        let request = || service.client.request(method.clone(), path);
        refused(request, 404, "feature_disabled", "OAuth server is disabled").await;
    }
    let known = service
        .client
        .get("/.well-known/openid-configuration")
        .send()
        .await;
    let known = known.expect(StatusCode::OK).json();
    assert_eq!(known["issuer"], "http://api.example.com/auth/v1");
    assert_eq!(known["registration_endpoint"], Value::Null);
}

#[tokio::test]
async fn a_user_sees_who_asks_for_what_and_decides() {
    let service = server(&[]).await;
    let client = registered(&service, "public").await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    let id = asked(&service, &client, &[]).await;
    let details = seen(&service, token, &id)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        details,
        json!({
            "authorization_id": id, "redirect_uri": BACK, "scope": "openid email profile",
            "client": {
                "id": client["client_id"], "name": "Acme", "uri": "https://app.example.com",
            },
            "user": {"id": tokens["user"]["id"], "email": EMAIL},
        })
    );
    let url = continued(decided(&service, token, &id, "approve").await);
    assert!(url.as_str().starts_with(BACK), "{url}");
    assert_eq!(param(&url, "state").as_deref(), Some("a state & more"));
    let code = param(&url, "code").expect("a code");
    let stored = service.value("select authorization_code from auth.oauth_authorizations");
    assert_ne!(stored.await.as_deref(), Some(code.as_str()));
    let again = decided(&service, token, &id, "approve").await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);

    // What was consented to leads on at once, and what goes beyond is asked.
    let narrower = asked(&service, &client, &[("scope", "email")]).await;
    let url = continued(seen(&service, token, &narrower).await);
    assert!(param(&url, "code").is_some());
    let wider = asked(&service, &client, &[("scope", "email phone")]).await;
    let details = seen(&service, token, &wider).await.json();
    assert_eq!(details["scope"], "email phone");
    let url = continued(decided(&service, token, &wider, "deny").await);
    assert_eq!(param(&url, "error").as_deref(), Some("access_denied"));
    assert_eq!(param(&url, "state").as_deref(), Some("a state & more"));
    assert_eq!(param(&url, "code"), None);
}

#[tokio::test]
async fn an_authorization_is_for_the_user_who_saw_it_and_for_a_while() {
    let service = server(&[]).await;
    let client = registered(&service, "public").await;
    let (ada, eve) = (
        service.signed_up(EMAIL).await,
        service.signed_up("eve@example.com").await,
    );
    let (ada, eve) = (access(&ada), access(&eve));
    let id = asked(&service, &client, &[]).await;
    let path = format!("/oauth/authorizations/{id}");
    let consent = format!("{path}/consent");
    let approve = json!({"action": "approve"});
    let blind = || service.client.post(&consent).bearer(ada).json(&approve);
    refused(blind, 404, "oauth_authorization_not_found", MISSING).await;
    seen(&service, ada, &id).await.expect(StatusCode::OK);
    let foreign = || service.client.get(&path).bearer(eve);
    refused(foreign, 404, "oauth_authorization_not_found", MISSING).await;
    let foreign = || service.client.post(&consent).bearer(eve).json(&approve);
    refused(foreign, 404, "oauth_authorization_not_found", MISSING).await;
    let stranger = || {
        let request = service.client.get(&path).bearer(ada);
        request.header("origin", "https://evil.example.com")
    };
    refused(
        stranger,
        400,
        "validation_failed",
        "unauthorized request origin",
    )
    .await;
    let odd = json!({"action": "perhaps"});
    let undecided = || service.client.post(&consent).bearer(ada).json(&odd);
    let message = "action must be 'approve' or 'deny'";
    refused(undecided, 400, "validation_failed", message).await;
    service.pass(Duration::minutes(11));
    let late = || service.client.post(&consent).bearer(ada).json(&approve);
    refused(late, 404, "oauth_authorization_not_found", MISSING).await;
}

#[tokio::test]
async fn nobody_is_led_anywhere_before_the_redirect_uri_is_known() {
    let service = server(&[]).await;
    let client = registered(&service, "public").await;
    let unknown = uuid::Uuid::new_v4().to_string();
    for (change, code, message) in [
        (
            ("client_id", ""),
            "validation_failed",
            "client_id is required",
        ),
        (
            ("redirect_uri", ""),
            "validation_failed",
            "redirect_uri is required",
        ),
        (
            ("client_id", "x"),
            "oauth_client_not_found",
            "invalid client_id format",
        ),
        (
            ("client_id", unknown.as_str()),
            "oauth_client_not_found",
            "invalid client_id",
        ),
        (
            ("redirect_uri", "https://evil.example.com/"),
            "validation_failed",
            "invalid redirect_uri",
        ),
        (
            (
                "redirect_uri",
                "https://app.example.com/callback?kept=1&more",
            ),
            "validation_failed",
            "invalid redirect_uri",
        ),
        (
            ("redirect_uri", "https://app.example.com/callback"),
            "validation_failed",
            "invalid redirect_uri",
        ),
    ] {
        // What else is wrong is not told either.
        let path = wish(&client, &[change, ("response_type", "token")]);
        refused(|| service.client.get(&path), 400, code, message).await;
        let answer = service.client.get(&path).send().await;
        assert_eq!(answer.header("location"), None);
    }
}

#[tokio::test]
async fn the_application_is_told_what_else_is_wrong() {
    let service = server(&[]).await;
    let client = registered(&service, "public").await;
    for (change, description) in [
        (
            ("response_type", "token"),
            "only response_type=code is supported",
        ),
        (("scope", "email admin"), "unsupported scope: admin"),
        (("resource", "here"), "resource must be an absolute URI"),
    ] {
        let url = led(&service, &client, &[change]).await;
        assert!(url.as_str().starts_with(BACK), "{url}");
        assert_eq!(param(&url, "error").as_deref(), Some("invalid_request"));
        assert_eq!(
            param(&url, "error_description").as_deref(),
            Some(description)
        );
        assert_eq!(param(&url, "state").as_deref(), Some("a state & more"));
    }
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let url = led(&service, &client, &without).await;
    assert_eq!(param(&url, "error").as_deref(), Some("invalid_request"));
    let none = service.value("select count(*)::text from auth.oauth_authorizations");
    assert_eq!(none.await.as_deref(), Some("0"));
}

#[tokio::test]
async fn what_nobody_answered_in_time_is_gone_and_nobody_asks_too_often() {
    let service = server(&[
        ("AUTH_RATE_LIMIT_OAUTH_AUTHORIZE", "3/1h"),
        ("AUTH_RATE_LIMIT_SCALE", "1"),
    ])
    .await;
    let client = registered(&service, "public").await;
    let path = wish(&client, &[]);
    let ask = |address: &'static str| {
        let request = service.client.get(&path);
        request.header("x-forwarded-for", address).send()
    };
    for _ in 0..3 {
        ask("192.0.2.1").await.expect(StatusCode::FOUND);
    }
    let refused = ask("192.0.2.1").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let count = || service.value("select count(*)::text from auth.oauth_authorizations");
    assert_eq!(count().await.as_deref(), Some("3"));
    service.pass(Duration::minutes(11));
    ask("192.0.2.2").await.expect(StatusCode::FOUND);
    assert_eq!(count().await.as_deref(), Some("1"));
}
