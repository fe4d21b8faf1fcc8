//! The log line of a request. Every request has one, so it is written by hand: going through the
//! general machinery costs as much as parsing the request.

use std::{cell::RefCell, time::Duration};

use time::OffsetDateTime;

use super::lines::Lines;
use crate::context::RequestContext;

/// What is logged of a request.
#[derive(Debug)]
pub struct RequestLine<'a> {
    /// The service that answered.
    pub service: &'static str,
    /// Identity of the request.
    pub context: &'a RequestContext,
    /// Method, from a closed set.
    pub method: &'static str,
    /// Template of the route.
    pub route: &'a str,
    /// Status of the response.
    pub status: u16,
    /// Time until the head of the response.
    pub duration: Duration,
    /// Whose key was used, at the gateway.
    pub consumer: Option<&'a str>,
    /// Time the upstream took, at the gateway.
    pub upstream: Option<Duration>,
}

/// What stands in every line, between its time and the rest.
const ALWAYS: &str = concat!(
    r#"","level":"INFO","message":"request","version":""#,
    env!("CARGO_PKG_VERSION"),
    '"'
);

/// Time of day up to the second, which thousands of lines share.
struct Second {
    unix: i64,
    text: String,
}

thread_local! {
    static SECOND: RefCell<Second> = const {
        RefCell::new(Second { unix: i64::MIN, text: String::new() })
    };
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl RequestLine<'_> {
    /// Writes the line as JSON.
    pub(super) fn write(&self, lines: &Lines) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.append_to(line);
            lines.append(line, false);
        });
    }

    fn append_to(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"timestamp\":\"");
        append_time(line, (self.context.began() + self.duration).into());
        line.extend_from_slice(ALWAYS.as_bytes());
        plain(line, "service", self.service.as_bytes());
        plain(line, "request_id", self.context.id_header().as_bytes());
        plain(line, "trace_id", &self.context.trace().id_hex());
        plain(line, "method", self.method.as_bytes());
        text(line, "route", self.route);
        key(line, "status");
        number(line, self.status.into(), 1);
        milliseconds(line, "duration_ms", self.duration);
        if let Some(upstream) = self.upstream {
            milliseconds(line, "upstream_ms", upstream);
        }
        if let Some(consumer) = self.consumer {
            text(line, "consumer", consumer);
        }
        if let Some(user) = self.context.user() {
            text(line, "user.id", user);
        }
        line.extend_from_slice(b"}\n");
    }
}

fn append_time(line: &mut Vec<u8>, now: OffsetDateTime) {
    SECOND.with_borrow_mut(|second| {
        if second.unix != now.unix_timestamp() {
            second.unix = now.unix_timestamp();
            second.text = format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                now.year(),
                u8::from(now.month()),
                now.day(),
                now.hour(),
                now.minute(),
                now.second()
            );
        }
        line.extend_from_slice(second.text.as_bytes());
    });
    line.push(b'.');
    number(line, now.microsecond().into(), 6);
    line.push(b'Z');
}

fn text(line: &mut Vec<u8>, name: &str, value: &str) {
    if value
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte))
    {
        plain(line, name, value.as_bytes());
    } else {
        key(line, name);
        serde_json::to_writer(line, value).ok();
    }
}

/// Appends text in which nothing has to be escaped: of our own, or checked on its way in.
fn plain(line: &mut Vec<u8>, name: &str, value: &[u8]) {
    key(line, name);
    line.push(b'"');
    line.extend_from_slice(value);
    line.push(b'"');
}

fn milliseconds(line: &mut Vec<u8>, name: &str, duration: Duration) {
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    key(line, name);
    number(line, microseconds / 1000, 1);
    line.push(b'.');
    number(line, microseconds % 1000, 3);
}

/// Appends `value` in decimal, with zeros in front up to `width` digits.
fn number(line: &mut Vec<u8>, value: u64, width: usize) {
    let (start, mut rest) = (line.len(), value);
    while rest > 0 || line.len() < start + width {
        line.push(b'0' + u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
    }
    line.get_mut(start..).unwrap_or_default().reverse();
}

fn key(line: &mut Vec<u8>, name: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_is_json_whatever_is_in_it() {
        let context = RequestContext::from_headers(&HeaderMap::new());
        context.set_user("somebody \"else\"\n");
        let request = RequestLine {
            service: "test",
            context: &context,
            method: "GET",
            route: "/a\\b/{id}",
            status: 204,
            duration: Duration::from_micros(1234),
            consumer: Some("anon"),
            upstream: Some(Duration::from_micros(7)),
        };
        let mut line = Vec::new();
        request.append_to(&mut line);
        let parsed: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(parsed["user.id"], "somebody \"else\"\n");
        assert_eq!(parsed["route"], "/a\\b/{id}");
        assert_eq!(parsed["status"], 204);
        assert_eq!(parsed["duration_ms"], 1.234);
        assert_eq!(parsed["upstream_ms"], 0.007);
        assert_eq!(parsed["trace_id"].as_str().unwrap().len(), 32);
        let timestamp = parsed["timestamp"].as_str().unwrap();
        assert_eq!(
            timestamp.len(),
            "2026-11-21T08:12:02.844731Z".len(),
            "{timestamp}"
        );
    }
}
