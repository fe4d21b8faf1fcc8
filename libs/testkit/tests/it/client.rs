//! The HTTP client.

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::json;
use testkit::Client;
use tokio::{net::TcpListener, task::JoinSet};

fn echo() -> Router {
    let authorization = async |headers: HeaderMap| {
        headers["authorization"]
            .to_str()
            .unwrap_or_default()
            .to_owned()
    };
    let body = async |body: String| {
        (
            StatusCode::CREATED,
            [("x-length", body.len())].map(|(name, length)| (name, length.to_string())),
            body,
        )
    };
    Router::new()
        .route("/authorization", get(authorization))
        .route("/body", post(body))
}

async fn is_complete(client: Client) {
    let response = client.get("/authorization").bearer("token").send().await;
    assert_eq!(response.text(), "Bearer token");

    let value = json!({"a": 1});
    let response = client.post("/body").json(&value).send().await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(response.header("x-length"), Some("7"));
    assert_eq!(response.json(), value);
}

#[tokio::test]
async fn a_router_answers_without_a_socket() {
    is_complete(Client::new(echo())).await;
}

#[tokio::test]
async fn a_server_answers_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, echo()).await });
    is_complete(Client::at(&format!("http://{address}/"))).await;
}
