//! Connections to the mail server: protected, signed in, or not used.

use std::io::Write;

use http::StatusCode;
use serde_json::Value;
use tempfile::NamedTempFile;
use testkit::smtp::{Options, Sink, Tls};

use crate::support::{Mailer, mailer_with, note};

/// A mailer that speaks TLS with `sink` and trusts its certificate.
async fn trusting(sink: &Sink, scheme: &str, login: &str) -> (Mailer, NamedTempFile) {
    let mut certificate = NamedTempFile::new().expect("a file");
    certificate
        .write_all(sink.certificate().as_bytes())
        .expect("the file is written");
    let url = format!("{scheme}://{login}{}", sink.address());
    let mode = if scheme == "smtps" { "tls" } else { "starttls" };
    let path = certificate.path().to_str().expect("a path");
    let variables = [
        ("EMAIL_SMTP_URL", url.as_str()),
        ("EMAIL_SMTP_TLS", mode),
        ("EMAIL_SMTP_CA_FILE", path),
    ];
    (mailer_with(sink, &variables).await, certificate)
}

async fn server(tls: Tls, extensions: &[&'static str], login: Option<(&str, &str)>) -> Sink {
    Sink::with(Options {
        tls,
        login: login.map(|(name, password)| (name.to_owned(), password.to_owned())),
        extensions: extensions.to_vec(),
    })
    .await
}

/// Waits until an attempt at a mail has failed, and gives the reason.
async fn failure(mailer: &Mailer) -> String {
    let id = mailer.send(&note("ada@example.com")).await;
    let tried = |message: &Value| message["last_error"].is_string();
    let message = mailer.message_where(&id, "was tried", tried).await;
    assert_ne!(message["status"], "dead", "{message}");
    message["last_error"].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn a_connection_is_upgraded_or_protected_from_the_start() {
    for (tls, scheme) in [(Tls::StartTls, "smtp"), (Tls::Implicit, "smtps")] {
        let sink = server(tls, &[], None).await;
        let (mailer, _certificate) = trusting(&sink, scheme, "").await;
        let id = mailer.send(&note("ada@example.com")).await;
        mailer.message_is(&id, "sent").await;
        assert!(sink.mails()[0].is_encrypted);
        let ready = mailer
            .bare
            .get("/health/ready")
            .send()
            .await
            .expect(StatusCode::OK);
        assert_eq!(ready.json()["checks"]["smtp"], "ok");
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail() {
    let sink = server(Tls::None, &[], None).await;
    let (mailer, _certificate) = trusting(&sink, "smtp", "").await;
    assert_eq!(
        failure(&mailer).await,
        "the mail server does not offer STARTTLS"
    );
    assert!(sink.mails().is_empty());
}

#[tokio::test]
async fn a_server_with_a_strange_certificate_gets_no_mail() {
    for (tls, scheme, mode) in [
        (Tls::StartTls, "smtp", "starttls"),
        (Tls::Implicit, "smtps", "tls"),
    ] {
        let sink = server(tls, &[], None).await;
        let url = format!("{scheme}://{}", sink.address());
        let variables = [("EMAIL_SMTP_URL", url.as_str()), ("EMAIL_SMTP_TLS", mode)];
        let mailer = mailer_with(&sink, &variables).await;
        failure(&mailer).await;
        assert!(sink.mails().is_empty());
    }
}

#[tokio::test]
async fn the_mailer_signs_in_as_the_server_wants() {
    for mechanism in ["AUTH PLAIN LOGIN", "AUTH LOGIN"] {
        let sink = server(Tls::StartTls, &[mechanism], Some(("mailer", "p@ss:word"))).await;
        let (mailer, _certificate) = trusting(&sink, "smtp", "mailer:p%40ss%3Aword@").await;
        let id = mailer.send(&note("ada@example.com")).await;
        mailer.message_is(&id, "sent").await;
        assert_eq!(
            sink.mails()[0].login.as_deref(),
            Some("mailer"),
            "{mechanism}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_costs_no_mail() {
    let sink = server(Tls::StartTls, &["AUTH PLAIN"], Some(("mailer", "right"))).await;
    let (mailer, _certificate) = trusting(&sink, "smtp", "mailer:wrong@").await;
    assert_eq!(failure(&mailer).await, "535 5.7.8 no");
    let ready = mailer
        .bare
        .get("/health/ready")
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(ready.json()["status"], "degraded");
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_a_server_that_takes_it() {
    let sink = server(Tls::None, &["SMTPUTF8", "8BITMIME"], None).await;
    let mailer = mailer_with(&sink, &[]).await;
    let id = mailer.send(&note("jürgen@bücher.example")).await;
    mailer.message_is(&id, "sent").await;
    assert_eq!(sink.mails()[0].recipients, ["jürgen@xn--bcher-kva.example"]);

    let sink = server(Tls::None, &[], None).await;
    let mailer = mailer_with(&sink, &[]).await;
    let id = mailer.send(&note("jürgen@example.com")).await;
    let message = mailer.message_is(&id, "dead").await;
    assert_eq!(
        message["last_error"],
        "the mail server takes no addresses beyond ASCII"
    );
}
