//! The answer on the wire: status, headers and body.

mod failure;
mod nothing;
mod overrides;
mod range;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION,
        CONTENT_RANGE, CONTENT_TYPE, LOCATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
        WARNING,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    catalog::ReturnKind,
    error::Error,
    media::MediaType,
    plan::{
        QueryPlan, Source,
        write::{Write, WriteKind},
    },
    request::{
        ApiRequest,
        prefer::{Count, Representation, Resolution},
    },
    transaction::Answer,
};

pub use self::failure::{failure, too_large};
use self::nothing::Nothing;

const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const VARY_ON: HeaderValue = HeaderValue::from_static("Accept, Prefer, Range");
const AGENT: &str = concat!("PostgRESTv", "16");

/// Headers that say how a message travels (RFC 9110, 7.6.1). They are the server's: one that does not fit
/// the body ends the connection, or lets an answer be taken for two.
const FRAMING: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Characters that stay as they are in a query string.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An answer that is being put together.
#[derive(Debug)]
struct Draft {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Shapes what the statement gave into the answer to `request`.
pub fn answer(
    request: &ApiRequest,
    plan: &QueryPlan,
    answer: Answer,
    max_rows: Option<u64>,
) -> Result<Response, Error> {
    let (headers, status) = (answer.headers.clone(), answer.status.clone());
    let mut draft = if matches!(plan.media, MediaType::Plan(_)) {
        Draft::with_content(StatusCode::OK, plan, answer.body)
    } else {
        match &plan.source {
            Source::Read(relation) => {
                let total = total(plan.count, &answer, max_rows);
                let mut draft = rows(plan, total, answer)?;
                let location = content_location(&relation.name, &request.query.canonical);
                draft.set(CONTENT_LOCATION, &location);
                draft
            }
            Source::Call(call) => {
                let total = total(plan.count, &answer, max_rows);
                let mut draft = rows(plan, total, answer)?;
                if call.function.returns.kind == ReturnKind::Void {
                    draft.empty(StatusCode::NO_CONTENT);
                }
                draft
            }
            Source::Write(written) => write(plan, written, answer),
        }
    };
    draft.set_optional(PREFERENCE_APPLIED, plan.preference_applied.as_deref());
    draft.set_optional(CONTENT_PROFILE, request.profile.as_deref());
    for warning in &plan.warnings {
        draft.append(WARNING, &format!("299 {AGENT} \"{warning}\""));
    }
    overrides::apply(&mut draft, headers.as_deref(), status.as_deref())?;
    Ok(draft.into_response(request.action.is_head()))
}

/// Whether a header is one that the database has no say in.
fn is_framing(name: &HeaderName) -> bool {
    FRAMING.contains(name)
}

/// The answer to OPTIONS.
pub fn options(allow: &str) -> Response {
    let mut draft = Draft::new(StatusCode::OK);
    draft.set(ALLOW, allow);
    draft.set(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    draft.into_response(false)
}

/// The root document.
pub fn document(request: &ApiRequest, document: Vec<u8>) -> Response {
    let mut draft = Draft::new(StatusCode::OK);
    draft.set(CONTENT_TYPE, &MediaType::OpenApi.content_type());
    draft.set_optional(CONTENT_PROFILE, request.profile.as_deref());
    draft.body = document.into();
    draft.into_response(request.action.is_head())
}

/// Rows of a relation or of a function.
fn rows(plan: &QueryPlan, total: Option<i64>, answer: Answer) -> Result<Draft, Error> {
    let (status, content_range) = range::of_rows(plan.node.range.offset, answer.page, total)?;
    let mut draft = Draft::with_content(status, plan, answer.body);
    draft.set(CONTENT_RANGE, &content_range);
    Ok(draft)
}

fn write(plan: &QueryPlan, written: &Write, answer: Answer) -> Draft {
    let kind = written.kind;
    // Nothing is planned about rows that were written.
    let counted = plan
        .count
        .filter(|count| *count != Count::Planned)
        .map(|_| answer.page);
    let content_range = match kind {
        WriteKind::Insert { .. } | WriteKind::Delete => Some(range::text(1, 0, counted)),
        WriteKind::Update => Some(range::text(0, answer.page - 1, counted)),
        WriteKind::Upsert => None,
    };
    let location = answer
        .location
        .as_deref()
        .map(|columns| location(&written.relation.name, columns));
    let full = written.representation == Representation::Full;
    let mut draft = if full {
        Draft::with_content(StatusCode::OK, plan, answer.body)
    } else {
        Draft::new(StatusCode::NO_CONTENT)
    };
    match kind {
        WriteKind::Insert { resolution } => {
            // Rows were only counted where they could be merged.
            let can_merge =
                resolution == Some(Resolution::MergeDuplicates) && !written.on_conflict.is_empty();
            let only_updated = can_merge && answer.inserted.unwrap_or_default() <= 0;
            draft.status = if only_updated {
                StatusCode::OK
            } else {
                StatusCode::CREATED
            };
        }
        WriteKind::Upsert if full && answer.inserted.is_some_and(|inserted| inserted > 0) => {
            draft.status = StatusCode::CREATED;
        }
        WriteKind::Upsert | WriteKind::Update | WriteKind::Delete => {}
    }
    draft.set_optional(LOCATION, location.as_deref());
    draft.set_optional(CONTENT_RANGE, content_range.as_deref());
    draft
}

/// How many rows there are, as the client wants them counted.
fn total(count: Option<Count>, answer: &Answer, max_rows: Option<u64>) -> Option<i64> {
    let limit = max_rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
    match count {
        Some(Count::Planned) => answer.estimate,
        // Without a limit every count is above it.
        Some(Count::Estimated) if answer.total > limit => answer.total.max(answer.estimate),
        Some(Count::Estimated | Count::Exact) | None => answer.total,
    }
}

fn content_location(relation: &str, query: &str) -> String {
    if query.is_empty() {
        format!("/{relation}")
    } else {
        format!("/{relation}?{query}")
    }
}

/// Where an inserted row is; `columns` as PostgreSQL writes an array of `column=operator.value`.
fn location(relation: &str, columns: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let encode_pair = |pair: &String| {
        let (column, value) = pair.split_once('=').unwrap_or((pair, ""));
        format!("{}={}", encode(column), encode(value))
    };
    let pairs: Vec<String> = array_elements(columns).iter().map(encode_pair).collect();
    format!("/{relation}?{}", pairs.join("&"))
}

/// The elements of an array of text without nulls.
fn array_elements(array: &str) -> Vec<String> {
    let inner = array
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let mut elements = Vec::new();
    let mut element = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for character in inner.unwrap_or_default().chars() {
        match character {
            _ if escaped => {
                element.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => elements.push(std::mem::take(&mut element)),
            other => element.push(other),
        }
    }
    elements.push(element);
    elements
}

impl Draft {
    fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::with_capacity(8),
            body: Bytes::new(),
        }
    }

    fn with_content(status: StatusCode, plan: &QueryPlan, body: Bytes) -> Self {
        let mut draft = Self::new(status);
        draft.set(CONTENT_TYPE, &plan.media.content_type());
        draft.body = body;
        draft
    }

    fn empty(&mut self, status: StatusCode) {
        self.status = status;
        self.headers.remove(CONTENT_TYPE);
        self.body = Bytes::new();
    }

    /// Sets a header; a value that no header can hold is left out.
    fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.insert(name, value);
        }
    }

    /// Adds a header beside others of its name.
    fn append(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.append(name, value);
        }
    }

    fn set_optional(&mut self, name: HeaderName, value: Option<&str>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn into_response(mut self, is_head: bool) -> Response {
        self.headers.entry(VARY).or_insert(VARY_ON);
        let body = if is_head || self.status == StatusCode::NO_CONTENT {
            Body::new(Nothing)
        } else {
            self.headers.insert(CONTENT_LENGTH, self.body.len().into());
            Body::from(self.body)
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_filter_for_the_row() {
        let columns = r#"{id=eq.1,"a b=eq.x, \"y\"",n=is.null}"#;
        let expected = "/t?id=eq.1&a%20b=eq.x%2C%20%22y%22&n=is.null";
        assert_eq!(location("t", columns), expected);
    }

    #[test]
    fn an_estimate_replaces_a_count_that_was_cut_short() {
        let answer = |total, estimate| Answer {
            total,
            estimate,
            ..Answer::default()
        };
        let estimated = |answer: &Answer| total(Some(Count::Estimated), answer, Some(10));
        assert_eq!(estimated(&answer(Some(10), Some(50))), Some(10));
        assert_eq!(estimated(&answer(Some(11), Some(50))), Some(50));
        assert_eq!(estimated(&answer(Some(11), Some(5))), Some(11));
        let unlimited = total(Some(Count::Estimated), &answer(Some(4), Some(50)), None);
        assert_eq!(unlimited, Some(50));
        let planned = total(Some(Count::Planned), &answer(None, Some(7)), None);
        assert_eq!(planned, Some(7));
    }
}
