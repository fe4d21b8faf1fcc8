//! What an upstream may do with a request and its connection, seen from both ends.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::lifecycle::Lifecycle;
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use crate::kit::{Gateway, RawResponse, Setup, listener, read_head};

/// What a client waits for at most.
const LIMIT: Duration = Duration::from_secs(10);

/// An upstream whose connections are the test's.
async fn handed_over() -> (SocketAddr, mpsc::Receiver<TcpStream>) {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let (accepted, connections) = mpsc::channel(8);
    Lifecycle::default().spawn("upstream", async move {
        while let Ok((socket, _)) = listener.accept().await {
            accepted.send(socket).await.ok();
        }
    });
    (address, connections)
}

/// An upstream that says `first` to the first request it gets, whole, and `later` to all others; and
/// how many connections it had.
async fn saying(first: &str, later: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let first: Arc<str> = first.into();
    let (served, connections) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let counted = Arc::clone(&connections);
    let lifecycle = Lifecycle::default();
    lifecycle.clone().spawn("upstream", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let (first, served) = (Arc::clone(&first), Arc::clone(&served));
            lifecycle.spawn("upstream connection", async move {
                while !read_head(&mut socket).await.is_empty() {
                    let is_first = served.fetch_add(1, Ordering::Relaxed) == 0;
                    let answer = if is_first { &*first } else { later };
                    socket.write_all(answer.as_bytes()).await.ok();
                }
            });
        }
    });
    (address, connections)
}

const FRESH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfresh";

fn request(gateway: &Gateway, line: &str, lines: &str) -> String {
    let key = &gateway.anon_key;
    format!("{line} HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n{lines}\r\n")
}

async fn send(socket: &mut TcpStream, text: &str) {
    socket.write_all(text.as_bytes()).await.unwrap();
}

/// What comes until the connection ends.
async fn rest(socket: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let reading = tokio::time::timeout(LIMIT, socket.read_to_end(&mut received));
    reading.await.expect("the connection ends").ok();
    String::from_utf8_lossy(&received).into_owned()
}

/// The answer to a plain request on a connection of its own.
async fn ask(gateway: &Gateway) -> String {
    let request = gateway.client.get("/a/v1/x");
    let response = request.header("apikey", &gateway.anon_key).send().await;
    response.expect(StatusCode::OK).text()
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    for hangs_up in [false, true] {
        let (address, mut connections) = handed_over().await;
        let gateway = Setup::route(address, "").start().await;
        let head = request(&gateway, "POST /a/v1/x", "Content-Length: 100000000\r\n");
        let (mut reader, mut writer) = gateway.connect().await.into_split();
        writer.write_all(head.as_bytes()).await.unwrap();
        let sending = async { while writer.write_all(&[b'x'; 10_000]).await.is_ok() {} };
        let answering = async {
            let mut upstream = connections.recv().await.unwrap();
            read_head(&mut upstream).await;
            let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope";
            send(&mut upstream, answer).await;
            (!hangs_up).then_some(upstream)
        };
        let reading = async { (answering.await, RawResponse::read(&mut reader).await) };
        let (_upstream, response) = tokio::select! {
            read = reading => read,
            () = async { sending.await; std::future::pending().await } => unreachable!(),
        };
        assert_eq!((response.status, response.body.as_str()), (403, "nope"));
    }
}

#[tokio::test]
async fn a_refusal_by_announced_length_reaches_a_client_that_goes_on_sending() {
    let (address, _connections) = handed_over().await;
    let gateway = Setup::route(address, "max_body = \"1 KB\"").start().await;
    let mut socket = gateway.connect().await;
    let head = request(&gateway, "POST /a/v1/x", "Content-Length: 4000000\r\n");
    send(&mut socket, &head).await;
    socket.write_all(&vec![b'x'; 4_000_000]).await.unwrap();
    let response = RawResponse::read(&mut socket).await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (413, "payload_too_large")
    );
    assert!(response.head.contains("\r\nconnection: close"));
}

#[tokio::test]
async fn interim_responses_of_an_upstream_are_passed_over() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                   HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (address, connections) = saying(interim, FRESH).await;
    let gateway = Setup::route(address, "").start().await;
    let text = request(&gateway, "GET /a/v1/x", "Connection: close\r\n");
    let mut socket = gateway.connect().await;
    send(&mut socket, &text).await;
    let received = rest(&mut socket).await;
    assert!(received.starts_with("HTTP/1.1 200 OK\r\n"), "{received}");
    assert!(received.ends_with("\r\n\r\nok"), "{received}");
    assert!(!received.to_lowercase().contains("link:"), "{received}");
    assert_eq!(ask(&gateway).await, "fresh");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_comes_with_a_response_and_is_no_part_of_it_reaches_nobody() {
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    for (method, answer, expected) in [
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "ok",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "0\r\n\r\n",
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 64\r\n\r\n",
            "",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 64\r\n\r\n",
            "",
        ),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n", ""),
    ] {
        let first = format!("{answer}{forged}");
        let (address, connections) = saying(&first, FRESH).await;
        let gateway = Setup::route(address, "").start().await;
        let line = format!("{method} /a/v1/x");
        let both = [
            request(&gateway, &line, ""),
            request(&gateway, "GET /a/v1/y", "Connection: close\r\n"),
        ];
        let mut socket = gateway.connect().await;
        send(&mut socket, &both.concat()).await;
        let received = rest(&mut socket).await;
        assert!(!received.contains("forged"), "{answer}: {received}");
        let (first, second) = received.split_at(received.rfind("HTTP/1.1").unwrap());
        assert!(first.ends_with(expected), "{answer}: {received}");
        assert!(second.ends_with("\r\n\r\nfresh"), "{answer}: {received}");
        assert_eq!(connections.load(Ordering::Relaxed), 2, "{answer}");
    }
}

#[tokio::test]
async fn what_comes_after_a_response_spoils_its_connection_only() {
    let (address, mut connections) = handed_over().await;
    let gateway = Setup::route(address, "").start().await;
    let answer = async |upstream: &mut TcpStream, body: &str| {
        read_head(upstream).await;
        let length = body.len();
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        send(upstream, &text).await;
    };
    let serving = async {
        let mut upstream = connections.recv().await.unwrap();
        answer(&mut upstream, "first").await;
        upstream
    };
    let (mut upstream, first) = tokio::join!(serving, ask(&gateway));
    assert_eq!(first, "first");
    send(
        &mut upstream,
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    )
    .await;
    let serving = async {
        let mut upstream = connections.recv().await.unwrap();
        answer(&mut upstream, "second").await;
    };
    let ((), second) = tokio::join!(serving, ask(&gateway));
    assert_eq!(second, "second");
}

#[tokio::test]
async fn a_response_whose_end_can_be_doubted_is_the_last_of_its_connection() {
    for (head, is_kept) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n",
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n",
            false,
        ),
    ] {
        let first = format!("{head}\r\n2\r\nok\r\n0\r\n\r\n");
        let (address, connections) = saying(&first, FRESH).await;
        let gateway = Setup::route(address, "").start().await;
        assert_eq!(ask(&gateway).await, "ok", "{head}");
        assert_eq!(ask(&gateway).await, "fresh", "{head}");
        let count = 2 - usize::from(is_kept);
        assert_eq!(connections.load(Ordering::Relaxed), count, "{head}");
    }
}

#[tokio::test]
async fn responses_that_can_be_read_in_two_ways_are_502() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\r\n",
        "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n",
        "HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 2\r\n",
        "HTTP/2 200 OK\r\nContent-Length: 2\r\n",
    ] {
        let first = format!("{head}\r\nok");
        let (address, _) = saying(&first, FRESH).await;
        let gateway = Setup::route(address, "").start().await;
        let response = gateway
            .raw(&request(&gateway, "GET /a/v1/x", "").replace('\r', ""))
            .await;
        assert_eq!(response.status, 502, "{head}");
        assert_eq!(response.code(), "upstream_unavailable", "{head}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_upload_ends_it() {
    for (framing, begun) in [
        ("Content-Length: 100\r\n", "begun"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nbegun\r\n"),
    ] {
        let (address, mut connections) = handed_over().await;
        let gateway = Setup::route(address, "").start().await;
        let mut socket = gateway.connect().await;
        let head = request(&gateway, "POST /a/v1/x", framing);
        send(&mut socket, &(head + begun)).await;
        let mut upstream = connections.recv().await.unwrap();
        read_head(&mut upstream).await;
        let mut received = vec![0; begun.len()];
        upstream.read_exact(&mut received).await.unwrap();
        assert_eq!(received, begun.as_bytes());
        drop(socket);
        assert_eq!(rest(&mut upstream).await, "", "{framing}");
    }
}

#[tokio::test]
async fn a_slow_client_is_not_taken_for_a_silent_upstream() {
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfr"] {
        let (address, mut connections) = handed_over().await;
        let setup = Setup::route(address, "read_timeout = \"200 ms\"");
        let gateway = setup.start().await;
        let mut socket = gateway.connect().await;
        let head = request(&gateway, "POST /a/v1/x", "Content-Length: 2\r\n");
        send(&mut socket, &(head + "a")).await;
        let mut upstream = connections.recv().await.unwrap();
        read_head(&mut upstream).await;
        send(&mut upstream, said).await;
        let mut received = Vec::new();
        let reading = async { while socket.read_buf(&mut received).await.unwrap() > 0 {} };
        // Several times as long as the upstream may be silent.
        let early = tokio::time::timeout(Duration::from_secs(1), reading).await;
        assert!(early.is_err(), "the gateway waits for the client: {said}");
        let rest = FRESH.strip_prefix(said).unwrap();
        send(&mut upstream, rest).await;
        while !received.ends_with(b"\r\n\r\nfresh") {
            let length = socket.read_buf(&mut received).await.unwrap();
            assert_ne!(length, 0, "{}", String::from_utf8_lossy(&received));
        }
    }
}
