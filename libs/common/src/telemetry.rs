//! Logs, metrics and the TLS provider: what a process has one of, set up by its `main`, never by a
//! service.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use url::Url;

use self::lines::Lines;
pub use self::request_line::RequestLine;
use crate::{
    config::{Env, FromEnv},
    spans,
};

mod lines;
mod request_line;

/// Counter of requests by `service`, `method`, `route` and `status`.
pub const HTTP_REQUESTS: &str = "http_requests_total";
/// Histogram of request durations in seconds, by `service`, `method` and `route`.
pub const HTTP_DURATION: &str = "http_request_duration_seconds";
/// Gauge by `service` and `dependency`: 1 when the service can use it, 0 when not.
pub const DEPENDENCY_UP: &str = "dependency_up";

/// How often measurements are put into their buckets when nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Whether the log of this process is JSON on standard output.
static WRITES_JSON: AtomicBool = AtomicBool::new(false);

const DURATION_BUCKETS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How to log, and where to send spans.
#[derive(Clone, Debug)]
pub struct Settings {
    filter: String,
    pretty: bool,
    collector: Option<Url>,
}

impl FromEnv for Settings {
    fn from_env(env: &mut Env) -> Self {
        let filter = env.text("LOG_LEVEL", "info");
        if let Err(error) = EnvFilter::try_new(&filter) {
            env.problem(format!("LOG_LEVEL is not usable: {error}"));
        }
        let format = env.text("LOG_FORMAT", "json");
        if !["json", "pretty"].contains(&format.as_str()) {
            env.problem("LOG_FORMAT is neither json nor pretty");
        }
        Self {
            filter,
            pretty: format == "pretty",
            collector: env.parse_optional("OTEL_EXPORTER_OTLP_ENDPOINT"),
        }
    }
}

/// Installs the process-wide log subscriber, metrics recorder, TLS provider and span exporter. Later
/// calls change nothing.
pub fn init(settings: &Settings) {
    // Two providers can be linked (drivers bring their own), and rustls does not choose by itself.
    // An error means that one is installed already.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    metrics_handle();
    if let Some(collector) = &settings.collector {
        spans::send_to(collector);
    }
    let filter = EnvFilter::new(&settings.filter);
    let registry = tracing_subscriber::registry().with(filter);
    let result = if settings.pretty {
        registry
            .with(tracing_subscriber::fmt::layer().compact())
            .try_init()
    } else {
        let json = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(lines().clone())
            .with_current_span(false)
            .with_span_list(false);
        registry
            .with(json)
            .try_init()
            .inspect(|()| WRITES_JSON.store(true, Ordering::Relaxed))
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a log subscriber is installed already");
    }
}

/// Logs a request that was answered.
pub fn log_request(line: &RequestLine<'_>) {
    if !tracing::enabled!(target: "request", tracing::Level::INFO) {
        return;
    }
    if WRITES_JSON.load(Ordering::Relaxed) {
        line.write(lines());
        return;
    }
    tracing::info!(
        target: "request",
        service = line.service,
        request_id = line.context.id(),
        method = line.method,
        route = line.route,
        status = line.status,
        consumer = line.consumer,
        duration_ms = line.duration.as_secs_f64() * 1000.0,
        upstream_ms = line.upstream.map(|upstream| upstream.as_secs_f64() * 1000.0),
        user.id = line.context.user(),
        "request"
    );
}

/// Writes the log lines that still wait; the last thing a process does.
pub fn flush() {
    lines().flush();
}

fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(Lines::begin)
}

/// All metrics of this process in the Prometheus text format.
pub fn render_metrics() -> String {
    metrics_handle().map_or_else(String::new, |handle| {
        handle.run_upkeep();
        handle.render()
    })
}

/// The recorder belongs to the process, so several services in one process share it and tell
/// themselves apart by the `service` label.
fn metrics_handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)
                .and_then(PrometheusBuilder::install_recorder)
                .inspect(keep_up)
                .ok()
        })
        .as_ref()
}

/// The recorder keeps every measurement until it is asked for its buckets; nobody might ask.
fn keep_up(handle: &PrometheusHandle) {
    let handle = handle.clone();
    let thread = thread::Builder::new().name("metrics".to_owned());
    let upkeep = thread.spawn(move || {
        loop {
            thread::park_timeout(UPKEEP);
            handle.run_upkeep();
        }
    });
    if let Err(error) = upkeep {
        tracing::warn!(%error, "measurements are kept until they are asked for");
    }
}
