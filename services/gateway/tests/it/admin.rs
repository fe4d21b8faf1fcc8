use std::time::Duration;

use http::StatusCode;
use testkit::wait::eventually;
use tokio::io::AsyncWriteExt;

use crate::kit::{Gateway, OPAQUE_SERVICE_KEY, SECRET, Setup, code, echo, upstream};

async fn gateway() -> Gateway {
    let setup = Setup::route(echo().await, "limit = { minute = 7, hour = 70 }");
    setup.start().await
}

#[tokio::test]
async fn the_admin_api_shows_what_is_in_force_and_no_secret() {
    let gateway = gateway().await;
    let mut shown = String::new();
    for path in ["/routes", "/consumers", "/upstreams", "/health", "/metrics"] {
        let response = gateway.admin.get(path).send().await.expect(StatusCode::OK);
        shown += &response.text();
    }
    for secret in [SECRET, OPAQUE_SERVICE_KEY, &gateway.anon_key] {
        assert!(!shown.contains(secret));
    }
    let routes = gateway.admin.get("/routes").send().await.json();
    assert_eq!(routes["data"][0]["prefix"], "/a/v1");
    assert_eq!(routes["data"][0]["limit_minute"], 7);
    let consumers = gateway.admin.get("/consumers").send().await.json();
    assert_eq!(consumers["data"][1]["name"], "service_role");
    assert_eq!(consumers["data"][1]["keys"][0], "SERVICE_ROLE_KEY");
}

/// Whether one request of `/metered/v1` is counted like this.
fn counts(metrics: &str, consumer: &str, status: &str) -> bool {
    metrics.lines().any(|line| {
        line.starts_with("http_requests_total{")
            && line.contains("route=\"/metered/v1/*\"")
            && line.contains(&format!("consumer=\"{consumer}\""))
            && line.contains(&format!("status=\"{status}\""))
            && line.ends_with(" 1")
    })
}

#[tokio::test]
async fn requests_are_counted_by_route_consumer_and_status() {
    common::telemetry::init(&common::config::load(&mut common::config::Env::default()).unwrap());
    let gateway = Setup::route(echo().await, "");
    let upstream = format!("http://{}", echo().await);
    let gateway = gateway.and("m", "/metered/v1", &upstream, "").start().await;
    let request = gateway
        .client
        .get("/metered/v1/x")
        .header("apikey", &gateway.anon_key);
    request.send().await.expect(StatusCode::OK);
    gateway
        .client
        .get("/metered/v1/x")
        .send()
        .await
        .expect(StatusCode::UNAUTHORIZED);
    let metrics = gateway.admin.get("/metrics").send().await.text();
    for (consumer, status) in [("anon", "200"), ("none", "401")] {
        assert!(counts(&metrics, consumer, status), "{metrics}");
    }
    assert!(metrics.contains("gateway_upstream_duration_seconds_count{route=\"/metered/v1/*\"} 1"));
}

#[tokio::test]
async fn a_request_whose_client_goes_away_is_counted() {
    common::telemetry::init(&common::config::load(&mut common::config::Env::default()).unwrap());
    let (arrived, mut arrivals) = tokio::sync::mpsc::channel(1);
    let hanging = axum::routing::get(move || {
        let arrived = arrived.clone();
        async move {
            arrived.send(()).await.ok();
            std::future::pending::<()>().await;
        }
    });
    let hanging = upstream(axum::Router::new().route("/x", hanging)).await;
    let setup = Setup::route(echo().await, "");
    let setup = setup.and("m", "/metered/v1", &format!("http://{hanging}"), "");
    let gateway = setup.start().await;
    let mut socket = gateway.connect().await;
    let key = OPAQUE_SERVICE_KEY;
    let head = format!("GET /metered/v1/x HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    arrivals.recv().await.unwrap();
    drop(socket);
    eventually(
        "the request to be counted",
        Duration::from_secs(30),
        async || {
            let metrics = gateway.admin.get("/metrics").send().await.text();
            counts(&metrics, "service_role", "499").then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn a_reload_changes_the_routes_and_keeps_connections() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let setup = Setup::route(echo().await, "");
    std::fs::write(file.path(), &setup.routes).unwrap();
    let before = setup.routes.clone();
    let path = file.path().to_str().unwrap();
    let gateway = setup.set("GATEWAY_ROUTES", path).start_with_routes().await;
    let get = |path: &str| {
        let request = gateway.client.get(path).header("apikey", &gateway.anon_key);
        request.send()
    };
    get("/a/v1/x").await.expect(StatusCode::OK);
    get("/b/v1/x").await.expect(StatusCode::NOT_FOUND);

    std::fs::write(file.path(), before.replace("/a/v1", "/b/v1")).unwrap();
    gateway
        .admin
        .post("/reload")
        .send()
        .await
        .expect(StatusCode::OK);
    get("/b/v1/x").await.expect(StatusCode::OK);
    get("/a/v1/x").await.expect(StatusCode::NOT_FOUND);
    let upstreams = gateway.admin.get("/upstreams").send().await.json();
    assert_eq!(upstreams["data"][0]["addresses"][0]["idle_connections"], 1);

    std::fs::write(file.path(), "[[route]]\nname = 1\n").unwrap();
    let refused = gateway.admin.post("/reload").send().await;
    let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(code(&refused), "invalid_configuration");
    assert!(refused.text().contains("line 2"), "{}", refused.text());
    get("/b/v1/x").await.expect(StatusCode::OK);
}
