use http::StatusCode;

use crate::kit::{Gateway, Setup, code, echo};

async fn get(gateway: &Gateway, path: &str) -> testkit::client::Response {
    let request = gateway.client.get(path).header("apikey", &gateway.anon_key);
    request.send().await
}

#[tokio::test]
async fn a_route_counts_down_and_then_refuses() {
    let setup = Setup::route(echo().await, "limit = { minute = 2, hour = 50 }");
    let other = format!("http://{}", echo().await);
    let gateway = setup.and("b", "/b/v1", &other, "").start().await;

    let first = get(&gateway, "/a/v1/x").await.expect(StatusCode::OK);
    assert_eq!(first.header("ratelimit-limit"), Some("2"));
    assert_eq!(first.header("ratelimit-remaining"), Some("1"));
    get(&gateway, "/a/v1/y").await.expect(StatusCode::OK);

    let refused = get(&gateway, "/a/v1/x")
        .await
        .expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(code(&refused), "rate_limited");
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");

    get(&gateway, "/b/v1/x").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_scale_raises_every_limit() {
    let setup = Setup::route(echo().await, "limit = { minute = 1, hour = 1 }");
    let gateway = setup.set("GATEWAY_RATE_LIMIT_SCALE", "5").start().await;
    for _ in 0..5 {
        get(&gateway, "/a/v1/x").await.expect(StatusCode::OK);
    }
    get(&gateway, "/a/v1/x")
        .await
        .expect(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn clients_are_told_apart_only_behind_a_trusted_proxy() {
    let rule = "limit = { minute = 1, hour = 9 }";
    let from = async |gateway: &Gateway, address: &str| {
        let request = gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &gateway.anon_key);
        request
            .header("x-forwarded-for", address)
            .send()
            .await
            .status
    };
    let trusting = Setup::route(echo().await, rule).set("GATEWAY_TRUSTED_PROXIES", "127.0.0.1");
    let gateway = trusting.start().await;
    assert_eq!(from(&gateway, "198.51.100.1").await, StatusCode::OK);
    assert_eq!(from(&gateway, "198.51.100.2").await, StatusCode::OK);
    assert_eq!(
        from(&gateway, "198.51.100.1").await,
        StatusCode::TOO_MANY_REQUESTS
    );

    let gateway = Setup::route(echo().await, rule).start().await;
    assert_eq!(from(&gateway, "198.51.100.1").await, StatusCode::OK);
    assert_eq!(
        from(&gateway, "198.51.100.2").await,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn wrong_keys_are_limited_and_right_ones_are_not_shut_out() {
    let gateway = Setup::route(echo().await, "").start().await;
    let mut statuses = Vec::new();
    for number in 0..40 {
        let request = gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &format!("guess-{number}"));
        statuses.push(request.send().await.status);
    }
    assert_eq!(statuses.first(), Some(&StatusCode::UNAUTHORIZED));
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
    get(&gateway, "/a/v1/x").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let gateway = Setup::route(echo().await, "max_body = \"1 KB\"")
        .start()
        .await;
    let head = format!(
        "POST /a/v1/x HTTP/1.1\nHost: a\napikey: {}\nContent-Length: 1025\n\n",
        gateway.anon_key
    );
    let response = gateway.raw(&head).await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (413, "payload_too_large")
    );

    let expecting = head.replace("\n\n", "\nExpect: 100-continue\n\n");
    assert_eq!(gateway.raw(&expecting).await.status, 413);

    let fits = gateway
        .client
        .post("/a/v1/x")
        .header("apikey", &gateway.anon_key);
    fits.body(vec![b'a'; 1024])
        .send()
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_counted_on_its_way() {
    let gateway = Setup::route(echo().await, "max_body = \"1 KB\"")
        .start()
        .await;
    let chunked = |chunks: usize| {
        let chunk = format!("100\n{}\n", "a".repeat(0x100));
        format!(
            "POST /a/v1/x HTTP/1.1\nHost: a\napikey: {}\nTransfer-Encoding: chunked\n\n{}0\n\n",
            gateway.anon_key,
            chunk.repeat(chunks)
        )
    };
    assert_eq!(gateway.raw(&chunked(4)).await.status, 200);
    let response = gateway.raw(&chunked(5)).await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (413, "payload_too_large")
    );
}
