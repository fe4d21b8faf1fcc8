//! What only one may do at a time, seen from the moments in which another could.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use testkit::{
    postgres::Database,
    smtp::{Behaviour, Sink},
    wait::eventually,
};
use tokio::task::JoinSet;

use crate::support::{Mailer, as_service, database, note, user};

const ADA: &str = "00000000-0000-4000-8000-00000000000a";

/// A mailer that does one thing after the other, and nothing because of the time of day.
const UNHURRIED: [(&str, &str); 4] = [
    ("EMAIL_WORKERS", "1"),
    ("EMAIL_SMTP_TIMEOUT_SECONDS", "60"),
    ("EMAIL_RETRY_BASE_MS", "3600000"),
    ("EMAIL_POLL_MS", "3600000"),
];

/// A place in the database where transactions wait until it is opened.
struct Gate(tokio_postgres::Client);

impl Gate {
    /// Closes the way at `place`, the event of a trigger.
    async fn close(database: &Database, place: &str) -> Self {
        let keeper = database.connect().await;
        let sql = format!(
            "select pg_advisory_lock(1);
             create function public.pass() returns trigger language plpgsql as $$
             begin
                 perform pg_advisory_xact_lock_shared(1);
                 return new;
             end $$;
             create {place} for each row execute function public.pass()"
        );
        keeper.batch_execute(&sql).await.expect("a gate is made");
        Self(keeper)
    }

    /// Waits until `count` transactions wait, at the gate or for one that does.
    async fn is_reached_by(&self, count: i64) {
        const WAITING: &str = "
            select count(*) from pg_locks
             where locktype = 'advisory' and not granted
               and database = (select oid from pg_database where datname = current_database())";
        let what = format!("{count} are at the gate");
        eventually(&what, Duration::from_secs(20), async || {
            let row = self
                .0
                .query_one(WAITING, &[])
                .await
                .expect("locks are seen");
            (row.get::<_, i64>(0) == count).then_some(())
        })
        .await;
    }

    async fn open(&self) {
        let unlock = "select pg_advisory_unlock(1)";
        self.0.batch_execute(unlock).await.expect("it was closed");
    }
}

/// Leases what is being sent to a mailer that is not there.
async fn take_over(database: &Database) {
    const TAKE: &str = "
        update email.messages
           set lease = gen_random_uuid(), leased_until = now() + interval '1 hour'
         where status = 'sending'";
    let taken = database.connect().await.execute(TAKE, &[]).await;
    assert_eq!(taken.expect("a lease is taken"), 1);
}

#[tokio::test]
async fn a_mail_is_taken_up_when_it_is_accepted_and_when_it_is_sent_again() {
    let sink = Sink::start().await;
    let mailer = Mailer::start(&database().await, &sink, &UNHURRIED).await;
    sink.behave(Behaviour::Answers {
        request: "RCPT",
        answer: "550 5.1.1 no",
    });
    let id = mailer.send(&note("ada@example.com")).await;
    mailer.message_is(&id, "dead").await;
    sink.behave(Behaviour::Good);
    let retry = as_service(mailer.client.post(&format!("/messages/{id}/retry")));
    retry.send().await.expect(StatusCode::OK);
    mailer.message_is(&id, "sent").await;
}

#[tokio::test]
async fn a_server_that_left_before_the_dot_has_nothing_for_certain() {
    let mut sink = Sink::start().await;
    let database = database().await;
    let mailer = Mailer::start(&database, &sink, &UNHURRIED).await;
    let handover = "trigger gate before update of status on email.recipients";
    let gate = Gate::close(&database, handover).await;
    let mut body = note("ada@example.com");
    body["text"] = json!("The last line.");
    body["idempotency_key"] = json!("key");
    let id = mailer.send(&body).await;
    sink.reads("The last line.").await;
    gate.is_reached_by(1).await;
    sink.kill().await;
    gate.open().await;
    let failed = |message: &Value| message["last_error"].is_string();
    let message = mailer.message_where(&id, "failed", failed).await;
    assert_eq!(message["status"], "queued", "{message}");
    assert_eq!(message["recipients"][0]["status"], "pending", "{message}");
}

#[tokio::test]
async fn a_mailer_that_lost_its_lease_delivers_nothing() {
    let sink = Sink::start().await;
    let database = database().await;
    let mailer = Mailer::start(&database, &sink, &UNHURRIED).await;
    sink.behave(Behaviour::HangsBeforeData);
    let lost = mailer.send(&note("ada@example.com")).await;
    sink.reads("DATA").await;
    take_over(&database).await;
    sink.behave(Behaviour::Good);
    // The only worker comes to this one when it is done with the other.
    let next = mailer.send(&note("bob@example.com")).await;
    mailer.message_is(&next, "sent").await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].recipients, ["bob@example.com"]);
    let message = mailer.message(&lost).await;
    assert_eq!(message["status"], "sending", "{message}");
    assert_eq!(message["recipients"][0]["status"], "pending", "{message}");
}

#[tokio::test]
async fn a_mailer_that_lost_its_lease_decides_nothing() {
    let sink = Sink::start().await;
    let database = database().await;
    let mailer = Mailer::start(&database, &sink, &UNHURRIED).await;
    sink.behave(Behaviour::HangsAfterDot);
    let lost = mailer.send(&note("ada@example.com")).await;
    sink.delivered(1).await;
    take_over(&database).await;
    sink.behave(Behaviour::Good);
    let next = mailer.send(&note("bob@example.com")).await;
    mailer.message_is(&next, "sent").await;
    let message = mailer.message(&lost).await;
    assert_eq!(message["status"], "sending", "{message}");
    let ada = &message["recipients"][0];
    assert_eq!(ada["status"], "handed_over", "{message}");
}

#[tokio::test]
async fn a_message_is_not_recovered_while_its_mailer_writes_down_what_came_of_it() {
    const RECOVERABLE: &str = "
        select id from email.messages where status = 'sending' for update skip locked";
    let sink = Sink::start().await;
    let database = database().await;
    let mailer = Mailer::start(&database, &sink, &UNHURRIED).await;
    sink.behave(Behaviour::HangsAfterDot);
    let id = mailer.send(&note("ada@example.com")).await;
    sink.delivered(1).await;
    let client = database.connect().await;
    assert_eq!(client.query(RECOVERABLE, &[]).await.unwrap().len(), 1);
    let recording = "trigger gate before update of status on email.recipients";
    let gate = Gate::close(&database, recording).await;
    sink.behave(Behaviour::Good);
    gate.is_reached_by(1).await;
    assert_eq!(client.query(RECOVERABLE, &[]).await.unwrap().len(), 0);
    gate.open().await;
    mailer.message_is(&id, "sent").await;
}

#[tokio::test]
async fn a_quota_is_not_passed_by_mails_that_do_not_see_each_other() {
    let sink = Sink::start().await;
    let database = database().await;
    let quota = [
        ("EMAIL_USER_POLICY", "self"),
        ("EMAIL_USER_HOURLY_LIMIT", "1"),
    ];
    let mailer = Mailer::start(&database, &sink, &quota).await;
    // Deferred to the commit: what is there was counted by then.
    let commit = "constraint trigger gate after insert on email.messages initially deferred";
    let gate = Gate::close(&database, commit).await;
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let client = mailer.client.clone();
        let ada = user(ADA, "ada@example.com");
        let body = note("ada@example.com");
        calls.spawn(async move {
            let request = client.post("/send").bearer(&ada).json(&body);
            request.send().await.status
        });
    }
    gate.is_reached_by(2).await;
    gate.open().await;
    let mut answers = calls.join_all().await;
    answers.sort();
    assert_eq!(
        answers,
        [StatusCode::ACCEPTED, StatusCode::TOO_MANY_REQUESTS]
    );
}
