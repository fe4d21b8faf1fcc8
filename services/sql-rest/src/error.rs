//! Everything that can go wrong with a request, and how the client sees it.
//!
//! Codes, texts and statuses are a contract: clients compare them byte by byte.

mod body;
mod database;
mod jwt;
mod message;

use http::StatusCode;

pub use body::{Candidate, Details, ErrorBody, Verbosity};
pub use database::{DatabaseError, Raised, chosen_status};
pub use jwt::JwtError;

/// Why a request cannot be answered as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {}", self.code(), self.message())]
pub enum Error {
    /// `PGRST000`: no connection to the database can be made.
    Connection(String),
    /// `PGRST001`: a connection broke or answered what nobody asked.
    Client(String),
    /// `PGRST002`: the catalogue could not be read yet.
    NoSchemaCache,
    /// `PGRST003`: no connection became free in time.
    PoolTimeout,

    /// `PGRST100`: a part of the query string does not parse.
    Syntax {
        /// What failed and where, ready for the client.
        message: String,
        /// What was found and what was expected.
        details: String,
    },
    /// `PGRST101`: a method that functions do not answer.
    RpcMethod(String),
    /// `PGRST102`: the body is not what its type promises.
    InvalidBody(String),
    /// `PGRST103`: the range asks for rows that cannot exist.
    Range(RangeError),
    /// `PGRST105`: a PUT whose filters are not exactly the primary key.
    PutFilters,
    /// `PGRST106`: a schema that is not exposed.
    Schema {
        /// The schema asked for.
        asked: String,
        /// The schemas that are exposed.
        exposed: Vec<String>,
    },
    /// `PGRST107`: nothing acceptable can be produced.
    NotAcceptable(Vec<String>),
    /// `PGRST108`: a path to a resource that is not embedded.
    NotEmbedded(NotEmbedded),
    /// `PGRST111`: the setting `response.headers` is malformed.
    GucHeaders,
    /// `PGRST112`: the setting `response.status` is malformed.
    GucStatus,
    /// `PGRST114`: a PUT with a limit or offset.
    PutRange,
    /// `PGRST115`: a PUT whose body has another key than its URL.
    PutKey,
    /// `PGRST116`: one row was asked for and another number found.
    Singular(i64),
    /// `PGRST117`: a method nothing answers.
    Method(String),
    /// `PGRST118`: order by a resource that is not to-one.
    RelatedOrder {
        /// The relation that is ordered.
        origin: String,
        /// The embedded resource.
        target: String,
    },
    /// `PGRST120`: a filter on an embedded resource other than a null test.
    EmbedFilter(String),
    /// `PGRST121`: a `RAISE SQLSTATE 'PGRST'` that does not follow its form.
    Raise(RaiseError),
    /// `PGRST122`: unknown preferences under `handling=strict`.
    Preferences(Vec<String>),
    /// `PGRST123`: aggregates while they are turned off.
    AggregatesDisabled,
    /// `PGRST124`: more rows affected than the client allows.
    MaxAffected(i64),
    /// `PGRST125`: a path of the wrong form.
    Path,
    /// `PGRST126`: the root document is turned off.
    RootDisabled,
    /// `PGRST127`: a combination that does not exist.
    NotImplemented(String),
    /// `PGRST128`: max-affected on a function that gives no set.
    MaxAffectedRpc,

    /// `PGRST200`: no relationship between two relations.
    NoRelationship(Box<NoRelationship>),
    /// `PGRST201`: several relationships between two relations.
    AmbiguousRelationship {
        /// Where they start.
        origin: String,
        /// Where they lead.
        target: String,
        /// Each of them.
        candidates: Vec<Candidate>,
        /// The ways to name each of them (`target!constraint`).
        alternatives: Vec<String>,
    },
    /// `PGRST202`: no function with this name and these arguments.
    NoFunction(Box<NoFunction>),
    /// `PGRST203`: several functions fit; each as `schema.name(arg => type, …)`.
    AmbiguousFunction(Vec<String>),
    /// `PGRST204`: a written column the relation does not have.
    NoColumn {
        /// The relation.
        relation: String,
        /// The column.
        column: String,
    },
    /// `PGRST205`: a relation that does not exist.
    NoRelation {
        /// The schema searched.
        schema: String,
        /// The name asked for.
        name: String,
        /// A similar name.
        similar: Option<String>,
    },

    /// `PGRST300` to `PGRST303`: the token.
    Jwt(JwtError),

    /// `42703`: a read column the relation does not have, answered as PostgreSQL would.
    UndefinedColumn {
        /// The relation's name or alias.
        relation: String,
        /// The column.
        column: String,
        /// A similar column.
        similar: Option<String>,
    },
    /// `42703`: a column of `on_conflict` the relation does not have, answered as PostgreSQL would.
    UndefinedConflictColumn(String),
    /// An error PostgreSQL reported.
    Database(Box<DatabaseError>),
    /// `PGRSTX00`: a bug.
    Internal(String),
}

/// Why a range cannot be satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// A limit below zero.
    NegativeLimit,
    /// A `Range` whose first row comes after its last.
    LowerAboveUpper,
    /// An offset past the last row.
    OutOfBounds {
        /// The offset.
        offset: u64,
        /// How many rows there are; sent in `Content-Range`.
        total: i64,
    },
}

/// Why a path does not lead to an embedded resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotEmbedded {
    /// Nothing of that name is embedded.
    Unknown(String),
    /// The resource is embedded under an alias, and only that may be used.
    Aliased {
        /// The name used.
        target: String,
        /// The name to use.
        alias: String,
    },
}

/// Why a `RAISE SQLSTATE 'PGRST'` cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RaiseError {
    /// The message is not the JSON wanted.
    Message(String),
    /// The detail is not the JSON wanted.
    Detail(String),
    /// There is no detail.
    NoDetail,
}

/// What was searched when no relationship was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRelationship {
    /// Where it would start.
    pub origin: String,
    /// Where it would lead.
    pub target: String,
    /// The disambiguation given.
    pub using: Option<String>,
    /// The schema searched.
    pub schema: String,
    /// What to try.
    pub hint: Option<String>,
}

/// What was searched when no function was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFunction {
    /// The schema searched.
    pub schema: String,
    /// The name asked for.
    pub name: String,
    /// Names of the arguments given, sorted.
    pub arguments: Vec<String>,
    /// The function with one unnamed parameter that would have done as well.
    pub single: SingleParameter,
    /// A function to call instead.
    pub similar: Option<String>,
}

/// The function with one unnamed parameter that a body could have been for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleParameter {
    /// The call names its arguments and nothing else.
    NotConsidered,
    /// `json` or `jsonb`, beside named arguments.
    Json,
    /// Only this type, since the body is raw (`text`, `xml`, `bytea`).
    Only(&'static str),
}

/// The challenge of an answer with status 401.
const BEARER: &str = "Bearer";

impl Error {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Connection(_) | Self::Client(_) | Self::NoSchemaCache => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::PoolTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::RpcMethod(_) | Self::PutFilters | Self::Method(_) => {
                StatusCode::METHOD_NOT_ALLOWED
            }
            Self::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Schema { .. } | Self::NotAcceptable(_) | Self::Singular(_) => {
                StatusCode::NOT_ACCEPTABLE
            }
            Self::GucHeaders | Self::GucStatus | Self::Raise(_) | Self::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Path | Self::RootDisabled | Self::NoFunction(_) | Self::NoRelation { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::AmbiguousRelationship { .. } | Self::AmbiguousFunction(_) => {
                StatusCode::MULTIPLE_CHOICES
            }
            Self::Jwt(error) => error.status(),
            Self::Database(error) => error.status(),
            Self::Syntax { .. }
            | Self::InvalidBody(_)
            | Self::NotEmbedded(_)
            | Self::PutRange
            | Self::PutKey
            | Self::RelatedOrder { .. }
            | Self::EmbedFilter(_)
            | Self::Preferences(_)
            | Self::AggregatesDisabled
            | Self::MaxAffected(_)
            | Self::NotImplemented(_)
            | Self::MaxAffectedRpc
            | Self::NoRelationship(_)
            | Self::NoColumn { .. }
            | Self::UndefinedColumn { .. }
            | Self::UndefinedConflictColumn(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The reason phrase, when the database chose one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Database(error) => error.reason(),
            _ => None,
        }
    }

    /// The code in the body and in `Proxy-Status`.
    pub fn code(&self) -> &str {
        match self {
            Self::Connection(_) => "PGRST000",
            Self::Client(_) => "PGRST001",
            Self::NoSchemaCache => "PGRST002",
            Self::PoolTimeout => "PGRST003",
            Self::Syntax { .. } => "PGRST100",
            Self::RpcMethod(_) => "PGRST101",
            Self::InvalidBody(_) => "PGRST102",
            Self::Range(_) => "PGRST103",
            Self::PutFilters => "PGRST105",
            Self::Schema { .. } => "PGRST106",
            Self::NotAcceptable(_) => "PGRST107",
            Self::NotEmbedded(_) => "PGRST108",
            Self::GucHeaders => "PGRST111",
            Self::GucStatus => "PGRST112",
            Self::PutRange => "PGRST114",
            Self::PutKey => "PGRST115",
            Self::Singular(_) => "PGRST116",
            Self::Method(_) => "PGRST117",
            Self::RelatedOrder { .. } => "PGRST118",
            Self::EmbedFilter(_) => "PGRST120",
            Self::Raise(_) => "PGRST121",
            Self::Preferences(_) => "PGRST122",
            Self::AggregatesDisabled => "PGRST123",
            Self::MaxAffected(_) => "PGRST124",
            Self::Path => "PGRST125",
            Self::RootDisabled => "PGRST126",
            Self::NotImplemented(_) => "PGRST127",
            Self::MaxAffectedRpc => "PGRST128",
            Self::NoRelationship(_) => "PGRST200",
            Self::AmbiguousRelationship { .. } => "PGRST201",
            Self::NoFunction(_) => "PGRST202",
            Self::AmbiguousFunction(_) => "PGRST203",
            Self::NoColumn { .. } => "PGRST204",
            Self::NoRelation { .. } => "PGRST205",
            Self::Jwt(error) => error.code(),
            Self::UndefinedColumn { .. } | Self::UndefinedConflictColumn(_) => "42703",
            Self::Database(error) => error.code(),
            Self::Internal(_) => "PGRSTX00",
        }
    }

    /// Headers the answer carries beside the usual ones, as name and value.
    pub fn headers(&self) -> Vec<(String, String)> {
        match self {
            Self::Jwt(error) => error
                .challenge()
                .map(|challenge| ("WWW-Authenticate".to_owned(), challenge))
                .into_iter()
                .collect(),
            Self::Database(error) => error.headers(),
            _ => Vec::new(),
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            code: self.code().to_owned(),
            details: self.details(),
            hint: self.hint(),
            message: self.message(),
        }
    }
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        match error.malformed_raise() {
            Some(raise) => Self::Raise(raise),
            None => Self::Database(Box::new(error)),
        }
    }
}

impl From<JwtError> for Error {
    fn from(error: JwtError) -> Self {
        Self::Jwt(error)
    }
}

#[cfg(test)]
mod tests;
