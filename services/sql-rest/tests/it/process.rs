//! The service as a process of its own.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    process::{Output, Stdio},
};

use http::StatusCode;
use serde_json::Value;
use testkit::{Client, postgres::Database, wait::eventually};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::{Child, Command},
    sync::watch,
};

use crate::stack::{DEADLINE, SECRET, database_with, user};

/// The size of bodies that are large.
const LARGE_BYTES: usize = 32 << 20;

struct Process {
    child: Child,
    client: Client,
    log: watch::Receiver<String>,
    database: Database,
}

impl Process {
    /// Starts the service over a copy of the schema `api`.
    async fn start(pairs: &[(&str, &str)]) -> Self {
        let database = database_with("api", include_str!("api.sql")).await;
        let url = database.url_for("authenticator", "authenticator").await;
        let mut child = command()
            .env("PGRST_DB_URI", url)
            .env("PGRST_SERVER_PORT", "0")
            .envs(pairs.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, log) = watch::channel(String::new());
        #[expect(
            clippy::disallowed_methods,
            reason = "ends with the process it reads from"
        )]
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|log| log.extend([&line, "\n"]));
            }
        });
        let mut process = Self {
            child,
            client: Client::at("http://127.0.0.1:1"),
            log,
            database,
        };
        let listening = process.logged("\"address\"").await;
        let address = listening["address"].as_str().unwrap();
        process.client = Client::at(&format!("http://{address}"));
        eventually("it is ready", DEADLINE, async || {
            let answer = process.client.get("/health/ready").send().await;
            (answer.status == StatusCode::OK).then_some(())
        })
        .await;
        process
    }

    /// Waits for a line of the log that holds `text`.
    async fn logged(&self, text: &str) -> Value {
        eventually(text, DEADLINE, async || {
            let log = self.log.borrow();
            let line = log.lines().find(|line| line.contains(text))?;
            serde_json::from_str(line).ok()
        })
        .await
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await;
        assert!(sent.unwrap().success());
    }

    async fn sql(&self, sql: &str) {
        let client = self.database.connect().await;
        client.batch_execute(sql).await.unwrap();
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.client.get(path).send().await.status
    }

    /// The most memory it ever had, in bytes.
    fn peak_memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes.unwrap().parse::<usize>().unwrap() * 1024
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sql-rest"));
    command
        .env_clear()
        .env("PGRST_DB_ANON_ROLE", "anon")
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_JWT_SECRET", SECRET)
        .env("PGRST_DB_POOL", "2")
        // What is no text is no concern of the service.
        .env("SOMETHING_ELSE", OsStr::from_bytes(b"\xff"));
    command
}

/// The whole answer to `GET path` at a Unix socket.
async fn ask(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn unix_sockets_are_served_with_their_modes() {
    let directory = tempfile::tempdir().unwrap();
    let (server, admin) = (directory.path().join("s"), directory.path().join("a"));
    // What an earlier process left behind is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&server).unwrap());
    let process = Process::start(&[
        ("PGRST_SERVER_UNIX_SOCKET", server.to_str().unwrap()),
        ("PGRST_SERVER_UNIX_SOCKET_MODE", "777"),
        ("PGRST_ADMIN_SERVER_UNIX_SOCKET", admin.to_str().unwrap()),
    ])
    .await;
    for (socket, path, mode) in [
        (&server, "/books?id=eq.1", 0o777),
        (&server, "/health/ready", 0o777),
        (&admin, "/ready", 0o660),
    ] {
        let answer = ask(socket, path).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let permissions = std::fs::metadata(socket).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode);
    }
    assert_eq!(process.status("/books?id=eq.1").await, StatusCode::OK);
}

#[tokio::test]
async fn the_check_of_health_asks_where_the_service_listens() {
    let process = Process::start(&[]).await;
    let listening = process.logged("\"address\"").await;
    let (_, port) = listening["address"]
        .as_str()
        .unwrap()
        .split_once(':')
        .unwrap();
    let check = async |port: &str| -> Output {
        let mut command = command();
        command.arg("healthcheck").env("PGRST_SERVER_PORT", port);
        command.output().await.unwrap()
    };
    assert!(check(port).await.status.success());
    assert!(!check("1").await.status.success());
}

#[tokio::test]
async fn signals_reload_the_schema_and_the_settings() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "another secret of 32 characters!!").unwrap();
    let at = format!("@{}", secret.path().display());
    let process = Process::start(&[
        ("PGRST_JWT_SECRET", &at),
        ("PGRST_DB_CHANNEL_ENABLED", "false"),
    ])
    .await;
    process
        .sql("create table api.fresh (id int); grant select on api.fresh to anon")
        .await;
    assert_eq!(process.status("/fresh").await, StatusCode::NOT_FOUND);
    process.signal("USR1").await;
    eventually("the new table is served", DEADLINE, async || {
        (process.status("/fresh").await == StatusCode::OK).then_some(())
    })
    .await;

    std::fs::write(secret.path(), SECRET).unwrap();
    let token = user("u1");
    process.signal("USR2").await;
    eventually("the new secret is known", DEADLINE, async || {
        let answer = process.client.get("/todos").bearer(&token).send().await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_the_requests_that_are_answered() {
    let mut process = Process::start(&[]).await;
    let client = process.client.clone();
    let sleep = client.get("/rpc/sleep?seconds=2").send();
    let stop = async {
        let watcher = process.database.connect().await;
        eventually("it sleeps", DEADLINE, async || {
            let sleeping = "select 1 from pg_stat_activity \
                            where datname = current_database() and wait_event = 'PgSleep'";
            let found = watcher.query(sleeping, &[]).await.unwrap();
            (!found.is_empty()).then_some(())
        })
        .await;
        process.signal("TERM").await;
    };
    let (slept, ()) = tokio::join!(sleep, stop);
    slept.expect(StatusCode::NO_CONTENT);
    assert!(process.child.wait().await.unwrap().success());
}

#[tokio::test]
async fn statements_are_logged_when_that_is_wanted_and_values_never() {
    let process = Process::start(&[("PGRST_LOG_QUERY", "true")]).await;
    process.status("/books?title=eq.confidential").await;
    let line = process.logged("\"message\":\"statement\"").await;
    let statement = line["statement"].as_str().unwrap();
    assert!(statement.contains("\"books\""), "{statement}");
    assert!(!process.log.borrow().contains("confidential"));
}

#[tokio::test]
async fn large_bodies_and_answers_pass_without_copies_of_them_piling_up() {
    let limit = (2 * LARGE_BYTES).to_string();
    let process = Process::start(&[("SQL_REST_MAX_BODY_BYTES", &limit)]).await;
    process
        .sql(
            "create function api.large(bytes int) returns json language sql immutable \
               as $$ select to_json(repeat('x', bytes)) $$; \
             create function api.measure(json) returns int language sql immutable \
               as $$ select length($1 ->> 'text') $$; \
             notify pgrst",
        )
        .await;
    eventually("the functions are served", DEADLINE, async || {
        (process.status("/rpc/large?bytes=1").await == StatusCode::OK).then_some(())
    })
    .await;
    let before = process.peak_memory();
    for _ in 0..4 {
        let path = format!("/rpc/large?bytes={LARGE_BYTES}");
        let answer = process.client.get(&path).send().await;
        let answer = answer.expect(StatusCode::OK);
        assert_eq!(answer.text().len(), LARGE_BYTES + 2);
    }
    let after_answers = process.peak_memory();
    let body = serde_json::json!({ "text": "x".repeat(LARGE_BYTES) });
    for _ in 0..4 {
        let request = process.client.post("/rpc/measure").json(&body);
        let answer = request.send().await.expect(StatusCode::OK);
        assert_eq!(answer.json(), LARGE_BYTES);
    }
    let after_bodies = process.peak_memory();
    let grown = |peak: usize| (peak - before) / (LARGE_BYTES / 10);
    let (answers, bodies) = (grown(after_answers), grown(after_bodies));
    assert!(answers <= 15, "{answers} tenths of an answer");
    assert!(bodies <= 25, "{bodies} tenths of a body");
}
