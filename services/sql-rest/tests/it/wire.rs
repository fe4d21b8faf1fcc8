//! What a request costs PostgreSQL: counted on the way to it.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use http::{Method, StatusCode};
use testkit::{Client, postgres::Database, wait::eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

use crate::stack::{DEADLINE, database_with, state, user};

/// Types of the messages that are counted.
const PARSE: u8 = b'P';
const EXECUTE: u8 = b'E';
const SYNC: u8 = b'S';

/// Messages that were sent to PostgreSQL since somebody looked, by their types.
#[derive(Clone, Debug, Default)]
struct Sent(Arc<Mutex<Vec<u8>>>);

/// What a request led to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cost {
    /// Statements that had to be prepared.
    prepared: usize,
    /// Statements that ran.
    ran: usize,
    /// Times that PostgreSQL was waited for.
    round_trips: usize,
}

impl Sent {
    fn take(&self) -> Cost {
        let mut cost = Cost::default();
        for message in self.0.lock().unwrap().drain(..) {
            match message {
                PARSE => cost.prepared += 1,
                EXECUTE => cost.ran += 1,
                SYNC => cost.round_trips += 1,
                _ => {}
            }
        }
        cost
    }
}

/// A server between the service and PostgreSQL; gone when it is dropped.
struct Counter {
    port: u16,
    sent: Sent,
    _serving: JoinSet<()>,
}

impl Counter {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let counter = Self {
            port: listener.local_addr().unwrap().port(),
            sent: Sent::default(),
            _serving: JoinSet::new(),
        };
        let sent = counter.sent.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.unwrap().into_split();
                connections.spawn(forward(from_client, to_server, sent.clone()));
                connections.spawn(async move {
                    copy(&mut from_server, &mut to_client).await.ok();
                });
            }
        });
        Self {
            _serving: serving,
            ..counter
        }
    }
}

/// Passes on messages and notes their types. The first one, which opens the connection, has none.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, sent: Sent) {
    let mut is_first = true;
    loop {
        let mut head = vec![0; if is_first { 4 } else { 5 }];
        if from.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = head
            .last_chunk()
            .map_or(0, |length| u32::from_be_bytes(*length));
        let mut rest = vec![0; usize::try_from(length).unwrap() - 4];
        from.read_exact(&mut rest).await.unwrap();
        if !is_first {
            sent.0.lock().unwrap().push(head[0]);
        }
        is_first = false;
        to.write_all(&[head, rest].concat()).await.unwrap();
    }
}

/// The service over a copy of the schema `api`, with a pool of one connection, and what it sends.
async fn counted(pairs: &[(&str, &str)]) -> (Client, Counter, Database) {
    let database = database_with("api", include_str!("api.sql")).await;
    let url = database.url_for("authenticator", "authenticator").await;
    let port = testkit::postgres::server().await.port();
    let counter = Counter::before(port).await;
    let url = url.replace(&format!(":{port}/"), &format!(":{}/", counter.port));
    let mut all = vec![
        ("PGRST_DB_CHANNEL_ENABLED", "false"),
        ("PGRST_DB_POOL", "1"),
    ];
    all.extend(pairs);
    let state = state(&format!("{url}?sslmode=disable"), &all);
    eventually("the schema cache is loaded", DEADLINE, async || {
        state.schema_cache().is_current().then_some(())
    })
    .await;
    let client = Client::new(sql_rest::router(state));
    // The connection of the pool is opened.
    client.get("/authors").send().await.expect(StatusCode::OK);
    counter.sent.take();
    (client, counter, database)
}

/// Sends a request and tells what it led to.
async fn cost(
    client: &Client,
    counter: &Counter,
    (method, path, prefer, body): (&Method, &str, &str, &str),
    token: &str,
) -> Cost {
    let mut request = client.request(method.clone(), path);
    if !prefer.is_empty() {
        request = request.header("prefer", prefer);
    }
    if !body.is_empty() {
        request = request
            .header("content-type", "application/json")
            .body(body.to_owned());
    }
    let answer = request.bearer(token).send().await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
    counter.sent.take()
}

#[tokio::test]
async fn a_request_is_one_round_trip_and_prepares_nothing_the_second_time() {
    let (client, counter, _database) = counted(&[]).await;
    let plain = "";
    let cases = [
        (Method::GET, "/books?id=eq.{}", plain, "", 2),
        (
            Method::GET,
            "/books?select=title,authors(name)&id=gt.{}",
            plain,
            "",
            2,
        ),
        (Method::GET, "/books?id=lt.{}", "count=exact", "", 2),
        (Method::GET, "/books?id=lt.{}", "count=planned", "", 3),
        (Method::GET, "/rpc/add?a=1&b={}", plain, "", 2),
        (Method::POST, "/rpc/add", plain, r#"{"a":1,"b":{}}"#, 2),
        (Method::POST, "/todos", plain, r#"{"title":"t{}"}"#, 2),
        (
            Method::POST,
            "/todos",
            "return=representation",
            r#"[{"title":"{}"},{"title":"b"}]"#,
            2,
        ),
        (
            Method::PATCH,
            "/todos?title=eq.t{}",
            plain,
            r#"{"title":"t{}"}"#,
            2,
        ),
        (Method::DELETE, "/todos?title=eq.t{}", plain, "", 2),
    ];
    let users = [user("ann"), user("bob")];
    for (method, path, prefer, body, statements) in &cases {
        for (round, token) in users.iter().enumerate() {
            let number = (round + 1).to_string();
            let (path, body) = (path.replace("{}", &number), body.replace("{}", &number));
            let case = (method, path.as_str(), *prefer, body.as_str());
            let found = cost(&client, &counter, case, token).await;
            assert_eq!(found.round_trips, 1, "{path}");
            assert!(found.ran >= *statements, "{path}: {found:?}");
            if round > 0 {
                assert_eq!(found.prepared, 0, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn only_a_write_that_is_undone_by_its_result_takes_a_second_round_trip() {
    let (client, counter, _database) = counted(&[]).await;
    let token = user("ann");
    let prefer = "handling=strict, max-affected=5";
    let case = (&Method::PATCH, "/todos?id=gt.0", prefer, r#"{"title":"x"}"#);
    let found = cost(&client, &counter, case, &token).await;
    assert_eq!(found.round_trips, 2);
}

#[tokio::test]
async fn what_needs_no_database_does_not_ask_it() {
    let (client, counter, _database) = counted(&[]).await;
    let token = user("ann");
    for (method, path, status) in [
        (Method::OPTIONS, "/books", StatusCode::OK),
        (Method::OPTIONS, "/rpc/add", StatusCode::OK),
        (Method::OPTIONS, "/", StatusCode::OK),
        (Method::GET, "/path/too/long", StatusCode::NOT_FOUND),
        (Method::GET, "/nothing", StatusCode::NOT_FOUND),
        (Method::TRACE, "/books", StatusCode::METHOD_NOT_ALLOWED),
        (Method::PATCH, "/rpc/add", StatusCode::METHOD_NOT_ALLOWED),
        (
            Method::GET,
            "/books?select=*,nothing(*)",
            StatusCode::BAD_REQUEST,
        ),
        (Method::GET, "/books?id=bad.1", StatusCode::BAD_REQUEST),
    ] {
        let answer = client.request(method, path).bearer(&token).send().await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(counter.sent.take().round_trips, 0, "{path}");
    }
    let forged = testkit::jwt::role("another secret of 32 characters!!", "anon");
    let answer = client.get("/books").bearer(&forged).send().await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(counter.sent.take().round_trips, 0);
}

#[tokio::test]
async fn statements_stay_prepared_only_where_that_is_wanted() {
    let (client, counter, database) = counted(&[("PGRST_DB_PREPARED_STATEMENTS", "false")]).await;
    let token = user("ann");
    let prepared = async || {
        let case = (&Method::GET, "/books?id=eq.1", "", "");
        cost(&client, &counter, case, &token).await.prepared
    };
    for _ in 0..2 {
        assert!(prepared().await > 0);
    }
    drop(database);
}
