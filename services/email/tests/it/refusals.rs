//! What is no mail.

use http::StatusCode;
use serde_json::{Value, json};
use testkit::smtp::Sink;

use crate::support::{Mailer, mailer, note, refused};

async fn refusal(mailer: &Mailer, changes: Value, status: StatusCode) -> String {
    let mut body = note("ada@example.com");
    for (name, value) in changes.as_object().expect("an object") {
        body[name] = value.clone();
    }
    refused(mailer.post("/send", &body).send().await, status)
}

#[tokio::test]
async fn a_header_cannot_be_smuggled_in() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let inject = "x\r\nBcc: eve@example.com";
    let injections = [
        json!({"subject": inject}),
        json!({"subject": "x\nBcc: eve@example.com"}),
        json!({"to": format!("{inject} <ada@example.com>")}),
        json!({"to": format!("ada@example.com{inject}")}),
        json!({"to": "\"ada\r\nBcc: eve@example.com\"@example.com"}),
        json!({"to": "ada@example.com>\r\nRCPT TO:<eve@example.com"}),
        json!({"cc": [format!("{inject} <ada@example.com>")]}),
        json!({"reply_to": format!("{inject} <ada@example.com>")}),
        json!({"attachments": [{"filename": inject, "content_type": "text/plain", "content": ""}]}),
        json!({"attachments": [{"filename": "a", "content_type": format!("text/{inject}"), "content": ""}]}),
        json!({"attachments": [{"filename": "a", "content_type": "text/plain", "content": "", "content_id": inject}]}),
        json!({"list_unsubscribe": {"mailto": format!("off@example.com{inject}")}}),
        json!({"idempotency_key": inject}),
    ];
    for changes in injections {
        let code = refusal(&mailer, changes.clone(), StatusCode::UNPROCESSABLE_ENTITY).await;
        assert!(
            ["invalid_body", "invalid_message"].contains(&code.as_str()),
            "{changes}: {code}"
        );
    }
    // A URL parser drops line breaks, and what is left is one harmless URL.
    let mut body = note("ada@example.com");
    body["list_unsubscribe"] = json!({"url": "https://example.com/\r\nX-Evil: 1"});
    body["attachments"] =
        json!([{"filename": "a\"; x=\"b", "content_type": "text/plain", "content": ""}]);
    mailer.send(&body).await;
    let mails = sink.delivered(1).await;
    let source = String::from_utf8_lossy(&mails[0].message).into_owned();
    assert!(!source.contains("\nX-Evil"), "{source}");
    assert_eq!(mails[0].recipients, ["ada@example.com"]);
}

#[tokio::test]
async fn a_template_cannot_break_out_of_the_subject() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let draft = json!({"subject": "Hi {{ name }}", "html": "<p></p>"});
    crate::support::as_service(mailer.client.put("/templates/hi/default"))
        .json(&draft)
        .send()
        .await
        .expect(StatusCode::CREATED);
    let body = json!({
        "to": "ada@example.com",
        "template": "hi",
        "variables": {"name": "x\r\nBcc: eve@example.com"},
    });
    let response = mailer.post("/send", &body).send().await;
    assert_eq!(
        refused(response, StatusCode::UNPROCESSABLE_ENTITY),
        "invalid_message"
    );
}

#[tokio::test]
async fn what_is_no_mail_is_refused() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let many: Vec<_> = (0..30)
        .map(|number| format!("a{number}@example.com"))
        .collect();
    let file = json!({"filename": "a", "content_type": "text/plain", "content": ""});
    for (changes, code) in [
        (json!({"to": []}), "invalid_message"),
        (json!({"to": "nobody"}), "invalid_body"),
        (json!({"to": {"a": 1}}), "invalid_body"),
        (
            json!({"to": many, "cc": (0..30).map(|n| format!("b{n}@example.com")).collect::<Vec<_>>()}),
            "invalid_message",
        ),
        (
            json!({"to": (0..60).map(|n| format!("c{n}@example.com")).collect::<Vec<_>>()}),
            "invalid_body",
        ),
        (json!({"subject": ""}), "invalid_message"),
        (json!({"subject": "s".repeat(401)}), "invalid_message"),
        (json!({"text": "a\0b"}), "invalid_message"),
        (json!({"html": "<p>\0</p>"}), "invalid_message"),
        (
            json!({"list_unsubscribe": {"url": "https://example.com/\0"}}),
            "invalid_message",
        ),
        (json!({"template": "invite"}), "invalid_message"),
        (json!({"variables": {"a": 1}}), "invalid_message"),
        (json!({"attachments": vec![file; 11]}), "invalid_message"),
        (json!({"list_unsubscribe": {}}), "invalid_message"),
        (json!({"idempotency_key": ""}), "invalid_body"),
        (json!({"from": "eve@example.com"}), "invalid_body"),
        (json!({"headers": {}}), "invalid_body"),
    ] {
        let given = refusal(&mailer, changes.clone(), StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(given, code, "{changes}");
    }
    let unknown = json!({"to": "ada@example.com", "template": "unknown"});
    let response = mailer.post("/send", &unknown).send().await;
    assert_eq!(
        refused(response, StatusCode::NOT_FOUND),
        "template_not_found"
    );
}

#[tokio::test]
async fn a_mail_has_a_size() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    for size in [65 * 1024, 300 * 1024] {
        let changes = json!({"text": "x".repeat(size)});
        let code = refusal(&mailer, changes, StatusCode::PAYLOAD_TOO_LARGE).await;
        assert_eq!(code, "payload_too_large", "{size}");
    }
    let mut body = note("ada@example.com");
    body["attachments"] = json!([{
        "filename": "a.bin", "content_type": "application/octet-stream", "content": "A".repeat(200 * 1024),
    }]);
    mailer.send(&body).await;
    sink.delivered(1).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let send =
        |body: &'static str| crate::support::as_service(mailer.client.post("/send")).body(body);
    let response = send("{")
        .header("content-type", "application/json")
        .send()
        .await;
    assert_eq!(refused(response, StatusCode::BAD_REQUEST), "invalid_body");
    let response = send("{}").send().await;
    assert_eq!(
        refused(response, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        "unsupported_media_type"
    );
    let response = crate::support::as_service(mailer.client.get("/messages/1"))
        .send()
        .await;
    assert_eq!(refused(response, StatusCode::BAD_REQUEST), "invalid_path");
    let response = crate::support::as_service(mailer.client.get("/messages?limit=x"))
        .send()
        .await;
    assert_eq!(refused(response, StatusCode::BAD_REQUEST), "invalid_query");
    let response = mailer.client.get("/nowhere").send().await;
    assert_eq!(refused(response, StatusCode::NOT_FOUND), "route_not_found");
    let response = mailer.client.get("/send").send().await;
    assert_eq!(
        refused(response, StatusCode::METHOD_NOT_ALLOWED),
        "method_not_allowed"
    );
}
