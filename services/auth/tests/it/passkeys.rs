//! `/passkeys`: authenticators of the browser that are all a user needs.

use axum::http::{Method, StatusCode};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use testkit::{client::Response, jwt};
use time::Duration;
use tokio::task::JoinSet;

use crate::{
    authenticator::{Authenticator, PRESENT, VERIFIED},
    mailed::mailed,
    support::{EMAIL, Fixture, PASSWORD, access, refused, text, with},
};

const ORIGIN: &str = "http://app.example.com";

/// What a test makes an authenticator do.
type Change = fn(&mut Authenticator);

pub(crate) struct Registered {
    pub(crate) service: Fixture,
    pub(crate) authenticator: Authenticator,
    pub(crate) passkey: String,
    pub(crate) token: String,
}

pub(crate) async fn service() -> Fixture {
    with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_PASSKEY_ENABLED", "true"),
        ("GOTRUE_PASSKEY_MAX_PASSKEYS_PER_USER", "2"),
        ("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true"),
        ("AUTH_RATE_LIMIT_SCALE", "100"),
    ])
    .await
}

pub(crate) fn authenticator() -> Authenticator {
    let mut authenticator = Authenticator::new(ORIGIN);
    authenticator.flags = PRESENT | VERIFIED;
    authenticator
}

pub(crate) fn wrapped(asked: &Value) -> Value {
    json!({"publicKey": asked["options"]})
}

pub(crate) async fn post(service: &Fixture, token: &str, path: &str, body: &Value) -> Response {
    let request = service.client.post(path).bearer(token).json(body);
    request.send().await
}

pub(crate) async fn register(
    service: &Fixture,
    token: &str,
    authenticator: &mut Authenticator,
) -> Response {
    let asked = post(service, token, "/passkeys/registration/options", &json!({})).await;
    let asked = asked.expect(StatusCode::OK).json();
    let credential = authenticator.create(&wrapped(&asked));
    let body = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    post(service, token, "/passkeys/registration/verify", &body).await
}

pub(crate) async fn registered() -> Registered {
    let service = service().await;
    let token = access(&service.signed_up(EMAIL).await).to_owned();
    let mut authenticator = authenticator();
    let passkey = register(&service, &token, &mut authenticator).await;
    let passkey = passkey.expect(StatusCode::OK).json();
    assert_eq!(passkey["friendly_name"], "Passkey");
    Registered {
        passkey: text(&passkey, "id").to_owned(),
        service,
        authenticator,
        token,
    }
}

impl Registered {
    async fn asked(&self) -> Value {
        let asked = self
            .service
            .post("/passkeys/authentication/options", json!({}))
            .await;
        asked.expect(StatusCode::OK).json()
    }

    async fn answered(&self, asked: &Value, credential: &Value) -> Response {
        let body = json!({"challenge_id": asked["challenge_id"], "credential": credential});
        self.service
            .post("/passkeys/authentication/verify", body)
            .await
    }

    /// Signs in after `change` of the authenticator.
    pub(crate) async fn sign_in(&mut self, change: impl FnOnce(&mut Authenticator)) -> Response {
        let asked = self.asked().await;
        change(&mut self.authenticator);
        let credential = self.authenticator.get(&wrapped(&asked));
        self.answered(&asked, &credential).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Response {
        let request = self
            .service
            .client
            .request(method, path)
            .bearer(&self.token);
        request.json(body).send().await
    }
}

#[tokio::test]
async fn there_are_none_unless_they_are_switched_on() {
    let service = with([("GOTRUE_MAILER_AUTOCONFIRM", "true")]).await;
    for path in [
        "/passkeys/authentication/options",
        "/passkeys/authentication/verify",
        "/passkeys/registration/options",
        "/passkeys/registration/verify",
    ] {
        let request = || service.client.post(path);
        refused(request, 404, "passkey_disabled", "Passkeys are disabled").await;
    }
    let settings = service.client.get("/settings").send().await;
    assert_eq!(settings.json()["passkeys_enabled"], false);
    let settings = registered()
        .await
        .service
        .client
        .get("/settings")
        .send()
        .await;
    assert_eq!(settings.json()["passkeys_enabled"], true);
}

#[tokio::test]
async fn a_passkey_signs_its_user_in_without_a_name() {
    let mut it = registered().await;
    let asked = it.asked().await;
    assert_eq!(asked["options"]["allowCredentials"], json!([]));
    assert_eq!(asked["options"]["userVerification"], "required");
    let expires_in =
        asked["expires_at"].as_i64().expect("a number") - it.service.now().unix_timestamp();
    assert!((290..=300).contains(&expires_in), "{expires_in}");
    let tokens = it.sign_in(|_| {}).await.expect(StatusCode::OK).json();
    assert_eq!(tokens["user"]["email"], EMAIL);
    let claims = jwt::claims(access(&tokens));
    assert_eq!(
        (&claims["aal"], &claims["amr"][0]["method"]),
        (&json!("aal1"), &json!("passkey"))
    );
    it.service
        .user(access(&tokens))
        .await
        .expect(StatusCode::OK);
    let listed = it.send(Method::GET, "/passkeys", &json!({})).await.json();
    assert!(listed[0]["last_used_at"].is_string(), "{listed}");
    let login = it.service.value(
        "select payload #>> '{traits,passkey_id}' from auth.audit_log_entries \
         where payload ->> 'action' = 'login' \
           and payload #> '{traits,passkey_id}' is not null",
    );
    assert_eq!(login.await.as_deref(), Some(it.passkey.as_str()));
}

#[tokio::test]
async fn what_is_no_proof_lets_nobody_in() {
    let mut it = registered().await;
    it.sign_in(|key| key.count = 41)
        .await
        .expect(StatusCode::OK);
    let changes: [(&str, Change); 9] = [
        ("another page", |key| {
            key.origin = "http://evil.example.com".into();
        }),
        ("another domain", |key| {
            key.rp_id = Some("evil.example.com".into());
        }),
        ("nobody there", |key| key.flags = VERIFIED),
        ("nobody known there", |key| key.flags = PRESENT),
        ("a copy of the authenticator", |key| key.count = 3),
        ("another credential", |key| key.id = vec![7; 16]),
        ("another key", Authenticator::forge),
        ("no user", |key| key.handle = None),
        ("another user", |key| {
            let nobody = uuid::Uuid::new_v4().to_string();
            key.handle = Some(URL_SAFE_NO_PAD.encode(nobody));
        }),
    ];
    let (id, handle) = (it.authenticator.id.clone(), it.authenticator.handle.clone());
    for (what, change) in changes {
        let refusal = it.sign_in(change).await;
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{what}");
        let refusal = refusal.json();
        assert_eq!(
            refusal["error_code"], "webauthn_verification_failed",
            "{what}"
        );
        it.authenticator.id = id.clone();
        it.authenticator.handle = handle.clone();
        it.authenticator.origin = ORIGIN.to_owned();
        it.authenticator.rp_id = None;
        it.authenticator.flags = PRESENT | VERIFIED;
        it.authenticator.count = 100;
    }
}

#[tokio::test]
async fn a_challenge_is_answered_once_also_by_many_at_once() {
    let mut it = registered().await;
    let asked = it.asked().await;
    let credential = it.authenticator.get(&wrapped(&asked));
    let body = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    let mut running = JoinSet::new();
    for _ in 0..20 {
        let (client, body) = (it.service.client.clone(), body.clone());
        running.spawn(async move {
            let request = client.post("/passkeys/authentication/verify").json(&body);
            request.send().await.status
        });
    }
    let statuses = running.join_all().await;
    let good = statuses.iter().filter(|status| **status == StatusCode::OK);
    assert_eq!(good.count(), 1);
    let request = || {
        it.service
            .client
            .post("/passkeys/authentication/verify")
            .json(&body)
    };
    let message = "Challenge not found or already used";
    refused(request, 400, "webauthn_challenge_not_found", message).await;
}

#[tokio::test]
async fn a_wrong_answer_uses_the_challenge_up() {
    let mut it = registered().await;
    let asked = it.asked().await;
    it.authenticator.origin = "http://evil.example.com".to_owned();
    let wrong = it.authenticator.get(&wrapped(&asked));
    let refusal = it.answered(&asked, &wrong).await;
    assert_eq!(refusal.json()["error_code"], "webauthn_verification_failed");
    it.authenticator.origin = ORIGIN.to_owned();
    let right = it.authenticator.get(&wrapped(&asked));
    let refusal = it.answered(&asked, &right).await;
    assert_eq!(refusal.json()["error_code"], "webauthn_challenge_not_found");
}

#[tokio::test]
async fn a_challenge_is_good_for_its_ceremony_its_user_and_its_time() {
    let mut it = registered().await;
    let other = it.service.signed_up("grace@example.com").await;
    let asked = it.asked().await;
    let credential = authenticator().create(&json!({"publicKey": {
        "attestation": "none", "rp": {"id": "app.example.com"},
        "challenge": asked["options"]["challenge"],
    }}));
    let body = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    let path = "/passkeys/registration/verify";
    let refusal = it.send(Method::POST, path, &body).await;
    assert_eq!(refusal.json()["error_code"], "webauthn_challenge_not_found");

    let asked = it
        .send(Method::POST, "/passkeys/registration/options", &json!({}))
        .await
        .json();
    let credential = authenticator().create(&wrapped(&asked));
    let body = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    let refusal = post(&it.service, access(&other), path, &body).await;
    assert_eq!(refusal.json()["error_code"], "webauthn_challenge_not_found");

    let asked = it.asked().await;
    it.service.pass(Duration::minutes(6));
    let credential = it.authenticator.get(&wrapped(&asked));
    let refusal = it.answered(&asked, &credential).await;
    assert_eq!(refusal.json()["error_code"], "webauthn_challenge_expired");
}

#[tokio::test]
async fn an_answer_must_be_complete() {
    let it = registered().await;
    for (body, message) in [
        (json!({}), "challenge_id is required"),
        (json!({"challenge_id": "x"}), "credential is required"),
        (
            json!({"challenge_id": "x", "credential": {}}),
            "challenge_id must be a valid UUID",
        ),
    ] {
        let request = || {
            it.service
                .client
                .post("/passkeys/authentication/verify")
                .json(&body)
        };
        refused(request, 400, "validation_failed", message).await;
    }
    let asked = it.asked().await;
    let refusal = it.answered(&asked, &json!({"id": "x"})).await;
    assert_eq!(refusal.json()["msg"], "Invalid credential response");
}

#[tokio::test]
async fn who_may_not_sign_in_does_not_with_a_passkey_either() {
    let mut it = registered().await;
    for (change, undo, code) in [
        (
            "banned_until = now() + interval '1 day'",
            "banned_until = null",
            "user_banned",
        ),
        (
            "email_confirmed_at = null",
            "email_confirmed_at = now()",
            "email_not_confirmed",
        ),
        ("phone = '15550100'", "phone = null", "phone_not_confirmed"),
        ("deleted_at = now()", "deleted_at = null", "user_not_found"),
    ] {
        it.service
            .execute(&format!("update auth.users set {change}"))
            .await;
        let refusal = it.sign_in(|_| {}).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(refusal.json()["error_code"], code);
        it.service
            .execute(&format!("update auth.users set {undo}"))
            .await;
    }
    it.sign_in(|_| {}).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_owner_of_an_address_does_not_keep_a_strangers_passkey() {
    let it = mailed(&[
        ("GOTRUE_PASSKEY_ENABLED", "true"),
        ("GOTRUE_MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", "true"),
    ])
    .await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let stranger = it.service.sign_in(EMAIL, PASSWORD).await;
    let stranger = stranger.expect(StatusCode::OK).json();
    let made = register(&it.service, access(&stranger), &mut authenticator()).await;
    made.expect(StatusCode::OK);
    let recovery = it.service.post("/recover", json!({"email": EMAIL})).await;
    recovery.expect(StatusCode::OK);
    it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let left = "select count(*)::text from auth.webauthn_credentials";
    assert_eq!(it.service.value(left).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn clients_try_so_many_passkeys() {
    let service = with([
        ("GOTRUE_PASSKEY_ENABLED", "true"),
        ("GOTRUE_RATE_LIMIT_PASSKEY", "2/1h"),
    ])
    .await;
    let ask = || async {
        let request = service.client.post("/passkeys/authentication/options");
        request.header("x-forwarded-for", "192.0.2.1").send().await
    };
    for expected in [200, 200, 429] {
        assert_eq!(ask().await.status.as_u16(), expected);
    }
}
