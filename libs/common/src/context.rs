//! What is known about the request being served, wherever the code happens to be.
//!
//! The context travels as a task-local value: log lines, error envelopes and calls to other
//! services read it without every function having to carry it.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderName, HeaderValue};

tokio::task_local! {
    static CURRENT: Arc<RequestContext>;
}

/// Header that names a request across all services.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Header of the W3C trace context (Trace Context, 3.2).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest request id taken over from a caller.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Identity of one request, plus what was learnt while serving it.
#[derive(Debug)]
pub struct RequestContext {
    id: HeaderValue,
    trace: Trace,
    began: SystemTime,
    clock: Instant,
    user: OnceLock<String>,
}

impl RequestContext {
    /// As [`Self::new`], of these headers.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let value = |name| headers.get(name).map(HeaderValue::as_bytes);
        Self::new(value(REQUEST_ID), value(TRACEPARENT))
    }

    /// Takes over the caller's request id and trace where they are sane, else makes new ones.
    #[expect(
        clippy::disallowed_methods,
        reason = "a span's time is the machine's own"
    )]
    pub fn new(id: Option<&[u8]>, trace: Option<&[u8]>) -> Self {
        let began = SystemTime::now();
        let id = id
            .filter(|id| is_sane_id(id))
            .and_then(|id| HeaderValue::from_bytes(id).ok())
            .unwrap_or_else(|| new_id(began));
        let trace = trace
            .and_then(|header| Trace::parse(str::from_utf8(header).ok()?))
            .unwrap_or_default();
        Self {
            id,
            trace,
            began,
            clock: Instant::now(),
            user: OnceLock::new(),
        }
    }

    /// The context of the request being served by this task, if any.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Runs `work` as part of this request.
    pub fn scope<F: Future>(self: Arc<Self>, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// The request id, as a header value.
    pub fn id_header(&self) -> &HeaderValue {
        &self.id
    }

    /// The request id.
    pub fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The trace this request belongs to.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// When the request arrived, by the wall clock.
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// Time since the request arrived.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Time from its arrival to `moment`.
    pub fn elapsed_at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.clock)
    }

    /// Notes who is calling, for the access log.
    pub fn set_user(&self, id: &str) {
        self.user.get_or_init(|| id.to_owned());
    }

    /// Who is calling, once known.
    pub fn user(&self) -> Option<&str> {
        self.user.get().map(String::as_str)
    }
}

/// Position in a distributed trace: the caller's trace id and a span id of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
    parent: Option<u64>,
    sampled: bool,
}

impl Trace {
    /// Starts a trace.
    pub fn new() -> Self {
        Self {
            id: rand::random::<u128>().max(1),
            span: rand::random::<u64>().max(1),
            parent: None,
            sampled: true,
        }
    }

    /// Continues the trace of a `traceparent` header with a new span; `None` when it is malformed.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let more = parts.next().is_some();
        let lengths = (version.len(), trace.len(), span.len(), flags.len());
        if lengths != (2, 32, 16, 2) || version == "ff" || (version == "00" && more) {
            return None;
        }
        let lower_hex = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if ![version, trace, span, flags].into_iter().all(lower_hex) {
            return None;
        }
        let id = u128::from_str_radix(trace, 16).ok()?;
        let parent = u64::from_str_radix(span, 16).ok()?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (id != 0 && parent != 0).then(|| Self {
            id,
            span: rand::random::<u64>().max(1),
            parent: Some(parent),
            sampled: flags & 1 == 1,
        })
    }

    /// The trace id.
    pub fn id(&self) -> u128 {
        self.id
    }

    /// The id of our own span.
    pub fn span(&self) -> u64 {
        self.span
    }

    /// The span of the caller, when it sent one.
    pub fn parent(&self) -> Option<u64> {
        self.parent
    }

    /// Whether somebody wants to see this trace.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The trace id as 32 hexadecimal digits.
    pub fn id_hex(&self) -> [u8; 32] {
        let mut text = [0; 32];
        write_hex(&self.id.to_be_bytes(), &mut text);
        text
    }

    /// The header to send on a call made within this span.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.header_text())
            .unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// What that header says.
    pub fn header_text(&self) -> [u8; 55] {
        // Every request has one: the general machinery would cost more than all the rest of it.
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let (_, rest) = text.split_at_mut(3);
        let (id, rest) = rest.split_at_mut(33);
        let (span, flags) = rest.split_at_mut(17);
        write_hex(&self.id.to_be_bytes(), id);
        write_hex(&self.span.to_be_bytes(), span);
        write_hex(&[u8::from(self.sampled)], flags);
        text
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a caller's request id may be repeated in logs and headers.
fn is_sane_id(id: &[u8]) -> bool {
    !id.is_empty()
        && id.len() <= MAX_REQUEST_ID_BYTES
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
}

/// Writes `bytes` into `text` in lower-case hexadecimal.
fn write_hex(bytes: &[u8], text: &mut [u8]) {
    // Without a branch: the digits of random bytes cannot be predicted.
    let digit = |value: u8| b'0' + value + u8::from(value > 9) * (b'a' - b'0' - 10);
    let (pairs, _) = text.as_chunks_mut();
    for ([high, low], byte) in pairs.iter_mut().zip(bytes) {
        *high = digit(byte >> 4);
        *low = digit(byte & 15);
    }
}

fn new_id(now: SystemTime) -> HeaderValue {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or_default();
    // The generator of this thread: asking the system for every id costs more than the rest.
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &rand::random());
    let mut text = [0; 32];
    let text = id.as_uuid().simple().encode_lower(&mut text);
    HeaderValue::try_from(&*text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn context_with(name: HeaderName, value: &'static str) -> RequestContext {
        RequestContext::from_headers(&HeaderMap::from_iter([(
            name,
            HeaderValue::from_static(value),
        )]))
    }

    #[test]
    fn a_sane_request_id_is_kept_and_another_is_replaced() {
        assert_eq!(context_with(REQUEST_ID, "abc-1.2:3").id(), "abc-1.2:3");
        assert_ne!(context_with(REQUEST_ID, "a b").id(), "a b");
        assert_ne!(context_with(REQUEST_ID, "").id(), "");
    }

    #[test]
    fn a_trace_is_continued_with_a_span_of_its_own() {
        let trace = Trace::parse(PARENT).unwrap();
        assert_eq!(&trace.id_hex(), b"4bf92f3577b34da6a3ce929d0e0e4736");
        let onward = trace.header();
        assert!(
            onward
                .to_str()
                .unwrap()
                .starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-")
        );
        assert_ne!(onward, PARENT);
    }

    #[test]
    fn malformed_traces_are_not_continued() {
        for header in [
            "",
            "00-4bf9-00f0-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        ] {
            assert_eq!(Trace::parse(header), None, "{header}");
        }
    }
}
