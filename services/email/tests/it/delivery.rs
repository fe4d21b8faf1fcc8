//! A mail server that is away, busy or of another opinion.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use testkit::{
    smtp::{Behaviour, Sink},
    wait::eventually,
};

use crate::support::{Mailer, as_service, database, mailer, mailer_with, note, refused};

fn recipient<'a>(message: &'a Value, address: &str) -> &'a Value {
    let recipients = message["recipients"].as_array().expect("a list");
    recipients
        .iter()
        .find(|recipient| recipient["address"] == address)
        .expect("the address is listed")
}

#[tokio::test]
async fn a_server_that_is_away_gets_its_mail_later() {
    let mut sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    sink.kill().await;
    let id = mailer.send(&note("ada@example.com")).await;
    let waiting = mailer
        .message_where(&id, "was tried twice", |message| {
            message["attempts"].as_i64() > Some(1)
        })
        .await;
    assert_eq!(waiting["last_error"], "the mail server cannot be reached");
    sink.revive().await;
    mailer.message_is(&id, "sent").await;
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn mail_that_waits_is_counted() {
    let mut sink = Sink::start().await;
    // A process of its own has metrics of its own.
    let mailer = Mailer::spawn(&database().await, &sink, &[]).await;
    let counted = |what: &'static str| {
        let client = mailer.bare.clone();
        async move {
            let line = format!("email_unsent_messages{{status=\"{what}\"}} 1");
            eventually(&line, Duration::from_secs(30), async || {
                let metrics = client.get("/metrics").send().await.text();
                metrics.contains(&line).then_some(())
            })
            .await;
        }
    };
    sink.behave(Behaviour::Answers {
        request: "DATA",
        answer: "550 5.7.1 no",
    });
    mailer.send(&note("ada@example.com")).await;
    counted("dead").await;
    sink.kill().await;
    mailer.send(&note("bob@example.com")).await;
    counted("queued").await;
}

#[tokio::test]
async fn a_transient_answer_is_tried_again() {
    for request in ["MAIL", "RCPT", "DATA", "."] {
        let sink = Sink::start().await;
        let mailer = mailer(&sink).await;
        sink.behave(Behaviour::Answers {
            request,
            answer: "451 4.3.0 later",
        });
        let id = mailer.send(&note("ada@example.com")).await;
        let tried = |message: &Value| message["attempts"].as_i64() > Some(2);
        let message = mailer.message_where(&id, "was tried again", tried).await;
        assert_eq!(message["last_error"], "451 4.3.0 later", "{request}");
        sink.behave(Behaviour::Good);
        mailer.message_is(&id, "sent").await;
        assert_eq!(sink.mails().len(), 1, "{request}");
    }
}

#[tokio::test]
async fn a_permanent_answer_ends_it_at_once() {
    for request in ["MAIL", "RCPT", "DATA", "."] {
        let sink = Sink::start().await;
        let mailer = mailer(&sink).await;
        sink.behave(Behaviour::Answers {
            request,
            answer: "550-5.1.1 no\r\n550 5.1.1 such user",
        });
        let id = mailer.send(&note("ada@example.com")).await;
        let message = mailer.message_is(&id, "dead").await;
        assert_eq!(message["attempts"], 1, "{request}");
        let ada = recipient(&message, "ada@example.com");
        assert_eq!(ada["status"], "rejected", "{request}");
        assert_eq!(ada["reply"], "550 5.1.1 no 5.1.1 such user", "{request}");
        assert_eq!(sink.mails().len(), 0, "{request}");
    }
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_no_reason_to_give_a_mail_up() {
    for (request, answer) in [
        ("", "554 5.7.1 not you"),
        ("EHLO", "550 no"),
        ("MAIL", "530 5.7.0 sign in"),
    ] {
        let sink = Sink::start().await;
        let mailer = mailer(&sink).await;
        sink.behave(Behaviour::Answers { request, answer });
        let id = mailer.send(&note("ada@example.com")).await;
        let tried = |message: &Value| message["attempts"].as_i64() > Some(1);
        mailer.message_where(&id, "was tried again", tried).await;
        sink.behave(Behaviour::Good);
        mailer.message_is(&id, "sent").await;
    }
}

#[tokio::test]
async fn one_bad_address_does_not_keep_the_others_from_their_mail() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    sink.behave(Behaviour::Answers {
        request: "bob@",
        answer: "550 5.1.1 unknown",
    });
    let body = json!({"to": ["ada@example.com", "bob@example.com"], "subject": "s", "text": "t"});
    let id = mailer.send(&body).await;
    let message = mailer.message_is(&id, "sent").await;
    assert_eq!(
        recipient(&message, "ada@example.com")["status"],
        "delivered"
    );
    assert_eq!(recipient(&message, "bob@example.com")["status"], "rejected");
    assert_eq!(sink.mails()[0].recipients, ["ada@example.com"]);
}

#[tokio::test]
async fn an_address_that_has_to_wait_is_tried_again_alone() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    sink.behave(Behaviour::Answers {
        request: "bob@",
        answer: "450 4.2.0 greylisted",
    });
    let body = json!({"to": ["ada@example.com", "bob@example.com"], "subject": "s", "text": "t"});
    let id = mailer.send(&body).await;
    sink.delivered(1).await;
    let deferred = |message: &Value| recipient(message, "bob@example.com")["reply"].is_string();
    mailer
        .message_where(&id, "waits for one address", deferred)
        .await;
    sink.behave(Behaviour::Good);
    mailer.message_is(&id, "sent").await;
    let recipients: Vec<_> = sink
        .mails()
        .into_iter()
        .map(|mail| mail.recipients)
        .collect();
    assert_eq!(recipients, [["ada@example.com"], ["bob@example.com"]]);
}

#[tokio::test]
async fn after_the_last_attempt_a_mail_is_dead_and_can_be_revived() {
    let sink = Sink::start().await;
    let mailer = mailer_with(&sink, &[("EMAIL_MAX_ATTEMPTS", "3")]).await;
    sink.behave(Behaviour::Answers {
        request: "RCPT",
        answer: "450 4.2.0 later",
    });
    let id = mailer.send(&note("ada@example.com")).await;
    let message = mailer.message_is(&id, "dead").await;
    assert_eq!(message["attempts"], 3);

    sink.behave(Behaviour::Good);
    let retry = format!("/messages/{id}/retry");
    as_service(mailer.client.post(&retry))
        .send()
        .await
        .expect(StatusCode::OK);
    mailer.message_is(&id, "sent").await;
    assert_eq!(sink.mails().len(), 1);
    let again = as_service(mailer.client.post(&retry)).send().await;
    assert_eq!(refused(again, StatusCode::CONFLICT), "not_retryable");
}

#[tokio::test]
async fn a_server_that_is_too_slow_is_left() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    sink.behave(Behaviour::Slow(Duration::from_secs(2)));
    let id = mailer.send(&note("ada@example.com")).await;
    let failed = |message: &Value| message["last_error"].is_string();
    let message = mailer.message_where(&id, "failed", failed).await;
    assert_eq!(message["last_error"], "the mail server took too long");
    sink.behave(Behaviour::Good);
    mailer.message_is(&id, "sent").await;
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn replicas_share_the_work_and_send_nothing_twice() {
    let sink = Sink::start().await;
    let database = database().await;
    let replicas = [
        Mailer::start(&database, &sink, &[]).await,
        Mailer::start(&database, &sink, &[]).await,
    ];
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(
            replicas[number % 2]
                .send(&note(&format!("user{number}@example.com")))
                .await,
        );
    }
    for id in &ids {
        replicas[0].message_is(id, "sent").await;
    }
    let mut recipients: Vec<_> = sink
        .mails()
        .into_iter()
        .flat_map(|mail| mail.recipients)
        .collect();
    assert_eq!(recipients.len(), 40);
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 40);
}

#[tokio::test]
async fn a_delivered_mail_leaves_no_content_behind() {
    let sink = Sink::start().await;
    let database = database().await;
    let mailer = Mailer::start(&database, &sink, &[]).await;
    let id = mailer
        .send(&json!({"to": "ada@example.com", "subject": "s", "text": "one-time-code"}))
        .await;
    mailer.message_is(&id, "sent").await;
    let client = database.connect().await;
    let row = client
        .query_one("select m::text from email.messages m", &[])
        .await
        .unwrap();
    let kept: String = row.get(0);
    assert!(!kept.contains("one-time-code"), "{kept}");
}

#[tokio::test]
async fn an_orderly_stop_finishes_the_mail_at_hand() {
    let sink = Sink::start().await;
    let database = database().await;
    let mailer = Mailer::start(&database, &sink, &[]).await;
    sink.behave(Behaviour::Slow(Duration::from_millis(100)));
    let id = mailer.send(&note("ada@example.com")).await;
    sink.reads("MAIL").await;
    assert!(mailer.stop().await);
    assert_eq!(sink.mails().len(), 1);
    assert_eq!(mailer.message(&id).await["status"], "sent");
}

#[tokio::test]
async fn a_lost_mail_server_degrades_and_a_lost_database_disables() {
    let mut sink = Sink::start().await;
    sink.kill().await;
    let mailer = mailer(&sink).await;
    let response = mailer
        .bare
        .get("/health/ready")
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(response.json()["status"], "degraded");
    assert_eq!(
        response.json()["checks"]["smtp"],
        "the mail server cannot be reached"
    );
    assert_eq!(response.json()["checks"]["postgres"], "ok");
}

#[tokio::test]
async fn finished_mails_are_forgotten_in_the_end_and_owed_ones_never() {
    let mut sink = Sink::start().await;
    let database = database().await;
    let first = Mailer::start(&database, &sink, &[("EMAIL_RETENTION_DAYS", "7")]).await;
    let sent = first.send(&note("ada@example.com")).await;
    first.message_is(&sent, "sent").await;
    sink.kill().await;
    let owed = first.send(&note("bob@example.com")).await;
    assert!(first.stop().await);
    let age = "update email.messages set created_at = created_at - interval '8 days',
                                         finished_at = finished_at - interval '8 days'";
    database.connect().await.batch_execute(age).await.unwrap();

    let second = Mailer::start(&database, &sink, &[("EMAIL_RETENTION_DAYS", "7")]).await;
    let path = format!("/messages/{sent}");
    eventually(
        "an old mail is forgotten",
        Duration::from_secs(20),
        async || {
            let response = as_service(second.client.get(&path)).send().await;
            (response.status == StatusCode::NOT_FOUND).then_some(())
        },
    )
    .await;
    sink.revive().await;
    second.message_is(&owed, "sent").await;
}
