//! `/sso`: single sign-on by SAML, which is not offered.

use crate::error::{Error, Result, code};

/// Answers that there is no SAML, as `GoTrue` does where it is not configured.
#[utoipa::path(
    operation_id = "sso_begin",
    post,
    path = "/sso",
    responses((status = 404, body = crate::wire::RefusalV2))
)]
pub async fn disabled() -> Result<()> {
    let message = "SAML 2.0 is disabled";
    Err(Error::not_found(code::SAML_PROVIDER_DISABLED, message))
}

/// The same, for the identity provider's answer.
#[utoipa::path(
    operation_id = "sso_answer",
    post,
    path = "/sso/saml/acs",
    responses((status = 404, body = crate::wire::RefusalV2))
)]
pub async fn answer() -> Result<()> {
    disabled().await
}

/// The same, for what an identity provider would have to know.
#[utoipa::path(
    operation_id = "sso_metadata",
    get,
    path = "/sso/saml/metadata",
    responses((status = 404, body = crate::wire::RefusalV2))
)]
pub async fn metadata() -> Result<()> {
    disabled().await
}
