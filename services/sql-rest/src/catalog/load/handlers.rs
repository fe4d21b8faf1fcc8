//! Functions and aggregates that produce media types.

use std::collections::HashMap;

use super::rows::HandlerRow;
use crate::catalog::{HandlerTarget, MediaHandler};

/// The media type that stands for all of them, and what it is answered with.
const ANY: &str = "*/*";
const BYTES: &str = "application/octet-stream";

/// The type of aggregates over rows of any shape.
const ANY_ELEMENT: &str = "anyelement";

/// The handlers by what they are produced from.
pub(super) fn read(rows: Vec<HandlerRow>) -> HashMap<HandlerTarget, Vec<MediaHandler>> {
    let mut handlers: HashMap<HandlerTarget, Vec<MediaHandler>> = HashMap::new();
    for row in rows {
        let target = if !row.is_aggregate {
            HandlerTarget::Function(row.target)
        } else if row.target.schema == "pg_catalog" && row.target.name == ANY_ELEMENT {
            HandlerTarget::Any
        } else {
            HandlerTarget::Relation(row.target)
        };
        let content_type = match row.media_type.as_str() {
            ANY => BYTES.to_owned(),
            other => other.to_owned(),
        };
        handlers.entry(target).or_default().push(MediaHandler {
            media_type: row.media_type,
            content_type,
            aggregate: row.is_aggregate.then_some(row.function),
            is_binary: row.is_binary,
        });
    }
    handlers
}
