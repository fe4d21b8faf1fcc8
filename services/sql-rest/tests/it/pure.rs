//! The pure core: from URL, headers and body to a statement, without a database.

mod catalog;
mod properties;
mod snapshots;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sql_rest::{
    catalog::Catalog,
    error::Error,
    options::Options,
    payload::Payload,
    plan::{self, QueryPlan},
    request::{Action, ApiRequest, Incoming},
    sql::{self, Statement},
};

/// A request before anything of it was understood.
#[derive(Clone, Debug, Default)]
struct Given {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Given {
    /// A request without headers or body.
    fn new(method: Method, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a header, unless it is one HTTP would not carry.
    fn header(mut self, name: &'static str, value: &[u8]) -> Self {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.headers.append(HeaderName::from_static(name), value);
        }
        self
    }

    fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The statements that answer it: its own, and the one that estimates its number of rows.
    fn statements(&self, catalog: &Catalog, options: &Options) -> Result<Vec<Statement>, Error> {
        let incoming = Incoming {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
        };
        let request = ApiRequest::parse(&incoming, options)?;
        match request.action {
            Action::Info => plan::allow(&request, catalog).map(|_| Vec::new()),
            Action::Inspect { .. } => plan::inspect(&request).map(|()| Vec::new()),
            _ => {
                let payload = Payload::inspect(&self.body, &request)?;
                let plan = QueryPlan::new(&request, payload, catalog, options)?;
                let estimate = sql::estimate(&plan);
                Ok([sql::statement(&plan)]
                    .into_iter()
                    .chain(estimate)
                    .collect())
            }
        }
    }
}

/// Options with everything allowed that can be.
fn options() -> Options {
    Options {
        schemas: vec!["api".to_owned(), "other".to_owned()],
        aggregates: true,
        plans: true,
        tx_override: true,
        ..Options::default()
    }
}

/// SQL with names and texts taken out of their quotes; none when a quote does not end.
pub(crate) fn without_quoted(sql: &str) -> Option<String> {
    let mut bare = String::new();
    let mut rest = sql.chars().peekable();
    while let Some(character) = rest.next() {
        if !matches!(character, '\'' | '"') {
            bare.push(character);
            continue;
        }
        loop {
            // A doubled quote stands for itself.
            if rest.next()? == character && rest.next_if_eq(&character).is_none() {
                break;
            }
        }
    }
    Some(bare)
}
