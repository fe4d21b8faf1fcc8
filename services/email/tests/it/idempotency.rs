//! The same wish is granted once.

use http::StatusCode;
use serde_json::json;
use testkit::smtp::Sink;
use tokio::task::JoinSet;

use crate::support::{accepted, as_service, mailer, mailer_with, note, refused, user};

const ADA: &str = "00000000-0000-4000-8000-00000000000a";
const BOB: &str = "00000000-0000-4000-8000-00000000000b";

#[tokio::test]
async fn the_same_key_and_mail_are_one_message() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let mut body = note("ada@example.com");
    body["idempotency_key"] = json!("order-1");
    let first = mailer.send(&body).await;
    mailer.message_is(&first, "sent").await;
    let second = mailer.send(&body).await;
    assert_eq!(first, second);
    mailer.message_is(&second, "sent").await;
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn the_same_key_with_another_mail_is_a_conflict() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let mut body = note("ada@example.com");
    body["idempotency_key"] = json!("order-1");
    mailer.send(&body).await;
    body["text"] = json!("Another text.");
    let response = mailer.post("/send", &body).send().await;
    assert_eq!(
        refused(response, StatusCode::CONFLICT),
        "idempotency_key_reused"
    );
}

#[tokio::test]
async fn parallel_calls_with_one_key_are_one_message() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let mut body = note("ada@example.com");
    body["idempotency_key"] = json!("order-1");
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (client, body) = (mailer.client.clone(), body.clone());
        calls.spawn(async move { as_service(client.post("/send")).json(&body).send().await });
    }
    let mut ids: Vec<_> = calls.join_all().await.into_iter().map(accepted).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    mailer.message_is(&ids[0], "sent").await;
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn keys_of_different_senders_are_different() {
    let sink = Sink::start().await;
    let mailer = mailer_with(&sink, &[("EMAIL_USER_POLICY", "self")]).await;
    let mut ids = Vec::new();
    for (id, address) in [(ADA, "ada@example.com"), (BOB, "bob@example.com")] {
        let mut body = note(address);
        body["idempotency_key"] = json!("mine");
        let request = mailer
            .client
            .post("/send")
            .bearer(&user(id, address))
            .json(&body);
        ids.push(accepted(request.send().await));
    }
    let mut body = note("ada@example.com");
    body["idempotency_key"] = json!("mine");
    ids.push(mailer.send(&body).await);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn without_a_key_every_call_is_a_message() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let first = mailer.send(&note("ada@example.com")).await;
    let second = mailer.send(&note("ada@example.com")).await;
    assert_ne!(first, second);
    sink.delivered(2).await;
}

#[tokio::test]
async fn a_repeated_wish_needs_its_template_no_more() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let template = || as_service(mailer.client.put("/templates/hi/default"));
    let source = json!({"subject": "Hi", "html": "<p>Hi</p>"});
    template()
        .json(&source)
        .send()
        .await
        .expect(StatusCode::CREATED);
    let body = json!({"to": "ada@example.com", "template": "hi", "idempotency_key": "hi-1"});
    let first = mailer.send(&body).await;
    let delete = as_service(mailer.client.delete("/templates/hi/default"));
    delete.send().await.expect(StatusCode::OK);
    assert_eq!(mailer.send(&body).await, first);
}
