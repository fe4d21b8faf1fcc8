//! SIGTERM while requests are open.

use std::time::Duration;

use testkit::{Client, wait::eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    task::JoinSet,
};

use crate::running::Running;

/// Requests that are open when the signal comes.
const OPEN_REQUESTS: usize = 30;

/// How long each of them keeps the database busy, in seconds.
const BUSY_SECONDS: f64 = 1.5;

/// A function that takes its time, callable through the API.
const SLOW: &str = "\
create function public.slow(seconds float8) returns text language sql volatile as \
$$ select pg_sleep(seconds); select 'done' $$;
notify pgrst, 'reload schema';";

/// Sends a whole request on a connection of its own; the answer is read later.
async fn send_slow_call(address: &str, key: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /rest/v1/rpc/slow?seconds={BUSY_SECONDS} HTTP/1.1\r\n\
         Host: localhost\r\napikey: {key}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn calls_running(database: &tokio_postgres::Client) -> i64 {
    const COUNT: &str = "select count(*) from pg_stat_activity \
                         where query like '%slow%' and wait_event = 'PgSleep'";
    database.query_one(COUNT, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_sigterm_under_load_loses_no_open_request() {
    let mut running = Running::start().await;
    let gateway = running.url("gateway").to_owned();
    let database = testkit::postgres::connect(&running.admin_url)
        .await
        .unwrap();
    database.batch_execute(SLOW).await.unwrap();
    let client = Client::at(&gateway);
    eventually(
        "the function is served",
        Duration::from_secs(10),
        async || {
            let call = client.get("/rest/v1/rpc/slow?seconds=0");
            let answer = call.header("apikey", &running.anon_key).send().await;
            answer.status.is_success().then_some(())
        },
    )
    .await;

    let address = gateway.trim_start_matches("http://").to_owned();
    let mut calls = JoinSet::new();
    for _ in 0..OPEN_REQUESTS {
        let mut socket = send_slow_call(&address, &running.anon_key).await;
        calls.spawn(async move {
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.map(|_| answer)
        });
    }
    eventually("the calls run", Duration::from_secs(10), async || {
        (calls_running(&database).await > 0).then_some(())
    })
    .await;

    let pid = running.process.id().unwrap().to_string();
    let signalled = Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .await
        .unwrap();
    assert!(signalled.success());

    for answer in calls.join_all().await {
        let answer = answer.expect("the connection is closed in an orderly way");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("\"done\""), "{answer}");
    }
    let status = running.process.wait().await.unwrap();
    assert!(status.success(), "{status}");
    assert!(
        TcpStream::connect(&address).await.is_err(),
        "nothing listens any more"
    );
}
