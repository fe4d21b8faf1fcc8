//! The development inbox.

use http::StatusCode;
use serde_json::json;
use testkit::{jwt, smtp::Sink};

use crate::support::{JWT_SECRET, Mailer, mailer, mailer_with, note, refused, user};

async fn catching() -> Mailer {
    let sink = Sink::start().await;
    let mailer = mailer_with(
        &sink,
        &[("EMAIL_SMTP_URL", ""), ("EMAIL_DEV_INBOX", "true")],
    )
    .await;
    assert_eq!(sink.connections(), 0);
    mailer
}

#[tokio::test]
async fn mail_is_caught_and_can_be_read_and_thrown_away() {
    let mailer = catching().await;
    let body = json!({
        "to": "Ada <ada@example.com>",
        "subject": "Hi",
        "html": "<p>Hi <a href=\"https://example.com/?a=1&amp;b=2\">there</a></p>",
    });
    let id = mailer.send(&body).await;
    let second = mailer.send(&note("bob@example.com")).await;
    for id in [&id, &second] {
        mailer.message_is(id, "sent").await;
    }
    let caught = mailer
        .client
        .get("/inbox.json?to=ADA@example.com")
        .send()
        .await;
    let caught = caught.expect(StatusCode::OK).json()["data"].clone();
    assert_eq!(caught.as_array().unwrap().len(), 1);
    assert_eq!(caught[0]["id"], id.as_str());
    assert_eq!(caught[0]["to"], json!(["Ada <ada@example.com>"]));
    assert_eq!(caught[0]["text"], "Hi there (https://example.com/?a=1&b=2)");
    assert!(
        caught[0]["source"]
            .as_str()
            .unwrap()
            .contains("Message-ID: ")
    );

    mailer
        .client
        .delete("/inbox")
        .send()
        .await
        .expect(StatusCode::OK);
    let left = mailer.client.get("/inbox.json").send().await.json();
    assert_eq!(left["data"], json!([]));
}

#[tokio::test]
async fn the_page_shows_mail_and_runs_nothing_of_it() {
    let mailer = catching().await;
    let body = json!({
        "to": "ada@example.com",
        "subject": "<script>alert(1)</script>",
        "html": "<script>alert(2)</script><p>\"></iframe><script>alert(3)</script>",
    });
    let id = mailer.send(&body).await;
    mailer.message_is(&id, "sent").await;
    let page = mailer
        .client
        .get("/inbox")
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let html = page.text();
    assert!(html.contains("ada@example.com"), "{html}");
    assert!(html.contains("srcdoc="), "{html}");
    assert!(!html.contains("<script"), "{html}");
    assert_eq!(html.matches("</iframe>").count(), 1, "{html}");
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "{html}"
    );
}

#[tokio::test]
async fn through_the_gateway_the_inbox_is_for_the_operator_alone() {
    let mailer = catching().await;
    let requests = || {
        [
            mailer.client.get("/inbox"),
            mailer.client.get("/inbox.json"),
            mailer.client.delete("/inbox"),
        ]
        .map(|request| request.header("X-Forwarded-Prefix", "/email/v1"))
    };
    let anon = jwt::role(JWT_SECRET, "anon");
    let ada = user("0190c0de-0000-7000-8000-000000000001", "ada@example.com");
    for (token, status) in [
        (anon, StatusCode::UNAUTHORIZED),
        (ada, StatusCode::FORBIDDEN),
        (jwt::role(JWT_SECRET, "service_role"), StatusCode::OK),
    ] {
        for request in requests() {
            request.bearer(&token).send().await.expect(status);
        }
    }
}

#[tokio::test]
async fn there_is_no_inbox_unless_it_was_asked_for() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    for path in ["/inbox", "/inbox.json"] {
        let response = mailer.bare.get(path).send().await;
        assert_eq!(refused(response, StatusCode::NOT_FOUND), "route_not_found");
    }
    let response = mailer.bare.delete("/inbox").send().await;
    assert_eq!(refused(response, StatusCode::NOT_FOUND), "route_not_found");
}
