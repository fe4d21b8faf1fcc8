//! `POST /sso` and `GET /sso/saml/metadata`: single sign-on begun, and what identity providers must
//! know for it.

pub mod acs;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    authentication::ByAdmin,
    captcha::MetaSecurity,
    error::{Error, Result, code},
    landing::redirect,
    limits::Limit,
    pkce::ChallengeInput,
    request::{Body, Origin, Params},
    saml::{
        assertion::PERSISTENT,
        metadata::IdentityProvider,
        provider::SsoProvider,
        request::{AuthnRequest, new_id},
    },
    store::{self, saml_flows::NewFlow},
};

/// Longest place that is remembered for a browser.
const MAX_REDIRECT_BYTES: usize = 4096;

/// Whose identity provider is wanted, and what comes after it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SignOn {
    provider_id: Option<Uuid>,
    domain: String,
    redirect_to: String,
    skip_http_redirect: bool,
    #[serde(flatten)]
    challenge: ChallengeInput,
    gotrue_meta_security: MetaSecurity,
}

/// Where the browser is to go.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Destination {
    url: String,
}

/// Sends a browser to an identity provider.
#[utoipa::path(
    operation_id = "sso_begin",
    post,
    path = "/sso",
    request_body = SignOn,
    responses(
        (status = 200, body = Destination),
        (status = 303),
        (status = "4XX", body = crate::wire::RefusalV2)
    )
)]
pub async fn begin(
    State(state): State<AppState>,
    origin: Origin,
    ByAdmin(by_admin): ByAdmin,
    Body(input): Body<SignOn>,
) -> Result<Response> {
    let us = state.saml()?;
    let now = state.now();
    state.limits().check(Limit::Sso, origin.ip, now)?;
    let security = &input.gotrue_meta_security;
    state.captcha().check(security, &origin, by_admin).await?;
    let provider = input.provider(&state).await?;
    if !provider.is_enabled() {
        let message = "SSO Provider is currently disabled";
        return Err(Error::not_found(code::SSO_PROVIDER_DISABLED, message));
    }
    let challenge = input.challenge.parse()?;
    if input.redirect_to.len() > MAX_REDIRECT_BYTES {
        return Err(Error::invalid("redirect_to is too long"));
    }
    let metadata = IdentityProvider::read(&provider.metadata_xml)?;
    let destination = metadata.sign_on_url.ok_or_else(|| {
        let message = "SAML Metadata does not contain a SingleSignOnService with the HTTP-Redirect \
                       binding";
        Error::unprocessable(code::VALIDATION_FAILED, message)
    })?;
    let (request_id, relay_state) = (new_id(), Uuid::new_v4());
    let request = AuthnRequest {
        id: &request_id,
        destination: &destination,
        name_id_format: provider.name_id_format.as_deref().unwrap_or(PERSISTENT),
        relay_state,
    };
    let url = request.url(us, now)?.to_string();
    let flow = NewFlow {
        relay_state,
        provider: provider.id,
        request_id: &request_id,
        redirect_to: &input.redirect_to,
        challenge: challenge.as_ref(),
    };
    let mut tx = state.store().begin().await?;
    store::saml_flows::begin(&mut tx, flow, now).await?;
    tx.commit().await?;
    if input.skip_http_redirect {
        return Ok(Json(Destination { url }).into_response());
    }
    Ok(redirect(StatusCode::SEE_OTHER, url))
}

/// What an identity provider must know of us.
#[utoipa::path(
    operation_id = "sso_metadata",
    get,
    path = "/sso/saml/metadata",
    params(("download" = Option<bool>, Query, description = "as a file, good for five years")),
    responses(
        (status = 200, body = String, content_type = "application/xml"),
        (status = "4XX", body = crate::wire::RefusalV2)
    )
)]
pub async fn metadata(State(state): State<AppState>, params: Params) -> Result<Response> {
    let is_download = params.get("download") == Some("true");
    let xml = state.saml()?.metadata(is_download, state.now())?;
    let headers = [
        (CONTENT_TYPE, "application/xml"),
        (CACHE_CONTROL, "public, max-age=600"),
    ];
    let disposition =
        is_download.then_some([(CONTENT_DISPOSITION, "attachment; filename=\"metadata.xml\"")]);
    Ok((headers, disposition.map(axum::response::AppendHeaders), xml).into_response())
}

impl SignOn {
    /// The provider that is named, in one of the two ways.
    async fn provider(&self, state: &AppState) -> Result<SsoProvider> {
        let id = self.provider_id.filter(|id| !id.is_nil());
        if id.is_some() && !self.domain.is_empty() {
            let message = "Only one of provider_id or domain supported";
            return Err(Error::invalid(message));
        }
        if id.is_none() && self.domain.is_empty() {
            let message = "A provider_id or domain needs to be provided";
            return Err(Error::invalid(message));
        }
        let mut connection = state.store().connection().await?;
        let (found, message) = match id {
            Some(id) => (
                store::sso_providers::by_id(&mut connection, id).await?,
                "No such SSO provider",
            ),
            None => (
                store::sso_providers::by_domain(&mut connection, &self.domain).await?,
                "No SSO provider assigned for this domain",
            ),
        };
        found.ok_or_else(|| Error::not_found(code::SSO_PROVIDER_NOT_FOUND, message))
    }
}
