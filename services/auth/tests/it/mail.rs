//! One-time tokens, from the mail that carries them to what they change.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use common::{lifecycle::Lifecycle, server};
use serde_json::{Value, json};
use testkit::{client::Response, jwt};
use time::Duration;
use tokio::{net::TcpListener, task::JoinSet};
use url::Url;

use crate::support::{EMAIL, Fixture, PASSWORD, access, refused, service_role, text, with};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const TOKEN: &str = "email-service-token-0123456789-abcdef";

/// An email service that keeps what it is given, and auth in front of it.
struct Mailed {
    service: Fixture,
    inbox: Arc<Mutex<Vec<Value>>>,
    lifecycle: Lifecycle,
}

impl Drop for Mailed {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

async fn keep(
    State(inbox): State<Arc<Mutex<Vec<Value>>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    assert_eq!(
        headers.get("x-service-token").map(AsRef::as_ref),
        Some(TOKEN.as_bytes())
    );
    let mail = serde_json::from_slice(&body).expect("a mail is JSON");
    inbox
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(mail);
    StatusCode::ACCEPTED
}

async fn mailed(more: &[(&str, &str)]) -> Mailed {
    let inbox = Arc::default();
    let router = Router::new()
        .route("/send", post(keep))
        .with_state(Arc::clone(&inbox));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let lifecycle = Lifecycle::default();
    let limits = server::ConnectionLimits::default();
    lifecycle.spawn(
        "email",
        server::serve(listener, router, limits, lifecycle.clone()),
    );
    let mut settings = vec![
        ("EMAIL_URL", url.as_str()),
        ("EMAIL_SERVICE_TOKEN", TOKEN),
        ("GOTRUE_SMTP_MAX_FREQUENCY", "0s"),
    ];
    settings.extend(more);
    let service = with(settings).await;
    Mailed {
        service,
        inbox,
        lifecycle,
    }
}

impl Mailed {
    /// The newest mail to an address.
    fn mail_to(&self, address: &str) -> Value {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let found = inbox.iter().rev().find(|mail| mail["to"][0] == address);
        found.cloned().expect("a mail to this address")
    }

    fn variable(&self, address: &str, name: &str) -> String {
        text(&self.mail_to(address)["variables"], name).to_owned()
    }

    fn count(&self) -> usize {
        self.inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Follows the link of the newest mail to an address.
    async fn follow(&self, address: &str) -> Response {
        let link = Url::parse(&self.variable(address, "ConfirmationURL")).expect("a link");
        assert_eq!(link.path(), "/auth/v1/verify");
        let path = format!("/verify?{}", link.query().expect("a query"));
        self.service.client.get(&path).send().await
    }

    async fn confirmed(&self, address: &str) -> Value {
        self.service.sign_up(address).await.expect(StatusCode::OK);
        let body = json!({"type": "signup", "token_hash": self.variable(address, "TokenHash")});
        self.service
            .post("/verify", body)
            .await
            .expect(StatusCode::OK)
            .json()
    }
}

/// The pairs of a redirect's fragment or query.
fn pair(response: &Response, part: fn(&Url) -> Option<&str>, name: &str) -> Option<String> {
    let location = Url::parse(response.header("location")?).ok()?;
    form_urlencoded::parse(part(&location)?.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn fragment(response: &Response, name: &str) -> Option<String> {
    pair(response, Url::fragment, name)
}

fn query(response: &Response, name: &str) -> Option<String> {
    pair(response, Url::query, name)
}

#[tokio::test]
async fn following_the_link_confirms_and_signs_in() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let mail = it.mail_to(EMAIL);
    assert_eq!(mail["template"], "auth-confirmation");
    assert_eq!(text(&mail["variables"], "Token").len(), 6);
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let location = response.header("location").unwrap_or_default();
    assert!(
        location.starts_with("http://app.example.com/#access_token="),
        "{location}"
    );
    assert_eq!(fragment(&response, "type").as_deref(), Some("signup"));
    let token = fragment(&response, "access_token").expect("a token");
    let user = it.service.user(&token).await.expect(StatusCode::OK).json();
    assert!(user["email_confirmed_at"].is_string());
    assert_eq!(user["user_metadata"]["email_verified"], true);
    assert_eq!(
        user["identities"][0]["identity_data"]["email_verified"],
        true
    );
    assert_eq!(jwt::claims(&token)["amr"][0]["method"], "otp");

    let again = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(fragment(&again, "error").as_deref(), Some("access_denied"));
    assert_eq!(
        fragment(&again, "error_code").as_deref(),
        Some("otp_expired")
    );
    let description = "Email link is invalid or has expired";
    assert_eq!(
        fragment(&again, "error_description").as_deref(),
        Some(description)
    );
}

#[tokio::test]
async fn a_code_confirms_and_signs_in() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let code = it.variable(EMAIL, "Token");
    let body = json!({"type": "email", "email": "ADA@example.com", "token": code});
    let tokens = it
        .service
        .post("/verify", body.clone())
        .await
        .expect(StatusCode::OK)
        .json();
    it.service
        .user(access(&tokens))
        .await
        .expect(StatusCode::OK);
    let request = || it.service.client.post("/verify").json(&body);
    refused(
        request,
        403,
        "otp_expired",
        "Token has expired or is invalid",
    )
    .await;
}

#[tokio::test]
async fn of_fifty_parallel_uses_exactly_one_succeeds() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let hash = it.variable(EMAIL, "TokenHash");
    let mut running = JoinSet::new();
    for _ in 0..50 {
        let client = it.service.client.clone();
        let body = json!({"type": "signup", "token_hash": hash});
        running.spawn(async move { client.post("/verify").json(&body).send().await.status });
    }
    let statuses = running.join_all().await;
    let successes = statuses.iter().filter(|status| status.is_success()).count();
    let refusals = statuses
        .iter()
        .filter(|status| **status == StatusCode::FORBIDDEN)
        .count();
    assert_eq!((successes, refusals), (1, 49));
}

#[tokio::test]
async fn a_token_is_good_for_its_time_and_its_purpose() {
    let it = mailed(&[("GOTRUE_MAILER_OTP_EXP", "60")]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let hash = it.variable(EMAIL, "TokenHash");
    let message = "Email link is invalid or has expired";
    let body = json!({"type": "recovery", "token_hash": hash});
    let request = || it.service.client.post("/verify").json(&body);
    refused(request, 403, "otp_expired", message).await;
    it.service.pass(Duration::seconds(61));
    let body = json!({"type": "signup", "token_hash": hash});
    let request = || it.service.client.post("/verify").json(&body);
    refused(request, 403, "otp_expired", message).await;
}

#[tokio::test]
async fn a_resent_token_replaces_the_one_before() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let first = it.variable(EMAIL, "TokenHash");
    let body = json!({"type": "signup", "email": EMAIL});
    it.service
        .post("/resend", body)
        .await
        .expect(StatusCode::OK);
    let second = it.variable(EMAIL, "TokenHash");
    for (hash, status) in [(first, StatusCode::FORBIDDEN), (second, StatusCode::OK)] {
        let body = json!({"type": "signup", "token_hash": hash});
        it.service.post("/verify", body).await.expect(status);
    }
}

#[tokio::test]
async fn recovery_lets_a_user_choose_a_new_password() {
    let it = mailed(&[("GOTRUE_URI_ALLOW_LIST", "https://app.example.com/**")]).await;
    it.confirmed(EMAIL).await;
    let path = "/recover?redirect_to=https://app.example.com/new-password";
    let body = json!({"email": EMAIL});
    assert_eq!(
        it.service
            .post(path, body)
            .await
            .expect(StatusCode::OK)
            .json(),
        json!({})
    );
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-recovery");
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let location = response.header("location").unwrap_or_default();
    assert!(
        location.starts_with("https://app.example.com/new-password#"),
        "{location}"
    );
    assert_eq!(fragment(&response, "type").as_deref(), Some("recovery"));
    let token = fragment(&response, "access_token").expect("a token");
    let body = json!({"password": "battery staple"});
    it.service
        .put_user(&token, body)
        .await
        .expect(StatusCode::OK);
    it.service
        .sign_in(EMAIL, "battery staple")
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn unknown_addresses_are_answered_as_known_ones_and_get_nothing() {
    let it = mailed(&[]).await;
    for (path, body) in [
        ("/recover", json!({"email": "nobody@example.com"})),
        (
            "/resend",
            json!({"type": "signup", "email": "nobody@example.com"}),
        ),
    ] {
        assert_eq!(
            it.service
                .post(path, body)
                .await
                .expect(StatusCode::OK)
                .json(),
            json!({})
        );
    }
    assert_eq!(it.count(), 0);
}

#[tokio::test]
async fn links_never_lead_to_places_that_are_not_allowed() {
    let it = mailed(&[]).await;
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let request = it
        .service
        .client
        .post("/signup?redirect_to=https://evil.example.org");
    let request = request
        .header("redirect_to", "https://evil.example.org")
        .header("referer", "https://evil.example.org/")
        .header("host", "evil.example.org");
    request.json(&body).send().await.expect(StatusCode::OK);
    assert!(!it.mail_to(EMAIL).to_string().contains("evil"));
    let link = Url::parse(&it.variable(EMAIL, "ConfirmationURL")).expect("a link");
    let path = format!(
        "/verify?token={}&type=signup&redirect_to=https://evil.example.org",
        it.variable(EMAIL, "TokenHash"),
    );
    assert_eq!(link.host_str(), Some("api.example.com"));
    let response = it
        .service
        .client
        .get(&path)
        .send()
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(
        response
            .header("location")
            .unwrap_or_default()
            .starts_with("http://app.example.com")
    );
}

#[tokio::test]
async fn a_magic_link_makes_an_account_and_later_signs_in() {
    let it = mailed(&[]).await;
    let body = json!({"email": EMAIL, "data": {"name": "Ada"}});
    it.service
        .post("/otp", body.clone())
        .await
        .expect(StatusCode::OK);
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-confirmation");
    it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    it.service.post("/otp", body).await.expect(StatusCode::OK);
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-magic_link");
    let code = it.variable(EMAIL, "Token");
    let body = json!({"type": "email", "email": EMAIL, "token": code});
    let tokens = it
        .service
        .post("/verify", body)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(tokens["user"]["user_metadata"]["name"], "Ada");
}

#[tokio::test]
async fn a_password_chosen_before_the_address_was_confirmed_dies_with_a_recovery() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    it.service
        .post("/recover", json!({"email": EMAIL}))
        .await
        .expect(StatusCode::OK);
    it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    it.service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn passwordless_refusals_come_with_gotrues_words() {
    let it = mailed(&[]).await;
    let types = "Missing one of these types: signup, email_change, sms, phone_change";
    for (path, body, status, code, message) in [
        (
            "/otp",
            json!({}),
            400,
            "validation_failed",
            "One of email or phone must be set",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "phone": "1"}),
            400,
            "validation_failed",
            "Only an email address or phone number should be provided",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "channel": "sms"}),
            400,
            "validation_failed",
            "Channel should only be specified with Phone OTP",
        ),
        (
            "/otp",
            json!({"phone": "15550100"}),
            400,
            "phone_provider_disabled",
            "Unsupported phone provider",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "create_user": false}),
            422,
            "otp_disabled",
            "Signups not allowed for otp",
        ),
        (
            "/otp",
            json!({"email": EMAIL, "code_challenge": CHALLENGE}),
            400,
            "validation_failed",
            "PKCE flow requires code_challenge_method and code_challenge",
        ),
        (
            "/recover",
            json!({}),
            400,
            "validation_failed",
            "Password recovery requires an email",
        ),
        (
            "/magiclink",
            json!({}),
            422,
            "validation_failed",
            "Password recovery requires an email",
        ),
        (
            "/resend",
            json!({"email": EMAIL}),
            400,
            "validation_failed",
            types,
        ),
        (
            "/resend",
            json!({"type": "signup"}),
            400,
            "validation_failed",
            "Missing email address or phone number",
        ),
        (
            "/resend",
            json!({"type": "signup", "phone": "1"}),
            400,
            "validation_failed",
            "Type provided requires an email address",
        ),
        (
            "/verify",
            json!({"type": "signup"}),
            400,
            "validation_failed",
            "Verify requires either a token or a token hash",
        ),
        (
            "/verify",
            json!({"type": "nothing", "token_hash": "x"}),
            400,
            "validation_failed",
            "Invalid email verification type",
        ),
        (
            "/verify",
            json!({"type": "signup", "token_hash": "x", "email": EMAIL}),
            400,
            "validation_failed",
            "Only the token_hash and type should be provided",
        ),
    ] {
        let request = || it.service.client.post(path).json(&body);
        refused(request, status, code, message).await;
    }
    let missing = "Verify requires a verification type";
    let request = || it.service.client.get("/verify?token=x");
    refused(request, 400, "validation_failed", missing).await;
}

#[tokio::test]
async fn with_pkce_only_the_requester_gets_tokens() {
    let it = mailed(&[]).await;
    let body = json!({
        "email": EMAIL, "password": PASSWORD,
        "code_challenge": CHALLENGE, "code_challenge_method": "s256",
    });
    it.service
        .post("/signup", body)
        .await
        .expect(StatusCode::OK);
    assert!(it.variable(EMAIL, "TokenHash").starts_with("pkce_"));
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(fragment(&response, "access_token"), None);
    let code = query(&response, "code").expect("a code");
    let exchange = |code: &str, verifier: &str| {
        let body = json!({"auth_code": code, "code_verifier": verifier});
        it.service.client.post("/token?grant_type=pkce").json(&body)
    };
    let wrong = "code challenge does not match previously saved code verifier";
    refused(
        || exchange(&code, &"x".repeat(43)),
        400,
        "bad_code_verifier",
        wrong,
    )
    .await;
    let tokens = exchange(&code, VERIFIER)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        jwt::claims(access(&tokens))["amr"][0]["method"],
        "email/signup"
    );
    let gone = "invalid flow state, no valid flow state found";
    refused(
        || exchange(&code, VERIFIER),
        404,
        "flow_state_not_found",
        gone,
    )
    .await;
    let empty = "invalid request: both auth code and code verifier should be non-empty";
    refused(|| exchange("", VERIFIER), 400, "validation_failed", empty).await;
}

#[tokio::test]
async fn a_code_is_not_good_forever_nor_before_it_was_handed_out() {
    let it = mailed(&[]).await;
    it.confirmed(EMAIL).await;
    let body = json!({
        "email": EMAIL, "code_challenge": CHALLENGE, "code_challenge_method": "s256",
    });
    it.service.post("/otp", body).await.expect(StatusCode::OK);
    let stored = it
        .service
        .value("select auth_code from auth.flow_state")
        .await
        .expect("a code");
    let exchange = |code: &str| {
        let body = json!({"auth_code": code, "code_verifier": VERIFIER});
        it.service.client.post("/token?grant_type=pkce").json(&body)
    };
    exchange(&stored).send().await.expect(StatusCode::NOT_FOUND);
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let code = query(&response, "code").expect("a code");
    it.service.pass(Duration::minutes(6));
    let message = "invalid flow state, flow state has expired";
    refused(|| exchange(&code), 422, "flow_state_expired", message).await;
}

#[tokio::test]
async fn a_new_address_counts_when_both_have_confirmed() {
    let it = mailed(&[]).await;
    let tokens = it.confirmed(EMAIL).await;
    let body = json!({"email": "new@example.com"});
    it.service
        .put_user(access(&tokens), body)
        .await
        .expect(StatusCode::OK);
    let half = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let message = "Confirmation link accepted. Please proceed to confirm link sent to the other \
                   email";
    assert_eq!(fragment(&half, "message").as_deref(), Some(message));
    let user = it.service.user(access(&tokens)).await.json();
    assert_eq!(user["email"], EMAIL);
    let response = it
        .follow("new@example.com")
        .await
        .expect(StatusCode::SEE_OTHER);
    let token = fragment(&response, "access_token").expect("a token");
    let user = it.service.user(&token).await.expect(StatusCode::OK).json();
    assert_eq!(user["email"], "new@example.com");
    assert!(user.get("new_email").is_none());
    assert_eq!(
        user["identities"][0]["identity_data"]["email"],
        "new@example.com"
    );
}

#[tokio::test]
async fn the_same_confirmation_does_not_count_twice() {
    let it = mailed(&[]).await;
    let tokens = it.confirmed(EMAIL).await;
    let body = json!({"email": "new@example.com"});
    it.service
        .put_user(access(&tokens), body)
        .await
        .expect(StatusCode::OK);
    it.follow("new@example.com")
        .await
        .expect(StatusCode::SEE_OTHER);
    let again = it
        .follow("new@example.com")
        .await
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(
        fragment(&again, "error_code").as_deref(),
        Some("otp_expired")
    );
    assert_eq!(
        it.service.user(access(&tokens)).await.json()["email"],
        EMAIL
    );
}

#[tokio::test]
async fn an_invitation_is_accepted_by_its_link() {
    let it = mailed(&[]).await;
    let body = json!({"email": EMAIL, "data": {"team": "a"}});
    let admin = service_role();
    let invite = || it.service.client.post("/invite").bearer(&admin).json(&body);
    let user = invite().send().await.expect(StatusCode::OK).json();
    assert!(user["invited_at"].is_string());
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-invite");
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(fragment(&response, "type").as_deref(), Some("invite"));
    let message = "A user with this email address has already been registered";
    refused(invite, 422, "email_exists", message).await;
}

#[tokio::test]
async fn a_generated_link_works_and_is_not_sent() {
    let it = mailed(&[]).await;
    let admin = service_role();
    let generate = |body: Value| {
        it.service
            .client
            .post("/admin/generate_link")
            .bearer(&admin)
            .json(&body)
    };
    let body = json!({"type": "signup", "email": EMAIL, "password": PASSWORD});
    let link = generate(body).send().await.expect(StatusCode::OK).json();
    assert_eq!(link["email"], EMAIL);
    assert_eq!(link["verification_type"], "signup");
    assert_eq!(link["redirect_to"], "http://app.example.com");
    let action = Url::parse(text(&link, "action_link")).expect("a link");
    let path = format!("/verify?{}", action.query().unwrap_or_default());
    let followed = it
        .service
        .client
        .get(&path)
        .send()
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(fragment(&followed, "access_token").is_some());
    it.service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK);

    for kind in ["magiclink", "recovery"] {
        let link = generate(json!({"type": kind, "email": EMAIL})).send().await;
        let link = link.expect(StatusCode::OK).json();
        let body = json!({"type": kind, "email": EMAIL, "token": link["email_otp"]});
        it.service
            .post("/verify", body)
            .await
            .expect(StatusCode::OK);
    }
    assert_eq!(it.count(), 0);
    let unknown = || generate(json!({"type": "recovery", "email": "nobody@example.com"}));
    refused(
        unknown,
        404,
        "user_not_found",
        "User with this email not found",
    )
    .await;
    let other = || generate(json!({"type": "x", "email": EMAIL}));
    let message = "Invalid email action link type requested: x";
    refused(other, 400, "validation_failed", message).await;
}

#[tokio::test]
async fn a_password_change_can_require_a_fresh_proof() {
    let it = mailed(&[(
        "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION",
        "true",
    )])
    .await;
    it.confirmed(EMAIL).await;
    it.service
        .execute("update auth.sessions set created_at = now() - interval '2 days'")
        .await;
    let tokens = it
        .service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    it.service
        .execute("update auth.sessions set created_at = now() - interval '2 days'")
        .await;
    let token = access(&tokens);
    let change = |nonce: &str| {
        let body = json!({"password": "battery staple", "nonce": nonce});
        it.service.client.put("/user").bearer(token).json(&body)
    };
    let needed = "Password update requires reauthentication";
    refused(|| change(""), 400, "reauthentication_needed", needed).await;
    let invalid = "Nonce has expired or is invalid";
    refused(
        || change("000000"),
        422,
        "reauthentication_not_valid",
        invalid,
    )
    .await;
    let request = it.service.client.get("/reauthenticate").bearer(token);
    request.send().await.expect(StatusCode::OK);
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-reauthentication");
    change(&it.variable(EMAIL, "Token"))
        .send()
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_password_change_can_require_the_present_password() {
    let it = mailed(&[(
        "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD",
        "true",
    )])
    .await;
    let tokens = it.confirmed(EMAIL).await;
    let change = |body: Value| {
        it.service
            .client
            .put("/user")
            .bearer(access(&tokens))
            .json(&body)
    };
    let message = "Current password required when setting new password.";
    let without = || change(json!({"password": "battery staple"}));
    refused(without, 400, "current_password_required", message).await;
    let wrong = || change(json!({"password": "battery staple", "current_password": "x"}));
    refused(wrong, 400, "current_password_invalid", message).await;
    let right = change(json!({"password": "battery staple", "current_password": PASSWORD}));
    right.send().await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_audit_log_tells_what_happened() {
    let it = mailed(&[]).await;
    it.confirmed(EMAIL).await;
    let admin = service_role();
    let page = async |query: &str| {
        let path = format!("/admin/audit{query}");
        it.service.client.get(&path).bearer(&admin).send().await
    };
    let all = page("").await.expect(StatusCode::OK);
    assert_eq!(all.header("x-total-count"), Some("2"));
    let found = page("?query=action:signedup")
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(found[0]["payload"]["action"], "user_signedup");
    assert_eq!(found[0]["payload"]["actor_username"], EMAIL);
    assert_eq!(found[0]["payload"]["log_type"], "team");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    page("?query=payload:x")
        .await
        .expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_mailer_that_is_down_is_not_the_clients_mistake() {
    let service = with([
        ("EMAIL_URL", "http://127.0.0.1:9"),
        ("EMAIL_SERVICE_TOKEN", TOKEN),
    ])
    .await;
    let response = service
        .sign_up(EMAIL)
        .await
        .expect(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.json()["error_code"], "unexpected_failure");
}
