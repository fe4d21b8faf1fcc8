//! Everything that can go wrong in this service, and how it is told.

use std::borrow::Cow;

use common::{error::Problem, identity::TokenError};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    mongo::{Failure, Refusal},
    validation,
};

/// A failure of the document API.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("send JSON as `Content-Type: application/json`")]
    UnsupportedMediaType,
    #[error("the body is too large")]
    PayloadTooLarge,
    #[error("the body could not be read to its end")]
    IncompleteBody,
    #[error("not JSON: {0}")]
    InvalidJson(String),
    #[error("{0}")]
    InvalidQuery(String),
    #[error("the cursor does not belong to this list")]
    InvalidCursor,
    #[error("If-Match takes one version, such as \"3\"")]
    InvalidPrecondition,
    #[error("a collection's name has 1 to 64 letters, digits, `_` or `-`")]
    InvalidName,
    #[error("an id is an ObjectId or a UUID")]
    InvalidId,

    #[error("the key {0:?} is given twice")]
    RepeatedKey(String),
    #[error("too complex: {0}")]
    TooComplex(&'static str),
    #[error("{0}")]
    InvalidValue(String),
    #[error("{0}")]
    InvalidKey(String),
    #[error("the field {0:?} is set by the service")]
    ReservedField(String),
    #[error("JavaScript is not stored or run here")]
    CodeNotAllowed,
    #[error("{0:?} is not allowed here")]
    OperatorNotAllowed(String),
    #[error("the stage {0:?} is not allowed")]
    StageNotAllowed(String),
    #[error("{0}")]
    InvalidFilter(String),
    #[error("{0}")]
    InvalidPipeline(String),
    #[error("{0}")]
    InvalidPatch(String),
    #[error("give a filter that is not empty")]
    FilterRequired,
    #[error("more than {0} documents match; narrow the filter")]
    TooManyMatches(i64),
    #[error("the answer would be too large; ask for fewer documents or fields")]
    ResponseTooLarge,
    #[error("there are too many collections")]
    TooManyCollections,
    #[error("sorting or grouping needs too much memory; narrow it, or have an index made")]
    QueryTooLarge,
    #[error("the document would be too large")]
    DocumentTooLarge,
    #[error("the collection's validator refuses the document")]
    ValidationFailed(Vec<validation::Broken>),
    #[error("the database refuses this: {0}")]
    RefusedByDatabase(String),

    #[error("there is no such document")]
    DocumentNotFound,
    #[error("there is no such collection")]
    CollectionNotFound,
    #[error("there is no such index")]
    IndexNotFound,
    #[error("a collection of this name exists")]
    CollectionExists,
    #[error("an index with other options stands in the way, or the index is the service's own")]
    IndexConflict,
    #[error("another document has the same values in the index {0:?}")]
    DuplicateKey(String),
    #[error("another write came in between; try again")]
    WriteConflict,
    #[error("the document has another version")]
    VersionMismatch,

    #[error("the operation took too long; narrow it, or have an index made")]
    QueryTimeout,
    #[error("the database is unavailable")]
    Unavailable(#[source] Failure),
    #[error("the database cannot be used")]
    Internal(#[source] Failure),
}

impl Problem for Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Token(error) => error.status(),
            Self::IncompleteBody
            | Self::InvalidJson(_)
            | Self::InvalidQuery(_)
            | Self::InvalidCursor
            | Self::InvalidPrecondition
            | Self::InvalidName
            | Self::InvalidId => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::DocumentNotFound | Self::CollectionNotFound | Self::IndexNotFound => {
                StatusCode::NOT_FOUND
            }
            Self::CollectionExists
            | Self::IndexConflict
            | Self::DuplicateKey(_)
            | Self::WriteConflict => StatusCode::CONFLICT,
            Self::VersionMismatch => StatusCode::PRECONDITION_FAILED,
            Self::QueryTimeout | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::PayloadTooLarge => "payload_too_large",
            Self::IncompleteBody => "invalid_body",
            Self::InvalidJson(_) => "invalid_json",
            Self::InvalidQuery(_) => "invalid_query",
            Self::InvalidCursor => "invalid_cursor",
            Self::InvalidPrecondition => "invalid_if_match",
            Self::InvalidName | Self::InvalidId => "invalid_path",
            Self::RepeatedKey(_) => "repeated_key",
            Self::TooComplex(_) => "too_complex",
            Self::InvalidValue(_) => "invalid_value",
            Self::InvalidKey(_) => "invalid_key",
            Self::ReservedField(_) => "reserved_field",
            Self::CodeNotAllowed => "code_not_allowed",
            Self::OperatorNotAllowed(_) => "operator_not_allowed",
            Self::StageNotAllowed(_) => "stage_not_allowed",
            Self::InvalidFilter(_) => "invalid_filter",
            Self::InvalidPipeline(_) => "invalid_pipeline",
            Self::InvalidPatch(_) => "invalid_patch",
            Self::FilterRequired => "filter_required",
            Self::TooManyMatches(_) => "too_many_matches",
            Self::ResponseTooLarge => "response_too_large",
            Self::TooManyCollections => "too_many_collections",
            Self::QueryTooLarge => "query_too_large",
            Self::DocumentTooLarge => "document_too_large",
            Self::ValidationFailed(_) => "validation_failed",
            Self::RefusedByDatabase(_) => "refused_by_database",
            Self::DocumentNotFound => "document_not_found",
            Self::CollectionNotFound => "collection_not_found",
            Self::IndexNotFound => "index_not_found",
            Self::CollectionExists => "collection_exists",
            Self::IndexConflict => "index_conflict",
            Self::DuplicateKey(_) => "duplicate_key",
            Self::WriteConflict => "write_conflict",
            Self::VersionMismatch => "version_mismatch",
            Self::QueryTimeout => "query_timeout",
            Self::Unavailable(_) => "database_unavailable",
            Self::Internal(_) => "internal",
        }
    }

    fn public_message(&self) -> Cow<'static, str> {
        match self {
            Self::Internal(_) => Cow::Borrowed("internal error"),
            Self::Unavailable(_) => Cow::Borrowed("the database is unavailable; try again shortly"),
            _ => Cow::Owned(self.to_string()),
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Self::ValidationFailed(broken) => Some(json!({ "rules": broken })),
            Self::DuplicateKey(index) => Some(json!({ "index": index })),
            _ => None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TimedOut => Self::QueryTimeout,
            Failure::Refused(refusal) => refusal.into(),
            Failure::Unavailable(_) => Self::Unavailable(failure),
            Failure::Broken(_) => Self::Internal(failure),
        }
    }
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            11000 | 11001 => Self::DuplicateKey(index_in(&refusal.message).to_owned()),
            112 => Self::WriteConflict,
            121 => Self::ValidationFailed(validation::broken_rules(refusal.info.as_ref())),
            26 => Self::CollectionNotFound,
            27 => Self::IndexNotFound,
            48 => Self::CollectionExists,
            68 | 85 | 86 => Self::IndexConflict,
            146 | 292 | 5_643_006 => Self::QueryTooLarge,
            10334 | 17419 | 17420 => Self::DocumentTooLarge,
            _ => Self::RefusedByDatabase(innermost(&refusal.message).to_owned()),
        }
    }
}

/// The reason at the end of a chain such as `PlanExecutor error :: caused by :: …`.
fn innermost(message: &str) -> &str {
    message
        .rsplit(":: caused by :: ")
        .next()
        .unwrap_or(message)
        .trim()
}

/// Name of the index in `… index: email_1 dup key: { email: "x" }`, without the values.
fn index_in(message: &str) -> &str {
    let index = message.split_once(" index: ").map(|(_, index)| index);
    let name = index.and_then(|index| index.split(" dup key").next());
    name.unwrap_or_default().trim()
}
