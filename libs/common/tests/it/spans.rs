//! Spans arrive at a collector.

use std::time::Duration;

use axum::{Router, body::Bytes, extract::State, routing::post};
use common::{
    config::{Env, load},
    context::{RequestContext, TRACEPARENT},
    spans, telemetry,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::{net::TcpListener, sync::mpsc};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: [u8; 16] = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
const PARENT_ID: [u8; 8] = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

/// An OTLP receiver; gives its address and what it receives.
async fn collector() -> (String, mpsc::UnboundedReceiver<Bytes>) {
    let (sender, received) = mpsc::unbounded_channel();
    let receive = async |State(sender): State<mpsc::UnboundedSender<Bytes>>, body: Bytes| {
        sender.send(body).ok();
    };
    let router = Router::new()
        .route("/v1/traces", post(receive))
        .with_state(sender);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    common::lifecycle::Lifecycle::default().spawn("collector", async move {
        axum::serve(listener, router).await.ok();
    });
    (address, received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_served_request_is_a_span_of_the_callers_trace() {
    let (address, mut received) = collector().await;
    let mut env = Env::from_pairs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
        ("LOG_LEVEL", "warn"),
    ]);
    telemetry::init(&load::<telemetry::Settings>(&mut env).unwrap());

    let headers = HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_static(PARENT))]);
    let context = RequestContext::from_headers(&headers);
    spans::record("example", &context, "GET", "/things/{id}", StatusCode::OK);
    spans::flush().await;

    let body = tokio::time::timeout(Duration::from_secs(10), received.recv())
        .await
        .unwrap()
        .unwrap();
    assert!(holds(&body, &TRACE_ID));
    assert!(holds(&body, &PARENT_ID));
    assert!(holds(&body, b"GET /things/{id}"));
    assert!(holds(&body, b"example"));
}
