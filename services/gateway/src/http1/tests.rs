//! What this reads is what hyper reads, or less: requests made of good and bad pieces, the same at
//! every run.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::BytesMut;
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const CASES: u64 = 4000;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4096,
    fields: 100,
};

const METHODS: &[&str] = &[
    "GET", "POST", "HEAD", "OPTIONS", "PURGE", "get", "G T", "", "\x01",
];
const TARGETS: &[&str] = &[
    "/",
    "/a?b=c",
    "/a%20b",
    "*",
    "http://a/b",
    "//a",
    "a:80",
    "a",
    "/a b",
    "/\u{e9}",
    "/a\tb",
    "/<\"{}>",
    "/a#b",
    "",
    "/\\",
    "http://u@a/",
];
const VERSIONS: &[&str] = &[
    "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "",
];
const LINE_ENDS: &[&str] = &["\n", "\r", "\r\r\n", "\n\r", "\0\r\n", " \r\n", ""];
const FIELDS: &[&str] = &[
    "Host: a",
    "Host:a",
    "X-A:",
    "X-A: \t b\t",
    "X-A: \u{e9}",
    "X-A : a",
    " X-A: a",
    "X-A",
    ": a",
    "X(A): a",
    "X-A: a\0b",
    "X-A: a\rb",
    "X-A: \x7f",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: x, close",
    "Expect: 100-continue",
    "Content-Length: 5",
    "Content-Length: 6",
    "Content-Length: 05",
    "Content-Length: 0",
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: 5, 5",
    "Content-Length: 5 5",
    "Content-Length:",
    "Content-Length: 0x5",
    "Content-Length: 18446744073709551616",
    "Content_Length: 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked ",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding:",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding: chunked;a=b",
    "Upgrade: websocket",
    "Trailer: X-T",
];
const FRAMINGS: &[&str] = &[
    "",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
];
const SIZES: &[&str] = &[
    "5",
    "05",
    "5 ",
    "5\t",
    "5;a",
    "5;a=\"b\"",
    "5 ;a",
    "5;a\tb",
    " 5",
    "0x5",
    "+5",
    "-5",
    "5 5",
    "",
    "g",
    "fffffffffffffffff",
    "5\r",
    "5;\r",
    "5\0",
    "5\x0c",
    "4",
    "6",
    "A",
];
const TRAILERS: &[&str] = &[
    "",
    "X-T: a\r\n",
    "X-T\r\n",
    " X-T: a\r\n",
    "X-T: a\0\r\n",
    "X-T : a\r\n",
];

/// A source of numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        for shift in [13, -7, 17_i32] {
            let number = self.0;
            self.0 ^= match shift {
                1.. => number << shift,
                _ => number >> -shift,
            };
        }
        usize::try_from(self.0 >> 16).unwrap() % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Mostly `usual`, and one of the others now and then.
    fn mostly<'a>(&mut self, usual: &'a str, others: &[&'a str]) -> &'a str {
        if self.below(12) > 0 {
            usual
        } else {
            self.pick(others)
        }
    }

    fn line(&mut self, text: &str) -> String {
        [text, self.mostly("\r\n", LINE_ENDS)].concat()
    }

    fn request(&mut self) -> String {
        let first = [
            self.mostly("POST", METHODS),
            self.mostly("/a", TARGETS),
            self.mostly("HTTP/1.1", VERSIONS),
        ];
        let mut text = self.mostly("", &["\r\n", "\n", " "]).to_owned();
        let first = first.join(self.mostly(" ", &["  ", "\t", ""]));
        text += &self.line(&first);
        text += &self.line("Host: a");
        text += self.pick(FRAMINGS);
        for _ in 0..self.below(3) {
            let field = self.mostly("X-B: b", FIELDS);
            text += &self.line(field);
        }
        text += &self.line("");
        for _ in 0..self.below(3) {
            let size = self.mostly("5", SIZES);
            text += &self.line(size);
            text += &self.line("hello");
        }
        text += &self.line("0");
        text += self.mostly("", TRAILERS);
        text += &self.line("");
        text
    }

    /// One or two requests, some of them with a byte that was put in, changed or taken out.
    fn connection(&mut self) -> Vec<u8> {
        let mut text = self.request().into_bytes();
        text.extend(self.request().into_bytes());
        if self.below(2) == 0 {
            let place = self.below(text.len());
            let byte = self.pick(&["\r", "\n", " ", "\t", ":", ";", "0", "\0", "\x7f", "a"]);
            match self.below(3) {
                0 => text.insert(place, byte.as_bytes()[0]),
                1 => text[place] = byte.as_bytes()[0],
                _ => drop(text.remove(place)),
            }
        }
        text
    }
}

/// A request that was read to its end.
#[derive(Debug, PartialEq)]
struct Read {
    method: String,
    target: String,
    is_old: bool,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// In the order of their names, and without the lengths, which both mend.
fn sorted<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<(String, Vec<u8>)> {
    let name = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
    let fields = fields.map(|(n, value)| (name(n), value.to_vec()));
    let mut fields: Vec<_> = fields
        .filter(|(name, _)| name != "content-length")
        .collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

/// The requests in `text` as they are read here when it comes in pieces of `step` bytes.
fn ours(text: &[u8], step: usize) -> Vec<Read> {
    let mut pieces = text.chunks(step);
    let (mut arrived, mut all) = (BytesMut::new(), Vec::new());
    loop {
        let mut reader = HeadReader::default();
        let mut head = loop {
            match reader.request(&mut arrived, LIMITS) {
                Ok(Some(head)) => break head,
                Ok(None) => {}
                Err(_) => return all,
            }
            let Some(piece) = pieces.next() else {
                return all;
            };
            arrived.extend_from_slice(piece);
        };
        let Ok((mut decoder, must_end)) = head.body() else {
            return all;
        };
        let mut body = Vec::new();
        while !decoder.is_done() {
            match decoder.decode(&mut arrived) {
                Ok(Some(data)) => body.extend_from_slice(&data),
                Ok(None) if decoder.is_done() => {}
                Ok(None) => {
                    let Some(piece) = pieces.next() else {
                        return all;
                    };
                    arrived.extend_from_slice(piece);
                }
                Err(_) => return all,
            }
        }
        let goes_on = head.keeps_alive() && !must_end;
        all.push(Read {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            is_old: head.version == http::Version::HTTP_10,
            fields: sorted(head.fields.iter()),
            body,
        });
        if !goes_on {
            return all;
        }
    }
}

/// The requests in `text` as hyper reads them.
async fn hypers(text: &[u8]) -> Vec<Read> {
    let all = Arc::<Mutex<Vec<Read>>>::default();
    let seen = Arc::clone(&all);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                let fields = head.headers.iter();
                let fields =
                    fields.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
                seen.lock().unwrap().push(Read {
                    method: head.method.to_string(),
                    target: head.uri.to_string(),
                    is_old: head.version == http::Version::HTTP_10,
                    fields: sorted(fields),
                    body: body.to_bytes().to_vec(),
                });
            }
            Ok::<_, Infallible>(hyper::Response::new(Empty::<bytes::Bytes>::new()))
        }
    });
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let mut builder = http1::Builder::new();
    let serving = builder
        .half_close(true)
        .serve_connection(TokioIo::new(near), service);
    let talking = async {
        far.write_all(text).await.unwrap();
        far.shutdown().await.unwrap();
        far.read_to_end(&mut Vec::new()).await.ok();
    };
    // It fails when the text does.
    let (served, ()) = tokio::join!(serving, talking);
    served.ok();
    std::mem::take(&mut *all.lock().unwrap())
}

#[tokio::test]
async fn whatever_is_read_here_is_read_the_same_by_hyper() {
    let mut accepted = [0; 3];
    for case in 1..=CASES {
        let mut numbers = Numbers(case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let text = numbers.connection();
        let ours_whole = ours(&text, text.len());
        let shown = || String::from_utf8_lossy(&text).into_owned();
        let step = 1 + numbers.below(9);
        assert_eq!(
            ours(&text, step),
            ours_whole,
            "{case}, by {step}: {:?}",
            shown()
        );
        let hypers = hypers(&text).await;
        let same = hypers.get(..ours_whole.len());
        assert_eq!(same, Some(&*ours_whole), "{case}: {:?}", shown());
        accepted[ours_whole.len().min(2)] += 1;
    }
    // Enough of each kind for this to mean something.
    assert!(accepted.iter().all(|count| *count > 100), "{accepted:?}");
}
