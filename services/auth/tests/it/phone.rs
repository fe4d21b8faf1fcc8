//! Numbers: sign-up, sign-in, change, and codes as a second factor, through the SMS hook.

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::jwt;
use time::Duration;

use crate::{
    receiver::{Receiver, json as answer, receiver},
    support::{Fixture, PASSWORD, SECRET, access, refused, service_role, text, with},
};

pub(crate) const PHONE: &str = "15550100";

pub(crate) struct Phoned {
    pub(crate) service: Fixture,
    receiver: Receiver,
}

pub(crate) async fn phoned(more: &[(&str, &str)]) -> Phoned {
    let receiver = receiver(|_, _| answer(200, &json!({}))).await;
    let hook = receiver.settings("SEND_SMS");
    let mut settings = vec![
        ("GOTRUE_EXTERNAL_PHONE_ENABLED", "true"),
        ("GOTRUE_SMS_MAX_FREQUENCY", "0s"),
        ("GOTRUE_MFA_PHONE_ENROLL_ENABLED", "true"),
        ("GOTRUE_MFA_PHONE_VERIFY_ENABLED", "true"),
        ("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true"),
    ];
    settings.extend(more);
    let hook = hook
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let service = with(settings.into_iter().chain(hook)).await;
    Phoned { service, receiver }
}

impl Phoned {
    /// What the newest message says.
    fn message(&self) -> Value {
        self.receiver.last("SEND_SMS")["sms"].clone()
    }

    pub(crate) fn code(&self) -> String {
        text(&self.message(), "otp").to_owned()
    }

    async fn verify(&self, kind: &str, phone: &str, code: &str) -> testkit::client::Response {
        let body = json!({"type": kind, "phone": phone, "token": code});
        self.service.post("/verify", body).await
    }

    pub(crate) async fn signed_in(&self) -> Value {
        let otp = self.service.post("/otp", json!({"phone": PHONE})).await;
        assert_eq!(otp.expect(StatusCode::OK).json(), json!({}));
        let tokens = self.verify("sms", PHONE, &self.code()).await;
        tokens.expect(StatusCode::OK).json()
    }
}

#[tokio::test]
async fn a_number_signs_up_and_is_confirmed_by_its_code() {
    let it = phoned(&[]).await;
    let body = json!({"phone": "+1 555 0100", "password": PASSWORD});
    let user = it.service.post("/signup", body.clone()).await;
    let user = user.expect(StatusCode::OK).json();
    assert_eq!(user["phone"], PHONE);
    assert_eq!(it.message()["phone"], PHONE);
    let refusal = it
        .service
        .post("/token?grant_type=password", body.clone())
        .await;
    assert_eq!(refusal.json()["error_code"], "phone_not_confirmed");

    let wrong = it.verify("sms", PHONE, "000000x").await;
    assert_eq!(wrong.json()["error_code"], "otp_expired");
    let code = it.code();
    let tokens = it.verify("sms", "+15550100", &code).await;
    let user = tokens.expect(StatusCode::OK).json()["user"].clone();
    assert!(user["phone_confirmed_at"].is_string());
    assert_eq!(
        user["identities"][0]["identity_data"]["phone_verified"],
        true
    );
    it.verify("sms", PHONE, &code)
        .await
        .expect(StatusCode::FORBIDDEN);
    it.service
        .post("/token?grant_type=password", body)
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_code_makes_an_account_and_later_signs_in() {
    let it = phoned(&[]).await;
    let first = it.signed_in().await;
    let second = it.signed_in().await;
    assert_eq!(first["user"]["id"], second["user"]["id"]);
    assert_eq!(jwt::claims(access(&second))["amr"][0]["method"], "otp");
    assert_eq!(second["user"]["app_metadata"]["provider"], "phone");
}

#[tokio::test]
async fn a_code_by_text_message_is_good_for_its_time_only() {
    let it = phoned(&[("GOTRUE_SMS_OTP_EXP", "60")]).await;
    it.service
        .post("/otp", json!({"phone": PHONE}))
        .await
        .expect(StatusCode::OK);
    it.service.pass(Duration::seconds(61));
    let late = it.verify("sms", PHONE, &it.code()).await;
    assert_eq!(late.json()["error_code"], "otp_expired");
}

#[tokio::test]
async fn a_code_sent_to_a_number_confirms_no_address() {
    let it = phoned(&[]).await;
    let body = json!({"email": "ada@example.com", "phone": PHONE});
    let request = it
        .service
        .client
        .post("/admin/users")
        .bearer(&service_role());
    request.json(&body).send().await.expect(StatusCode::OK);
    it.service
        .post("/otp", json!({"phone": PHONE}))
        .await
        .expect(StatusCode::OK);
    let token = auth::one_time::Tokens::new(&SECRET.to_owned().into()).token(PHONE, &it.code());
    let body = json!({"type": "signup", "token_hash": token});
    it.service
        .post("/verify", body)
        .await
        .expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_new_number_counts_once_it_is_confirmed() {
    let it = phoned(&[]).await;
    let tokens = it.signed_in().await;
    let body = json!({"phone": "+15550199"});
    let user = it.service.put_user(access(&tokens), body).await;
    let user = user.expect(StatusCode::OK).json();
    assert_eq!(
        (&user["phone"], &user["new_phone"]),
        (&json!(PHONE), &json!("15550199"))
    );
    assert_eq!(it.message()["sms_type"], "phone_change");
    let changed = it.verify("phone_change", "15550199", &it.code()).await;
    let user = changed.expect(StatusCode::OK).json()["user"].clone();
    assert_eq!(user["phone"], "15550199");
    assert!(user.get("new_phone").is_none());
    assert_eq!(user["identities"][0]["identity_data"]["phone"], "15550199");
}

#[tokio::test]
async fn an_anonymous_user_becomes_permanent_with_a_number() {
    let it = phoned(&[]).await;
    let tokens = it.service.post("/signup", json!({})).await;
    let tokens = tokens.expect(StatusCode::OK).json();
    it.service
        .put_user(access(&tokens), json!({"phone": PHONE}))
        .await
        .expect(StatusCode::OK);
    let tokens = it.verify("phone_change", PHONE, &it.code()).await;
    let user = tokens.expect(StatusCode::OK).json()["user"].clone();
    assert_eq!(user["is_anonymous"], false);
    assert_eq!(user["app_metadata"]["providers"], json!(["phone"]));
}

#[tokio::test]
async fn a_message_is_sent_again_to_who_waits_for_one() {
    let it = phoned(&[]).await;
    let body = json!({"phone": PHONE, "password": PASSWORD});
    it.service
        .post("/signup", body)
        .await
        .expect(StatusCode::OK);
    let first = it.code();
    let body = json!({"type": "sms", "phone": PHONE});
    it.service
        .post("/resend", body.clone())
        .await
        .expect(StatusCode::OK);
    let second = it.code();
    if first != second {
        it.verify("sms", PHONE, &first)
            .await
            .expect(StatusCode::FORBIDDEN);
    }
    it.verify("sms", PHONE, &second)
        .await
        .expect(StatusCode::OK);
    let sent = it.receiver.calls("SEND_SMS").len();
    it.service
        .post("/resend", body)
        .await
        .expect(StatusCode::OK);
    let unknown = json!({"type": "sms", "phone": "15550123"});
    it.service
        .post("/resend", unknown)
        .await
        .expect(StatusCode::OK);
    assert_eq!(it.receiver.calls("SEND_SMS").len(), sent);
}

#[tokio::test]
async fn a_number_for_tests_has_its_code_and_gets_no_message() {
    let it = phoned(&[("GOTRUE_SMS_TEST_OTP", "15550100:123456")]).await;
    it.service
        .post("/otp", json!({"phone": PHONE}))
        .await
        .expect(StatusCode::OK);
    it.verify("sms", PHONE, "123456")
        .await
        .expect(StatusCode::OK);
    assert!(it.receiver.calls("SEND_SMS").is_empty());
}

#[tokio::test]
async fn without_a_way_to_send_messages_there_are_none() {
    let service = with([("GOTRUE_EXTERNAL_PHONE_ENABLED", "true")]).await;
    let message = "Unable to get SMS provider";
    for (path, body) in [
        ("/otp", json!({"phone": PHONE})),
        ("/signup", json!({"phone": PHONE, "password": PASSWORD})),
        ("/resend", json!({"type": "sms", "phone": PHONE})),
    ] {
        let request = || service.client.post(path).json(&body);
        refused(request, 400, "phone_provider_disabled", message).await;
    }
}

#[tokio::test]
async fn text_messages_go_out_only_so_often() {
    let it = phoned(&[("GOTRUE_SMS_MAX_FREQUENCY", "1m")]).await;
    let body = json!({"phone": PHONE});
    it.service
        .post("/otp", body.clone())
        .await
        .expect(StatusCode::OK);
    let again = it.service.post("/otp", body).await;
    let again = again.expect(StatusCode::TOO_MANY_REQUESTS).json();
    assert_eq!(again["error_code"], "over_sms_send_rate_limit");
}

#[tokio::test]
async fn a_code_to_a_number_raises_the_session() {
    let it = phoned(&[("GOTRUE_MFA_PHONE_MAX_FREQUENCY", "10s")]).await;
    let tokens = it.signed_in().await;
    let token = access(&tokens);
    let post = async |path: &str, body: Value| {
        let request = it.service.client.post(path).bearer(token).json(&body);
        request.send().await
    };
    let body = json!({"factor_type": "phone", "friendly_name": "mine", "phone": "+15550111"});
    let factor = post("/factors", body).await.expect(StatusCode::OK).json();
    assert_eq!(
        (&factor["type"], &factor["phone"]),
        (&json!("phone"), &json!("+15550111"))
    );
    let path = format!("/factors/{}", text(&factor, "id"));
    let challenge = post(&format!("{path}/challenge"), json!({})).await;
    let challenge = challenge.expect(StatusCode::OK).json();
    assert_eq!(it.message()["sms_type"], "mfa");
    let soon = post(&format!("{path}/challenge"), json!({})).await;
    assert_eq!(soon.json()["error_code"], "over_sms_send_rate_limit");

    let stored = "select otp_code from auth.mfa_challenges order by created_at limit 1";
    let stored = it.service.value(stored).await.unwrap_or_default();
    assert!(!stored.contains(&it.code()), "codes are stored hashed");
    let verify = |code: String| json!({"challenge_id": challenge["id"], "code": code});
    let wrong = post(&format!("{path}/verify"), verify("wrong".into())).await;
    let message = "Invalid MFA Phone code entered";
    assert_eq!(wrong.json()["msg"], message);
    let raised = post(&format!("{path}/verify"), verify(it.code())).await;
    let claims = jwt::claims(access(&raised.expect(StatusCode::OK).json()));
    assert_eq!(
        (&claims["aal"], &claims["amr"][0]["method"]),
        (&json!("aal2"), &json!("mfa/phone"))
    );
}
