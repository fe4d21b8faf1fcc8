use http::StatusCode;
use serde_json::Value;

use crate::kit::{Gateway, Setup, code, echo};

async fn gateway() -> Gateway {
    Setup::route(echo().await, "").start().await
}

/// What the upstream received for a request with these header lines.
async fn told(gateway: &Gateway, lines: &str) -> Value {
    let request = format!(
        "GET /a/v1/x HTTP/1.1\nHost: api.example:8443\napikey: {}\n{lines}Connection: close\n\n",
        gateway.anon_key
    );
    let response = gateway.raw(&request).await;
    assert_eq!(response.status, 200, "{}", response.body);
    serde_json::from_str(&response.body).unwrap()
}

#[tokio::test]
async fn forged_headers_do_not_arrive() {
    let gateway = gateway().await;
    let told = told(
        &gateway,
        "X-Service-Token: t\nX-Tenant-Id: t\nX-User-Id: u\nX-User-Role: service_role\n\
         X-Forwarded-For: 198.51.100.7\nX-Forwarded-Prefix: /metrics\nX-Forwarded-Host: evil\n\
         X-Forwarded-Proto: https\nX-Real-IP: 198.51.100.7\nForwarded: for=198.51.100.7\n\
         X-Client-Info: kept\n",
    )
    .await;
    let headers = told["headers"].as_object().unwrap();
    for name in [
        "x-service-token",
        "x-tenant-id",
        "x-user-id",
        "x-user-role",
        "x-real-ip",
    ] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert!(!headers.contains_key("forwarded"));
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-prefix"], "/a/v1");
    assert_eq!(headers["x-forwarded-host"], "api.example:8443");
    assert_eq!(headers["x-forwarded-port"], "8443");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-client-info"], "kept");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let setup = Setup::route(echo().await, "");
    let gateway = setup
        .set("GATEWAY_TRUSTED_PROXIES", "127.0.0.0/8")
        .start()
        .await;
    let told = told(
        &gateway,
        "X-Forwarded-For: 203.0.113.1, 198.51.100.7\nX-Forwarded-Proto: https\n\
         X-Forwarded-Host: api.public\nX-Forwarded-Port: 443\nX-Forwarded-Prefix: /x\n",
    )
    .await;
    assert_eq!(told["headers"]["x-forwarded-for"], "198.51.100.7");
    assert_eq!(told["headers"]["x-forwarded-proto"], "https");
    assert_eq!(told["headers"]["x-forwarded-host"], "api.public");
    assert_eq!(told["headers"]["x-forwarded-port"], "443");
    assert_eq!(told["headers"]["x-forwarded-prefix"], "/a/v1");
}

#[tokio::test]
async fn headers_of_one_connection_stay_on_it() {
    let gateway = gateway().await;
    let told = told(
        &gateway,
        "Connection: x-hop\nX-Hop: 1\nTE: trailers\nKeep-Alive: 5\nProxy-Authorization: Basic x\n\
         Upgrade: h2c\n",
    )
    .await;
    let headers = told["headers"].as_object().unwrap();
    for name in [
        "x-hop",
        "te",
        "keep-alive",
        "proxy-authorization",
        "upgrade",
        "connection",
    ] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn the_request_id_and_the_trace_reach_the_upstream() {
    let gateway = gateway().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let lines = format!("X-Request-ID: req-1\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\n");
    let headers = told(&gateway, &lines).await["headers"].clone();
    assert_eq!(headers["x-request-id"], "req-1");
    let parent = headers["traceparent"].as_str().unwrap();
    assert!(
        parent.contains(trace) && !parent.contains("00f067aa0ba902b7"),
        "{parent}"
    );

    let headers = told(&gateway, "X-Request-ID: bad id!\n").await["headers"].clone();
    let made = headers["x-request-id"].as_str().unwrap();
    assert!(made != "bad id!" && made.len() >= 16, "{made}");
}

#[tokio::test]
async fn every_response_has_the_security_headers_and_hides_the_software() {
    let gateway = gateway().await;
    for path in ["/a/v1/x", "/nowhere"] {
        let request = gateway.client.get(path).header("apikey", &gateway.anon_key);
        let response = request.send().await;
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("x-frame-options"), Some("DENY"));
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(response.header("strict-transport-security"), None);
        assert_eq!(response.header("server"), None);
    }
    let setup = Setup::route(echo().await, "");
    let gateway = setup.set("GATEWAY_HSTS_SECONDS", "86400").start().await;
    let response = gateway.client.get("/nowhere").send().await;
    assert_eq!(
        response.header("strict-transport-security"),
        Some("max-age=86400")
    );
}

#[tokio::test]
async fn the_public_port_tells_only_that_it_lives() {
    let gateway = gateway().await;
    for path in ["/health/live", "/health/ready"] {
        gateway.client.get(path).send().await.expect(StatusCode::OK);
    }
    for path in [
        "/metrics",
        "/openapi.json",
        "/routes",
        "/upstreams",
        "/health",
    ] {
        let response = gateway
            .client
            .get(path)
            .send()
            .await
            .expect(StatusCode::NOT_FOUND);
        assert_eq!(code(&response), "route_not_found");
    }
}

#[tokio::test]
async fn a_path_called_metrics_reaches_the_upstreams_own_routes() {
    let gateway = gateway().await;
    let request = gateway
        .client
        .get("/a/v1/metrics")
        .header("apikey", &gateway.anon_key);
    assert_eq!(request.send().await.json()["uri"], "/metrics");
}

#[tokio::test]
async fn bodies_and_methods_arrive_unchanged() {
    let gateway = gateway().await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let request = gateway
            .client
            .request(method.parse().unwrap(), "/a/v1/x?select=*");
        let request = request.header("apikey", &gateway.anon_key).body("a body");
        let told = request.send().await.expect(StatusCode::OK).json();
        assert_eq!(told["method"], method);
        assert_eq!(told["body"], "a body");
        assert_eq!(told["uri"], "/x?select=*");
        assert_eq!(told["headers"]["content-length"], "6");
    }
}
