//! What users may do.

use http::StatusCode;
use serde_json::json;
use testkit::{Client, client::Response, jwt, smtp::Sink};
use tokio::task::JoinSet;

use crate::support::{JWT_SECRET, Mailer, accepted, mailer, mailer_with, note, refused, user};

const ADA: &str = "00000000-0000-4000-8000-00000000000a";
const BOB: &str = "00000000-0000-4000-8000-00000000000b";

async fn send(client: &Client, token: &str, to: &str) -> Response {
    client
        .post("/send")
        .bearer(token)
        .json(&note(to))
        .send()
        .await
}

#[tokio::test]
async fn users_may_not_send_unless_it_is_turned_on() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let response = send(
        &mailer.client,
        &user(ADA, "ada@example.com"),
        "ada@example.com",
    )
    .await;
    assert_eq!(refused(response, StatusCode::FORBIDDEN), "sending_disabled");
}

#[tokio::test]
async fn users_may_send_to_themselves_alone_when_so_configured() {
    let sink = Sink::start().await;
    let mailer = mailer_with(&sink, &[("EMAIL_USER_POLICY", "self")]).await;
    let ada = user(ADA, "ada@example.com");
    accepted(send(&mailer.client, &ada, "Ada <ADA@example.com>").await);
    let response = send(&mailer.client, &ada, "bob@example.com").await;
    assert_eq!(
        refused(response, StatusCode::FORBIDDEN),
        "recipient_not_allowed"
    );
    let mut body = note("ada@example.com");
    body["bcc"] = json!("bob@example.com");
    let response = mailer
        .client
        .post("/send")
        .bearer(&ada)
        .json(&body)
        .send()
        .await;
    assert_eq!(
        refused(response, StatusCode::FORBIDDEN),
        "recipient_not_allowed"
    );
}

#[tokio::test]
async fn users_may_send_to_the_allow_list_when_so_configured() {
    let sink = Sink::start().await;
    let list = [
        ("EMAIL_USER_POLICY", "allowlist"),
        ("EMAIL_USER_ALLOWLIST", "help@example.com,@example.org"),
    ];
    let mailer = mailer_with(&sink, &list).await;
    let ada = user(ADA, "ada@example.com");
    accepted(send(&mailer.client, &ada, "help@example.com").await);
    accepted(send(&mailer.client, &ada, "anybody@example.org").await);
    let response = send(&mailer.client, &ada, "ada@example.com").await;
    assert_eq!(
        refused(response, StatusCode::FORBIDDEN),
        "recipient_not_allowed"
    );
}

#[tokio::test]
async fn a_quota_holds_under_parallel_calls() {
    let sink = Sink::start().await;
    let quota = [
        ("EMAIL_USER_POLICY", "self"),
        ("EMAIL_USER_HOURLY_LIMIT", "3"),
    ];
    let mailer = mailer_with(&sink, &quota).await;
    let mut calls = JoinSet::new();
    for _ in 0..12 {
        let client = mailer.client.clone();
        let ada = user(ADA, "ada@example.com");
        calls.spawn(async move { send(&client, &ada, "ada@example.com").await });
    }
    let answers = calls.join_all().await;
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!(count(StatusCode::ACCEPTED), 3);
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 9);

    let response = send(
        &mailer.client,
        &user(ADA, "ada@example.com"),
        "ada@example.com",
    )
    .await;
    let retry_after: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((3000..=3600).contains(&retry_after), "{retry_after}");
    assert_eq!(
        refused(response, StatusCode::TOO_MANY_REQUESTS),
        "quota_exceeded"
    );
    accepted(
        send(
            &mailer.client,
            &user(BOB, "bob@example.com"),
            "bob@example.com",
        )
        .await,
    );
    for _ in 0..5 {
        mailer.send(&note("ada@example.com")).await;
    }
}

#[tokio::test]
async fn a_message_is_seen_by_its_sender_and_by_services() {
    let sink = Sink::start().await;
    let mailer = mailer_with(&sink, &[("EMAIL_USER_POLICY", "self")]).await;
    let ada = user(ADA, "ada@example.com");
    let bob = user(BOB, "bob@example.com");
    let service = jwt::role(JWT_SECRET, "service_role");
    let of_ada = accepted(send(&mailer.client, &ada, "ada@example.com").await);
    let of_service = mailer.send(&note("ada@example.com")).await;
    mailer.message_is(&of_ada, "sent").await;

    let see = async |token: &str, id: &str| {
        mailer
            .client
            .get(&format!("/messages/{id}"))
            .bearer(token)
            .send()
            .await
    };
    assert_eq!(
        see(&ada, &of_ada).await.expect(StatusCode::OK).json()["data"]["status"],
        "sent"
    );
    see(&service, &of_ada).await.expect(StatusCode::OK);
    for (token, id) in [(&bob, &of_ada), (&ada, &of_service)] {
        assert_eq!(
            refused(see(token, id).await, StatusCode::NOT_FOUND),
            "message_not_found"
        );
    }
    assert_eq!(listed(&mailer, &ada).await, [of_ada.as_str()]);
    assert_eq!(listed(&mailer, &bob).await, [""; 0]);
    assert_eq!(
        listed(&mailer, &service).await,
        [of_service.as_str(), of_ada.as_str()]
    );
}

async fn listed(mailer: &Mailer, token: &str) -> Vec<String> {
    let response = mailer.client.get("/messages").bearer(token).send().await;
    let body = response.expect(StatusCode::OK).json();
    let messages = body["data"].as_array().expect("a list");
    messages
        .iter()
        .map(|message| message["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn users_reach_neither_templates_nor_retries() {
    let sink = Sink::start().await;
    let mailer = mailer_with(&sink, &[("EMAIL_USER_POLICY", "self")]).await;
    let ada = user(ADA, "ada@example.com");
    let id = accepted(send(&mailer.client, &ada, "ada@example.com").await);
    let requests = [
        mailer.client.get("/templates"),
        mailer.client.get("/templates/invite/default"),
        mailer.client.delete("/templates/invite/default"),
        mailer
            .client
            .post("/templates/invite/preview")
            .json(&json!({})),
        mailer
            .client
            .put("/templates/invite/default")
            .json(&json!({"subject": "s", "html": "h"})),
        mailer.client.post(&format!("/messages/{id}/retry")),
    ];
    for request in requests {
        let response = request.bearer(&ada).send().await;
        assert_eq!(
            refused(response, StatusCode::FORBIDDEN),
            "service_role_required"
        );
    }
    let bait = json!({"to": "ada@example.com", "template": "auth-recovery", "variables": {}});
    let response = mailer
        .client
        .post("/send")
        .bearer(&ada)
        .json(&bait)
        .send()
        .await;
    assert_eq!(
        refused(response, StatusCode::FORBIDDEN),
        "template_not_allowed"
    );
}

#[tokio::test]
async fn nobody_sends_without_credentials() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let request = || mailer.client.post("/send").json(&note("ada@example.com"));
    let anon = jwt::role(JWT_SECRET, "anon");
    let forged = jwt::role("another-secret-of-the-tests-0123456789", "service_role");
    let answers = [
        (request(), "missing_token"),
        (request().bearer(&anon), "sign_in_required"),
        (request().bearer(&forged), "invalid_token"),
        (
            request().header("X-Service-Token", "wrong"),
            "invalid_service_token",
        ),
        (
            request().header("X-Service-Token", ""),
            "invalid_service_token",
        ),
    ];
    for (request, code) in answers {
        assert_eq!(
            refused(request.send().await, StatusCode::UNAUTHORIZED),
            code
        );
    }
    let service = jwt::role(JWT_SECRET, "service_role");
    accepted(request().bearer(&service).send().await);
}
