//! Hooks over HTTP: what they are told and what their answers do.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use testkit::jwt;

use crate::{
    receiver::{self, Receiver, receiver},
    support::{EMAIL, Fixture, PASSWORD, access, refused, service_role, text, with},
};

/// A service whose hooks of these names ask a server that answers with `answer`.
pub(crate) async fn hooked(
    names: &[&str],
    answer: impl Fn(usize, &Value) -> Response + Send + Sync + 'static,
) -> (Fixture, Receiver) {
    let receiver = receiver(answer).await;
    let hooks = names.iter().flat_map(|name| receiver.settings(name));
    let settings: Vec<_> = hooks
        .chain([
            ("GOTRUE_MAILER_AUTOCONFIRM".into(), "true".into()),
            (
                "GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED".into(),
                "true".into(),
            ),
        ])
        .collect();
    let pairs = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    (with(pairs).await, receiver)
}

#[tokio::test]
async fn a_hook_decides_who_becomes_a_user() {
    let (service, receiver) = hooked(&["BEFORE_USER_CREATED"], |_, input| {
        let email = text(&input["user"], "email");
        if email.is_empty() || email.ends_with("@example.com") {
            return StatusCode::NO_CONTENT.into_response();
        }
        let error = json!({"error": {"http_code": 403, "message": "no strangers"}});
        receiver::json(200, &error)
    })
    .await;
    let tokens = service.signed_up(EMAIL).await;
    let told = receiver.last("BEFORE_USER_CREATED");
    assert_eq!(told["metadata"]["name"], "before-user-created");
    assert_eq!(told["user"]["id"], tokens["user"]["id"]);
    assert_eq!(told["user"]["app_metadata"]["provider"], "email");

    let body = json!({"email": "x@example.org", "password": PASSWORD});
    let request = || service.client.post("/signup").json(&body);
    refused(request, 403, "unknown", "no strangers").await;
    let body = json!({"email": "x@example.org"});
    for path in ["/otp", "/invite"] {
        let admin = service_role();
        let request = || service.client.post(path).bearer(&admin).json(&body);
        refused(request, 403, "unknown", "no strangers").await;
    }
    let anonymous = service.post("/signup", json!({})).await;
    anonymous.expect(StatusCode::OK);
    let count = "select count(*)::text from auth.users";
    assert_eq!(service.value(count).await.as_deref(), Some("2"));

    let asked = receiver.calls("BEFORE_USER_CREATED").len();
    service
        .sign_up(EMAIL)
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(receiver.calls("BEFORE_USER_CREATED").len(), asked);
}

#[tokio::test]
async fn a_hook_is_told_who_became_a_user_and_changes_nothing() {
    let (service, receiver) = hooked(&["AFTER_USER_CREATED"], |_, _| {
        let error = json!({"error": {"http_code": 403, "message": "too late"}});
        receiver::json(200, &error)
    })
    .await;
    let told = || {
        let calls = receiver.calls("AFTER_USER_CREATED");
        let last = calls.last().map(|call| call["user"]["id"].clone());
        (calls.len(), last.unwrap_or_default())
    };
    let tokens = service.signed_up(EMAIL).await;
    assert_eq!(told(), (1, tokens["user"]["id"].clone()));
    let anonymous = service.post("/signup", json!({})).await.json();
    assert_eq!(told(), (2, anonymous["user"]["id"].clone()));
    for path in ["/otp", "/invite", "/admin/generate_link"] {
        let email = format!("x{}@example.com", path.len());
        let body = json!({"email": email, "type": "magiclink"});
        let admin = service_role();
        for _ in 0..2 {
            let request = service.client.post(path).bearer(&admin).json(&body);
            request.send().await;
        }
    }
    assert_eq!(told().0, 5, "each of them once");
}

#[tokio::test]
async fn a_hook_adds_claims_but_may_not_take_necessary_ones() {
    let (service, receiver) = hooked(&["CUSTOM_ACCESS_TOKEN"], |_, input| {
        let mut claims = input["claims"].clone();
        claims["plan"] = json!("gold");
        if input["authentication_method"] == "token_refresh" {
            claims.as_object_mut().expect("claims").remove("role");
        }
        receiver::json(200, &json!({ "claims": claims }))
    })
    .await;
    let tokens = service.signed_up(EMAIL).await;
    let claims = jwt::claims(access(&tokens));
    assert_eq!(claims["plan"], "gold");
    assert_eq!(claims["email"], EMAIL);
    service.user(access(&tokens)).await.expect(StatusCode::OK);
    let told = receiver.last("CUSTOM_ACCESS_TOKEN");
    assert_eq!(told["user_id"], tokens["user"]["id"]);
    assert_eq!(told["authentication_method"], "password");

    let refresh = text(&tokens, "refresh_token");
    let body = json!({ "refresh_token": refresh });
    let request = || {
        service
            .client
            .post("/token?grant_type=refresh_token")
            .json(&body)
    };
    let message = "output claims do not conform to the expected schema: \n\
                   - (root): role is required\n";
    refused(request, 500, "unexpected_failure", message).await;
}

#[tokio::test]
async fn mails_go_to_the_hook_in_place_of_the_mailer() {
    let receiver = receiver(|_, _| receiver::json(200, &json!({}))).await;
    let hook = receiver.settings("SEND_EMAIL");
    let pairs = hook
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let service = with(pairs.chain([("GOTRUE_SMTP_MAX_FREQUENCY", "0s")])).await;
    service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let told = receiver.last("SEND_EMAIL");
    let data = &told["email_data"];
    assert_eq!(told["user"]["email"], EMAIL);
    assert_eq!(data["email_action_type"], "signup");
    assert_eq!(data["site_url"], "http://api.example.com/auth/v1");
    assert_eq!(data["redirect_to"], "http://app.example.com");
    let body = json!({"type": "signup", "email": EMAIL, "token": data["token"]});
    let tokens = service
        .post("/verify", body)
        .await
        .expect(StatusCode::OK)
        .json();

    let other = "lovelace@example.com";
    let change = service.put_user(access(&tokens), json!({ "email": other }));
    change.await.expect(StatusCode::OK);
    let told = receiver.last("SEND_EMAIL");
    let data = &told["email_data"];
    assert_eq!(data["email_action_type"], "email_change");
    assert_eq!(receiver.calls("SEND_EMAIL").len(), 2);
    for (email, token) in [(EMAIL, &data["token"]), (other, &data["token_new"])] {
        let body = json!({"type": "email_change", "email": email, "token": token});
        service.post("/verify", body).await.expect(StatusCode::OK);
    }
    let new = "select email from auth.users";
    assert_eq!(service.value(new).await.as_deref(), Some(other));
}

#[tokio::test]
async fn a_hook_ends_attempts_at_a_password() {
    let (service, receiver) = hooked(&["PASSWORD_VERIFICATION_ATTEMPT"], |count, input| {
        let decision = if count == 0 && input["valid"] == true {
            "continue"
        } else {
            "reject"
        };
        let logout = count == 2;
        receiver::json(
            200,
            &json!({"decision": decision, "should_logout_user": logout}),
        )
    })
    .await;
    let tokens = service.signed_up(EMAIL).await;
    service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK);
    let message = "Further password verification attempts will be rejected.";
    let again = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::BAD_REQUEST);
    assert_eq!(again.json()["msg"], message);
    service.user(access(&tokens)).await.expect(StatusCode::OK);
    let wrong = service
        .sign_in(EMAIL, "wrong horse")
        .await
        .expect(StatusCode::BAD_REQUEST);
    assert_eq!(wrong.json()["error_code"], "invalid_credentials");
    assert_eq!(
        receiver.last("PASSWORD_VERIFICATION_ATTEMPT")["valid"],
        false
    );
    service
        .user(access(&tokens))
        .await
        .expect(StatusCode::FORBIDDEN);
    let unknown = service.sign_in("nobody@example.com", PASSWORD).await;
    assert_eq!(unknown.json()["msg"], "Invalid login credentials");
    assert_eq!(receiver.calls("PASSWORD_VERIFICATION_ATTEMPT").len(), 3);
}

#[tokio::test]
async fn a_hook_ends_attempts_at_a_second_factor() {
    let (service, receiver) = hooked(&["MFA_VERIFICATION_ATTEMPT"], |_, _| {
        receiver::json(200, &json!({"decision": "reject", "message": "enough"}))
    })
    .await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    let body = json!({"factor_type": "totp", "friendly_name": "phone"});
    let factor = service
        .client
        .post("/factors")
        .bearer(token)
        .json(&body)
        .send()
        .await;
    let factor = factor.expect(StatusCode::OK).json();
    let path = format!("/factors/{}", text(&factor, "id"));
    let challenge = service
        .client
        .post(&format!("{path}/challenge"))
        .bearer(token);
    let challenge = challenge
        .json(&json!({}))
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    let body = json!({"challenge_id": challenge["id"], "code": "000000"});
    let answer = service
        .client
        .post(&format!("{path}/verify"))
        .bearer(token)
        .json(&body);
    let answer = answer.send().await.expect(StatusCode::FORBIDDEN).json();
    assert_eq!(answer["error_code"], "mfa_verification_rejected");
    assert_eq!(answer["msg"], "enough");
    let told = receiver.last("MFA_VERIFICATION_ATTEMPT");
    assert_eq!(told["factor_id"], factor["id"]);
    assert_eq!(told["factor_type"], "totp");
    service.user(token).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_busy_hook_is_asked_again_as_it_wishes() {
    let (service, receiver) = hooked(&["BEFORE_USER_CREATED"], |count, _| match count {
        0 | 1 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response(),
        _ => receiver::json(200, &json!({})),
    })
    .await;
    service.signed_up(EMAIL).await;
    assert_eq!(receiver.calls("BEFORE_USER_CREATED").len(), 3);
}

#[tokio::test]
async fn answers_that_cannot_be_used_are_told_apart() {
    let (service, _receiver) = hooked(&["BEFORE_USER_CREATED"], |_, input| {
        let kind = |kind: &'static str| [("content-type", kind)];
        match text(&input["user"], "email").split('@').next() {
            Some("busy") => StatusCode::TOO_MANY_REQUESTS.into_response(),
            Some("always-busy") => {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response()
            }
            Some("much") => {
                let text = format!("\"{}\"", "x".repeat(200 * 1024));
                (kind("application/json"), text).into_response()
            }
            Some("text") => (kind("text/plain"), "{}").into_response(),
            Some("broken") => (kind("application/json"), "{").into_response(),
            _ => StatusCode::IM_A_TEAPOT.into_response(),
        }
    })
    .await;
    let unavailable = "Service currently unavailable due to hook";
    for (name, status, code, message) in [
        ("busy", 500, "unexpected_failure", unavailable),
        ("always-busy", 500, "unexpected_failure", unavailable),
        (
            "much",
            422,
            "hook_payload_over_size_limit",
            "Payload size exceeded size limit of 204800 bytes",
        ),
        (
            "text",
            400,
            "hook_payload_invalid_content_type",
            "Invalid JSON response. Received content-type: text/plain",
        ),
        (
            "broken",
            500,
            "unexpected_failure",
            "Error unmarshaling JSON output.",
        ),
        (
            "teapot",
            500,
            "unexpected_failure",
            "Unexpected status code returned from hook: 418",
        ),
    ] {
        let answer = service.sign_up(&format!("{name}@example.com")).await.json();
        assert_eq!(
            (&answer["code"], &answer["error_code"], &answer["msg"]),
            (&json!(status), &json!(code), &json!(message)),
        );
    }
    let count = "select count(*)::text from auth.users";
    assert_eq!(service.value(count).await.as_deref(), Some("0"));
}
