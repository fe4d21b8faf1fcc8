//! Single sign-on by SAML 2.0, as a service provider.
//!
//! A narrow profile, strictly: Web Browser SSO with the HTTP-Redirect binding for requests and
//! HTTP-POST for responses. [`xml`] refuses what a response has no use for (document types, comments,
//! processing instructions); [`signature`] verifies enveloped signatures over [`canonical`] text and
//! hands out that very text, and [`response`] reads nothing else: what was not signed cannot be read.
//! Encrypted assertions are refused.

pub mod accounts;
pub mod assertion;
pub mod canonical;
pub mod key;
pub mod metadata;
pub mod provider;
pub mod request;
pub mod response;
pub mod service_provider;
pub mod signature;
pub mod xml;

use axum::http::StatusCode;
use time::{Duration, OffsetDateTime};

use crate::{
    error::{Error, Result, code},
    oauth::fetch::{self, Fetcher},
    saml::{metadata::IdentityProvider, provider::SsoProvider},
    store::Store,
};

/// The way users sign in, of sessions and of what begins them.
pub const METHOD: &str = "sso/saml";

/// How long metadata is believed that could be fetched again.
const METADATA_LIFE: Duration = Duration::DAY;

/// Fetches the metadata that an identity provider publishes.
pub async fn fetch_metadata(fetcher: &Fetcher, url: &str) -> Result<String> {
    let failed = |reason: String| {
        let message = format!("{reason} fetching SAML Metadata from URL '{url}'");
        Error::bad_request(code::SAML_METADATA_FETCH_FAILED, message)
    };
    let request = fetcher
        .get(url)
        .map_err(|_| Error::invalid("metadata_url is not a HTTPS URL"))?
        .header("accept", "application/samlmetadata+xml, application/xml");
    let (status, body) = fetch::bytes(request).await.map_err(|error| {
        tracing::warn!(error = format!("{error:#}"), "metadata cannot be fetched");
        failed("Error".to_owned())
    })?;
    if status != StatusCode::OK {
        return Err(failed(format!("HTTP {} error", status.as_u16())));
    }
    String::from_utf8(body).map_err(|_| metadata::not_utf8())
}

/// What is known about the identity provider, asked for again when that is due. Metadata that cannot
/// be fetched, or speaks of another entity, changes nothing.
pub async fn current_metadata(
    store: &Store,
    fetcher: &Fetcher,
    provider: &SsoProvider,
    now: OffsetDateTime,
) -> Result<IdentityProvider> {
    let known = IdentityProvider::read(&provider.metadata_xml)?;
    let Some(url) = provider.metadata_url.as_deref() else {
        return Ok(known);
    };
    let is_old = provider
        .saml_updated_at
        .is_none_or(|since| now > since + METADATA_LIFE);
    if !is_old && known.valid_until.is_none_or(|until| now < until) {
        return Ok(known);
    }
    let latest = async {
        let text = fetch_metadata(fetcher, url).await?;
        let metadata = IdentityProvider::read(&text)?;
        Ok::<_, Error>((text, metadata))
    };
    match latest.await {
        Ok((text, metadata)) if metadata.entity_id == provider.entity_id => {
            let mut connection = store.connection().await?;
            crate::store::sso_providers::refresh(&mut connection, provider.id, &text, now).await?;
            Ok(metadata)
        }
        Ok(_) => {
            tracing::warn!(sso_provider.id = %provider.id, "the metadata is of another entity");
            Ok(known)
        }
        Err(error) => {
            let error = error.to_string();
            tracing::warn!(sso_provider.id = %provider.id, error, "the metadata of before is used");
            Ok(known)
        }
    }
}
