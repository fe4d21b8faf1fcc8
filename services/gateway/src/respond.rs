//! What every response carries, whoever made it.

use crate::{
    cors,
    http1::Fields,
    limits::Verdict,
    proxy::{Exchange, Table},
};

/// Adds request id, security headers, CORS and the state of the limit.
pub(crate) fn decorate(fields: &mut Fields, exchange: &Exchange<'_>, table: &Table) {
    // An upstream's would contradict them.
    fields.retain(|name, _| {
        !matches!(
            name,
            b"x-request-id" | b"x-content-type-options" | b"x-frame-options" | b"referrer-policy"
        ) && (name != b"strict-transport-security" || table.hsts.is_none())
    });
    fields.append("x-request-id", exchange.context.id_header().as_bytes());
    fields.append_fixed("x-content-type-options", "nosniff");
    fields.append_fixed("x-frame-options", "DENY");
    fields.append_fixed("referrer-policy", "no-referrer");
    if let Some(hsts) = &table.hsts {
        fields.append("strict-transport-security", hsts.as_bytes());
    }
    if fields.get("date").is_none() {
        let now = httpdate::fmt_http_date(exchange.context.began());
        fields.append("date", now.as_bytes());
    }
    cors::decorate(fields, exchange.access, exchange.varies);
    if let Some(verdict) = &exchange.verdict {
        announce(fields, verdict);
    }
}

fn announce(fields: &mut Fields, verdict: &Verdict) {
    for (name, value) in [
        ("ratelimit-limit", verdict.limit),
        ("ratelimit-remaining", verdict.remaining),
        ("ratelimit-reset", verdict.reset_seconds),
    ] {
        fields.append(name, itoa::Buffer::new().format(value).as_bytes());
    }
}
