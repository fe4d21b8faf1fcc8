use std::time::Duration;

use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kit::{Gateway, Setup, echo, listener, read_head};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;

async fn gateway() -> Gateway {
    Setup::route(echo().await, "").start().await
}

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn http2_is_served_and_forwarded_like_http1() {
    let gateway = gateway().await;
    let socket = TokioIo::new(gateway.connect().await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), socket);
    let (mut sender, connection) = handshake.await.unwrap();
    gateway.lifecycle.spawn_until_stop("client", async move {
        connection.await.ok();
    });
    for number in 0..3 {
        let request = Request::get(format!("http://api.example:8443/a/v1/{number}"))
            .header("apikey", &gateway.anon_key)
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-user-id", "forged")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(
            (response.status(), response.version()),
            (StatusCode::OK, Version::HTTP_2)
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(told["uri"], format!("/{number}"));
        assert_eq!(told["headers"]["cookie"], "a=1; b=2");
        assert_eq!(told["headers"]["x-forwarded-host"], "api.example:8443");
        assert!(told["headers"]["x-user-id"].is_null());
    }
}

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let gateway = gateway().await;
    let mut socket = gateway.connect().await;
    socket.write_all(PREFACE).await.unwrap();
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    // GET http://a/ in HPACK, and a reset of the stream just opened.
    let get = [0x82, 0x86, 0x84, 0x41, 0x01, b'a'];
    let cancel = 8_u32.to_be_bytes();
    let (mut reader, mut writer) = socket.into_split();
    let flood = async {
        for number in 0..100_000_u32 {
            let stream = 2 * number + 1;
            let mut both = frame(1, 5, stream, &get);
            both.extend(frame(3, 0, stream, &cancel));
            if writer.write_all(&both).await.is_err() {
                return;
            }
        }
        panic!("the flood was let through");
    };
    let watch = async {
        let mut received = Vec::new();
        reader.read_to_end(&mut received).await.ok();
        received
    };
    let both = async { tokio::join!(flood, watch) };
    let limit = Duration::from_secs(20);
    let ((), received) = tokio::time::timeout(limit, both).await.expect("an end");
    let mut rest = received.as_slice();
    let mut kinds = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<9>() {
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        kinds.push(head[3]);
        rest = tail.get(length..).unwrap_or_default();
    }
    assert!(kinds.contains(&GO_AWAY) || received.is_empty(), "{kinds:?}");

    let request = gateway
        .client
        .get("/a/v1/x")
        .header("apikey", &gateway.anon_key);
    request.send().await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_head_without_an_end_ends_the_connection() {
    let gateway = gateway().await;
    let mut socket = gateway.connect().await;
    socket.write_all(PREFACE).await.unwrap();
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let (mut reader, mut writer) = socket.into_split();
    let flood = async {
        // Neither END_HEADERS nor END_STREAM; then fields that add up, one frame after another.
        let mut field = vec![0x40, 3, b'x', b'-', b'a', 127, 0x81, 0x7e];
        field.extend([b'a'; 16_384 - 128]);
        writer
            .write_all(&frame(1, 0, 1, &[0x82, 0x86, 0x84]))
            .await
            .ok();
        for _ in 0..10_000 {
            if writer.write_all(&frame(9, 0, 1, &field)).await.is_err() {
                return;
            }
        }
        panic!("the flood was let through");
    };
    let watch = async {
        let mut received = Vec::new();
        reader.read_to_end(&mut received).await.ok();
    };
    let both = async { tokio::join!(flood, watch) };
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("an end");
}

/// The beginning of a connection and of a POST to `/a/v1/x` on its first stream, in HPACK.
fn post() -> Vec<u8> {
    let head = [&[0x83, 0x86, 0x41, 1, b'a', 0x44, 7][..], b"/a/v1/x"].concat();
    [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(1, 4, 1, &head)].concat()
}

#[tokio::test]
async fn bodies_of_unknown_length_pass_between_the_versions() {
    let listener = listener().await;
    let setup = Setup::route(listener.local_addr().unwrap(), "open = [\"/*\"]");
    let gateway = setup.start().await;
    let mut socket = gateway.connect().await;
    socket.write_all(&post()).await.unwrap();
    socket.write_all(&frame(0, 0, 1, b"hello")).await.unwrap();
    let (mut upstream, _) = listener.accept().await.unwrap();
    let head = read_head(&mut upstream).await;
    assert!(
        head.contains("\r\ntransfer-encoding: chunked\r\n"),
        "{head}"
    );
    let mut received = [0; 10];
    upstream.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"5\r\nhello\r\n");
    socket.write_all(&frame(0, 1, 1, b"!")).await.unwrap();
    let mut received = [0; 11];
    upstream.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"1\r\n!\r\n0\r\n\r\n");

    let answer = b"HTTP/1.1 200 OK\r\n\r\nanswer";
    upstream.write_all(answer).await.unwrap();
    drop(upstream);
    let end = frame(0, 1, 1, b"");
    let mut received = Vec::new();
    while !received.ends_with(&end) {
        assert_ne!(socket.read_buf(&mut received).await.unwrap(), 0);
    }
    let data = frame(0, 0, 1, b"answer");
    assert!(received.windows(data.len()).any(|window| window == data));
}

#[tokio::test]
async fn an_upload_that_is_cancelled_is_not_passed_on_as_whole() {
    const CANCEL: [u8; 4] = 8_u32.to_be_bytes();
    const NO_ERROR: [u8; 4] = [0; 4];
    for reason in [CANCEL, NO_ERROR] {
        let listener = listener().await;
        let setup = Setup::route(listener.local_addr().unwrap(), "open = [\"/*\"]");
        let gateway = setup.start().await;
        let mut socket = gateway.connect().await;
        socket.write_all(&post()).await.unwrap();
        socket.write_all(&frame(0, 0, 1, b"hello")).await.unwrap();
        let (mut upstream, _) = listener.accept().await.unwrap();
        read_head(&mut upstream).await;
        let mut received = [0; 10];
        upstream.read_exact(&mut received).await.unwrap();
        socket.write_all(&frame(3, 0, 1, &reason)).await.unwrap();
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(10), upstream.read_to_end(&mut rest));
        end.await.expect("the connection ends").ok();
        assert_eq!(rest, b"", "{reason:?}");
    }
}
