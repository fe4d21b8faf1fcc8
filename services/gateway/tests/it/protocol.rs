use tokio::io::AsyncWriteExt;

use crate::kit::{Gateway, RawResponse, Setup, echo};

async fn gateway() -> Gateway {
    Setup::route(echo().await, "").start().await
}

/// A request with these header lines and this body.
async fn post(gateway: &Gateway, lines: &str, body: &str) -> RawResponse {
    let key = &gateway.anon_key;
    let head = format!("POST /a/v1/x HTTP/1.1\nHost: a\napikey: {key}\n{lines}\n");
    gateway.raw(&format!("{head}{body}")).await
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let gateway = gateway().await;
    for lines in [
        "Content-Length: 5\nContent-Length: 6\n",
        "Content-Length: 5, 6\n",
        "Content-Length: +5\n",
        "Content-Length: -1\n",
        "Content-Length: 0x5\n",
        "Content-Length: 5 5\n",
        "Content-Length: 99999999999999999999\n",
        "Transfer-Encoding: chunked, identity\n",
        "Transfer-Encoding: xchunked\n",
        "Transfer-Encoding: chunked\nTransfer-Encoding: identity\n",
    ] {
        assert_eq!(post(&gateway, lines, "hello").await.status, 400, "{lines}");
    }
}

#[tokio::test]
async fn a_repeated_equal_length_is_passed_on_once() {
    let gateway = gateway().await;
    let response = post(&gateway, "Content-Length: 5\nContent-Length: 5\n", "hello").await;
    assert_eq!(response.status, 200);
    let told: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(told["headers"]["content-length"], "5");
    assert_eq!(told["body"], "hello");
}

#[tokio::test]
async fn chunked_beats_a_length_and_nothing_after_it_is_served() {
    let gateway = gateway().await;
    let smuggled = "0\n\nGET /a/v1/smuggled HTTP/1.1\nHost: a\n\n";
    for lines in [
        "Content-Length: 4\nTransfer-Encoding: chunked\n",
        "Transfer-Encoding: chunked\nContent-Length: 4\n",
    ] {
        let mut socket = gateway.connect().await;
        let key = &gateway.anon_key;
        let text = format!("POST /a/v1/x HTTP/1.1\nHost: a\napikey: {key}\n{lines}\n{smuggled}");
        socket
            .write_all(text.replace('\n', "\r\n").as_bytes())
            .await
            .unwrap();
        let response = RawResponse::read(&mut socket).await;
        assert_eq!(response.status, 200, "{lines}");
        let told: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(told["headers"]["content-length"], serde_json::Value::Null);
        assert_eq!(told["body"], "");
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut rest)
            .await
            .ok();
        assert!(rest.is_empty(), "the connection ends: {lines}");
    }
}

#[tokio::test]
async fn malformed_heads_are_refused() {
    let gateway = gateway().await;
    for (what, head) in [
        (
            "obs-fold",
            "GET /a/v1/x HTTP/1.1\nHost: a\nX-Folded: a\n b\n\n",
        ),
        (
            "space before colon",
            "GET /a/v1/x HTTP/1.1\nHost: a\nX-Space : a\n\n",
        ),
        ("leading space", "GET /a/v1/x HTTP/1.1\n Host: a\n\n"),
        ("no colon", "GET /a/v1/x HTTP/1.1\nHost: a\nNonsense\n\n"),
        (
            "control character",
            "GET /a/v1/x HTTP/1.1\nHost: a\nX-A: a\u{1}b\n\n",
        ),
        ("bad method", "G@T /a/v1/x HTTP/1.1\nHost: a\n\n"),
        ("bad version", "GET /a/v1/x HTTP/1.9\nHost: a\n\n"),
        ("two hosts", "GET /a/v1/x HTTP/1.1\nHost: a\nHost: b\n\n"),
        ("no host", "GET /a/v1/x HTTP/1.1\nConnection: close\n\n"),
        (
            "chunked in HTTP/1.0",
            "POST /a/v1/x HTTP/1.0\nTransfer-Encoding: chunked\n\n0\n\n",
        ),
        ("empty name", "GET /a/v1/x HTTP/1.1\nHost: a\n: a\n\n"),
    ] {
        assert_eq!(gateway.raw(head).await.status, 400, "{what}");
    }
}

/// What comes back for these bytes on a connection of their own, and whether it ends then.
async fn sent_raw(gateway: &Gateway, pieces: &[&str]) -> String {
    let mut socket = gateway.connect().await;
    for piece in pieces {
        socket.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut received = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut received);
    let end = tokio::time::timeout(std::time::Duration::from_secs(10), reading).await;
    end.expect("the connection ends").ok();
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn a_line_of_a_head_ends_with_both_characters_or_is_refused() {
    let gateway = gateway().await;
    let key = &gateway.anon_key;
    let good = format!("GET /a/v1/x HTTP/1.1\r\nHost: a\r\napikey: {key}\r\nX-A: a\r\n\r\n");
    let lines: Vec<&str> = good.split_inclusive("\r\n").collect();
    let spoilt = (0..lines.len()).flat_map(|at| {
        let (before, after) = (lines[..at].concat(), lines[at + 1..].concat());
        let line = lines[at].trim_end();
        ["\n", "\r", "\0", "\n\r", "\r\r\n", "\0\r\n"]
            .map(|end| [&*before, line, end, &*after].concat())
    });
    let leading = ["\n", "\r", "\0"].map(|start| [start, &good].concat());
    let within = ["\r", "\n", "\0"].map(|byte| good.replace("X-A: a", &format!("X-A: a{byte}b")));
    for head in spoilt.chain(leading).chain(within) {
        let text = format!("{head}GET /a/v1/second HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = sent_raw(&gateway, &[&text]).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_bare_line_feed_is_found_wherever_a_head_begins() {
    let gateway = gateway().await;
    let key = &gateway.anon_key;
    let head =
        |more: &str| format!("POST /a/v1/x HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n{more}\r\n");
    let spoilt = format!("GET /a/v1/y HTTP/1.1\r\nHost: a\nX-A: b\r\napikey: {key}\r\n\r\n");
    let sized = head("Content-Length: 8\r\n") + "a\nb\r\n\n\n\n";
    let chunked = head("Transfer-Encoding: chunked\r\n") + "3\r\na\nb\r\n0\r\n\r\n";
    for first in [head(""), sized, chunked] {
        // In one piece, in two, and within the bad line.
        let both = [&first, &spoilt].map(String::as_str).concat();
        let (start, end) = both.split_at(both.len() - 60);
        for pieces in [&[&*both][..], &[&first, &spoilt], &[start, end]] {
            let answers = sent_raw(&gateway, pieces).await;
            let statuses = answers.split("HTTP/1.1 ").skip(1);
            let statuses: Vec<_> = statuses.filter_map(|text| text.get(..3)).collect();
            assert_eq!(statuses, ["200", "400"], "{pieces:?}");
        }
    }
}

#[tokio::test]
async fn a_body_may_contain_any_bytes() {
    let gateway = gateway().await;
    let body = "\n\r\0GET / HTTP/1.1\n\n";
    let request = gateway.client.post("/a/v1/x");
    let request = request.header("apikey", &gateway.anon_key);
    let told = request.body(body).send().await.json();
    assert_eq!(told["body"], body);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let gateway = gateway().await;
    let long_path = format!("GET /{} HTTP/1.1\nHost: a\n\n", "a".repeat(70_000));
    let long_header = format!("GET / HTTP/1.1\nHost: a\nX-A: {}\n\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\nHost: a\n{}\n", "X-A: a\n".repeat(200));
    for (head, statuses) in [
        (long_path, [414, 431]),
        (long_header, [431, 431]),
        (many, [431, 431]),
    ] {
        let status = gateway.raw(&head).await.status;
        assert!(statuses.contains(&status), "{status}");
    }
}

#[tokio::test]
async fn broken_chunks_are_not_passed_on_as_a_whole_body() {
    let gateway = gateway().await;
    for body in [
        "zz\nhello\n0\n\n",
        "5\nhello0\n\n",
        "5;a\rb\nhello\n0\n\n",
        "-5\nhello\n0\n\n",
        "5 5\nhello\n0\n\n",
        "0x5\nhello\n0\n\n",
        "fffffffffffffffff\nhello\n",
    ] {
        let response = post(&gateway, "Transfer-Encoding: chunked\n", body).await;
        assert_eq!(
            (response.status, response.code().as_str()),
            (400, "invalid_body"),
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn methods_of_proxies_are_not_served() {
    let gateway = gateway().await;
    let key = &gateway.anon_key;
    let trace = format!("TRACE /a/v1/x HTTP/1.1\nHost: a\napikey: {key}\n\n");
    assert_eq!(gateway.raw(&trace).await.status, 405);
    let connect = "CONNECT evil.example:443 HTTP/1.1\nHost: evil.example:443\n\n";
    assert_eq!(gateway.raw(connect).await.status, 405);
}

#[tokio::test]
async fn several_requests_share_a_connection() {
    let gateway = gateway().await;
    let mut socket = gateway.connect().await;
    for number in 0..3 {
        let text = format!(
            "GET /a/v1/{number} HTTP/1.1\r\nHost: a\r\napikey: {}\r\n\r\n",
            gateway.anon_key
        );
        socket.write_all(text.as_bytes()).await.unwrap();
        let response = RawResponse::read(&mut socket).await;
        assert!(
            response.body.contains(&format!("\"/{number}\"")),
            "{}",
            response.body
        );
    }
}

#[tokio::test]
async fn a_chunk_that_ends_with_a_bare_line_feed_is_refused() {
    let gateway = gateway().await;
    let key = &gateway.anon_key;
    for body in ["5\nhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n"] {
        let mut socket = gateway.connect().await;
        let text = format!(
            "POST /a/v1/x HTTP/1.1\r\nHost: a\r\napikey: {key}\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}"
        );
        socket.write_all(text.as_bytes()).await.unwrap();
        let response = RawResponse::read(&mut socket).await;
        assert_eq!(
            (response.status, response.code().as_str()),
            (400, "invalid_body"),
            "{body:?}"
        );
    }
}
