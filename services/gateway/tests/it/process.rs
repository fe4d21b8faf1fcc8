//! The gateway as a process of its own: signals, its log, its memory.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    routing::{get, post},
};
use testkit::wait::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_stream::StreamExt;

use crate::kit::{RawResponse, Setup, echo, upstream};

/// A running gateway, ended when it is dropped.
struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    address: SocketAddr,
    anon_key: String,
}

impl Process {
    /// Starts it with the routes in `file`.
    async fn start(setup: &Setup, file: &Path) -> Self {
        let mut child = command(setup, file).stdout(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                *lines.lock().unwrap() += &(line + "\n");
            }
        });
        let mut process = Self {
            child,
            log,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            anon_key: testkit::jwt::role(crate::kit::SECRET, "anon"),
        };
        let listening = process.logged("\"address\":\"").await;
        let (_, address) = listening.split_once("\"address\":\"").unwrap();
        process.address = address.split('"').next().unwrap().parse().unwrap();
        process
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for a line of the log that holds `text`.
    async fn logged(&self, text: &str) -> String {
        eventually(text, Duration::from_mins(1), async || {
            let log = self.log.lock().unwrap();
            let line = log.lines().find(|line| line.contains(text));
            line.map(str::to_owned)
        })
        .await
    }

    /// The status of `path`, asked for over `socket`.
    async fn ask(&self, socket: &mut TcpStream, path: &str) -> u16 {
        let key = &self.anon_key;
        let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n\r\n");
        socket.write_all(text.as_bytes()).await.unwrap();
        RawResponse::read(socket).await.status
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The most memory it ever had, in bytes.
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes.unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn command(setup: &Setup, file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command
        .env_clear()
        .envs(setup.variables())
        .env("GATEWAY_ROUTES", file)
        .env("GATEWAY_PORT", "0")
        .env("GATEWAY_ADMIN_LISTEN", "off");
    command
}

#[tokio::test]
async fn a_hangup_takes_new_routes_into_force_on_open_connections() {
    let setup = Setup::route(echo().await, "");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &setup.routes).unwrap();
    let mut process = Process::start(&setup, file.path()).await;
    let mut socket = process.connect().await;
    assert_eq!(process.ask(&mut socket, "/a/v1/x").await, 200);

    std::fs::write(file.path(), setup.routes.replace("/a/v1", "/b/v1")).unwrap();
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    assert_eq!(process.ask(&mut socket, "/b/v1/x").await, 200);
    assert_eq!(process.ask(&mut socket, "/a/v1/x").await, 404);

    let spoilt = format!("{}strips = true\n", setup.routes);
    std::fs::write(file.path(), &spoilt).unwrap();
    process.signal("HUP");
    let refused = process.logged("not reloaded").await;
    let line = format!("line {}", spoilt.lines().count());
    assert!(refused.contains(&line), "{refused}");
    assert_eq!(process.ask(&mut socket, "/b/v1/x").await, 200);

    process.signal("TERM");
    assert!(process.child.wait().unwrap().success());
}

#[tokio::test]
async fn a_request_is_logged_by_the_template_of_its_route_and_without_its_key() {
    let setup = Setup::route(echo().await, "");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &setup.routes).unwrap();
    let process = Process::start(&setup, file.path()).await;
    let path = format!(
        "/a/v1/secret-of-a-path?apikey={}&q=secret",
        process.anon_key
    );
    let mut socket = process.connect().await;
    assert_eq!(process.ask(&mut socket, &path).await, 200);
    let line = process.logged("\"message\":\"request\"").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["route"], "/a/v1/*");
    assert_eq!(
        (&line["method"], &line["status"]),
        (&"GET".into(), &200.into())
    );
    assert_eq!(line["consumer"], "anon");
    assert!(line["trace_id"].is_string() && line["upstream_ms"].is_number());
    let log = process.log.lock().unwrap();
    assert!(!log.contains("secret") && !log.contains(&process.anon_key));
}

#[tokio::test]
async fn a_mistake_in_the_routes_stops_the_start_and_names_the_line() {
    let setup = Setup::route(echo().await, "max_body = \"1 TB\"");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &setup.routes).unwrap();
    let output = command(&setup, file.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("line 5"), "{message}");
    assert!(message.contains("KB, MB or GB"), "{message}");
}

/// What passes in each direction below.
const BODY_BYTES: usize = 128 << 20;

const CHUNK: Bytes = Bytes::from_static(&[b'a'; 1 << 16]);

#[tokio::test]
async fn large_bodies_pass_in_constant_memory() {
    let download = get(|| async {
        let chunks = (0..BODY_BYTES / CHUNK.len()).map(|_| Ok::<_, std::io::Error>(CHUNK));
        Body::from_stream(tokio_stream::iter(chunks))
    });
    let upload = post(|request: Request| async {
        let mut body = request.into_body().into_data_stream();
        let mut length = 0;
        while let Some(Ok(chunk)) = body.next().await {
            length += chunk.len();
        }
        length.to_string()
    });
    let router = Router::new()
        .route("/download", download)
        .route("/upload", upload);
    let setup = Setup::route(upstream(router).await, "");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &setup.routes).unwrap();
    let process = Process::start(&setup, file.path()).await;
    let mut socket = process.connect().await;
    assert_eq!(process.ask(&mut socket, "/a/v1/nothing").await, 404);
    let before = process.peak_memory();

    let key = &process.anon_key;
    let head = format!("GET /a/v1/download HTTP/1.0\r\nHost: a\r\napikey: {key}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    while let Ok(length @ 1..) = socket.read(&mut buffer).await {
        received += length;
    }
    assert!(received > BODY_BYTES, "{received}");

    let mut socket = process.connect().await;
    let head = format!(
        "POST /a/v1/upload HTTP/1.1\r\nHost: a\r\napikey: {key}\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..BODY_BYTES / CHUNK.len() {
        socket.write_all(&CHUNK).await.unwrap();
    }
    let response = RawResponse::read(&mut socket).await;
    assert_eq!(response.body, BODY_BYTES.to_string());
    let grown = process.peak_memory() - before;
    assert!(grown < 16 << 20, "{grown} bytes more than at rest");
}
