//! Spans of served requests, sent to an OpenTelemetry collector (OTLP over HTTP) when one is
//! configured.
//!
//! A request is one span, whose ids are those of its [`Trace`](crate::context::Trace), so the spans of all
//! services that took part in a request form one tree.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use http::StatusCode;
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor},
};
use url::Url;

use crate::context::RequestContext;

/// One queue for each service of this process; each names its service as the resource.
static COLLECTOR: OnceLock<Collector> = OnceLock::new();

struct Collector {
    endpoint: String,
    queues: Mutex<HashMap<&'static str, Option<BatchSpanProcessor>>>,
}

/// Sends all spans of this process to the collector at `base` from now on.
pub(crate) fn send_to(base: &Url) {
    COLLECTOR.get_or_init(|| Collector {
        endpoint: format!("{}/v1/traces", base.as_str().trim_end_matches('/')),
        queues: Mutex::default(),
    });
}

/// Records a request that was just answered.
pub fn record(
    service: &'static str,
    context: &RequestContext,
    method: &'static str,
    route: &str,
    status: StatusCode,
) {
    let Some(collector) = COLLECTOR.get() else {
        return;
    };
    if context.trace().is_sampled() {
        collector.enqueue(service, span(context, method, route, status));
    }
}

/// Sends what is still queued; to be called last before the process ends.
pub async fn flush() {
    let flushed = tokio::task::spawn_blocking(|| {
        let Some(collector) = COLLECTOR.get() else {
            return;
        };
        let queues = collector.queues.lock();
        for queue in queues.unwrap_or_else(PoisonError::into_inner).values() {
            if let Some(Err(error)) = queue.as_ref().map(SpanProcessor::shutdown) {
                tracing::warn!(%error, "the last spans could not be sent");
            }
        }
    });
    flushed.await.ok();
}

impl Collector {
    fn enqueue(&self, service: &'static str, span: SpanData) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(service).or_insert_with(|| self.queue(service));
        if let Some(queue) = queue {
            queue.on_end(span);
        }
    }

    fn queue(&self, service: &'static str) -> Option<BatchSpanProcessor> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(&self.endpoint)
            .build()
            .inspect_err(|error| tracing::warn!(%error, "spans cannot be sent"))
            .ok()?;
        let mut queue = BatchSpanProcessor::builder(exporter).build();
        queue.set_resource(&Resource::builder().with_service_name(service).build());
        Some(queue)
    }
}

/// The span of a request, with attributes as the semantic conventions for HTTP servers name them.
fn span(
    context: &RequestContext,
    method: &'static str,
    route: &str,
    status: StatusCode,
) -> SpanData {
    let trace = context.trace();
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(trace.id()),
            SpanId::from(trace.span()),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: trace.parent().map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: trace.parent().is_some(),
        span_kind: SpanKind::Server,
        name: format!("{method} {route}").into(),
        start_time: context.began(),
        end_time: context.began() + context.elapsed(),
        attributes: vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            KeyValue::new("request.id", context.id().to_owned()),
        ],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: if status.is_server_error() {
            Status::error("")
        } else {
            Status::Unset
        },
        instrumentation_scope: InstrumentationScope::default(),
    }
}
