//! Redis as it comes and goes.

use std::time::Duration;

use common::{
    lifecycle::Lifecycle,
    redis::{Redis, Script},
};
use testkit::{chaos::Proxy, servers, wait::eventually};

const SUM: &str = "return { redis.call('INCRBY', KEYS[1], ARGV[1]), tonumber(ARGV[2]) }";

/// Waits until a call succeeds; what it gave.
async fn answer(redis: &Redis, script: &Script) -> Vec<i64> {
    eventually("an answer of Redis", Duration::from_secs(20), async || {
        redis.run(script, "sum".to_owned(), vec![2, 7]).await.ok()
    })
    .await
}

#[tokio::test]
async fn a_script_runs_also_on_a_server_that_was_started_anew() {
    let mut server = servers::Redis::temporary().await.unwrap();
    let lifecycle = Lifecycle::default();
    let redis = Redis::connect(&server.url().into(), &lifecycle).unwrap();
    let script = Script::new(SUM);
    assert_eq!(answer(&redis, &script).await, [2, 7]);
    assert_eq!(redis.check().await, Ok(()));

    server.kill().await.unwrap();
    let call = redis.run(&script, "sum".to_owned(), vec![2, 7]);
    assert!(call.await.is_err());
    assert!(!redis.is_used());
    server.resume().await.unwrap();
    assert_eq!(answer(&redis, &script).await, [2, 7], "it forgot the sum");
    lifecycle.stop();
}

#[tokio::test]
async fn a_server_that_hangs_costs_little_time_and_is_used_again_when_it_recovers() {
    let server = servers::Redis::temporary().await.unwrap();
    let proxy = Proxy::to_port(server.port()).await.unwrap();
    let lifecycle = Lifecycle::default();
    let url = format!("redis://{}", proxy.address());
    let redis = Redis::connect(&url.into(), &lifecycle).unwrap();
    let script = Script::new(SUM);
    answer(&redis, &script).await;

    proxy.hang();
    // Most of these are not even tried.
    let calls = async {
        for _ in 0..1000 {
            let call = redis.run(&script, "other".to_owned(), vec![1, 1]);
            assert!(call.await.is_err());
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, calls).await.expect("an end");
    proxy.forward();
    answer(&redis, &script).await;
    lifecycle.stop();
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_being_repeated() {
    let url = "redis://:hunter2@host:port".to_owned().into();
    let refused = Redis::connect(&url, &Lifecycle::default()).unwrap_err();
    assert!(!refused.contains("hunter2"), "{refused}");
}
