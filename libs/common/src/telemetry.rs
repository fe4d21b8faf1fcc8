//! Logs, metrics and the TLS provider: what a process has one of, set up by its `main`, never by a
//! service.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use url::Url;

use crate::{
    config::{Env, FromEnv},
    spans,
};

/// Counter of requests by `service`, `method`, `route` and `status`.
pub const HTTP_REQUESTS: &str = "http_requests_total";
/// Histogram of request durations in seconds, by `service`, `method` and `route`.
pub const HTTP_DURATION: &str = "http_request_duration_seconds";

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
            .with_current_span(false)
            .with_span_list(false);
        registry.with(json).try_init()
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a log subscriber is installed already");
    }
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
                .ok()
        })
        .as_ref()
}
