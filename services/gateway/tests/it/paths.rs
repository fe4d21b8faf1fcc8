use http::StatusCode;

use crate::kit::{Gateway, Setup, echo};

async fn gateway() -> Gateway {
    let setup = Setup::route(echo().await, "open = [\"/verify\"]");
    let deep = echo().await;
    setup
        .and(
            "deep",
            "/a/v1/deep",
            &format!("http://{deep}"),
            "strip = false",
        )
        .start()
        .await
}

/// Sends the request target as it is, without a key.
async fn ask(gateway: &Gateway, target: &str) -> (u16, String) {
    let request = format!("GET {target} HTTP/1.1\nHost: api.example\nConnection: close\n\n");
    let response = gateway.raw(&request).await;
    (response.status, response.body)
}

#[tokio::test]
async fn an_open_path_is_open_in_every_spelling() {
    let gateway = gateway().await;
    for target in [
        "/a/v1/verify",
        "//a/v1/verify",
        "/a//v1///verify",
        "/%61/v1/verif%79",
        "http://api.example/a/v1/verify",
        "http://other.example/a/v1/verify?x=1",
    ] {
        let (status, body) = ask(&gateway, target).await;
        assert_eq!(status, 200, "{target}: {body}");
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        let uri = told["uri"].as_str().unwrap();
        assert!(uri == "/verify" || uri == "/verify?x=1", "{target}: {uri}");
    }
}

#[tokio::test]
async fn no_spelling_leads_from_an_open_path_to_a_closed_one() {
    let gateway = gateway().await;
    for target in [
        "/a/v1/verify/../admin",
        "/a/v1/verify/%2e%2e/admin",
        "/a/v1/verify/.%2E/admin",
        "/a/v1/verify/..;/admin",
        "/a/v1/verify/..;x=1/admin",
        "/a/v1/verify/..%3b/admin",
        "/a/v1/verify%2f..%2fadmin",
        "/a/v1/verify/..%2fadmin",
        "/a/v1/verify/..%5cadmin",
        "/a/v1/verify\\..\\admin",
        "/a/v1/./verify",
        "/a/v1/verify%00",
        "/a/v1/verify%0d%0ax",
        "http://api.example/a/v1/verify/../admin",
    ] {
        let (status, body) = ask(&gateway, target).await;
        assert_eq!(status, 400, "{target}: {body}");
    }
    for target in [
        "/a/v1/verify;x/admin",
        "/a/v1/verify%252e",
        "/a/v1/VERIFY",
        "/a/v1/",
    ] {
        let (status, body) = ask(&gateway, target).await;
        assert_eq!(status, 401, "{target}: {body}");
    }
    for target in ["/A/v1/verify", "/a/v1;x/verify", "/a%20/v1/verify", "/"] {
        let (status, body) = ask(&gateway, target).await;
        assert_eq!(status, 404, "{target}: {body}");
    }
}

#[tokio::test]
async fn the_longest_prefix_wins_and_the_prefix_is_stripped() {
    let gateway = gateway().await;
    for (path, onward, prefix) in [
        ("/a/v1", "/", "/a/v1"),
        ("/a/v1/", "/", "/a/v1"),
        ("/a/v1/deeper/x?y=z", "/deeper/x?y=z", "/a/v1"),
        ("/a/v1/deep/x", "/a/v1/deep/x", "/a/v1/deep"),
    ] {
        let request = gateway.client.get(path).header("apikey", &gateway.anon_key);
        let told = request.send().await.expect(StatusCode::OK).json();
        assert_eq!(told["uri"], onward);
        assert_eq!(told["headers"]["x-forwarded-prefix"], prefix);
    }
}
