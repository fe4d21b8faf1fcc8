//! PostgreSQL dies under load and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use testkit::{Client, servers::Postgres, wait::eventually};
use tokio::task::JoinSet;

use crate::stack::Stack;

const CLIENTS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads until told to stop; gives every status that is neither 200 nor 503.
async fn read_on(client: Client, key: String, stop: Arc<AtomicBool>) -> Vec<(StatusCode, String)> {
    let mut unexpected = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = client
            .get("/rest/v1/posts?select=id&limit=1")
            .header("apikey", &key)
            .send()
            .await;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::SERVICE_UNAVAILABLE => {
                let message = answer.json()["message"].as_str().unwrap_or_default().len();
                if message == 0 {
                    unexpected.push((answer.status, "a 503 without a message".to_owned()));
                }
            }
            status => unexpected.push((status, answer.text())),
        }
    }
    unexpected
}

#[tokio::test]
async fn requests_fail_clearly_while_postgres_is_gone_and_recover_when_it_is_back() {
    let mut postgres = Postgres::temporary().await.unwrap();
    let stack = Stack::on_server(&postgres).await;
    let user = stack.user().await;
    let services = stack.fleet.services();
    let ready_of = |name: &str| Client::at(&services[name]);
    let (auth, sql_rest) = (ready_of("auth"), ready_of("sql-rest"));

    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for _ in 0..CLIENTS {
        let key = stack.anon_key().to_owned();
        load.spawn(read_on(stack.client.clone(), key, Arc::clone(&stop)));
    }

    postgres.kill().await.unwrap();
    for service in [&auth, &sql_rest] {
        eventually("ready turns red", PATIENCE, async || {
            let status = service.get("/health/ready").send().await.status;
            (status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
        })
        .await;
        service
            .get("/health/live")
            .send()
            .await
            .expect(StatusCode::OK);
    }
    let during = stack
        .client
        .get("/rest/v1/posts")
        .header("apikey", stack.anon_key())
        .send()
        .await;
    assert_eq!(
        during.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        during.text()
    );
    let login = stack
        .client
        .get("/auth/v1/user")
        .header("apikey", stack.anon_key())
        .bearer(&user.token)
        .send()
        .await;
    assert_eq!(
        login.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        login.text()
    );

    postgres.resume().await.unwrap();
    for service in [&auth, &sql_rest] {
        eventually("ready turns green", PATIENCE, async || {
            let status = service.get("/health/ready").send().await.status;
            (status == StatusCode::OK).then_some(())
        })
        .await;
    }
    eventually("reads work again", PATIENCE, async || {
        let answer = stack
            .client
            .get("/rest/v1/posts")
            .header("apikey", stack.anon_key());
        (answer.send().await.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(stack.projects(&user.token).await, serde_json::json!([]));

    stop.store(true, Ordering::Relaxed);
    let unexpected: Vec<_> = load.join_all().await.into_iter().flatten().collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}
