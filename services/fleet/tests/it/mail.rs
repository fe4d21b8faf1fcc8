//! auth's mails, through the email service, to a reader who follows them.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use testkit::{Client, wait::eventually};
use url::Url;

use crate::stack::{PASSWORD, Stack};

/// The newest mail that was caught for `address`.
async fn mail_to(stack: &Stack, address: &str) -> Value {
    let email = Client::at(&stack.fleet.services()["email"]);
    let path = format!("/inbox.json?to={address}");
    eventually("a mail", Duration::from_secs(30), async || {
        let caught = email.get(&path).send().await.expect(StatusCode::OK).json();
        Some(caught["data"][0].clone()).filter(Value::is_object)
    })
    .await
}

/// The link of a mail, as a path of the gateway.
fn link(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let link = text
        .split(['(', ')', ' ', '\n'])
        .find(|word| word.starts_with("http://localhost:8000/auth/v1/verify"))
        .expect("a link");
    let link = Url::parse(link).unwrap();
    format!("{}?{}", link.path(), link.query().unwrap())
}

#[tokio::test]
async fn a_sign_up_is_confirmed_by_the_link_in_the_mail() {
    let stack = Stack::with(&[("GOTRUE_MAILER_AUTOCONFIRM", "false")]).await;
    let address = "ada@example.com";
    let credentials = json!({"email": address, "password": PASSWORD, "data": {"locale": "de-AT"}});
    let post = |path: &str, body: &Value| {
        let request = stack.client.post(path).header("apikey", stack.anon_key());
        request.json(body).send()
    };
    let answer = post("/auth/v1/signup", &credentials)
        .await
        .expect(StatusCode::OK);
    assert!(answer.json()["access_token"].is_null(), "{}", answer.text());
    let sign_in = "/auth/v1/token?grant_type=password";
    let refused = post(sign_in, &credentials)
        .await
        .expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.json()["error_code"], "email_not_confirmed");

    let mail = mail_to(&stack, address).await;
    assert_eq!(mail["subject"], "Bestätigen Sie Ihre E-Mail-Adresse");
    // A browser follows it: no key, no token.
    let followed = stack.client.get(&link(&mail)).send().await;
    assert_eq!(
        followed.status,
        StatusCode::SEE_OTHER,
        "{}",
        followed.text()
    );
    let target = followed.header("location").unwrap().to_owned();
    assert!(target.contains("access_token="), "{target}");
    post(sign_in, &credentials).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_lost_password_is_replaced_by_the_code_in_the_mail() {
    let subject = ("GOTRUE_MAILER_SUBJECTS_RECOVERY", "For {{ .Email }}");
    let stack = Stack::with(&[subject]).await;
    let address = "bob@example.com";
    let post = |path: &str, body: Value| {
        let request = stack.client.post(path).header("apikey", stack.anon_key());
        request.json(&body).send()
    };
    post(
        "/auth/v1/signup",
        json!({"email": address, "password": PASSWORD}),
    )
    .await
    .expect(StatusCode::OK);
    post("/auth/v1/recover", json!({"email": address}))
        .await
        .expect(StatusCode::OK);
    let mail = mail_to(&stack, address).await;
    assert_eq!(mail["subject"], "For bob@example.com");
    let text = mail["text"].as_str().unwrap();
    let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    let code = text.split_whitespace().find(is_code).unwrap();
    let verify = json!({"type": "recovery", "email": address, "token": code});
    let session = post("/auth/v1/verify", verify).await.expect(StatusCode::OK);
    assert!(session.json()["access_token"].is_string());
}

#[tokio::test]
async fn with_the_public_key_nobody_sends_or_reads_mail() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    for token in [stack.anon_key(), &user.token] {
        for path in ["/email/v1/inbox", "/email/v1/inbox.json"] {
            let request = stack.client.get(path).header("apikey", stack.anon_key());
            let answer = request.bearer(token).send().await;
            assert!(answer.status.is_client_error(), "{path}: {}", answer.text());
        }
        let request = stack.client.post("/email/v1/send");
        let body = json!({"to": "ada@example.com", "subject": "s", "text": "t"});
        let answer = request
            .header("apikey", stack.anon_key())
            .bearer(token)
            .json(&body)
            .send()
            .await;
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        assert!(refused.contains(&answer.status), "{}", answer.text());
    }
}
