use std::time::Duration;

use http::StatusCode;
use testkit::wait::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::kit::{Gateway, RawResponse, Setup, echo};

async fn gateway() -> Gateway {
    Setup::route(echo().await, "").start().await
}

fn get(gateway: &Gateway, path: &str) -> Vec<u8> {
    let key = &gateway.anon_key;
    format!("GET {path} HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n\r\n").into_bytes()
}

/// Waits until so many connections are idle.
async fn idle(gateway: &Gateway, count: usize) {
    eventually("idle connections", Duration::from_secs(10), async || {
        let connections = gateway.admin.get("/connections").send().await.json();
        (connections["data"]["idle"] == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_serves_again_however_the_next_request_arrives() {
    let gateway = gateway().await;
    let mut socket = gateway.connect().await;
    for number in 0..2 {
        // In two parts, the first of which could begin HTTP/2 as well.
        let request = get(&gateway, &format!("/a/v1/{number}"));
        let (first, rest) = request.split_at(1 + number);
        socket.write_all(first).await.unwrap();
        tokio::task::yield_now().await;
        socket.write_all(rest).await.unwrap();
        let response = RawResponse::read(&mut socket).await;
        assert!(
            response.body.contains(&format!("\"/{number}\"")),
            "{}",
            response.body
        );
        idle(&gateway, 1).await;
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_a_stop() {
    let gateway = gateway().await;
    let mut socket = gateway.connect().await;
    socket.write_all(&get(&gateway, "/a/v1/x")).await.unwrap();
    RawResponse::read(&mut socket).await;
    let fresh = gateway.connect().await;
    idle(&gateway, 2).await;
    assert!(gateway.lifecycle.drain(Duration::from_secs(5)).await);
    drop(fresh);
    assert_eq!(socket.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_that_never_finishes_its_head_is_cut_off() {
    let setup = Setup::route(echo().await, "").set("GATEWAY_HEADER_TIMEOUT_SECONDS", "1");
    let gateway = setup.start().await;
    let served = String::from_utf8(get(&gateway, "/a/v1/x")).unwrap();
    for begun in [
        "",
        "\r\n",
        "PRI * HTTP/2.0\r\n",
        "GET /a/v1/x HTTP/1.1\r\nHost: a\r\n",
        "GET /a/v1/x HTTP/1.1\r\nContent-Length: none\r\n",
        &format!("{served}GET /a/v1/x HTTP/1.1\r\n"),
    ] {
        let mut socket = gateway.connect().await;
        socket.write_all(begun.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut received));
        end.await.expect("the connection ends").ok();
    }
}

#[tokio::test]
async fn idle_sockets_do_not_slow_anybody_down() {
    const SOCKETS: usize = 500;
    let gateway = gateway().await;
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..SOCKETS {
        let mut socket = gateway.connect().await;
        if number % 2 == 0 {
            socket
                .write_all(b"GET /a/v1/x HTTP/1.1\r\nX-A: ")
                .await
                .unwrap();
        }
        held.push(socket);
    }
    for _ in 0..50 {
        let request = gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &gateway.anon_key);
        request.send().await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn idle_sockets_make_room_when_there_are_too_many() {
    const MOST: usize = 20;
    let setup = Setup::route(echo().await, "");
    let setup = setup.set("GATEWAY_MAX_CONNECTIONS", &MOST.to_string());
    let gateway = setup.start().await;
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..3 * MOST {
        held.push(gateway.connect().await);
    }
    for number in 0..5 {
        let mut socket = gateway.connect().await;
        let request = get(&gateway, &format!("/a/v1/{number}"));
        socket.write_all(&request).await.unwrap();
        assert_eq!(RawResponse::read(&mut socket).await.status, 200);
    }
    eventually("a bounded number", Duration::from_secs(10), async || {
        let connections = gateway.admin.get("/connections").send().await.json();
        let open = connections["data"]["open"].as_u64().unwrap();
        (open <= MOST as u64).then_some(())
    })
    .await;
    // The one that waited longest was cut off.
    let mut buffer = [0; 16];
    let end = tokio::time::timeout(Duration::from_secs(10), held[0].read(&mut buffer));
    assert_eq!(end.await.expect("an end").unwrap_or(0), 0);
}

#[tokio::test]
async fn a_connection_that_is_taken_back_at_once_serves_on() {
    // So few that one alone is a crowd.
    let setup = Setup::route(echo().await, "").set("GATEWAY_MAX_CONNECTIONS", "8");
    let gateway = setup.start().await;
    let mut socket = gateway.connect().await;
    for number in 0..5 {
        let two = [get(&gateway, "/a/v1/x"), get(&gateway, "/a/v1/y")].concat();
        let (first, rest) = two.split_at(two.len() / (number + 1));
        socket.write_all(first).await.unwrap();
        tokio::task::yield_now().await;
        socket.write_all(rest).await.unwrap();
        let mut received = String::new();
        while received.matches("\"/x\"").count() + received.matches("\"/y\"").count() < 2 {
            let mut buffer = [0; 4096];
            let length = socket.read(&mut buffer).await.unwrap();
            assert_ne!(length, 0, "{received}");
            received += std::str::from_utf8(&buffer[..length]).unwrap();
        }
        assert!(received.find("\"/x\"") < received.find("\"/y\""));
    }
    idle(&gateway, 1).await;
}

#[tokio::test]
async fn a_body_that_nobody_wanted_is_never_taken_for_a_request() {
    for most in ["8", "1000"] {
        let setup = Setup::route(echo().await, "").set("GATEWAY_MAX_CONNECTIONS", most);
        let gateway = setup.start().await;
        let body = get(&gateway, "/a/v1/smuggled");
        let length = body.len();
        let head = format!("POST /a/v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let head = head.into_bytes();
        let whole = [&*head, &*body].concat();
        let key = &gateway.anon_key;
        let next = format!(
            "GET /a/v1/next HTTP/1.1\r\nHost: a\r\napikey: {key}\r\nConnection: close\r\n\r\n"
        );
        for (first, later) in [(&*whole, &[][..]), (&*head, &*body), (&*head, &body[..9])] {
            let mut socket = gateway.connect().await;
            socket.write_all(first).await.unwrap();
            assert_eq!(RawResponse::read(&mut socket).await.status, 401);
            // The connection may be over by now.
            socket.write_all(later).await.ok();
            socket.write_all(next.as_bytes()).await.ok();
            let mut received = Vec::new();
            let end = socket.read_to_end(&mut received);
            let end = tokio::time::timeout(Duration::from_secs(10), end).await;
            end.expect("the connection ends").ok();
            let received = String::from_utf8_lossy(&received);
            assert!(!received.contains("smuggled"), "{received}");
        }
    }
}
