//! Any bytes as a request: reading and planning it never panics, and outside quotes its statement
//! holds nothing but text of ours.
//!
//! The input is one line each for method, path with query string, `Accept`, `Prefer` and
//! `Content-Type`; what follows is the body.

#![no_main]

#[path = "../../services/sql-rest/tests/it/pure/catalog.rs"]
mod catalog;

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use sql_rest::{
    catalog::Catalog,
    options::Options,
    payload::Payload,
    plan::QueryPlan,
    request::{ApiRequest, Incoming},
    sql::{self, Statement},
};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);
static OPTIONS: LazyLock<Options> = LazyLock::new(|| Options {
    schemas: vec!["api".to_owned()],
    aggregates: true,
    plans: true,
    ..Options::default()
});

fuzz_target!(|input: &[u8]| {
    if let Some(statement) = statement(input) {
        check(&statement.sql);
    }
});

fn statement(input: &[u8]) -> Option<Statement> {
    let mut lines = input.splitn(6, |byte| *byte == b'\n');
    let method = Method::from_bytes(lines.next()?).ok()?;
    let address = String::from_utf8_lossy(lines.next()?).into_owned();
    let (path, query) = address.split_once('?').unwrap_or((&address, ""));
    let mut headers = HeaderMap::new();
    for name in ["accept", "prefer", "content-type"] {
        let value = HeaderValue::from_bytes(lines.next().unwrap_or_default());
        headers.extend(value.ok().map(|value| (HeaderName::from_static(name), value)));
    }
    let body = Bytes::copy_from_slice(lines.next().unwrap_or_default());
    let incoming = Incoming { method: &method, path, query, headers: &headers };
    let request = ApiRequest::parse(&incoming, &OPTIONS).ok()?;
    let payload = Payload::inspect(&body, &request).ok()?;
    let plan = QueryPlan::new(&request, payload, &CATALOG, &OPTIONS).ok()?;
    Some(sql::statement(&plan))
}

/// Text of ours is ASCII without line ends, and no quote is left open.
fn check(sql: &str) {
    let mut quote = None;
    for character in sql.chars() {
        match (quote, character) {
            // A doubled quote closes and opens again.
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, _) => assert!(matches!(character, ' '..='~') && character != ';', "{sql}"),
            (Some(_), _) => {}
        }
    }
    assert_eq!(quote, None, "{sql}");
}
