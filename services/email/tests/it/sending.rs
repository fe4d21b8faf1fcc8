//! What arrives.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail_parser::MimeHeaders;
use serde_json::json;
use testkit::smtp::Sink;

use crate::support::{Mailer, database, header, mailer, note, read};

#[tokio::test]
async fn an_accepted_mail_arrives() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let id = mailer.send(&note("ada@example.com")).await;

    let mails = sink.delivered(1).await;
    assert_eq!(mails[0].from, "noreply@example.com");
    assert_eq!(mails[0].recipients, ["ada@example.com"]);
    let message = read(&mails[0]);
    assert_eq!(message.subject(), Some("A note"));
    assert_eq!(
        message.body_text(0).as_deref().map(str::trim),
        Some("Hello.")
    );
    assert_eq!(
        header(&mails[0], "From").as_deref(),
        Some("Ferrobase <noreply@example.com>")
    );
    let simple = id.replace('-', "");
    assert_eq!(
        message.message_id(),
        Some(format!("{simple}@example.com").as_str())
    );

    let message = mailer.message_is(&id, "sent").await;
    assert_eq!(message["attempts"], 1);
    assert_eq!(message["recipients"][0]["address"], "ada@example.com");
    assert_eq!(message["recipients"][0]["status"], "delivered");
    assert!(message["finished_at"].is_string(), "{message}");
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn text_beyond_ascii_and_lines_with_dots_survive() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let text = "Grüße 🎉\n.\n..two dots\n.one dot\nQUIT\n";
    let body = json!({
        "to": "Äda Löve <ada@example.com>",
        "subject": "Grüße an alle, die sehr lange Betreffzeilen mögen und sie auch noch lesen 🎉",
        "text": text,
    });
    mailer.send(&body).await;
    let mails = sink.delivered(1).await;
    let message = read(&mails[0]);
    assert_eq!(message.subject(), body["subject"].as_str());
    let to = message.to().unwrap().first().unwrap();
    assert_eq!(to.name(), Some("Äda Löve"));
    let received = message.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(received.trim_end(), text.trim_end());
    assert!(mails[0].message.is_ascii());
}

#[tokio::test]
async fn everybody_gets_it_and_nobody_sees_the_blind_copies() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let body = json!({
        "to": ["Ada <ada@example.com>", "bob@example.com"],
        "cc": "cleo@example.com",
        "bcc": ["dan@example.com", "ADA@example.com"],
        "reply_to": "Help <help@example.com>",
        "subject": "All",
        "text": "All",
    });
    mailer.send(&body).await;
    let mails = sink.delivered(1).await;
    let mut recipients = mails[0].recipients.clone();
    recipients.sort();
    let everybody = [
        "ada@example.com",
        "bob@example.com",
        "cleo@example.com",
        "dan@example.com",
    ];
    assert_eq!(recipients, everybody);
    let source = String::from_utf8_lossy(&mails[0].message);
    assert!(!source.contains("dan@"), "{source}");
    assert!(!source.to_lowercase().contains("bcc"), "{source}");
    assert_eq!(header(&mails[0], "Cc").as_deref(), Some("cleo@example.com"));
    assert_eq!(
        header(&mails[0], "Reply-To").as_deref(),
        Some("Help <help@example.com>")
    );
}

#[tokio::test]
async fn html_comes_with_a_plain_part() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let html = "<h1>Hi</h1><p>See <a href=\"https://example.com/x\">this</a></p>";
    mailer
        .send(&json!({"to": "ada@example.com", "subject": "Hi", "html": html}))
        .await;
    let mails = sink.delivered(1).await;
    let message = read(&mails[0]);
    let kind = message.content_type().unwrap();
    assert_eq!(kind.subtype(), Some("alternative"));
    assert_eq!(message.body_html(0).as_deref().map(str::trim), Some(html));
    let text = message.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim(), "Hi\n\nSee this (https://example.com/x)");
}

#[tokio::test]
async fn files_and_images_come_along() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let bytes: Vec<u8> = (0..=255).collect();
    let body = json!({
        "to": "ada@example.com",
        "subject": "Files",
        "html": "<img src=\"cid:logo\">",
        "attachments": [
            {"filename": "Übersicht.bin", "content_type": "application/octet-stream", "content": STANDARD.encode(&bytes)},
            {"filename": "logo.png", "content_type": "image/png", "content": STANDARD.encode("png"), "content_id": "logo"},
        ],
    });
    mailer.send(&body).await;
    let mails = sink.delivered(1).await;
    let message = read(&mails[0]);
    let file = message
        .parts
        .iter()
        .find(|part| part.attachment_name() == Some("Übersicht.bin"))
        .expect("the file is there");
    assert_eq!(file.contents(), bytes);
    let image = message
        .parts
        .iter()
        .find(|part| part.content_id() == Some("logo"));
    assert_eq!(image.expect("the image is there").contents(), b"png");
}

#[tokio::test]
async fn a_reader_can_unsubscribe_with_one_click() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let url = format!("https://example.com/unsubscribe?token={}", "a".repeat(120));
    let mut body = note("ada@example.com");
    body["list_unsubscribe"] =
        json!({"url": url, "mailto": "off+1@example.com", "one_click": true});
    mailer.send(&body).await;
    let mails = sink.delivered(1).await;
    let list = header(&mails[0], "List-Unsubscribe");
    assert_eq!(
        list.as_deref(),
        Some(format!("<{url}>, <mailto:off+1@example.com>").as_str())
    );
    let post = header(&mails[0], "List-Unsubscribe-Post");
    assert_eq!(post.as_deref(), Some("List-Unsubscribe=One-Click"));

    mailer.send(&note("ada@example.com")).await;
    let mails = sink.delivered(2).await;
    assert_eq!(header(&mails[1], "List-Unsubscribe"), None);
}

#[tokio::test]
async fn mails_that_follow_each_other_share_a_connection() {
    let mut sink = Sink::start().await;
    let database = database().await;
    sink.kill().await;
    let first = Mailer::start(&database, &sink, &[]).await;
    for _ in 0..20 {
        first.send(&note("ada@example.com")).await;
    }
    assert!(first.stop().await);
    let due = "update email.messages set next_attempt_at = now()";
    database.connect().await.batch_execute(due).await.unwrap();

    sink.revive().await;
    let _second = Mailer::start(&database, &sink, &[("EMAIL_WORKERS", "1")]).await;
    sink.delivered(20).await;
    // The health check has one of its own.
    assert!(sink.connections() <= 2, "{}", sink.connections());
}
