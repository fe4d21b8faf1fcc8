//! What is answered to strangers does not tell whether an address is known.

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::client::Response;

use crate::{
    mailed::{Mailed, mailed},
    support::{EMAIL, PASSWORD},
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
