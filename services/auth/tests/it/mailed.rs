//! auth in front of an email service that keeps what it is given.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::http::StatusCode;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use common::{lifecycle::Lifecycle, server};
use serde_json::{Value, json};
use testkit::client::Response;
use tokio::net::TcpListener;
use url::Url;

use crate::support::{Fixture, text, with};

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const TOKEN: &str = "email-service-token-0123456789-abcdef";

/// An email service that keeps what it is given, and auth in front of it.
pub(crate) struct Mailed {
    pub(crate) service: Fixture,
    inbox: Arc<Inbox>,
    lifecycle: Lifecycle,
}

/// What the email service was given, and whether it takes anything.
#[derive(Default)]
struct Inbox {
    mails: Mutex<Vec<Value>>,
    is_down: AtomicBool,
    refused: AtomicUsize,
}

impl Drop for Mailed {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

async fn keep(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(
        headers.get("x-service-token").map(AsRef::as_ref),
        Some(TOKEN.as_bytes())
    );
    if inbox.is_down.load(Ordering::Relaxed) {
        inbox.refused.fetch_add(1, Ordering::Relaxed);
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let mail = serde_json::from_slice(&body).expect("a mail is JSON");
    inbox
        .mails
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(mail);
    StatusCode::ACCEPTED
}

pub(crate) async fn mailed(more: &[(&str, &str)]) -> Mailed {
    let inbox = Arc::<Inbox>::default();
    let router = Router::new()
        .route("/send", post(keep))
        .with_state(Arc::clone(&inbox));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let lifecycle = Lifecycle::default();
    let limits = server::ConnectionLimits::default();
    lifecycle.spawn(
        "email",
        server::serve(listener, router, limits, lifecycle.clone()),
    );
    let mut settings = vec![
        ("EMAIL_URL", url.as_str()),
        ("EMAIL_SERVICE_TOKEN", TOKEN),
        ("GOTRUE_SMTP_MAX_FREQUENCY", "0s"),
    ];
    settings.extend(more);
    let service = with(settings).await;
    Mailed {
        service,
        inbox,
        lifecycle,
    }
}

impl Mailed {
    /// The newest mail to an address.
    pub(crate) fn mail_to(&self, address: &str) -> Value {
        let mails = self.inbox.mails.lock();
        let mails = mails.unwrap_or_else(PoisonError::into_inner);
        let found = mails.iter().rev().find(|mail| mail["to"][0] == address);
        found.cloned().expect("a mail to this address")
    }

    pub(crate) fn variable(&self, address: &str, name: &str) -> String {
        text(&self.mail_to(address)["variables"], name).to_owned()
    }

    /// Makes the email service refuse every mail, or take them again.
    pub(crate) fn be_down(&self, is_down: bool) {
        self.inbox.is_down.store(is_down, Ordering::Relaxed);
    }

    /// How many mails it has refused.
    pub(crate) fn refused(&self) -> usize {
        self.inbox.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) -> usize {
        self.inbox
            .mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Follows the link of the newest mail to an address.
    pub(crate) async fn follow(&self, address: &str) -> Response {
        let link = Url::parse(&self.variable(address, "ConfirmationURL")).expect("a link");
        assert_eq!(link.path(), "/auth/v1/verify");
        let path = format!("/verify?{}", link.query().expect("a query"));
        self.service.client.get(&path).send().await
    }

    pub(crate) async fn confirmed(&self, address: &str) -> Value {
        self.service.sign_up(address).await.expect(StatusCode::OK);
        let body = json!({"type": "signup", "token_hash": self.variable(address, "TokenHash")});
        self.service
            .post("/verify", body)
            .await
            .expect(StatusCode::OK)
            .json()
    }
}

/// The pairs of a redirect's fragment or query.
fn pair(response: &Response, part: fn(&Url) -> Option<&str>, name: &str) -> Option<String> {
    let location = Url::parse(response.header("location")?).ok()?;
    form_urlencoded::parse(part(&location)?.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub(crate) fn fragment(response: &Response, name: &str) -> Option<String> {
    pair(response, Url::fragment, name)
}

pub(crate) fn query(response: &Response, name: &str) -> Option<String> {
    pair(response, Url::query, name)
}
