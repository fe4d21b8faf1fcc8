//! What is answered to strangers does not tell whether an address is known.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::{client::Response, wait::eventually};

use crate::{
    mailed::{Mailed, mailed},
    receiver::{self, receiver},
    support::{EMAIL, PASSWORD, service_role, with},
};

const NOBODY: &str = "nobody@example.com";

/// What a stranger sees of an answer.
fn seen(response: &Response) -> (StatusCode, Value) {
    let mut body = response.json();
    if let Some(members) = body.as_object_mut() {
        members.remove("error_id");
    }
    (response.status, body)
}

async fn with_a_user(more: &[(&str, &str)]) -> Mailed {
    let it = mailed(more).await;
    it.confirmed(EMAIL).await;
    it
}

#[tokio::test]
async fn a_repeated_request_is_answered_alike_for_known_and_unknown() {
    let it = with_a_user(&[("GOTRUE_SMTP_MAX_FREQUENCY", "10m")]).await;
    for (path, kind) in [
        ("/recover", json!(null)),
        ("/resend", json!("signup")),
        ("/magiclink", json!(null)),
    ] {
        let answers = async |email: &str| {
            let body = json!({"email": email, "type": kind});
            let first = seen(&it.service.post(path, body.clone()).await);
            let second = seen(&it.service.post(path, body).await);
            [first, second]
        };
        let (known, unknown) = (answers(EMAIL).await, answers(NOBODY).await);
        assert_eq!(known[0], (StatusCode::OK, json!({})), "{path}");
        assert_eq!(known[0], unknown[0], "{path}");
        assert_eq!(known[1].0, StatusCode::TOO_MANY_REQUESTS, "{path}");
        let without_seconds = |(status, mut body): (StatusCode, Value)| {
            // A second may have passed between the two.
            body["msg"] = json!(
                body["msg"]
                    .as_str()
                    .map(|text| text.replace(char::is_numeric, ""))
            );
            (status, body)
        };
        let [_, known] = known;
        let [_, unknown] = unknown;
        assert_eq!(without_seconds(known), without_seconds(unknown), "{path}");
    }
}

#[tokio::test]
async fn a_mail_sent_a_moment_ago_in_another_way_is_not_told_about() {
    let it = with_a_user(&[("GOTRUE_SMTP_MAX_FREQUENCY", "10m")]).await;
    let body = json!({"email": EMAIL});
    it.service
        .post("/magiclink", body.clone())
        .await
        .expect(StatusCode::OK);
    let sent = it.count();
    let answer = it.service.post("/recover", body).await;
    assert_eq!(seen(&answer), (StatusCode::OK, json!({})));
    assert_eq!(it.count(), sent, "no second mail goes out");
}

#[tokio::test]
async fn mails_that_ran_out_have_run_out_for_everybody() {
    let it = with_a_user(&[("GOTRUE_RATE_LIMIT_EMAIL_SENT", "2")]).await;
    let recover = async |email: &str| {
        let answer = it.service.post("/recover", json!({"email": email})).await;
        seen(&answer)
    };
    assert_eq!(recover(EMAIL).await.0, StatusCode::OK);
    let known = recover(EMAIL).await;
    assert_eq!(known.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(known, recover(NOBODY).await);
}

#[tokio::test]
async fn signing_up_twice_looks_alike_for_known_and_unknown() {
    let it = with_a_user(&[("GOTRUE_SMTP_MAX_FREQUENCY", "10m")]).await;
    let statuses = async |email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        let first = it.service.post("/signup", body.clone()).await;
        let second = it.service.post("/signup", body).await;
        (first.status, second.status)
    };
    // The user's own sign-up counts as the first request.
    it.service.pass(time::Duration::minutes(11));
    assert_eq!(statuses(EMAIL).await, statuses(NOBODY).await);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_refused_alike() {
    let it = with_a_user(&[]).await;
    let known = it.service.sign_in(EMAIL, "a wrong guess").await;
    let unknown = it.service.sign_in(NOBODY, "a wrong guess").await;
    assert_eq!(seen(&known), seen(&unknown));
}

#[tokio::test]
async fn an_email_service_that_is_down_is_down_for_known_and_unknown() {
    let it = with_a_user(&[]).await;
    let waiting = "waiting@example.com";
    it.service.sign_up(waiting).await.expect(StatusCode::OK);
    it.be_down(true);
    let client = it.service.impatient();
    for (path, kind, known) in [
        ("/recover", json!(null), EMAIL),
        ("/resend", json!("signup"), waiting),
        ("/magiclink", json!(null), EMAIL),
        ("/otp", json!(null), EMAIL),
    ] {
        let ask = async |email: &str| {
            let body = json!({"email": email, "type": kind});
            seen(&client.post(path).json(&body).send().await)
        };
        let answer = ask(known).await;
        assert_eq!(answer, (StatusCode::OK, json!({})), "{path}");
        assert_eq!(answer, ask(NOBODY).await, "{path}");
    }
    for email in [EMAIL, "grace@example.com"] {
        let body = json!({"email": email, "password": PASSWORD});
        let answer = client.post("/signup").json(&body).send().await;
        answer.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn a_mail_is_sent_when_the_email_service_is_back() {
    let it = with_a_user(&[]).await;
    let sent = it.count();
    it.be_down(true);
    let body = json!({"email": EMAIL});
    let client = it.service.impatient();
    let recover = client.post("/recover").json(&body).send().await;
    recover.expect(StatusCode::OK);
    let look = async || (it.refused() > 0).then_some(());
    eventually("the mail is refused", Duration::from_mins(1), look).await;
    it.be_down(false);
    let look = async || (it.service.state.posts().waiting() == 0).then_some(());
    eventually("the mail leaves", Duration::from_mins(1), look).await;
    assert_eq!(it.count(), sent + 1);
    it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_hook_that_refuses_a_mail_is_not_heard_by_strangers() {
    let receiver = receiver(|_, _| {
        let error = json!({"error": {"http_code": 403, "message": "not there"}});
        receiver::json(200, &error)
    })
    .await;
    let hook = receiver.settings("SEND_EMAIL");
    let pairs = hook
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let service = with(pairs.chain([("GOTRUE_SMTP_MAX_FREQUENCY", "0s")])).await;
    let body = json!({"email": EMAIL, "email_confirm": true});
    let create = service.client.post("/admin/users").bearer(&service_role());
    let created = create.json(&body).send().await;
    created.expect(StatusCode::OK);
    let ask = async |email: &str| seen(&service.post("/recover", json!({"email": email})).await);
    assert_eq!(ask(EMAIL).await, ask(NOBODY).await);
    assert_eq!(receiver.calls("SEND_EMAIL").len(), 1);
}
