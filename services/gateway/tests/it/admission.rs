use http::StatusCode;
use testkit::jwt;

use crate::kit::{Gateway, OPAQUE_SERVICE_KEY, SECRET, Setup, code, echo};

const OPEN: &str = "open = [\"/verify\", \"/.well-known/*\"]";

async fn gateway() -> Gateway {
    Setup::route(echo().await, OPEN).start().await
}

/// The `Authorization` header the upstream received.
fn authorization(response: &testkit::client::Response) -> Option<String> {
    let headers = &response.json()["headers"];
    headers["authorization"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_request_without_a_key_is_turned_away() {
    let gateway = gateway().await;
    let response = gateway.client.get("/a/v1/x").send().await;
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(code(&response), "missing_api_key");

    let user = jwt::user(SECRET, "0190a6a0-0000-7000-8000-000000000001");
    let token_only = gateway.client.get("/a/v1/x").bearer(&user).send().await;
    assert_eq!(
        code(&token_only.expect(StatusCode::UNAUTHORIZED)),
        "missing_api_key"
    );
}

#[tokio::test]
async fn an_unknown_key_is_turned_away_wherever_it_stands() {
    let gateway = gateway().await;
    for request in [
        gateway.client.get("/a/v1/x").header("apikey", "unknown"),
        gateway.client.get("/a/v1/x?apikey=unknown"),
        gateway.client.get("/a/v1/x").header("apikey", ""),
        gateway
            .client
            .get("/a/v1/verify")
            .header("apikey", "unknown"),
    ] {
        let response = request.send().await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(code(&response), "invalid_api_key");
    }
}

#[tokio::test]
async fn a_key_may_come_as_header_query_or_bearer() {
    let gateway = gateway().await;
    let key = &gateway.anon_key;
    let expected = format!("Bearer {key}");
    for request in [
        gateway.client.get("/a/v1/x").header("apikey", key),
        gateway.client.get(&format!("/a/v1/x?apikey={key}")),
        gateway.client.get("/a/v1/x").bearer(key),
    ] {
        let response = request.send().await.expect(StatusCode::OK);
        assert_eq!(authorization(&response).as_ref(), Some(&expected));
        assert_eq!(response.json()["uri"], "/x", "the key is not passed on");
        assert!(response.json()["headers"]["apikey"].is_null());
    }
}

#[tokio::test]
async fn the_rest_of_the_query_survives_the_key() {
    let gateway = gateway().await;
    let path = format!("/a/v1/x?a=1&apikey={}&b=%20c", gateway.anon_key);
    let response = gateway
        .client
        .get(&path)
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(response.json()["uri"], "/x?a=1&b=%20c");
}

#[tokio::test]
async fn an_opaque_key_goes_on_as_a_token_of_its_role() {
    let gateway = gateway().await;
    let verifier = common::identity::Verifier::new(&SECRET.to_owned().into());
    for request in [
        gateway
            .client
            .get("/a/v1/x")
            .header("apikey", OPAQUE_SERVICE_KEY),
        gateway.client.get("/a/v1/x").bearer(OPAQUE_SERVICE_KEY),
        gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &gateway.anon_key)
            .bearer(OPAQUE_SERVICE_KEY),
    ] {
        let response = request.send().await.expect(StatusCode::OK);
        let authorization = authorization(&response).unwrap();
        let token = authorization.strip_prefix("Bearer ").unwrap();
        let claims = verifier.verify(token).unwrap();
        assert_eq!(claims.role.as_deref(), Some("service_role"));
        assert!(claims.other.contains_key("exp"));
    }
}

#[tokio::test]
async fn a_token_is_passed_on_as_it_came_even_when_it_is_bad() {
    let gateway = gateway().await;
    let good = jwt::user(SECRET, "0190a6a0-0000-7000-8000-000000000001");
    let forged = jwt::user("another-secret-of-sufficient-length!!", "x");
    for token in [good.as_str(), &forged, "rubbish", "undefined"] {
        let request = gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &gateway.anon_key);
        let response = request.bearer(token).send().await.expect(StatusCode::OK);
        assert_eq!(authorization(&response), Some(format!("Bearer {token}")));
    }
    for other in ["Basic dTpw", "AWS4-HMAC-SHA256 Credential=x", ""] {
        let request = gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &gateway.anon_key);
        let request = request.header("authorization", other);
        let response = request.send().await.expect(StatusCode::OK);
        assert_eq!(authorization(&response).as_deref(), Some(other));
    }
}

#[tokio::test]
async fn open_paths_need_no_key_and_get_no_token() {
    let gateway = gateway().await;
    for path in ["/a/v1/verify?token=t", "/a/v1/.well-known/jwks.json"] {
        let response = gateway.client.get(path).send().await.expect(StatusCode::OK);
        assert_eq!(authorization(&response), None);
    }
    for path in [
        "/a/v1/verify/x",
        "/a/v1/verifyx",
        "/a/v1/Verify",
        "/a/v1/x/verify",
    ] {
        gateway
            .client
            .get(path)
            .send()
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_route_may_be_for_one_consumer_only() {
    let gateway = Setup::route(echo().await, "consumers = [\"service_role\"]")
        .start()
        .await;
    let anon = gateway
        .client
        .get("/a/v1/x")
        .header("apikey", &gateway.anon_key);
    let refused = anon.send().await.expect(StatusCode::FORBIDDEN);
    assert_eq!(code(&refused), "consumer_not_allowed");
    let service = gateway
        .client
        .get("/a/v1/x")
        .header("apikey", OPAQUE_SERVICE_KEY);
    service.send().await.expect(StatusCode::OK);
}

#[tokio::test]
async fn errors_wear_the_envelope_and_name_the_request() {
    let gateway = gateway().await;
    let request = gateway
        .client
        .get("/nowhere")
        .header("x-request-id", "req-7");
    let response = request.send().await.expect(StatusCode::NOT_FOUND);
    assert_eq!(response.header("x-request-id"), Some("req-7"));
    let body = response.json();
    assert_eq!(body["success"], false);
    assert_eq!(body["error"]["code"], "route_not_found");
    assert_eq!(body["meta"]["request_id"], "req-7");
}

#[tokio::test]
async fn every_way_to_try_a_key_counts_as_an_attempt() {
    let user = jwt::user(SECRET, "0190a6a0-0000-7000-8000-000000000001");
    for attempt in 0..4 {
        let gateway = gateway().await;
        let mut last = StatusCode::OK;
        for number in 0..40 {
            let guess = format!("guess-{number}");
            let request = match attempt {
                0 => gateway.client.get("/a/v1/x").header("apikey", &guess),
                1 => gateway.client.get(&format!("/a/v1/x?apikey={guess}")),
                2 => gateway.client.get("/a/v1/x").bearer(&guess),
                _ => gateway
                    .client
                    .get("/a/v1/x")
                    .header("apikey", &guess)
                    .bearer(&user),
            };
            let response = request.send().await;
            if response.status == StatusCode::TOO_MANY_REQUESTS {
                assert!(response.header("retry-after").is_some());
                assert_eq!(response.header("ratelimit-remaining"), Some("0"));
            }
            last = response.status;
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "way {attempt}");
    }
}

#[tokio::test]
async fn a_request_without_any_key_is_no_attempt() {
    let gateway = gateway().await;
    for _ in 0..40 {
        let response = gateway.client.get("/a/v1/x").send().await;
        assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_token_cannot_be_made_to_disappear_on_the_way() {
    let gateway = gateway().await;
    let key = &gateway.anon_key;
    let request = |lines: &str| {
        format!("GET /a/v1/x HTTP/1.1\nHost: a\napikey: {key}\n{lines}Connection: close\n\n")
    };
    let named = "Authorization: Bearer bad\nConnection: authorization\n";
    let response = gateway.raw(&request(named)).await;
    let told: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(told["headers"]["authorization"], "Bearer bad");

    let twice = "Authorization: Bearer bad\nAuthorization: Bearer bad\n";
    let response = gateway.raw(&request(twice)).await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (400, "invalid_header")
    );

    let keys = format!("apikey: {key}\n");
    let response = gateway.raw(&request(&keys)).await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (400, "invalid_header")
    );
}
