//! A server that hooks ask: it checks signatures, keeps what it is told and answers as it is bid.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{lifecycle::Lifecycle, server};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use testkit::wait::eventually;
use tokio::{net::TcpListener, sync::Notify};

/// Two secrets, as while one takes the place of the other.
pub(crate) const SECRETS: &str = "v1,whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz|\
                                  v1,whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4";
const KEYS: [&[u8]; 2] = [b"012345678901234567890123", b"abcdefghijklmnopqrstuvwx"];

type Answer = dyn Fn(usize, &Value) -> Response + Send + Sync;

/// The server. It ends with the test.
pub(crate) struct Receiver {
    base: String,
    shared: Arc<Shared>,
    lifecycle: Lifecycle,
}

struct Shared {
    calls: Mutex<Vec<(String, Value)>>,
    held: Mutex<Option<String>>,
    released: Notify,
    answer: Box<Answer>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

/// A server that answers the n-th call, counted from zero, with `answer`.
pub(crate) async fn receiver(
    answer: impl Fn(usize, &Value) -> Response + Send + Sync + 'static,
) -> Receiver {
    let shared = Arc::new(Shared {
        calls: Mutex::default(),
        held: Mutex::default(),
        released: Notify::new(),
        answer: Box::new(answer),
    });
    let router = Router::new()
        .route("/{name}", post(receive))
        .with_state(Arc::clone(&shared));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let lifecycle = Lifecycle::default();
    let limits = server::ConnectionLimits::default();
    lifecycle.spawn(
        "receiver",
        server::serve(listener, router, limits, lifecycle.clone()),
    );
    Receiver {
        base,
        shared,
        lifecycle,
    }
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let kind = [("content-type", "application/json")];
    (status, kind, body.to_string()).into_response()
}

impl Receiver {
    /// Settings that make auth ask this server at the point `name`.
    pub(crate) fn settings(&self, name: &str) -> Vec<(String, String)> {
        let uri = format!("{}/{name}", self.base);
        let variables = [("ENABLED", "true"), ("URI", &uri), ("SECRETS", SECRETS)];
        variables
            .map(|(part, value)| (format!("GOTRUE_HOOK_{name}_{part}"), value.to_owned()))
            .to_vec()
    }

    /// What the server was told at the point `name`.
    pub(crate) fn calls(&self, name: &str) -> Vec<Value> {
        let calls = self.shared.calls.lock();
        let calls = calls.unwrap_or_else(PoisonError::into_inner);
        let of_name = calls.iter().filter(|(called, _)| called == name);
        of_name.map(|(_, input)| input.clone()).collect()
    }

    /// Lets calls that mention `text` wait for their answer from now on, or none where that is empty.
    pub(crate) fn hold(&self, text: &str) {
        let held = (!text.is_empty()).then(|| text.to_owned());
        let holding = self.shared.held.lock();
        *holding.unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// Answers those who wait.
    pub(crate) fn release(&self) {
        self.shared.released.notify_waiters();
    }

    /// Waits until so many calls have come to the point `name`.
    pub(crate) async fn called(&self, name: &str, count: usize) {
        let look = async || (self.calls(name).len() >= count).then_some(());
        eventually("the hook is asked", Duration::from_secs(30), look).await;
    }

    /// The newest thing the server was told at the point `name`.
    pub(crate) fn last(&self, name: &str) -> Value {
        self.calls(name).pop().expect("a call")
    }
}

impl Shared {
    fn holds(&self, input: &Value) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref()
            .is_some_and(|text| input.to_string().contains(text))
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_signed(&headers, &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let input: Value = serde_json::from_slice(&body).expect("a call is JSON");
    let count = {
        let calls = shared.calls.lock();
        let mut calls = calls.unwrap_or_else(PoisonError::into_inner);
        let name = uri.path().trim_start_matches('/').to_owned();
        calls.push((name, input.clone()));
        calls.len() - 1
    };
    let released = shared.released.notified();
    if shared.holds(&input) {
        released.await;
    }
    (shared.answer)(count, &input)
}

/// Whether there is a good signature of each key.
fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
    let signatures = header("webhook-signature");
    KEYS.into_iter().all(|key| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
        mac.update(signed.as_bytes());
        mac.update(body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        signatures.split(' ').any(|signature| signature == expected)
    })
}
