use super::*;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 1000,
    fields: 10,
};

fn request(text: &str) -> Result<RequestHead, BadHead> {
    let mut arrived = BytesMut::from(text.replace('\n', "\r\n").as_bytes());
    let head = HeadReader::default().request(&mut arrived, LIMITS)?;
    assert_eq!(&arrived[..], b"more");
    Ok(head.unwrap())
}

fn with(version: &str, lines: &str) -> RequestHead {
    request(&format!("POST / HTTP/{version}\n{lines}\nmore")).unwrap()
}

fn response(lines: &str) -> ResponseHead {
    let text = format!("HTTP/{lines}\n").replace('\n', "\r\n");
    let mut arrived = BytesMut::from(text.as_bytes());
    let head = HeadReader::default().response(&mut arrived, LIMITS);
    head.unwrap().unwrap()
}

#[test]
fn a_request_is_read_field_by_field() {
    let head = request("\nGET /a?b=c HTTP/1.1\nHOST: a\nX-A:  b c \n\nmore").unwrap();
    assert_eq!((head.method, head.version), (Method::GET, Version::HTTP_11));
    assert_eq!(head.uri, "/a?b=c");
    let fields: Vec<_> = head.fields.iter().collect();
    assert_eq!(fields, [(&b"host"[..], &b"a"[..]), (b"x-a", b"b c")]);
}

#[test]
fn a_fragment_is_no_part_of_a_target() {
    let head = request("GET /a#b HTTP/1.1\n\nmore");
    assert_eq!(head.unwrap_err(), BadHead::Malformed);
}

#[test]
fn heads_have_limits() {
    let long = format!("GET /{} HTTP/1.1\n\nmore", "a".repeat(LIMITS.bytes));
    let many = format!("GET / HTTP/1.1\n{}\nmore", "A: a\n".repeat(11));
    for text in [long, many] {
        assert_eq!(request(&text).unwrap_err(), BadHead::TooLarge);
    }
    let mut endless = BytesMut::from(&[b'a'; 1001][..]);
    let head = HeadReader::default().request(&mut endless, LIMITS);
    assert_eq!(head.unwrap_err(), BadHead::TooLarge);
}

#[test]
fn a_body_is_framed_in_one_way_only() {
    for (lines, expected) in [
        ("", Ok((Decoder::Done, false))),
        ("Content-Length: 0\n", Ok((Decoder::Done, false))),
        ("Content-Length: 5\n", Ok((Decoder::Length(5), false))),
        (
            "Content-Length: 5\nContent-Length: 5\n",
            Ok((Decoder::Length(5), false)),
        ),
        (
            "Transfer-Encoding: Chunked\n",
            Ok((Decoder::chunked(), false)),
        ),
        (
            "Content-Length: 5\nTransfer-Encoding: chunked\n",
            Ok((Decoder::chunked(), true)),
        ),
        (
            "Content-Length: 5\nContent-Length: 6\n",
            Err(BadHead::Malformed),
        ),
        ("Content-Length: 5, 5\n", Err(BadHead::Malformed)),
        ("Content-Length: +5\n", Err(BadHead::Malformed)),
        ("Content-Length:\n", Err(BadHead::Malformed)),
        (
            "Content-Length: 99999999999999999999\n",
            Err(BadHead::Malformed),
        ),
        (
            "Transfer-Encoding: gzip, chunked\n",
            Err(BadHead::Malformed),
        ),
        (
            "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n",
            Err(BadHead::Malformed),
        ),
    ] {
        assert_eq!(with("1.1", lines).body(), expected, "{lines}");
    }
    let old = with("1.0", "Transfer-Encoding: chunked\n").body();
    assert_eq!(old, Err(BadHead::Malformed));
}

#[test]
fn one_length_goes_on_or_none() {
    let mut twice = with("1.1", "Content-Length: 5\nContent-Length: 5\n");
    twice.body().unwrap();
    assert_eq!(twice.fields.only("content-length"), Some(&b"5"[..]));
    let mut both = with("1.1", "Content-Length: 5\nTransfer-Encoding: chunked\n");
    both.body().unwrap();
    assert_eq!(both.fields.get("content-length"), None);
}

#[test]
fn a_response_has_the_body_its_request_and_status_allow() {
    for (method, lines, expected) in [
        (
            "GET",
            "1.1 200 OK\nContent-Length: 5\n",
            (Decoder::Length(5), false),
        ),
        (
            "HEAD",
            "1.1 200 OK\nContent-Length: 5\n",
            (Decoder::Done, false),
        ),
        (
            "GET",
            "1.1 304 Not Modified\nContent-Length: 5\n",
            (Decoder::Done, false),
        ),
        ("GET", "1.1 204 No Content\n", (Decoder::Done, false)),
        ("GET", "1.1 200 OK\n", (Decoder::UntilEnd, true)),
        (
            "GET",
            "1.1 200 OK\nTransfer-Encoding: chunked\n",
            (Decoder::chunked(), false),
        ),
        (
            "GET",
            "1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5\n",
            (Decoder::chunked(), true),
        ),
        (
            "GET",
            "1.0 200 OK\nConnection: keep-alive\nTransfer-Encoding: chunked\n",
            (Decoder::chunked(), true),
        ),
    ] {
        let method = method.parse().unwrap();
        assert_eq!(response(lines).body(&method), Ok(expected), "{lines}");
    }
    let lengths = "1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n";
    for method in [Method::GET, Method::HEAD] {
        let torn = response(lengths).body(&method);
        assert_eq!(torn, Err(BadHead::Malformed), "{method}");
    }
}

#[test]
fn a_length_is_told_once_and_only_where_there_could_be_a_body() {
    for (status, expected) in [
        ("200 OK", Some(&b"5"[..])),
        ("304 Not Modified", Some(b"5")),
        ("204 No Content", None),
        ("101 Switching Protocols", None),
    ] {
        let mut head = response(&format!(
            "1.1 {status}\nContent-Length: 5\nContent-Length: 5\n"
        ));
        head.body(&Method::HEAD).unwrap();
        assert_eq!(head.fields.only("content-length"), expected, "{status}");
    }
}

#[test]
fn a_connection_is_kept_as_its_version_says() {
    for (version, lines, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: x, Close\n", false),
        ("1.1", "Connection: keep-alive\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\n", true),
        ("1.0", "Connection: keep-alive, close\n", false),
    ] {
        assert_eq!(with(version, lines).keeps_alive(), expected, "{lines}");
    }
}
