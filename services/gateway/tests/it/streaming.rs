use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    routing::{get, post},
};
use common::lifecycle::Lifecycle;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    task::JoinSet,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::kit::{RawResponse, Setup, raw, upstream};

type Chunks = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// An upstream whose `/stream` sends what the test gives it, chunk by chunk.
async fn trickling() -> (std::net::SocketAddr, mpsc::Receiver<Chunks>) {
    let (opened, opening) = mpsc::channel(1);
    let stream = get(move || {
        let opened = opened.clone();
        async move {
            let (chunks, receiver) = mpsc::channel(1);
            opened.send(chunks).await.ok();
            Body::from_stream(ReceiverStream::new(receiver))
        }
    });
    let address = upstream(Router::new().route("/stream", stream)).await;
    (address, opening)
}

#[tokio::test]
async fn the_first_bytes_arrive_before_the_upstream_has_finished() {
    let (address, mut opening) = trickling().await;
    let gateway = Setup::route(address, "").start().await;
    let mut socket = gateway.connect().await;
    let head = format!(
        "GET /a/v1/stream HTTP/1.1\r\nHost: a\r\napikey: {}\r\n\r\n",
        gateway.anon_key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunks = opening.recv().await.unwrap();
    let mut received = String::new();
    for part in ["one", "two", "three"] {
        chunks.send(Ok(Bytes::from(part))).await.unwrap();
        while !received.contains(part) {
            let mut buffer = [0; 1024];
            let length = socket.read(&mut buffer).await.unwrap();
            assert!(length > 0, "ended early: {received}");
            received += &String::from_utf8_lossy(&buffer[..length]);
        }
    }
    drop(chunks);
    let mut rest = [0; 64];
    let length = socket.read(&mut rest).await.unwrap();
    assert_eq!(&rest[..length], b"0\r\n\r\n");
}

#[tokio::test]
async fn an_upload_arrives_while_it_is_sent() {
    let (seen, mut parts) = mpsc::channel::<String>(8);
    let handler = post(move |request: Request| {
        let seen = seen.clone();
        async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                let data = frame.into_data().unwrap_or_default();
                seen.send(String::from_utf8_lossy(&data).into_owned())
                    .await
                    .ok();
            }
            "done"
        }
    });
    let address = upstream(Router::new().route("/upload", handler)).await;
    let gateway = Setup::route(address, "").start().await;
    let mut socket = gateway.connect().await;
    let head = format!(
        "POST /a/v1/upload HTTP/1.1\r\nHost: a\r\napikey: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        gateway.anon_key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    for part in ["one", "two"] {
        let chunk = format!("{:x}\r\n{part}\r\n", part.len());
        socket.write_all(chunk.as_bytes()).await.unwrap();
        assert_eq!(parts.recv().await.as_deref(), Some(part));
    }
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    let response = RawResponse::read(&mut socket).await;
    assert_eq!((response.status, response.body.as_str()), (200, "done"));
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_not_taken_for_one_that_finished() {
    let (address, mut opening) = trickling().await;
    let gateway = Setup::route(address, "").start().await;
    let mut socket = gateway.connect().await;
    let head = format!(
        "GET /a/v1/stream HTTP/1.1\r\nHost: a\r\napikey: {}\r\n\r\n",
        gateway.anon_key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunks = opening.recv().await.unwrap();
    chunks.send(Ok(Bytes::from("part"))).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"part\r\n") {
        assert!(socket.read_buf(&mut received).await.unwrap() > 0);
    }
    chunks
        .send(Err(std::io::Error::other("broken")))
        .await
        .unwrap();
    socket.read_to_end(&mut received).await.ok();
    let text = String::from_utf8_lossy(&received);
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn an_upstream_that_falls_silent_is_cut_off() {
    let (address, mut opening) = trickling().await;
    let gateway = Setup::route(address, "read_timeout = \"100 ms\"")
        .start()
        .await;
    let mut socket = gateway.connect().await;
    let head = format!(
        "GET /a/v1/stream HTTP/1.1\r\nHost: a\r\napikey: {}\r\n\r\n",
        gateway.anon_key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunks = opening.recv().await.unwrap();
    chunks.send(Ok(Bytes::from("part"))).await.unwrap();
    let mut received = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut received));
    ended.await.expect("the connection ends").ok();
    drop(chunks);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_work() {
    let (address, mut opening) = trickling().await;
    let gateway = Setup::route(address, "").start().await;
    let mut socket = gateway.connect().await;
    let head = format!(
        "GET /a/v1/stream HTTP/1.1\r\nHost: a\r\napikey: {}\r\n\r\n",
        gateway.anon_key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunks = opening.recv().await.unwrap();
    drop(socket);
    let noticed = async { while chunks.send(Ok(Bytes::from("more"))).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), noticed)
        .await
        .expect("the upstream is told");
}

#[tokio::test]
async fn what_is_under_way_is_finished_when_the_gateway_stops() {
    let (address, mut opening) = trickling().await;
    let gateway = Setup::route(address, "").start().await;
    let mut socket = gateway.connect().await;
    let head = format!(
        "GET /a/v1/stream HTTP/1.1\r\nHost: a\r\napikey: {}\r\n\r\n",
        gateway.anon_key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunks = opening.recv().await.unwrap();
    chunks.send(Ok(Bytes::from("begun "))).await.unwrap();

    let lifecycle: Lifecycle = gateway.lifecycle.clone();
    let drained = async { lifecycle.drain(Duration::from_secs(10)).await };
    let finish = async {
        chunks.send(Ok(Bytes::from("and finished"))).await.unwrap();
        drop(chunks);
        let mut received = Vec::new();
        socket.read_to_end(&mut received).await.unwrap();
        String::from_utf8_lossy(&received).into_owned()
    };
    let (drained, received) = tokio::join!(drained, finish);
    assert!(drained, "nothing is left over");
    assert!(
        received.contains("and finished") && received.ends_with("0\r\n\r\n"),
        "{received}"
    );
}

#[tokio::test]
async fn a_stop_under_load_loses_no_request() {
    const CLIENTS: usize = 64;
    let (arrived, mut arrivals) = mpsc::channel(CLIENTS);
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let opened = std::sync::Arc::clone(&gate);
    let wait = get(move || {
        let (arrived, gate) = (arrived.clone(), std::sync::Arc::clone(&opened));
        async move {
            arrived.send(()).await.ok();
            gate.acquire()
                .await
                .map(tokio::sync::SemaphorePermit::forget)
                .ok();
            "served"
        }
    });
    let gateway = Setup::route(upstream(Router::new().route("/wait", wait)).await, "");
    let gateway = gateway.start().await;
    let request = format!(
        "GET /a/v1/wait HTTP/1.1\nHost: a\napikey: {}\n\n",
        gateway.anon_key
    );
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(raw(gateway.address, request.clone()));
    }
    let stop = async {
        for _ in 0..CLIENTS {
            arrivals.recv().await.unwrap();
        }
        gateway.lifecycle.stop();
        gate.add_permits(CLIENTS);
        gateway.lifecycle.drain(Duration::from_secs(10)).await
    };
    let (responses, drained) = tokio::join!(clients.join_all(), stop);
    assert!(drained);
    let served = responses
        .iter()
        .filter(|response| response.body == "served");
    assert_eq!(served.count(), CLIENTS);
}
