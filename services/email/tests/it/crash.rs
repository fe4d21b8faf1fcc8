//! The mailer or the mail server dies in the middle.
//!
//! The mail server is a real peer: what it lists was delivered, once for each time it is listed.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use testkit::smtp::{Behaviour, Sink};

use crate::support::{Mailer, as_service, database, header, mailer, note};

fn keyed(number: usize) -> Value {
    let mut body = note(&format!("user{number}@example.com"));
    body["idempotency_key"] = json!(format!("key-{number}"));
    body
}

fn message_ids(sink: &Sink) -> Vec<String> {
    sink.mails()
        .iter()
        .map(|mail| header(mail, "Message-ID").expect("an id"))
        .collect()
}

#[tokio::test]
async fn a_server_that_dies_while_it_reads_gets_the_mail_again() {
    for body in [keyed(1), note("ada@example.com")] {
        let sink = Sink::start().await;
        let mailer = mailer(&sink).await;
        sink.behave(Behaviour::DiesInData);
        let id = mailer.send(&body).await;
        let tried = |message: &Value| message["attempts"].as_i64() > Some(2);
        mailer.message_where(&id, "was tried again", tried).await;
        sink.behave(Behaviour::Good);
        mailer.message_is(&id, "sent").await;
        assert_eq!(sink.mails().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_dies_before_it_answers_gets_a_mail_with_a_key_once() {
    for behaviour in [Behaviour::DiesAfterDot, Behaviour::HangsAfterDot] {
        let sink = Sink::start().await;
        let mailer = mailer(&sink).await;
        sink.behave(behaviour);
        let id = mailer.send(&keyed(1)).await;
        let message = mailer.message_is(&id, "unconfirmed").await;
        assert_eq!(message["recipients"][0]["status"], "unconfirmed");
        sink.behave(Behaviour::Good);
        // Whatever is sent from now on would come after this one.
        let later = mailer.send(&note("ada@example.com")).await;
        mailer.message_is(&later, "sent").await;
        assert_eq!(mailer.message(&id).await["status"], "unconfirmed");
        assert_eq!(sink.mails().len(), 2);
    }
}

#[tokio::test]
async fn an_unconfirmed_mail_is_sent_again_when_the_operator_says_so() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    sink.behave(Behaviour::DiesAfterDot);
    let id = mailer.send(&keyed(1)).await;
    mailer.message_is(&id, "unconfirmed").await;
    sink.behave(Behaviour::Good);
    let request = as_service(mailer.client.post(&format!("/messages/{id}/retry")));
    request.send().await.expect(StatusCode::OK);
    mailer.message_is(&id, "sent").await;
    let ids = message_ids(&sink);
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn without_a_key_a_mail_arrives_at_least_once_under_the_same_message_id() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    sink.behave(Behaviour::DiesAfterDot);
    let id = mailer.send(&note("ada@example.com")).await;
    sink.delivered(1).await;
    sink.behave(Behaviour::Good);
    mailer.message_is(&id, "sent").await;
    let mut ids = message_ids(&sink);
    assert!(ids.len() > 1, "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_mailer_that_is_killed_before_the_handover_delivers_after_its_restart() {
    for body in [keyed(1), note("ada@example.com")] {
        let sink = Sink::start().await;
        let database = database().await;
        let mut mailer = Mailer::spawn(&database, &sink, &[]).await;
        sink.behave(Behaviour::HangsBeforeData);
        let id = mailer.send(&body).await;
        sink.reads("DATA").await;
        mailer.kill().await;
        sink.behave(Behaviour::Good);
        let mailer = Mailer::spawn(&database, &sink, &[]).await;
        mailer.message_is(&id, "sent").await;
        assert_eq!(sink.mails().len(), 1);
    }
}

#[tokio::test]
async fn a_mailer_that_is_killed_before_the_answer_sends_a_mail_with_a_key_once() {
    let sink = Sink::start().await;
    let database = database().await;
    let mut mailer = Mailer::spawn(&database, &sink, &[]).await;
    sink.behave(Behaviour::HangsAfterDot);
    let id = mailer.send(&keyed(1)).await;
    sink.delivered(1).await;
    mailer.kill().await;
    sink.behave(Behaviour::Good);
    let mailer = Mailer::spawn(&database, &sink, &[]).await;
    mailer.message_is(&id, "unconfirmed").await;
    assert_eq!(mailer.send(&keyed(1)).await, id);
    let later = mailer.send(&note("ada@example.com")).await;
    mailer.message_is(&later, "sent").await;
    assert_eq!(sink.mails().len(), 2);
}

#[tokio::test]
async fn a_mailer_that_is_killed_before_the_answer_sends_a_mail_without_a_key_again() {
    let sink = Sink::start().await;
    let database = database().await;
    let mut mailer = Mailer::spawn(&database, &sink, &[]).await;
    sink.behave(Behaviour::HangsAfterDot);
    let id = mailer.send(&note("ada@example.com")).await;
    sink.delivered(1).await;
    mailer.kill().await;
    sink.behave(Behaviour::Good);
    let mailer = Mailer::spawn(&database, &sink, &[]).await;
    mailer.message_is(&id, "sent").await;
    let ids = message_ids(&sink);
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn deaths_at_any_moment_lose_nothing_and_send_nothing_twice() {
    const MAILS: usize = 60;
    let mut sink = Sink::start().await;
    let database = database().await;
    sink.behave(Behaviour::Slow(std::time::Duration::from_millis(3)));
    let mut mailer = Mailer::spawn(&database, &sink, &[]).await;
    let mut ids = Vec::new();
    for number in 0..MAILS {
        ids.push(mailer.send(&keyed(number)).await);
    }
    for round in 1..=4 {
        sink.delivered(round * MAILS / 6).await;
        if round % 2 == 0 {
            sink.kill().await;
            sink.revive().await;
        } else {
            mailer.kill().await;
            mailer = Mailer::spawn(&database, &sink, &[]).await;
        }
    }
    let mut deliveries: BTreeMap<String, usize> = BTreeMap::new();
    let mut states = Vec::new();
    for id in &ids {
        let is_final = |message: &Value| {
            ["sent", "unconfirmed"].contains(&message["status"].as_str().unwrap())
        };
        states.push(mailer.message_where(id, "is settled", is_final).await);
    }
    for mail in sink.mails() {
        *deliveries.entry(mail.recipients[0].clone()).or_default() += 1;
    }
    for message in states {
        let address = message["recipients"][0]["address"].as_str().unwrap();
        let count = deliveries.get(address).copied().unwrap_or(0);
        match message["status"].as_str() {
            Some("sent") => assert_eq!(count, 1, "{message}"),
            _ => assert!(count <= 1, "{message}"),
        }
    }
}
