//! `/factors/recovery-codes`: codes for those who have lost their second factor.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{client::Response, jwt};
use time::Duration;
use tokio::task::JoinSet;

use crate::{
    factors::{enrolled, raised},
    hooks::hooked,
    receiver,
    support::{EMAIL, Fixture, PASSWORD, access, refused, service_role, text, with},
};

const PATH: &str = "/factors/recovery-codes";
const VERIFY: &str = "/factors/recovery-codes/verify";
const WRONG: &str = "aaaaaaaaaaaaaaaa";

/// A user with a time-based factor and codes.
struct Coded {
    service: Fixture,
    factor: Value,
    token: String,
    id: String,
    codes: Vec<String>,
}

async fn service() -> Fixture {
    with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_MFA_RECOVERY_CODES_MAX_VERIFY_ATTEMPTS", "3"),
        ("AUTH_RATE_LIMIT_SCALE", "100"),
    ])
    .await
}

async fn send(service: &Fixture, method: Method, path: &str, token: &str, body: Value) -> Response {
    let request = service.client.request(method, path).bearer(token);
    request.json(&body).send().await
}

fn codes(answer: &Value) -> Vec<String> {
    let codes = answer["codes"].as_array().expect("codes");
    let code = |code: &Value| code.as_str().expect("a text").to_owned();
    codes.iter().map(code).collect()
}

async fn coded() -> Coded {
    let service = service().await;
    let first = service.signed_up(EMAIL).await;
    let factor = enrolled(&service, access(&first), "app").await;
    let token = access(&raised(&service, access(&first), &factor).await).to_owned();
    let made = send(&service, Method::POST, PATH, &token, json!({})).await;
    let made = made.expect(StatusCode::OK).json();
    Coded {
        id: text(&made, "id").to_owned(),
        codes: codes(&made),
        service,
        factor,
        token,
    }
}

impl Coded {
    /// A session that has shown no second factor.
    async fn low(&self) -> String {
        let tokens = self.service.sign_in(EMAIL, PASSWORD).await;
        access(&tokens.expect(StatusCode::OK).json()).to_owned()
    }

    async fn tried(&self, token: &str, code: &str) -> Response {
        send(
            &self.service,
            Method::POST,
            VERIFY,
            token,
            json!({"code": code}),
        )
        .await
    }

    async fn status(&self) -> Response {
        send(&self.service, Method::GET, PATH, &self.token, json!({})).await
    }
}

#[tokio::test]
async fn codes_are_shown_once_and_stored_hashed() {
    let it = coded().await;
    assert_eq!(it.codes.len(), 10);
    assert!(it.codes.iter().all(|code| code.len() == 16));
    let status = it.status().await.expect(StatusCode::OK).json();
    let expected = json!({"id": it.id, "type": "recovery_code", "total": 10, "remaining": 10});
    assert_eq!(status, expected);
    let stored = it
        .service
        .value("select string_agg(code_hash, ',') from auth.mfa_recovery_codes");
    let stored = stored.await.expect("hashes");
    assert!(it.codes.iter().all(|code| !stored.contains(code)));
    let user = it.service.user(&it.token).await.json();
    let factors = user["factors"].as_array().expect("factors");
    let codes = factors
        .iter()
        .find(|factor| factor["factor_type"] == "recovery_code");
    assert_eq!(codes.expect("a factor")["friendly_name"], "Recovery codes");
}

#[tokio::test]
async fn a_code_stands_for_the_second_factor_once() {
    let it = coded().await;
    let (low, other) = (it.low().await, it.low().await);
    let (first, second) = it.codes[0].split_at(8);
    let typed = format!(" {}-{second}", first.to_uppercase());
    let raised = it.tried(&low, &typed).await.expect(StatusCode::OK).json();
    let claims = jwt::claims(access(&raised));
    assert_eq!(claims["aal"], "aal2");
    assert_eq!(claims["amr"][0]["method"], "mfa/recovery_code");
    it.service.user(&other).await.expect(StatusCode::FORBIDDEN);
    let status = it.status().await.json();
    assert_eq!(
        (&status["total"], &status["remaining"]),
        (&json!(10), &json!(9))
    );
    let again = it.tried(&it.low().await, &it.codes[0]).await;
    let again = again.expect(StatusCode::UNPROCESSABLE_ENTITY).json();
    assert_eq!(again["error_code"], "mfa_verification_failed");
    let actions = it.service.value(
        "select string_agg(payload ->> 'action', ',' order by created_at) \
         from auth.audit_log_entries where payload ->> 'action' like 'recovery_codes%'",
    );
    let actions = actions.await.expect("some");
    assert_eq!(actions, "recovery_codes_generated,recovery_codes_verified");
}

#[tokio::test]
async fn of_fifty_parallel_uses_of_a_code_exactly_one_succeeds() {
    let it = coded().await;
    let low = it.low().await;
    let body = json!({"code": it.codes[0]});
    let mut running = JoinSet::new();
    for _ in 0..50 {
        let (client, token, body) = (it.service.client.clone(), low.clone(), body.clone());
        running.spawn(async move {
            let request = client.post(VERIFY).bearer(&token).json(&body);
            request.send().await.status
        });
    }
    let statuses = running.join_all().await;
    let successes = statuses.iter().filter(|status| status.is_success()).count();
    assert_eq!(successes, 1);
    assert!(statuses.iter().all(|status| !status.is_server_error()));
    assert_eq!(it.status().await.json()["remaining"], 9);
}

#[tokio::test]
async fn wrong_codes_lock_the_right_ones_out_for_a_while() {
    let it = coded().await;
    let low = it.low().await;
    for _ in 0..3 {
        let refusal = it.tried(&low, WRONG).await;
        let refusal = refusal.expect(StatusCode::UNPROCESSABLE_ENTITY).json();
        assert_eq!(refusal["error_code"], "mfa_verification_failed");
        assert_eq!(refusal["msg"], "Invalid recovery code entered");
    }
    let body = json!({"code": it.codes[0]});
    let request = || it.service.client.post(VERIFY).bearer(&low).json(&body);
    let message = "Too many failed verification attempts, try again later";
    refused(request, 429, "mfa_recovery_codes_locked", message).await;
    it.service.pass(Duration::minutes(16));
    let refusal = it.tried(&low, WRONG).await;
    refusal.expect(StatusCode::UNPROCESSABLE_ENTITY);
    it.tried(&low, &it.codes[0]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn new_codes_take_the_place_of_the_old_ones_and_lift_the_lock() {
    let it = coded().await;
    let low = it.low().await;
    for _ in 0..3 {
        it.tried(&low, WRONG).await;
    }
    let path = "/factors/recovery-codes/regenerate";
    let made = send(&it.service, Method::POST, path, &it.token, json!({})).await;
    let made = made.expect(StatusCode::OK).json();
    assert_eq!(made["id"], json!(it.id));
    assert_eq!(made["friendly_name"], "Recovery codes");
    let refusal = it.tried(&low, &it.codes[0]).await;
    refusal.expect(StatusCode::UNPROCESSABLE_ENTITY);
    it.tried(&low, &codes(&made)[0])
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn codes_go_with_another_factor_and_are_made_once_at_its_level() {
    let service = service().await;
    let token = access(&service.signed_up(EMAIL).await).to_owned();
    for (path, what) in [
        (PATH, "generate"),
        ("/factors/recovery-codes/regenerate", "regenerate"),
    ] {
        let request = || service.client.post(path).bearer(&token);
        let message = format!("AAL2 required to {what} recovery codes");
        refused(request, 403, "insufficient_aal", &message).await;
    }
    let request = || service.client.delete(PATH).bearer(&token);
    let message = "AAL2 required to delete recovery codes";
    refused(request, 403, "insufficient_aal", message).await;
    service
        .execute("update auth.sessions set aal = 'aal2'")
        .await;
    let request = || service.client.post(PATH).bearer(&token);
    let message = "At least one other verified factor is required to generate recovery codes";
    refused(request, 422, "mfa_recovery_codes_sole_factor", message).await;
    for (method, path) in [
        (Method::GET, PATH),
        (Method::POST, "/factors/recovery-codes/regenerate"),
        (Method::DELETE, PATH),
    ] {
        let request = || service.client.request(method.clone(), path).bearer(&token);
        let message = "The user has not enrolled recovery codes";
        refused(request, 404, "mfa_factor_not_found", message).await;
    }
    let body = json!({"code": WRONG});
    let request = || service.client.post(VERIFY).bearer(&token).json(&body);
    let message = "Invalid recovery code entered";
    refused(request, 422, "mfa_verification_failed", message).await;

    let it = coded().await;
    let request = || it.service.client.post(PATH).bearer(&it.token);
    let message =
        "Recovery codes are already enrolled for this user, use regenerate to rotate them";
    refused(request, 422, "mfa_verified_factor_exists", message).await;
    let body = json!({"code": " - "});
    let request = || it.service.client.post(VERIFY).bearer(&it.token).json(&body);
    refused(
        request,
        400,
        "validation_failed",
        "Code needs to be non-empty",
    )
    .await;
}

#[tokio::test]
async fn codes_are_never_the_only_factor() {
    let it = coded().await;
    let factor = format!("/factors/{}", text(&it.factor, "id"));
    let request = || it.service.client.delete(&factor).bearer(&it.token);
    let message = "Recovery codes cannot be the only verified factor. Please enroll another factor \
                   before unenrolling this one or delete your recovery codes.";
    refused(request, 422, "mfa_recovery_codes_sole_factor", message).await;
    let codes = format!("/factors/{}", it.id);
    let request = || it.service.client.delete(&codes).bearer(&it.token);
    let message = "Recovery codes cannot be unenrolled with this endpoint, use DELETE \
                   /factors/recovery-codes";
    refused(request, 422, "validation_failed", message).await;

    // Whoever lost the factor gets another one before that one goes.
    let low = it.low().await;
    let raised_by_code = it
        .tried(&low, &it.codes[0])
        .await
        .expect(StatusCode::OK)
        .json();
    let token = access(&raised_by_code);
    let another = enrolled(&it.service, token, "new app").await;
    let token = access(&raised(&it.service, token, &another).await).to_owned();
    let gone = send(&it.service, Method::DELETE, &factor, &token, json!({})).await;
    gone.expect(StatusCode::OK);
}

#[tokio::test]
async fn codes_that_are_given_up_take_back_what_they_gave() {
    let it = coded().await;
    let low = it.low().await;
    let raised = it
        .tried(&low, &it.codes[0])
        .await
        .expect(StatusCode::OK)
        .json();
    let gone = send(&it.service, Method::DELETE, PATH, &it.token, json!({})).await;
    assert_eq!(gone.expect(StatusCode::OK).json(), json!({"id": it.id}));
    let lowered = it.service.refresh(text(&raised, "refresh_token")).await;
    let claims = jwt::claims(access(&lowered.expect(StatusCode::OK).json()));
    assert_eq!(claims["aal"], "aal1");
    assert_eq!(claims["amr"].as_array().map(Vec::len), Some(1));
    let left = "select count(*)::text from auth.mfa_recovery_codes";
    assert_eq!(it.service.value(left).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn an_admin_who_takes_the_last_factor_takes_the_codes() {
    let it = coded().await;
    let user = it.service.user(&it.token).await.json();
    let path = format!(
        "/admin/users/{}/factors/{}",
        text(&user, "id"),
        text(&it.factor, "id")
    );
    let gone = it
        .service
        .client
        .delete(&path)
        .bearer(&service_role())
        .send()
        .await;
    gone.expect(StatusCode::OK);
    let user = it.service.user(&it.token).await.json();
    assert_eq!(user.get("factors"), None);
}

#[tokio::test]
async fn codes_that_gotrue_made_are_good() {
    let it = coded().await;
    let code = "abcdefgh23456722";
    let hash = auth::password::hash::hash(&code.into()).expect("a hash");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    it.service
        .execute(&format!(
            "update auth.mfa_recovery_codes set code_hash = '{hash}' \
             where id = (select id from auth.mfa_recovery_codes limit 1)"
        ))
        .await;
    let low = it.low().await;
    it.tried(&low, code).await.expect(StatusCode::OK);
    it.tried(&low, code)
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_hook_ends_attempts_before_a_code_is_used_up() {
    let (service, receiver) = hooked(&["MFA_VERIFICATION_ATTEMPT"], |_, told| {
        let is_code = told["factor_type"] == "recovery_code";
        let decision = if is_code { "reject" } else { "continue" };
        receiver::json(200, &json!({"decision": decision}))
    })
    .await;
    let first = service.signed_up(EMAIL).await;
    let factor = enrolled(&service, access(&first), "app").await;
    let token = access(&raised(&service, access(&first), &factor).await).to_owned();
    let made = send(&service, Method::POST, PATH, &token, json!({})).await;
    let made = made.expect(StatusCode::OK).json();
    let body = json!({"code": codes(&made)[0]});
    let refusal = send(&service, Method::POST, VERIFY, &token, body).await;
    let refusal = refusal.expect(StatusCode::FORBIDDEN).json();
    assert_eq!(refusal["error_code"], "mfa_verification_rejected");
    let told = receiver.last("MFA_VERIFICATION_ATTEMPT");
    assert_eq!(
        (&told["factor_id"], &told["valid"]),
        (&made["id"], &json!(true))
    );
    let used = "select count(consumed_at)::text from auth.mfa_recovery_codes";
    assert_eq!(service.value(used).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn codes_can_be_switched_off() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_MFA_RECOVERY_CODES_ENROLL_ENABLED", "false"),
        ("GOTRUE_MFA_RECOVERY_CODES_VERIFY_ENABLED", "false"),
    ])
    .await;
    let token = access(&service.signed_up(EMAIL).await).to_owned();
    let request = || service.client.post(PATH).bearer(&token);
    let message = "MFA enroll is disabled for recovery codes";
    refused(
        request,
        422,
        "mfa_recovery_codes_enroll_not_enabled",
        message,
    )
    .await;
    let body = json!({"code": WRONG});
    let request = || service.client.post(VERIFY).bearer(&token).json(&body);
    let message = "MFA verification is disabled for recovery codes";
    refused(
        request,
        422,
        "mfa_recovery_codes_verify_not_enabled",
        message,
    )
    .await;
}
