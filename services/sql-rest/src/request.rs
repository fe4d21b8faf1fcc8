//! A request as its sender meant it: URL and headers turned into types, nothing looked up yet.

pub mod accept;
pub mod field;
pub mod filter;
pub mod order;
pub mod prefer;
pub mod query;
pub mod range;
pub mod select;

mod cursor;
pub(crate) mod encoding;
mod route;

use http::{HeaderMap, Method};

use crate::{error::Error, media::MediaType, options::Options};

pub use prefer::Preferences;
pub use query::{At, Query};
pub use range::Range;

/// What arrived over HTTP, before its body.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path below the service's root, still percent-encoded (`/todos`, `/rpc/add`).
    pub path: &'a str,
    /// Query string without its `?`, empty when there is none.
    pub query: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
}

/// A request as its sender meant it.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// What is addressed.
    pub target: Target,
    /// What is to be done with it.
    pub action: Action,
    /// The schema in which names are looked up.
    pub schema: String,
    /// The schema to name in `Content-Profile`: only when several are exposed.
    pub profile: Option<String>,
    /// The query string.
    pub query: Query,
    /// Rows wanted at the top level: `Range` header and `limit`/`offset` together.
    pub range: Range,
    /// Rows wanted of embedded resources.
    pub embed_ranges: Vec<At<Range>>,
    /// The `Prefer` headers.
    pub preferences: Preferences,
    /// Acceptable media types, best first; never empty.
    pub accept: Vec<MediaType>,
    /// Media type of the body.
    pub content_type: MediaType,
}

/// What is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `/`.
    Root,
    /// `/{relation}`.
    Relation(String),
    /// `/rpc/{function}`.
    Function(String),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// GET or HEAD of a relation.
    Read {
        /// Whether the body is left out.
        headers_only: bool,
    },
    /// POST to a relation.
    Insert,
    /// PATCH of a relation.
    Update,
    /// PUT to a relation: the one row its URL names.
    Upsert,
    /// DELETE on a relation.
    Delete,
    /// A function, by GET, HEAD or POST.
    Call(CallMethod),
    /// GET or HEAD of `/`.
    Inspect {
        /// Whether the body is left out.
        headers_only: bool,
    },
    /// OPTIONS of anything.
    Info,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallMethod {
    /// Arguments in the query string, in a read-only transaction.
    Get,
    /// As [`CallMethod::Get`], without a body in the answer.
    Head,
    /// Arguments in the body.
    Post,
}

impl Action {
    /// Whether the body of the request matters.
    pub fn takes_body(self) -> bool {
        matches!(
            self,
            Self::Insert | Self::Update | Self::Upsert | Self::Call(CallMethod::Post)
        )
    }

    /// Whether rows of a relation are written.
    pub fn writes_relation(self) -> bool {
        matches!(
            self,
            Self::Insert | Self::Update | Self::Upsert | Self::Delete
        )
    }

    /// Whether the answer has no body because the request was a HEAD.
    pub fn is_head(self) -> bool {
        matches!(
            self,
            Self::Read { headers_only: true }
                | Self::Inspect { headers_only: true }
                | Self::Call(CallMethod::Head)
        )
    }
}

impl ApiRequest {
    /// Reads a request. Reports what is wrong in the order clients know: path, schema, method,
    /// query string, range.
    pub fn parse(incoming: &Incoming<'_>, options: &Options) -> Result<Self, Error> {
        let target = route::target(incoming.path)?;
        let profile = route::profile(incoming, options)?;
        let action = route::action(incoming.method, &target, options)?;
        let target = route::with_root_function(target, action, options);
        let by_query =
            matches!(target, Target::Function(_)) && action != Action::Call(CallMethod::Post);
        let query = Query::parse(incoming.query, by_query, options.limits)?;
        let mut ranges = range::collect(&query.bounds)?;
        let own = ranges.iter().position(|range| range.path.is_empty());
        let asked = own.map_or_else(Range::default, |own| ranges.swap_remove(own).item);
        let range = range::top_level(asked, incoming)?;
        Ok(Self {
            schema: route::schema(profile.as_deref(), &target, options),
            profile: profile.filter(|_| options.schemas.len() > 1),
            preferences: Preferences::parse(incoming.headers, options.timezones),
            accept: accept::parse(incoming.headers),
            content_type: route::content_type(incoming.headers),
            target,
            action,
            query,
            range,
            embed_ranges: ranges,
        })
    }
}

#[cfg(test)]
mod tests;
