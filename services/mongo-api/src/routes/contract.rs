//! The OpenAPI document, and the parts of it that many operations share.

use std::collections::BTreeMap;

use common::{
    contract::{failures, list_codes},
    error::FailureEnvelope,
};
use serde::Serialize;
use utoipa::{
    IntoResponses, OpenApi, ToSchema,
    openapi::{
        Components, RefOr, Response,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "mongo-api",
        description = "Documents over REST on MongoDB, each scoped to its owner. Documents travel \
                       as relaxed extended JSON. Error codes are listed in `FailureBody`."
    ),
    tags(
        (name = "documents", description = "Documents of the caller"),
        (name = "admin", description = "Collections, validators and indexes; for the service role"),
    ),
    components(schemas(FailureEnvelope))
)]
struct Base;

/// The service's OpenAPI document.
pub(crate) fn contract() -> utoipa::openapi::OpenApi {
    let mut contract = Base::openapi();
    contract.merge(super::documented().into_openapi());
    let components = contract.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
    );
    list_codes(components, CODES);
    contract
}

/// A document of a collection, for the contract.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StoredDocument {
    /// `ObjectId` or UUID, as in paths.
    #[serde(rename = "_id")]
    id: String,
    /// User the document belongs to; null for documents of the service role.
    owner_id: Option<String>,
    /// When it was created.
    created_at: Option<ExtendedDate>,
    /// When it was last written.
    updated_at: Option<ExtendedDate>,
    /// How often it was written, from 1. Give it as `If-Match` to write only this version.
    #[serde(rename = "_version")]
    version: Option<i64>,
}

/// A date in extended JSON.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExtendedDate {
    /// RFC 3339.
    #[serde(rename = "$date")]
    #[schema(example = "2026-01-31T12:00:00Z")]
    date: String,
}

/// A document that a pipeline made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResultDocument {
    #[serde(flatten)]
    fields: BTreeMap<String, serde_json::Value>,
}

/// A document to store: any fields but `_id`, `owner_id`, `created_at`, `updated_at`, `_version`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "title": "Milk", "due": { "$date": "2026-01-31T12:00:00Z" } }))]
pub(super) struct NewDocument {
    #[serde(flatten)]
    fields: BTreeMap<String, serde_json::Value>,
}

/// Ways in which any operation can fail.
pub(super) struct Failures;

/// Ways in which an operation on something named can fail.
pub(super) struct FailuresOfOne;

/// Ways in which an operation that expects a version can fail.
pub(super) struct FailuresOfVersion;

const ANY: &[(&str, &str)] = &[
    ("400", "The request cannot be read"),
    ("401", "No valid token, or nobody signed in"),
    ("403", "The role may not do this"),
    ("409", "Another document or write is in the way"),
    ("413", "The body is too large"),
    ("415", "The body is not JSON"),
    ("422", "The request is understood and refused"),
    ("500", "A fault of the service"),
    ("503", "The database is unavailable or too slow"),
];

const NOT_FOUND: &[(&str, &str)] = &[("404", "It does not exist, or belongs to another")];

const VERSION: &[(&str, &str)] = &[("412", "The document has another version")];

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[ANY])
    }
}

impl IntoResponses for FailuresOfOne {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[ANY, NOT_FOUND])
    }
}

impl IntoResponses for FailuresOfVersion {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[ANY, NOT_FOUND, VERSION])
    }
}

/// Every `code` this service answers with.
const CODES: &[&str] = &[
    "code_not_allowed",
    "collection_exists",
    "collection_not_found",
    "database_unavailable",
    "document_not_found",
    "document_too_large",
    "duplicate_key",
    "filter_required",
    "index_conflict",
    "index_not_found",
    "internal",
    "invalid_body",
    "invalid_cursor",
    "invalid_filter",
    "invalid_if_match",
    "invalid_json",
    "invalid_key",
    "invalid_patch",
    "invalid_path",
    "invalid_pipeline",
    "invalid_query",
    "invalid_token",
    "invalid_value",
    "method_not_allowed",
    "missing_token",
    "operator_not_allowed",
    "payload_too_large",
    "query_timeout",
    "query_too_large",
    "refused_by_database",
    "repeated_key",
    "reserved_field",
    "response_too_large",
    "route_not_found",
    "service_role_required",
    "sign_in_required",
    "stage_not_allowed",
    "token_expired",
    "too_complex",
    "too_many_collections",
    "too_many_matches",
    "unknown_role",
    "unsupported_media_type",
    "validation_failed",
    "version_mismatch",
    "write_conflict",
];
