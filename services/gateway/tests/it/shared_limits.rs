use std::time::Duration;

use http::StatusCode;
use testkit::{chaos::Proxy, servers::Redis, wait::eventually};

use crate::kit::{Gateway, Setup, echo};

const RULE: &str = "limit = { minute = 4, hour = 40 }";

async fn gateway(redis_url: &str) -> Gateway {
    let setup = Setup::route(echo().await, RULE).set("REDIS_URL", redis_url);
    setup.start().await
}

async fn get(gateway: &Gateway) -> testkit::client::Response {
    let request = gateway
        .client
        .get("/a/v1/x")
        .header("apikey", &gateway.anon_key);
    request.send().await
}

/// Waits until the gateway says of itself that it is `status`.
async fn is(gateway: &Gateway, status: &str) {
    eventually(status, Duration::from_secs(30), async || {
        let response = gateway.client.get("/health/ready").send().await;
        let response = response.expect(StatusCode::OK).json();
        (response["status"] == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn gateways_that_share_a_redis_count_together() {
    let redis = Redis::temporary().await.unwrap();
    let [one, two] = [gateway(&redis.url()).await, gateway(&redis.url()).await];
    for gateway in [&one, &two] {
        is(gateway, "ready").await;
    }
    for (gateway, remaining) in [(&one, "3"), (&two, "2"), (&one, "1"), (&two, "0")] {
        let response = get(gateway).await.expect(StatusCode::OK);
        assert_eq!(response.header("ratelimit-remaining"), Some(remaining));
    }
    for gateway in [&one, &two] {
        let refused = get(gateway).await.expect(StatusCode::TOO_MANY_REQUESTS);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=120).contains(&wait), "{wait}");
    }
}

#[tokio::test]
async fn without_redis_each_gateway_counts_alone_and_says_that_it_is_degraded() {
    let mut redis = Redis::temporary().await.unwrap();
    let gateway = gateway(&redis.url()).await;
    is(&gateway, "ready").await;
    for _ in 0..4 {
        get(&gateway).await.expect(StatusCode::OK);
    }
    get(&gateway).await.expect(StatusCode::TOO_MANY_REQUESTS);

    redis.kill().await.unwrap();
    is(&gateway, "degraded").await;
    let report = gateway.admin.get("/health/ready").send().await;
    let report = report.expect(StatusCode::OK).json();
    assert_eq!(report["status"], "degraded");
    assert_ne!(report["checks"]["redis"], "ok");
    for _ in 0..4 {
        get(&gateway).await.expect(StatusCode::OK);
    }
    get(&gateway).await.expect(StatusCode::TOO_MANY_REQUESTS);

    redis.resume().await.unwrap();
    is(&gateway, "ready").await;
    get(&gateway).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_redis_that_hangs_holds_no_request_up_for_long() {
    let redis = Redis::temporary().await.unwrap();
    let proxy = Proxy::to_port(redis.port()).await.unwrap();
    let gateway = gateway(&format!("redis://{}", proxy.address())).await;
    is(&gateway, "ready").await;
    proxy.hang();
    let asked = async {
        for status in [StatusCode::OK; 4] {
            get(&gateway).await.expect(status);
        }
        get(&gateway).await.expect(StatusCode::TOO_MANY_REQUESTS);
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, asked).await.expect("an end");
    proxy.forward();
    is(&gateway, "ready").await;
}

#[tokio::test]
async fn a_gateway_starts_before_its_redis() {
    let mut redis = Redis::temporary().await.unwrap();
    redis.kill().await.unwrap();
    let gateway = gateway(&redis.url()).await;
    is(&gateway, "degraded").await;
    get(&gateway).await.expect(StatusCode::OK);
    redis.resume().await.unwrap();
    is(&gateway, "ready").await;
}
