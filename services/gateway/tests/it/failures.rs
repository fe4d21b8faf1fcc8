use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use gateway::Names;
use http::StatusCode;
use testkit::wait::eventually;
use tokio::io::AsyncWriteExt;

use crate::kit::{Gateway, Setup, code, echo, listener, read_head, upstream};

async fn ask(gateway: &Gateway) -> testkit::client::Response {
    let request = gateway
        .client
        .get("/a/v1/x")
        .header("apikey", &gateway.anon_key);
    request.send().await
}

#[tokio::test]
async fn an_upstream_that_is_down_is_503_and_recovers() {
    let closed = listener().await;
    let address = closed.local_addr().unwrap();
    drop(closed);
    let gateway = Setup::route(address, "").start().await;
    let response = ask(&gateway).await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(code(&response), "upstream_unavailable");
    assert!(response.header("retry-after").is_some());

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let serving = common::server::serve(
        listener,
        Router::new().fallback(|| async { "back" }),
        common::server::ConnectionLimits::default(),
        common::lifecycle::Lifecycle::default(),
    );
    gateway.lifecycle.spawn_until_stop("upstream", serving);
    assert_eq!(ask(&gateway).await.expect(StatusCode::OK).text(), "back");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_503() {
    let setup = Setup::route(echo().await, "");
    let setup = setup.and("b", "/b/v1", "http://no-such-host.invalid:1", "");
    let gateway = setup.start().await;
    let request = gateway
        .client
        .get("/b/v1/x")
        .header("apikey", &gateway.anon_key);
    let response = request.send().await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(code(&response), "upstream_unavailable");
}

#[tokio::test]
async fn an_upstream_that_hangs_up_or_talks_nonsense_is_502() {
    for answer in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let gateway = Setup::route(address, "").start().await;
        gateway.lifecycle.spawn_until_stop("upstream", async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                read_head(&mut socket).await;
                socket.write_all(answer.as_bytes()).await.ok();
            }
        });
        let response = ask(&gateway).await.expect(StatusCode::BAD_GATEWAY);
        assert_eq!(code(&response), "upstream_unavailable", "{answer}");
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_504() {
    let hanging = Router::new().route("/x", get(std::future::pending::<()>));
    let address = upstream(hanging).await;
    let gateway = Setup::route(address, "read_timeout = \"50 ms\"")
        .start()
        .await;
    let response = ask(&gateway).await.expect(StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(code(&response), "upstream_timeout");
}

#[tokio::test]
async fn a_kept_connection_that_ended_is_replaced_unnoticed() {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let gateway = Setup::route(address, "").start().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    gateway.lifecycle.spawn_until_stop("upstream", async move {
        // Answers one request on each connection, promises to keep it, and closes it.
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            read_head(&mut socket).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            socket.write_all(answer).await.ok();
        }
    });
    for number in 1..=5 {
        assert_eq!(ask(&gateway).await.expect(StatusCode::OK).text(), "ok");
        assert_eq!(connections.load(Ordering::Relaxed), number);
    }
}

#[tokio::test]
async fn connections_to_an_upstream_are_kept_and_used_again() {
    let connections = Arc::new(Mutex::new(std::collections::HashSet::new()));
    let seen = Arc::clone(&connections);
    let router = Router::new().route(
        "/x",
        get(move |request: axum::extract::Request| {
            let peer = request
                .extensions()
                .get::<common::server::PeerAddr>()
                .copied();
            seen.lock().unwrap().extend(peer.map(|peer| peer.0));
            async { "a body" }
        }),
    );
    let gateway = Setup::route(upstream(router).await, "").start().await;
    for _ in 0..20 {
        ask(&gateway).await.expect(StatusCode::OK);
    }
    assert_eq!(connections.lock().unwrap().len(), 1);
}

/// A gateway whose route `/b/v1` has an address where nobody listens, which is returned, and one
/// that answers `alive`.
async fn half_alive() -> (Gateway, SocketAddr) {
    let closed = listener().await;
    let dead = closed.local_addr().unwrap();
    drop(closed);
    let alive = upstream(Router::new().fallback(|| async { "alive" })).await;
    let both = format!("http://{dead}, http://{alive}");
    let setup = Setup::route(dead, "").and("b", "/b/v1", &both, "");
    (setup.start().await, dead)
}

async fn send(gateway: &Gateway, method: &str) -> testkit::client::Response {
    let request = gateway.client.request(method.parse().unwrap(), "/b/v1/x");
    request.header("apikey", &gateway.anon_key).send().await
}

#[tokio::test]
async fn a_request_that_may_be_repeated_goes_to_another_address_when_one_cannot_be_reached() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let (gateway, _) = half_alive().await;
        for _ in 0..4 {
            send(&gateway, method).await.expect(StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_request_that_must_not_be_repeated_gets_one_attempt_and_failing_addresses_are_left_out() {
    for method in ["POST", "PATCH", "PURGE"] {
        let (gateway, _) = half_alive().await;
        let mut refused = 0;
        for _ in 0..10 {
            let response = send(&gateway, method).await;
            if response.status == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(code(&response), "upstream_unavailable");
                refused += 1;
            } else {
                assert_eq!(response.expect(StatusCode::OK).text(), "alive");
            }
        }
        assert_eq!(refused, 1, "{method}: the one that found out");
    }
}

#[tokio::test]
async fn an_address_that_is_back_is_found_without_a_request() {
    let (gateway, address) = half_alive().await;
    send(&gateway, "GET").await.expect(StatusCode::OK);
    send(&gateway, "GET").await.expect(StatusCode::OK);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let serving = common::server::serve(
        listener,
        Router::new().fallback(|| async { "back" }),
        common::server::ConnectionLimits::default(),
        common::lifecycle::Lifecycle::default(),
    );
    gateway.lifecycle.spawn_until_stop("upstream", serving);
    eventually("the address", Duration::from_secs(30), async || {
        let response = send(&gateway, "POST").await.expect(StatusCode::OK);
        (response.text() == "back").then_some(())
    })
    .await;
}

/// Two addresses that take a request and hang up; the number of requests they took.
async fn two_that_hang_up(
    gateway_lifecycle: &common::lifecycle::Lifecycle,
) -> (String, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let listener = listener().await;
        addresses.push(format!("http://{}", listener.local_addr().unwrap()));
        let counted = Arc::clone(&taken);
        gateway_lifecycle.spawn_until_stop("upstream", async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                if !read_head(&mut socket).await.is_empty() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    (addresses.join(","), taken)
}

#[tokio::test]
async fn a_request_that_reached_an_upstream_is_never_repeated() {
    let lifecycle = common::lifecycle::Lifecycle::default();
    let (both, taken) = two_that_hang_up(&lifecycle).await;
    let setup = Setup::route(echo().await, "");
    let gateway = setup.and("b", "/b/v1", &both, "").start().await;
    for (number, method) in ["GET", "PUT", "DELETE", "POST", "PATCH"].iter().enumerate() {
        let request = gateway.client.request(method.parse().unwrap(), "/b/v1/x");
        let request = request.header("apikey", &gateway.anon_key);
        let response = request.send().await.expect(StatusCode::BAD_GATEWAY);
        assert_eq!(code(&response), "upstream_unavailable");
        assert_eq!(taken.load(Ordering::Relaxed), number + 1, "{method}");
    }
    lifecycle.stop();
}

#[tokio::test]
async fn a_name_with_an_address_that_refuses_leads_to_the_other() {
    let listener = listener().await;
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    // Whatever else `localhost` stands for on this machine, only this one listens.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .unwrap();
    let serving = common::server::serve(
        listener,
        Router::new().fallback(|| async { "found" }),
        common::server::ConnectionLimits::default(),
        common::lifecycle::Lifecycle::default(),
    );
    let setup = Setup::route(echo().await, "");
    let named = format!("http://localhost:{port}");
    let gateway = setup.and("b", "/b/v1", &named, "").start().await;
    gateway.lifecycle.spawn_until_stop("upstream", serving);
    for _ in 0..4 {
        let response = send(&gateway, "GET").await.expect(StatusCode::OK);
        assert_eq!(response.text(), "found");
    }
}

/// What `text` an upstream has to say, and where; it ends with what is returned.
async fn saying(text: &'static str) -> (SocketAddr, common::lifecycle::Lifecycle) {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let lifecycle = common::lifecycle::Lifecycle::default();
    let serving = common::server::serve(
        listener,
        Router::new().fallback(move || async move { text }),
        common::server::ConnectionLimits::default(),
        lifecycle.clone(),
    );
    lifecycle.spawn("upstream", serving);
    (address, lifecycle)
}

#[tokio::test]
async fn requests_follow_a_name_to_its_new_addresses() {
    let (first, _first) = saying("first").await;
    let (second, stop_second) = saying("second").await;
    let (third, _third) = saying("third").await;
    let told = Arc::new(Mutex::new(vec![first]));
    let answers = Arc::clone(&told);
    let names = Names::known_to(move |host| match host {
        "service.internal" => Ok(answers.lock().unwrap().clone()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    });
    let setup = Setup::route(first, "").and("b", "/b/v1", "http://service.internal:80", "");
    let gateway = setup.names(names).start().await;
    assert_eq!(send(&gateway, "GET").await.text(), "first");

    let leads_to = async |text: &str| {
        eventually(text, Duration::from_mins(1), async || {
            (send(&gateway, "GET").await.text() == text).then_some(())
        })
        .await;
    };
    *told.lock().unwrap() = vec![second];
    leads_to("second").await;
    for _ in 0..5 {
        assert_eq!(send(&gateway, "POST").await.text(), "second");
    }
    // Without waiting for the next look-up, when the address it knows has gone.
    *told.lock().unwrap() = vec![third];
    assert!(stop_second.drain(Duration::from_secs(10)).await);
    leads_to("third").await;
}
