//! `/factors`: second factors by time-based codes.

use axum::http::StatusCode;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use testkit::{client::RequestBuilder, jwt};
use time::{Duration, OffsetDateTime};

use crate::support::{EMAIL, Fixture, PASSWORD, access, autoconfirming, refused, text, with};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// What an authenticator shows at `now`, written apart from what verifies it.
pub(crate) fn shown(secret: &str, now: OffsetDateTime) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<usize> = secret
        .chars()
        .flat_map(|c| {
            let value = letters.find(c).expect("a letter of base32");
            (0..5).rev().map(move |bit| value >> bit & 1)
        })
        .collect();
    let byte = |bits: &[usize]| bits.iter().fold(0, |sum, bit| sum << 1 | bit);
    let key: Vec<u8> = bits
        .chunks_exact(8)
        .map(|bits| u8::try_from(byte(bits)).expect("eight bits"))
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).expect("any key");
    mac.update(&(now.unix_timestamp() / 30).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let word = u32::from_be_bytes([
        digest[offset] & 127,
        digest[offset + 1],
        digest[offset + 2],
        digest[offset + 3],
    ]);
    format!("{:06}", word % 1_000_000)
}

fn post<'a>(service: &'a Fixture, token: &str, path: &str, body: &Value) -> RequestBuilder<'a> {
    service.client.post(path).bearer(token).json(body)
}

pub(crate) async fn enrolled(service: &Fixture, token: &str, name: &str) -> Value {
    let body = json!({"factor_type": "totp", "friendly_name": name});
    post(service, token, "/factors", &body)
        .send()
        .await
        .expect(StatusCode::OK)
        .json()
}

pub(crate) async fn challenged(service: &Fixture, token: &str, factor: &Value) -> String {
    let path = format!("/factors/{}/challenge", text(factor, "id"));
    let challenge = post(service, token, &path, &json!({})).send().await;
    text(&challenge.expect(StatusCode::OK).json(), "id").to_owned()
}

fn answer<'a>(
    service: &'a Fixture,
    token: &str,
    factor: &Value,
    challenge: &str,
    code: &str,
) -> RequestBuilder<'a> {
    let path = format!("/factors/{}/verify", text(factor, "id"));
    post(
        service,
        token,
        &path,
        &json!({"challenge_id": challenge, "code": code}),
    )
}

pub(crate) async fn raised(service: &Fixture, token: &str, factor: &Value) -> Value {
    let challenge = challenged(service, token, factor).await;
    let code = shown(text(&factor["totp"], "secret"), service.now());
    let verified = answer(service, token, factor, &challenge, &code)
        .send()
        .await;
    verified.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn a_code_raises_the_session() {
    let service = autoconfirming().await;
    let first = service.signed_up(EMAIL).await;
    let other = service.sign_in(EMAIL, PASSWORD).await.json();
    let factor = enrolled(&service, access(&first), "phone").await;
    assert_eq!(factor["type"], "totp");
    assert!(text(&factor["totp"], "qr_code").contains("<svg"));
    assert!(text(&factor["totp"], "uri").starts_with("otpauth://totp/app.example.com:ada%40"));
    let user = service.user(access(&first)).await.json();
    assert_eq!(user["factors"][0]["status"], "unverified");

    let raised = raised(&service, access(&first), &factor).await;
    let claims = jwt::claims(access(&raised));
    assert_eq!(claims["aal"], "aal2");
    let methods: Vec<_> = claims["amr"].as_array().into_iter().flatten().collect();
    assert_eq!((&methods[0]["method"], methods.len()), (&json!("totp"), 2));
    assert_eq!(raised["user"]["factors"][0]["status"], "verified");

    service.user(access(&raised)).await.expect(StatusCode::OK);
    service
        .user(access(&other))
        .await
        .expect(StatusCode::FORBIDDEN);
    let old = service.refresh(text(&first, "refresh_token")).await;
    assert_eq!(old.json()["error_code"], "refresh_token_already_used");
}

#[tokio::test]
async fn a_refresh_keeps_the_level() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let factor = enrolled(&service, access(&tokens), "phone").await;
    let raised = raised(&service, access(&tokens), &factor).await;
    let refreshed = service
        .refresh(text(&raised, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    assert_eq!(jwt::claims(access(&refreshed.json()))["aal"], "aal2");
}

#[tokio::test]
async fn a_wrong_used_or_late_answer_is_refused() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    let factor = enrolled(&service, token, "phone").await;
    let challenge = challenged(&service, token, &factor).await;
    let wrong = "Invalid TOTP code entered";
    let request = || answer(&service, token, &factor, &challenge, "x");
    refused(request, 422, "mfa_verification_failed", wrong).await;
    let request = || answer(&service, token, &factor, &challenge, "");
    refused(
        request,
        400,
        "validation_failed",
        "Code needs to be non-empty",
    )
    .await;
    let request = || answer(&service, token, &factor, NOBODY, "123456");
    let unknown = "MFA factor with the provided challenge ID not found";
    refused(request, 422, "mfa_factor_not_found", unknown).await;

    let code = shown(text(&factor["totp"], "secret"), service.now());
    let elsewhere = || {
        answer(&service, token, &factor, &challenge, &code).header("x-forwarded-for", "192.0.2.9")
    };
    let mismatch = "Challenge and verify IP addresses mismatch.";
    refused(elsewhere, 422, "mfa_ip_address_mismatch", mismatch).await;
    let raised = answer(&service, token, &factor, &challenge, &code)
        .send()
        .await;
    let raised = raised.expect(StatusCode::OK).json();
    let token = access(&raised);
    let again = || answer(&service, token, &factor, &challenge, &code);
    refused(again, 422, "mfa_ip_address_mismatch", mismatch).await;
    let second = challenged(&service, token, &factor).await;
    let replayed = || answer(&service, token, &factor, &second, &code);
    refused(replayed, 422, "mfa_verification_failed", wrong).await;

    service.pass(Duration::seconds(301));
    let code = shown(text(&factor["totp"], "secret"), service.now());
    let late = || answer(&service, token, &factor, &second, &code);
    let message = format!(
        "MFA challenge {second} has expired, verify against another challenge or create a new \
         challenge."
    );
    refused(late, 422, "mfa_challenge_expired", &message).await;
}

#[tokio::test]
async fn a_user_with_a_factor_needs_it_to_change_how_they_sign_in() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let factor = enrolled(&service, access(&tokens), "phone").await;
    let raised = raised(&service, access(&tokens), &factor).await;
    let low = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    let low = access(&low);
    let message = "AAL2 session is required to update email or password when MFA is enabled.";
    let body = json!({"password": "battery staple"});
    let change = || service.client.put("/user").bearer(low).json(&body);
    refused(change, 401, "insufficient_aal", message).await;
    service
        .put_user(low, json!({"data": {"a": 1}}))
        .await
        .expect(StatusCode::OK);

    let body = json!({"factor_type": "totp", "friendly_name": "second"});
    let enroll = || post(&service, low, "/factors", &body);
    refused(
        enroll,
        403,
        "insufficient_aal",
        "AAL2 required to enroll a new factor",
    )
    .await;
    let path = format!("/factors/{}", text(&factor, "id"));
    let unenroll = || service.client.delete(&path).bearer(low);
    let message = "AAL2 required to unenroll verified factor";
    refused(unenroll, 422, "insufficient_aal", message).await;

    let request = service.client.delete(&path).bearer(access(&raised));
    assert_eq!(
        request.send().await.expect(StatusCode::OK).json()["id"],
        factor["id"]
    );
    let refreshed = service
        .refresh(text(&raised, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    let claims = jwt::claims(access(&refreshed.json()));
    assert_eq!(claims["aal"], "aal1");
    assert_eq!(claims["amr"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_cannot_be_set_up_is_refused() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true"),
        ("GOTRUE_MFA_MAX_ENROLLED_FACTORS", "2"),
    ])
    .await;
    let tokens = service.signed_up(EMAIL).await;
    enrolled(&service, access(&tokens), "").await;
    let name = |name: &str| json!({"factor_type": "totp", "friendly_name": name});
    let kind = |kind: &str| json!({"factor_type": kind});
    let conflict = "A factor with the friendly name \"\" for this user already exists";
    let types = "factor_type needs to be totp, phone, or webauthn";
    let phone = "MFA enroll is disabled for Phone";
    let webauthn = "MFA enroll is disabled for WebAuthn";
    for (body, status, code, message) in [
        (name(""), 422, "mfa_factor_name_conflict", conflict),
        (kind("sms"), 400, "validation_failed", types),
        (kind("phone"), 422, "mfa_phone_enroll_not_enabled", phone),
        (
            kind("webauthn"),
            422,
            "mfa_webauthn_enroll_not_enabled",
            webauthn,
        ),
    ] {
        let request = || post(&service, access(&tokens), "/factors", &body);
        refused(request, status, code, message).await;
    }
    enrolled(&service, access(&tokens), "second").await;
    let many = "Maximum number of verified factors reached, unenroll to continue";
    let request = || post(&service, access(&tokens), "/factors", &name("third"));
    refused(request, 422, "too_many_enrolled_mfa_factors", many).await;

    let anonymous = service
        .post("/signup", json!({}))
        .await
        .expect(StatusCode::OK)
        .json();
    let message = "Anonymous user not allowed to perform these actions";
    let request = || post(&service, access(&anonymous), "/factors", &name("x"));
    refused(request, 403, "no_authorization", message).await;
}

#[tokio::test]
async fn a_factor_is_its_owners_alone() {
    let service = autoconfirming().await;
    let owner = service.signed_up(EMAIL).await;
    let other = service.signed_up("grace@example.com").await;
    let factor = enrolled(&service, access(&owner), "phone").await;
    let challenge = format!("/factors/{}/challenge", text(&factor, "id"));
    let request = || post(&service, access(&other), &challenge, &json!({}));
    refused(request, 404, "mfa_factor_not_found", "Factor not found").await;
    let path = format!("/factors/{}", text(&factor, "id"));
    let request = || service.client.delete(&path).bearer(access(&other));
    refused(request, 404, "mfa_factor_not_found", "Factor not found").await;
    let request = || post(&service, access(&other), "/factors/x/challenge", &json!({}));
    refused(
        request,
        404,
        "validation_failed",
        "factor_id must be an UUID",
    )
    .await;
}

#[tokio::test]
async fn a_session_may_do_without_the_factor_for_a_while_only() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SESSIONS_ALLOW_LOW_AAL", "10m"),
    ])
    .await;
    let tokens = service.signed_up(EMAIL).await;
    let factor = enrolled(&service, access(&tokens), "phone").await;
    let raised = raised(&service, access(&tokens), &factor).await;
    let low = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(low["expires_in"], 600);
    assert_eq!(raised["expires_in"], 3600);
    service.pass(Duration::minutes(11));
    let refusal = service.refresh(text(&low, "refresh_token")).await.json();
    let message = "Invalid Refresh Token: Session Expired (Low AAL: User Needs MFA Verification)";
    assert_eq!(refusal["msg"], message);
    service
        .refresh(text(&raised, "refresh_token"))
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn an_admin_manages_the_factors_of_a_user() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let factor = enrolled(&service, access(&tokens), "phone").await;
    let raised = raised(&service, access(&tokens), &factor).await;
    let admin = crate::support::service_role();
    let all = format!("/admin/users/{}/factors", text(&tokens["user"], "id"));
    let one = format!("{all}/{}", text(&factor, "id"));
    let renamed = service.client.put(&one).bearer(&admin);
    let renamed = renamed
        .json(&json!({"friendly_name": "tablet"}))
        .send()
        .await;
    assert_eq!(
        renamed.expect(StatusCode::OK).json()["friendly_name"],
        "tablet"
    );
    let listed = service.client.get(&all).bearer(&admin).send().await;
    assert_eq!(
        listed.expect(StatusCode::OK).json()[0]["friendly_name"],
        "tablet"
    );
    let user = || service.client.delete(&one).bearer(access(&raised));
    refused(user, 403, "not_admin", "User not allowed").await;
    let gone = service.client.delete(&one).bearer(&admin).send().await;
    assert_eq!(gone.expect(StatusCode::OK).json()["id"], factor["id"]);
    let again = || service.client.delete(&one).bearer(&admin);
    refused(again, 404, "mfa_factor_not_found", "Factor not found").await;
    let refreshed = service.refresh(text(&raised, "refresh_token")).await;
    assert_eq!(jwt::claims(access(&refreshed.json()))["aal"], "aal1");
}

#[tokio::test]
async fn guesses_at_a_factor_are_limited_wherever_they_come_from() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("AUTH_RATE_LIMIT_ACCOUNT", "3/5m"),
    ])
    .await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    let factor = enrolled(&service, token, "watch").await;
    let guess = async |n: usize| {
        let from = format!("192.0.2.{n}");
        let guess = answer(&service, token, &factor, NOBODY, "000000");
        guess.header("x-forwarded-for", &from).send().await.status
    };
    for n in 0..3 {
        assert_eq!(guess(n).await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(guess(9).await, StatusCode::TOO_MANY_REQUESTS);
}
