use http::{Method, StatusCode};

use crate::kit::{Gateway, Setup, code, echo};

const OWN: &str = "https://app.example";
const FOREIGN: &str = "https://evil.example";

async fn gateway() -> Gateway {
    let setup = Setup::route(echo().await, "limit = { minute = 1, hour = 9 }");
    setup.set("GATEWAY_CORS_ORIGINS", OWN).start().await
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_key() {
    let gateway = gateway().await;
    for _ in 0..3 {
        let preflight = gateway.client.request(Method::OPTIONS, "/a/v1/x");
        let response = preflight
            .header("origin", OWN)
            .header("access-control-request-method", "PATCH")
            .header(
                "access-control-request-headers",
                "apikey, authorization, x-client-info",
            )
            .send()
            .await
            .expect(StatusCode::NO_CONTENT);
        assert_eq!(response.header("access-control-allow-origin"), Some(OWN));
        assert_eq!(
            response.header("access-control-allow-credentials"),
            Some("true")
        );
        let methods = response.header("access-control-allow-methods").unwrap();
        assert!(methods.contains("PATCH"));
        let headers = response.header("access-control-allow-headers");
        assert_eq!(headers, Some("apikey, authorization, x-client-info"));
        assert!(response.bytes.is_empty());
    }
}

#[tokio::test]
async fn a_preflight_from_a_foreign_origin_allows_nothing() {
    let gateway = gateway().await;
    let preflight = gateway.client.request(Method::OPTIONS, "/a/v1/x");
    let response = preflight
        .header("origin", FOREIGN)
        .header("access-control-request-method", "GET")
        .send()
        .await
        .expect(StatusCode::FORBIDDEN);
    assert_eq!(code(&response), "origin_not_allowed");
    assert_eq!(response.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn every_response_to_an_own_origin_can_be_read_by_the_page() {
    let gateway = gateway().await;
    let key = gateway.anon_key.clone();
    let get = |path: &str, key: &str| {
        let request = gateway.client.get(path).header("origin", OWN);
        request.header("apikey", key)
    };
    for (request, status) in [
        (get("/a/v1/x", &key), StatusCode::OK),
        (get("/a/v1/x", &key), StatusCode::TOO_MANY_REQUESTS),
        (get("/a/v1/x", "wrong"), StatusCode::UNAUTHORIZED),
        (get("/nowhere", &key), StatusCode::NOT_FOUND),
        (get("/a/v1/a%2fb", &key), StatusCode::BAD_REQUEST),
    ] {
        let response = request.send().await.expect(status);
        assert_eq!(response.header("access-control-allow-origin"), Some(OWN));
        assert_eq!(response.header("vary"), Some("Origin"));
        let exposed = response.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("Content-Range"), "{exposed}");
    }
}

#[tokio::test]
async fn a_foreign_origin_gets_no_permission_and_the_upstreams_is_dropped() {
    let gateway = gateway().await;
    let request = gateway.client.get("/a/v1/x").header("origin", FOREIGN);
    let response = request.header("apikey", &gateway.anon_key).send().await;
    let response = response.expect(StatusCode::OK);
    assert_eq!(response.header("access-control-allow-origin"), None);
    assert_eq!(response.header("vary"), Some("Origin"));
}

#[tokio::test]
async fn other_options_requests_are_passed_on() {
    let gateway = gateway().await;
    let request = gateway.client.request(Method::OPTIONS, "/a/v1/x");
    let response = request.header("apikey", &gateway.anon_key).send().await;
    assert_eq!(response.expect(StatusCode::OK).json()["method"], "OPTIONS");
}
