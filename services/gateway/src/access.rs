//! What is written down about a request: one log line, a few numbers.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use common::{
    context::RequestContext,
    spans,
    telemetry::{self, HTTP_DURATION, HTTP_REQUESTS, RequestLine},
};
use http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// Histogram of the time upstreams take until the head of a response, in seconds, by `route`.
const UPSTREAM_DURATION: &str = "gateway_upstream_duration_seconds";

/// The methods that are told apart in metrics.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const OTHER: &str = "OTHER";

/// The numbers of one route. Looked up by small keys, so that counting a request allocates nothing.
#[derive(Debug)]
pub(crate) struct Meters {
    template: Arc<str>,
    requests: RwLock<HashMap<RequestKind, Counter>>,
    /// One for each of [`METHODS`], and one for all others.
    durations: Vec<Histogram>,
    upstream: Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RequestKind {
    method: &'static str,
    consumer: Option<usize>,
    status: u16,
}

/// What is known about a request when it is answered.
pub(crate) struct Entry<'a> {
    pub(crate) context: &'a RequestContext,
    pub(crate) method: &'a Method,
    /// The consumer's index, and its name.
    pub(crate) consumer: (Option<usize>, &'a str),
    pub(crate) status: StatusCode,
    pub(crate) duration: Duration,
    /// Time the upstream took, if it was asked.
    pub(crate) upstream: Option<Duration>,
}

impl Meters {
    /// Meters that call the route `template`.
    pub(crate) fn new(template: impl Into<Arc<str>>) -> Self {
        let template = template.into();
        let durations = METHODS.into_iter().chain([OTHER]).map(|method| {
            let route = metrics::Label::new("route", Arc::clone(&template));
            let labels = vec![label("service", "gateway"), label("method", method), route];
            metrics::histogram!(HTTP_DURATION, labels)
        });
        let route = metrics::Label::new("route", Arc::clone(&template));
        Self {
            durations: durations.collect(),
            upstream: metrics::histogram!(UPSTREAM_DURATION, vec![route]),
            requests: RwLock::default(),
            template,
        }
    }

    /// Logs and counts a request.
    pub(crate) fn record(&self, entry: &Entry<'_>) {
        let position = METHODS
            .iter()
            .position(|known| *known == entry.method.as_str());
        // What a client makes up is no label.
        let method = position.map_or(OTHER, |index| METHODS[index]);
        let kind = RequestKind {
            method,
            consumer: entry.consumer.0,
            status: entry.status.as_u16(),
        };
        self.count(kind, entry.consumer.1);
        if let Some(histogram) = self.durations.get(position.unwrap_or(METHODS.len())) {
            histogram.record(entry.duration.as_secs_f64());
        }
        if let Some(upstream) = entry.upstream {
            self.upstream.record(upstream.as_secs_f64());
        }
        telemetry::log_request(&RequestLine {
            service: "gateway",
            context: entry.context,
            method: kind.method,
            route: &self.template,
            status: kind.status,
            duration: entry.duration,
            consumer: Some(entry.consumer.1),
            upstream: entry.upstream,
        });
        spans::record(
            "gateway",
            entry.context,
            kind.method,
            &self.template,
            entry.status,
        );
    }

    fn count(&self, kind: RequestKind, consumer: &str) {
        let known = self.requests.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(&kind) {
            counter.increment(1);
            return;
        }
        drop(known);
        let labels = vec![
            label("service", "gateway"),
            label("method", kind.method),
            metrics::Label::new("consumer", consumer.to_owned()),
            metrics::Label::new("route", Arc::clone(&self.template)),
            metrics::Label::new("status", kind.status.to_string()),
        ];
        let counter = metrics::counter!(HTTP_REQUESTS, labels);
        let mut known = self
            .requests
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.entry(kind).or_insert(counter).increment(1);
    }
}

fn label(key: &'static str, value: &'static str) -> metrics::Label {
    metrics::Label::from_static_parts(key, value)
}
