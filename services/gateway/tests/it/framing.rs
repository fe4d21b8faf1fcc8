//! How requests and responses are framed towards clients of HTTP/1, the old and the new.

use std::time::Duration;

use common::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kit::{Gateway, RawResponse, Setup, echo, listener, read_head};

/// What a client waits for at most.
const LIMIT: Duration = Duration::from_secs(10);

async fn gateway() -> Gateway {
    Setup::route(echo().await, "").start().await
}

/// A gateway whose upstream says `answer` and hangs up.
async fn saying(answer: &str) -> Gateway {
    let answer = answer.to_owned();
    let listener = listener().await;
    let gateway = Setup::route(listener.local_addr().unwrap(), "")
        .start()
        .await;
    Lifecycle::default().spawn("upstream", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            read_head(&mut socket).await;
            socket.write_all(answer.as_bytes()).await.ok();
        }
    });
    gateway
}

/// A request whose first line is `line`, with these further lines.
fn request(gateway: &Gateway, line: &str, lines: &str) -> String {
    let key = &gateway.anon_key;
    format!("{line}\r\nHost: a\r\napikey: {key}\r\n{lines}\r\n")
}

/// What comes back for `text`, which is sent in pieces of `step` bytes, until the connection ends.
async fn sent(gateway: &Gateway, text: &str, step: usize) -> String {
    let (mut reader, mut writer) = gateway.connect().await.into_split();
    let sending = async {
        for piece in text.as_bytes().chunks(step) {
            writer.write_all(piece).await.ok();
            tokio::task::yield_now().await;
        }
    };
    let mut received = Vec::new();
    let both = async { tokio::join!(sending, reader.read_to_end(&mut received)) };
    let ended = tokio::time::timeout(LIMIT, both).await;
    ended.expect("the connection ends").1.ok();
    String::from_utf8(received).unwrap()
}

/// The status codes of all responses in `received`.
fn statuses(received: &str) -> Vec<&str> {
    let heads = received.split("HTTP/1.").skip(1);
    heads.filter_map(|head| head.get(2..5)).collect()
}

/// What of a response follows its head.
fn body(received: &str) -> &str {
    received.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let gateway = gateway().await;
    let get = |number: usize| request(&gateway, &format!("GET /a/v1/{number} HTTP/1.1"), "");
    let sized = "POST /a/v1/2 HTTP/1.1";
    let all = [
        get(1),
        request(&gateway, sized, "Content-Length: 5\r\n") + "GET /",
        "GET /a/v1/x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        request(
            &gateway,
            "POST /a/v1/4 HTTP/1.1",
            "Transfer-Encoding: chunked\r\n",
        ) + "5\r\nGET /\r\n0\r\nX-Trailer: a\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        request(&gateway, "HEAD /a/v1/6 HTTP/1.1", ""),
        get(7),
        request(&gateway, "GET /a/v1/8 HTTP/1.1", "Connection: close\r\n"),
        get(9),
    ];
    let all = all.concat();
    for step in [all.len(), all.len() / 2, 100, 7] {
        let received = sent(&gateway, &all, step).await;
        let expected = ["200", "200", "401", "200", "404", "200", "200", "200"];
        assert_eq!(statuses(&received), expected, "{step}: {received}");
        let told =
            ["\"/1\"", "\"/2\"", "\"/4\"", "\"/7\"", "\"/8\""].map(|path| received.find(path));
        assert!(told.is_sorted() && told[0].is_some(), "{step}: {received}");
        assert!(!received.contains("\"/9\""), "{step}: {received}");
    }
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_when_its_body_is_wanted() {
    let gateway = gateway().await;
    let mut socket = gateway.connect().await;
    let lines = "Content-Length: 5\r\nExpect: 100-Continue\r\n";
    for _ in 0..2 {
        let head = request(&gateway, "POST /a/v1/x HTTP/1.1", lines);
        socket.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(
            read_head(&mut socket).await,
            "http/1.1 100 continue\r\n\r\n"
        );
        socket.write_all(b"hello").await.unwrap();
        let response = RawResponse::read(&mut socket).await;
        let told: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!((response.status, &told["body"]), (200, &"hello".into()));
        assert!(told["headers"]["expect"].is_null(), "{told}");
    }
}

#[tokio::test]
async fn nobody_is_told_to_go_on_who_does_not_wait_or_is_refused() {
    let gateway = Setup::route(echo().await, "max_body = \"1 KB\"")
        .start()
        .await;
    let expecting = "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n";
    let too_long = "Content-Length: 5000\r\nExpect: 100-continue\r\n";
    let key = &gateway.anon_key;
    for (text, status) in [
        (
            request(&gateway, "POST /a/v1/x HTTP/1.1", expecting) + "hello",
            "200",
        ),
        (
            request(&gateway, "POST /a/v1/x HTTP/1.0", expecting) + "hello",
            "200",
        ),
        (request(&gateway, "POST /a/v1/x HTTP/1.1", too_long), "413"),
        (
            request(&gateway, "POST /nowhere HTTP/1.1", expecting),
            "404",
        ),
        (
            request(&gateway, "POST /a/v1/x HTTP/1.1", expecting).replace(key, "wrong"),
            "401",
        ),
        (
            request(
                &gateway,
                "GET /a/v1/x HTTP/1.1",
                &expecting.replace('5', "0"),
            ),
            "200",
        ),
    ] {
        let received = sent(&gateway, &text, text.len()).await;
        assert_eq!(statuses(&received), [status], "{text}: {received}");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_one_response_or_more_if_it_says_so() {
    let gateway = gateway().await;
    let two = |lines: &str| request(&gateway, "GET /a/v1/x HTTP/1.0", lines).repeat(2);
    let once = sent(&gateway, &two(""), 9999).await;
    assert_eq!(statuses(&once), ["200"], "{once}");
    assert!(once.contains("\r\nconnection: close\r\n"), "{once}");

    let last = request(&gateway, "GET /a/v1/x HTTP/1.0", "");
    let text = two("Connection: Keep-Alive\r\n") + &last;
    let thrice = sent(&gateway, &text, 9999).await;
    assert_eq!(statuses(&thrice), ["200", "200", "200"], "{thrice}");
    let kept = thrice.matches("\r\nconnection: keep-alive\r\n");
    assert_eq!(kept.count(), 2, "{thrice}");

    let without_host = last.replace("Host: a\r\n", "");
    let received = sent(&gateway, &without_host, 9999).await;
    assert_eq!(statuses(&received), ["200"], "{received}");
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_becomes_chunks_or_ends_with_ours() {
    let gateway = saying("HTTP/1.1 200 OK\r\nX-A: a\r\n\r\nsome text").await;
    let close = "Connection: close\r\n";
    let new = request(&gateway, "GET /a/v1/x HTTP/1.1", "")
        + &request(&gateway, "GET /a/v1/x HTTP/1.1", close);
    let received = sent(&gateway, &new, new.len()).await;
    let chunks = "\r\n\r\n9\r\nsome text\r\n0\r\n\r\n";
    assert_eq!(statuses(&received), ["200", "200"], "{received}");
    assert_eq!(received.matches(chunks).count(), 2, "{received}");

    let old = request(
        &gateway,
        "GET /a/v1/x HTTP/1.0",
        "Connection: keep-alive\r\n",
    );
    let received = sent(&gateway, &old.repeat(2), 9999).await;
    assert_eq!(statuses(&received), ["200"], "{received}");
    assert!(!received.contains("transfer-encoding"), "{received}");
    assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
    assert_eq!(body(&received), "some text");
}

#[tokio::test]
async fn chunks_of_an_upstream_are_none_for_a_client_of_http_1_0() {
    let gateway = saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nsome\r\n5\r\n text\r\n\
         0\r\nX-Trailer: a\r\n\r\n",
    )
    .await;
    let old = request(&gateway, "GET /a/v1/x HTTP/1.0", "");
    let received = sent(&gateway, &old, old.len()).await;
    assert_eq!(body(&received), "some text");
    assert!(!received.contains("transfer-encoding"), "{received}");
}

#[tokio::test]
async fn a_response_without_a_body_announces_none_that_is_not_there() {
    for (method, answer, length) in [
        ("HEAD", "200 OK\r\nContent-Length: 7", Some("7")),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked", None),
        ("HEAD", "200 OK", None),
        ("GET", "304 Not Modified\r\nContent-Length: 7", Some("7")),
        (
            "GET",
            "304 Not Modified\r\nTransfer-Encoding: chunked",
            None,
        ),
        ("GET", "204 No Content\r\nContent-Length: 7", None),
        ("GET", "204 No Content", None),
        ("GET", "200 OK\r\nContent-Length: 0", Some("0")),
    ] {
        let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
        let gateway = saying(&answer).await;
        let line = format!("{method} /a/v1/x HTTP/1.1");
        let last = request(&gateway, "GET /nowhere HTTP/1.1", "Connection: close\r\n");
        let text = request(&gateway, &line, "") + &last;
        let received = sent(&gateway, &text, text.len()).await;
        let (head, next) = received.split_once("\r\n\r\n").unwrap();
        assert!(next.starts_with("HTTP/1.1 404"), "{answer}: {received}");
        let mut lines = head.lines();
        let found = lines.find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(found, length, "{answer}: {received}");
        assert!(!head.contains("transfer-encoding"), "{answer}: {received}");
    }
}

#[tokio::test]
async fn a_target_may_name_its_host_but_nothing_else() {
    let gateway = gateway().await;
    let target = |target: &str| request(&gateway, &format!("GET {target} HTTP/1.1"), "");
    let response = gateway
        .raw(&target("http://b:81/a/v1/x?y").replace('\r', ""))
        .await;
    let told: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(told["uri"], "/x?y");
    assert_eq!(told["headers"]["x-forwarded-host"], "b:81");
    let hostless = target("http://b/a/v1/x").replace("Host: a\r\n", "");
    let hosts = ["a b", "a/b", "user@a", "a\"", "a#", "a?b", "a\\b", "a,b c"];
    let hosts = hosts.map(|host| target("/a/v1/x").replace("Host: a", &format!("Host: {host}")));
    let targets = [
        "*",
        "a",
        "a:80",
        "//",
        "a/v1/x",
        "http://user@b/a/v1/x",
        "http:///a/v1/x",
    ];
    let refused = targets
        .map(target)
        .into_iter()
        .chain(hosts)
        .chain([hostless]);
    for text in refused {
        let status = gateway.raw(&text.replace('\r', "")).await.status;
        assert!([400, 404].contains(&status), "{text}: {status}");
    }
}

#[tokio::test]
async fn a_malformed_request_is_counted_and_told_why() {
    let gateway = gateway().await;
    let count = async || {
        let metrics = gateway.admin.get("/metrics").send().await.text();
        let counted = metrics.lines().filter(|line| {
            line.starts_with("http_requests_total")
                && line.contains("route=\"unmatched\"")
                && line.contains("status=\"400\"")
        });
        let counts = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        counts.sum::<f64>()
    };
    let before = count().await;
    for text in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nno HTTP/2",
    ] {
        let mut socket = gateway.connect().await;
        socket.write_all(text.as_bytes()).await.unwrap();
        let response = RawResponse::read(&mut socket).await;
        assert_eq!(
            (response.status, response.code().as_str()),
            (400, "invalid_request"),
            "{text}"
        );
        assert!(response.head.contains("\r\nx-request-id: "), "{text}");
    }
    assert!(count().await >= before + 4.0);
}

#[tokio::test]
async fn http2_does_not_begin_after_a_request() {
    let gateway = gateway().await;
    let text = request(&gateway, "GET /a/v1/x HTTP/1.1", "") + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let received = sent(&gateway, &text, text.len()).await;
    assert_eq!(statuses(&received), ["200", "400"], "{received}");
}
