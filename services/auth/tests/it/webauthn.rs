//! `/factors`: authenticators of the browser.

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::{client::Response, jwt};

use crate::{
    authenticator::{Authenticator, PRESENT},
    support::{EMAIL, Fixture, PASSWORD, access, text, with},
};

const ORIGIN: &str = "http://app.example.com";

/// What a test makes an authenticator do.
type Change = Box<dyn FnOnce(&mut Authenticator)>;

struct Enrolled {
    service: Fixture,
    authenticator: Authenticator,
    factor: String,
    tokens: Value,
}

async fn service() -> Fixture {
    with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_MFA_WEB_AUTHN_ENROLL_ENABLED", "true"),
        ("GOTRUE_MFA_WEB_AUTHN_VERIFY_ENABLED", "true"),
        ("AUTH_RATE_LIMIT_SCALE", "100"),
    ])
    .await
}

async fn post(service: &Fixture, token: &str, path: &str, body: &Value) -> Response {
    service
        .client
        .post(path)
        .bearer(token)
        .json(body)
        .send()
        .await
}

async fn challenged(service: &Fixture, token: &str, factor: &str) -> Value {
    let path = format!("/factors/{factor}/challenge");
    let challenge = post(service, token, &path, &json!({})).await;
    challenge.expect(StatusCode::OK).json()
}

async fn answered(
    service: &Fixture,
    token: &str,
    factor: &str,
    (challenge, ceremony, credential): (&Value, &str, Value),
) -> Response {
    let body = json!({
        "challenge_id": challenge["id"],
        "webauthn": {"type": ceremony, "credential_response": credential},
    });
    let path = format!("/factors/{factor}/verify");
    post(service, token, &path, &body).await
}

async fn enrolled() -> Enrolled {
    let service = service().await;
    let first = service.signed_up(EMAIL).await;
    let token = access(&first);
    let body = json!({"factor_type": "webauthn", "friendly_name": "key"});
    let factor = post(&service, token, "/factors", &body).await;
    let factor = factor.expect(StatusCode::OK).json();
    assert_eq!(factor["type"], "webauthn");
    let factor = text(&factor, "id").to_owned();
    let challenge = challenged(&service, token, &factor).await;
    assert_eq!(challenge["webauthn"]["type"], "create");
    let mut authenticator = Authenticator::new(ORIGIN);
    let credential = authenticator.create(&challenge["webauthn"]["credential_options"]);
    let answer = (&challenge, "create", credential);
    let tokens = answered(&service, token, &factor, answer).await;
    let tokens = tokens.expect(StatusCode::OK).json();
    Enrolled {
        service,
        authenticator,
        factor,
        tokens,
    }
}

impl Enrolled {
    /// A session that has not shown the factor.
    async fn signed_in(&self) -> String {
        let tokens = self.service.sign_in(EMAIL, PASSWORD).await;
        access(&tokens.expect(StatusCode::OK).json()).to_owned()
    }

    /// Answers a new challenge with what `change` makes the authenticator do.
    async fn proven(&mut self, token: &str, change: impl FnOnce(&mut Authenticator)) -> Response {
        let challenge = challenged(&self.service, token, &self.factor).await;
        change(&mut self.authenticator);
        let options = &challenge["webauthn"]["credential_options"];
        let credential = self.authenticator.get(options);
        let answer = (&challenge, "request", credential);
        answered(&self.service, token, &self.factor, answer).await
    }
}

#[tokio::test]
async fn an_authenticator_raises_the_session() {
    let mut it = enrolled().await;
    let claims = jwt::claims(access(&it.tokens));
    assert_eq!(claims["aal"], "aal2");
    assert_eq!(claims["amr"][0]["method"], "mfa/webauthn");
    assert_eq!(it.tokens["user"]["factors"][0]["status"], "verified");

    let token = it.signed_in().await;
    assert_eq!(jwt::claims(&token)["aal"], "aal1");
    let raised = it.proven(&token, |_| {}).await.expect(StatusCode::OK);
    assert_eq!(jwt::claims(access(&raised.json()))["aal"], "aal2");
}

#[tokio::test]
async fn an_answer_is_good_for_one_challenge_and_once() {
    let mut it = enrolled().await;
    let token = it.signed_in().await;
    let challenge = challenged(&it.service, &token, &it.factor).await;
    let options = &challenge["webauthn"]["credential_options"];
    let credential = it.authenticator.get(options);
    let again = (&challenge, "request", credential.clone());
    let answer = (&challenge, "request", credential.clone());
    let raised = answered(&it.service, &token, &it.factor, answer).await;
    let raised = raised.expect(StatusCode::OK).json();
    let token = access(&raised);
    let replay = answered(&it.service, token, &it.factor, again).await;
    assert_eq!(replay.json()["error_code"], "mfa_ip_address_mismatch");
    let next = challenged(&it.service, token, &it.factor).await;
    let answer = (&next, "request", credential);
    let other = answered(&it.service, token, &it.factor, answer).await;
    assert_eq!(other.json()["error_code"], "mfa_verification_failed");
}

#[tokio::test]
async fn what_our_authenticator_did_not_answer_on_our_page_is_refused() {
    let mut it = enrolled().await;
    let token = it.signed_in().await;
    it.proven(&token, |key| key.count = 41)
        .await
        .expect(StatusCode::OK);
    let token = it.signed_in().await;
    let key = Authenticator::new(ORIGIN);
    let changes: [(&str, Change); 6] = [
        (
            "another page",
            Box::new(|key| key.origin = "http://evil.example.com".into()),
        ),
        (
            "another domain",
            Box::new(|key| key.rp_id = Some("evil.example.com".into())),
        ),
        ("nobody there", Box::new(|key| key.flags = 0)),
        ("a copy of the authenticator", Box::new(|key| key.count = 3)),
        ("another credential", Box::new(move |old| old.id = key.id)),
        ("another key", Box::new(Authenticator::forge)),
    ];
    for (what, change) in changes {
        let id = it.authenticator.id.clone();
        let refusal = it.proven(&token, change).await;
        assert_eq!(refusal.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert_eq!(
            refusal.json()["error_code"],
            "mfa_verification_failed",
            "{what}"
        );
        it.authenticator.id = id;
        it.authenticator.origin = ORIGIN.to_owned();
        it.authenticator.rp_id = None;
        it.authenticator.flags = PRESENT;
        it.authenticator.count = 100;
    }
}

#[tokio::test]
async fn a_new_credential_does_not_take_the_place_of_a_verified_one() {
    let it = enrolled().await;
    let token = it.signed_in().await;
    let challenge = challenged(&it.service, &token, &it.factor).await;
    assert_eq!(challenge["webauthn"]["type"], "request");
    let given = &challenge["webauthn"]["credential_options"]["publicKey"];
    let options = json!({"publicKey": {
        "attestation": "none", "rp": {"id": given["rpId"]}, "challenge": given["challenge"],
    }});
    let credential = Authenticator::new(ORIGIN).create(&options);
    let answer = (&challenge, "create", credential);
    let refusal = answered(&it.service, &token, &it.factor, answer).await;
    let refusal = refusal.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(refusal["msg"], "Invalid credential_response");
}

#[tokio::test]
async fn an_answer_must_have_the_form_of_one() {
    let it = enrolled().await;
    let token = it.signed_in().await;
    let challenge = challenged(&it.service, &token, &it.factor).await;
    let path = format!("/factors/{}/verify", it.factor);
    let id = &challenge["id"];
    for (webauthn, message) in [
        (Value::Null, "WebAuthn config required"),
        (json!({}), "WebAuthn type must be create or request"),
        (json!({"type": "request"}), "credential_response required"),
        (
            json!({"type": "request", "credential_response": {"id": "x"}}),
            "Invalid credential_response",
        ),
    ] {
        let body = json!({"challenge_id": id, "webauthn": webauthn});
        let refusal = post(&it.service, &token, &path, &body).await;
        let refusal = refusal.expect(StatusCode::BAD_REQUEST).json();
        assert_eq!(refusal["msg"], message);
    }
}
