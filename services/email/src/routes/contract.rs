//! The OpenAPI document, and the parts of it that many operations share.

use std::collections::BTreeMap;

use common::{
    contract::{failures, list_codes},
    error::FailureEnvelope,
};
use utoipa::{
    IntoResponses, OpenApi,
    openapi::{
        Components, RefOr, Response,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "email",
        description = "A durable mailer. A mail that was accepted is stored; workers send it, again \
                       if need be, and `GET /messages/{id}` tells what became of it. Error codes \
                       are listed in `FailureBody`."
    ),
    tags(
        (name = "messages", description = "Mails"),
        (name = "templates", description = "What mails are made from; for the operator's servers"),
        (name = "inbox", description = "Mails that were caught; only with EMAIL_DEV_INBOX=true, and through the gateway only for the service role"),
    ),
    components(schemas(FailureEnvelope))
)]
struct Base;

/// The service's OpenAPI document.
pub(crate) fn contract() -> utoipa::openapi::OpenApi {
    let mut contract = Base::openapi();
    contract.merge(super::documented().into_openapi());
    contract.merge(super::documented_inbox().into_openapi());
    let components = contract.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
    );
    components.add_security_scheme(
        "service_token",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Service-Token"))),
    );
    list_codes(components, CODES);
    contract
}

/// Ways in which any operation can fail.
pub(super) struct Failures;

/// Ways in which an operation on something named can fail.
pub(super) struct FailuresOfOne;

const ANY: &[(&str, &str)] = &[
    ("400", "The request cannot be read"),
    ("401", "No valid token, or nobody signed in"),
    ("403", "The caller may not do this"),
    ("409", "Another request is in the way"),
    ("413", "The body is too large"),
    ("415", "The body is not JSON"),
    ("422", "The request is understood and refused"),
    ("429", "The sender's quota is used up; see `Retry-After`"),
    ("500", "A fault of the service"),
    ("503", "The database is unavailable"),
];

const NOT_FOUND: &[(&str, &str)] =
    &[("404", "What is named does not exist, or belongs to another")];

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

/// Every `code` this service answers with.
const CODES: &[&str] = &[
    "database_unavailable",
    "idempotency_key_reused",
    "internal",
    "invalid_body",
    "invalid_message",
    "invalid_path",
    "invalid_query",
    "invalid_service_token",
    "invalid_token",
    "message_not_found",
    "method_not_allowed",
    "missing_token",
    "missing_variables",
    "not_retryable",
    "payload_too_large",
    "quota_exceeded",
    "recipient_not_allowed",
    "route_not_found",
    "sending_disabled",
    "service_role_required",
    "sign_in_required",
    "template_failed",
    "template_invalid",
    "template_not_allowed",
    "template_not_found",
    "token_expired",
    "unknown_role",
    "unsupported_media_type",
];
