use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use crate::kit::{Gateway, RawResponse, Setup, listener, read_head};

const HANDSHAKE: &str = "Connection: keep-alive, Upgrade\nUpgrade: websocket\n\
                         Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";

/// An upstream that answers every connection with `answer`, then echoes; tells the heads it saw.
async fn switching(answer: &'static str) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let (seen, heads) = mpsc::channel(8);
    common::lifecycle::Lifecycle::default().spawn("upstream", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            seen.send(read_head(&mut socket).await).await.ok();
            socket
                .write_all(answer.replace('\n', "\r\n").as_bytes())
                .await
                .ok();
            let mut buffer = [0; 64];
            while let Ok(length @ 1..) = socket.read(&mut buffer).await {
                socket.write_all(&buffer[..length]).await.ok();
            }
        }
    });
    (address, heads)
}

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\n";

fn request(gateway: &Gateway, handshake: &str) -> String {
    let key = &gateway.anon_key;
    format!("GET /a/v1/websocket?apikey={key}&vsn=1.0.0 HTTP/1.1\nHost: a\n{handshake}\n")
}

#[tokio::test]
async fn a_websocket_carries_bytes_both_ways() {
    let (address, mut heads) = switching(AGREED).await;
    let gateway = Setup::route(address, "websocket = true").start().await;
    let mut socket = gateway.connect().await;
    let text = request(&gateway, HANDSHAKE).replace('\n', "\r\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    let head = read_head(&mut socket).await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pp"), "{head}");
    for message in ["ping", "pong", "once more"] {
        socket.write_all(message.as_bytes()).await.unwrap();
        let mut echoed = vec![0; message.len()];
        socket.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, message.as_bytes());
    }
    let seen = heads.recv().await.unwrap();
    assert!(seen.starts_with("get /websocket?vsn=1.0.0 "), "{seen}");
    assert!(seen.contains("authorization: bearer "), "{seen}");
    assert!(!seen.contains("apikey"), "{seen}");
}

#[tokio::test]
async fn a_refused_handshake_is_an_ordinary_response() {
    let refusal = "HTTP/1.1 403 Forbidden\nContent-Length: 4\nConnection: close\n\nnope";
    let (address, _heads) = switching(refusal).await;
    let gateway = Setup::route(address, "websocket = true").start().await;
    let response = gateway.raw(&request(&gateway, HANDSHAKE)).await;
    assert_eq!((response.status, response.body.as_str()), (403, "nope"));
}

#[tokio::test]
async fn a_handshake_needs_a_key_like_any_request() {
    let (address, _heads) = switching(AGREED).await;
    let gateway = Setup::route(address, "websocket = true").start().await;
    let text = format!("GET /a/v1/websocket HTTP/1.1\nHost: a\n{HANDSHAKE}\n");
    assert_eq!(gateway.raw(&text).await.status, 401);
}

#[tokio::test]
async fn malformed_handshakes_open_nothing() {
    let (address, _heads) = switching(AGREED).await;
    let gateway = Setup::route(address, "websocket = true").start().await;
    for (from, to) in [
        ("Version: 13", "Version: 8"),
        ("Sec-WebSocket-Version: 13\n", ""),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short"),
        (
            "Sec-WebSocket-Version: 13\n",
            "Sec-WebSocket-Version: 13\nContent-Length: 5\n",
        ),
    ] {
        let handshake = HANDSHAKE.replace(from, to);
        let response = gateway.raw(&request(&gateway, &handshake)).await;
        assert_eq!(
            (response.status, response.code().as_str()),
            (400, "invalid_handshake")
        );
    }
}

#[tokio::test]
async fn no_other_protocol_and_no_other_route_is_upgraded() {
    let plain = "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close\n\nplain";
    for (more, from, to) in [
        ("websocket = true", "Upgrade: websocket", "Upgrade: h2c"),
        ("websocket = true", "keep-alive, Upgrade", "keep-alive"),
        ("", "", ""),
    ] {
        let (address, mut heads) = switching(plain).await;
        let gateway = Setup::route(address, more).start().await;
        let handshake = HANDSHAKE.replace(from, to);
        let response = gateway.raw(&request(&gateway, &handshake)).await;
        assert_eq!(response.status, 200);
        let head = heads.recv().await.unwrap();
        assert!(!head.contains("upgrade:"), "{head}");
    }
}

#[tokio::test]
async fn an_upstream_that_switches_unasked_is_not_followed() {
    let (address, _heads) = switching(AGREED).await;
    let gateway = Setup::route(address, "").start().await;
    let response: RawResponse = gateway.raw(&request(&gateway, "")).await;
    assert_eq!(response.status, 502);
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_opens_no_websocket() {
    for (origin, status) in [
        ("https://app.example", 101),
        ("http://a", 101),
        ("https://evil.example", 403),
        ("https://a.evil.example", 403),
        ("null", 403),
    ] {
        let (address, _heads) = switching(AGREED).await;
        let setup = Setup::route(address, "websocket = true");
        let setup = setup.set("GATEWAY_CORS_ORIGINS", "https://app.example");
        let gateway = setup.start().await;
        let handshake = format!("{HANDSHAKE}Origin: {origin}\n");
        let mut socket = gateway.connect().await;
        let text = request(&gateway, &handshake).replace('\n', "\r\n");
        socket.write_all(text.as_bytes()).await.unwrap();
        // A refusal has a body and leaves the connection open, so it does not end with its head.
        let head = match status {
            101 => read_head(&mut socket).await,
            _ => RawResponse::read(&mut socket).await.head,
        };
        assert!(
            head.starts_with(&format!("http/1.1 {status}")),
            "{origin}: {head}"
        );
    }
}

#[tokio::test]
async fn bytes_right_after_the_handshake_get_through_on_both_sides() {
    let (address, mut heads) = switching(concat!(
        "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n",
        "Content-Length: 7\n\nwelcome"
    ))
    .await;
    let gateway = Setup::route(address, "websocket = true").start().await;
    let mut socket = gateway.connect().await;
    let text = request(&gateway, HANDSHAKE).replace('\n', "\r\n") + "hello";
    socket.write_all(text.as_bytes()).await.unwrap();
    heads.recv().await.unwrap();
    let mut received = String::new();
    while !received.ends_with("welcomehello") {
        let mut buffer = [0; 1024];
        let length = socket.read(&mut buffer).await.unwrap();
        assert_ne!(length, 0, "{received}");
        received += std::str::from_utf8(&buffer[..length]).unwrap();
    }
    assert!(received.starts_with("HTTP/1.1 101 "), "{received}");
    assert!(!received.contains("content-length"), "{received}");
    assert!(received.ends_with("\r\n\r\nwelcomehello"), "{received}");
}
