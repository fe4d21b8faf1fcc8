//! `/admin/custom-providers`: providers that are added while the service runs.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde::{Deserialize, Serialize};
use sqlx::types;
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    authentication::Admin,
    encryption::Keys,
    error::{Error, Result, code},
    oauth::{CUSTOM, custom::CustomProvider},
    request::{Body, Params, ProviderName},
    store,
    user::Members,
};

/// Longest name, and longest URL.
const MAX_CHARS: usize = 2048;

/// A provider as an admin describes it; what is left out stays as it is.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProviderInput {
    provider_type: Option<String>,
    identifier: Option<String>,
    name: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    acceptable_client_ids: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    pkce_enabled: Option<bool>,
    #[schema(value_type = Option<Object>)]
    attribute_mapping: Option<Members>,
    #[schema(value_type = Option<Object>)]
    authorization_params: Option<Members>,
    enabled: Option<bool>,
    email_optional: Option<bool>,
    issuer: Option<String>,
    discovery_url: Option<String>,
    skip_nonce_check: Option<bool>,
    authorization_url: Option<String>,
    token_url: Option<String>,
    userinfo_url: Option<String>,
}

/// A provider as shown; its secret is not.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ProviderView {
    id: Uuid,
    provider_type: String,
    identifier: String,
    name: String,
    client_id: String,
    acceptable_client_ids: Vec<String>,
    scopes: Vec<String>,
    pkce_enabled: bool,
    #[schema(value_type = Object)]
    attribute_mapping: Members,
    #[schema(value_type = Object)]
    authorization_params: Members,
    enabled: bool,
    email_optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery_url: Option<String>,
    skip_nonce_check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    userinfo_url: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// All providers of the operator's own.
#[derive(Debug, Serialize, ToSchema)]
pub struct Providers {
    providers: Vec<ProviderView>,
}

/// Lists the providers.
#[utoipa::path(
    operation_id = "admin_providers_list",
    get,
    path = "/admin/custom-providers",
    params(("type" = Option<String>, Query, description = "`oidc` or `oauth2`")),
    responses((status = 200, body = Providers), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Admin,
    params: Params,
) -> Result<Json<Providers>> {
    let mut connection = state.store().connection().await?;
    let rows = store::custom_providers::list(&mut connection, params.get("type")).await?;
    Ok(Json(Providers {
        providers: rows.into_iter().map(Into::into).collect(),
    }))
}

/// Adds a provider.
#[utoipa::path(
    operation_id = "admin_providers_create",
    post,
    path = "/admin/custom-providers",
    request_body = ProviderInput,
    responses((status = 201, body = ProviderView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    _: Admin,
    Body(input): Body<ProviderInput>,
) -> Result<Response> {
    let now = state.now();
    let mut row = input.fill(CustomProvider::blank(now));
    check(&row)?;
    row.client_secret = keys(&state).seal(row.id, &row.client_secret)?;
    let mut connection = state.store().connection().await?;
    let stored = store::custom_providers::put(&mut connection, &row, now).await;
    let stored = stored.map_err(|error| match Error::from(error) {
        error if error.violates("custom_oauth_providers_identifier_key") => Error::bad_request(
            code::CONFLICT,
            "A custom provider with this identifier already exists",
        ),
        error => error,
    })?;
    Ok((StatusCode::CREATED, Json(ProviderView::from(stored))).into_response())
}

/// One provider.
#[utoipa::path(
    operation_id = "admin_providers_read",
    get,
    path = "/admin/custom-providers/{provider_id}",
    params(("provider_id" = String, Path)),
    responses((status = 200, body = ProviderView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn read(
    State(state): State<AppState>,
    _: Admin,
    ProviderName(name): ProviderName,
) -> Result<Json<ProviderView>> {
    let mut connection = state.store().connection().await?;
    let row = store::custom_providers::find(&mut connection, &name).await?;
    Ok(Json(row.ok_or_else(unknown)?.into()))
}

/// Changes a provider.
#[utoipa::path(
    operation_id = "admin_providers_update",
    put,
    path = "/admin/custom-providers/{provider_id}",
    params(("provider_id" = String, Path)),
    request_body = ProviderInput,
    responses((status = 200, body = ProviderView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    _: Admin,
    ProviderName(name): ProviderName,
    Body(mut input): Body<ProviderInput>,
) -> Result<Json<ProviderView>> {
    let mut tx = state.store().begin().await?;
    let row = store::custom_providers::lock(&mut tx, &name).await?;
    let mut row = row.ok_or_else(unknown)?;
    if input.client_secret.is_none() {
        row.client_secret = keys(&state).open(row.id, &row.client_secret)?;
    }
    // Identities are known by the name, and what an identity means depends on the type.
    input.identifier = None;
    input.provider_type = None;
    let mut row = input.fill(row);
    check(&row)?;
    // Whatever it was before, it is encrypted with the present key.
    row.client_secret = keys(&state).seal(row.id, &row.client_secret)?;
    let stored = store::custom_providers::put(&mut tx, &row, state.now()).await?;
    tx.commit().await?;
    Ok(Json(stored.into()))
}

/// Removes a provider.
#[utoipa::path(
    operation_id = "admin_providers_delete",
    delete,
    path = "/admin/custom-providers/{provider_id}",
    params(("provider_id" = String, Path)),
    responses((status = 204), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    _: Admin,
    ProviderName(name): ProviderName,
) -> Result<StatusCode> {
    let mut connection = state.store().connection().await?;
    if store::custom_providers::delete(&mut connection, &name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown())
    }
}

impl ProviderInput {
    /// `row` with what this says put over it.
    fn fill(self, mut row: CustomProvider) -> CustomProvider {
        set(&mut row.provider_type, self.provider_type);
        set(&mut row.identifier, self.identifier);
        set(&mut row.name, self.name);
        set(&mut row.client_id, self.client_id);
        set(&mut row.client_secret, self.client_secret);
        set(&mut row.acceptable_client_ids, self.acceptable_client_ids);
        set(&mut row.scopes, self.scopes);
        set(&mut row.pkce_enabled, self.pkce_enabled);
        set(
            &mut row.attribute_mapping,
            self.attribute_mapping.map(types::Json),
        );
        set(
            &mut row.authorization_params,
            self.authorization_params.map(types::Json),
        );
        set(&mut row.enabled, self.enabled);
        set(&mut row.email_optional, self.email_optional);
        set(&mut row.skip_nonce_check, self.skip_nonce_check);
        for (place, value) in [
            (&mut row.issuer, self.issuer),
            (&mut row.discovery_url, self.discovery_url),
            (&mut row.authorization_url, self.authorization_url),
            (&mut row.token_url, self.token_url),
            (&mut row.userinfo_url, self.userinfo_url),
        ] {
            if let Some(value) = value {
                *place = (!value.is_empty()).then(|| value.trim_end_matches('/').to_owned());
            }
        }
        row
    }
}

fn keys(state: &AppState) -> &Keys {
    &state.config().encryption
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Fails when a provider lacks something.
fn check(row: &CustomProvider) -> Result<()> {
    let word = row.identifier.strip_prefix(CUSTOM).unwrap_or_default();
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if word.is_empty() || word.len() > 50 || !word.chars().all(is_word) {
        return Err(Error::invalid(
            "identifier must be 'custom:' and up to 50 of a-z, 0-9, '-' and '_'",
        ));
    }
    for (name, value) in [
        ("name", &row.name),
        ("client_id", &row.client_id),
        ("client_secret", &row.client_secret),
    ] {
        if value.is_empty() || value.len() > MAX_CHARS {
            return Err(Error::invalid(format!("{name} is required")));
        }
    }
    let needed = match row.provider_type.as_str() {
        "oidc" => vec![("issuer", &row.issuer)],
        "oauth2" => vec![
            ("authorization_url", &row.authorization_url),
            ("token_url", &row.token_url),
            ("userinfo_url", &row.userinfo_url),
        ],
        _ => {
            let message = "provider_type must be either 'oauth2' or 'oidc'";
            return Err(Error::invalid(message));
        }
    };
    let optional = [("discovery_url", &row.discovery_url)];
    for (name, url) in needed {
        if url.is_none() {
            return Err(Error::invalid(format!("{name} is required")));
        }
        check_url(name, url.as_deref())?;
    }
    optional
        .into_iter()
        .try_for_each(|(name, url)| check_url(name, url.as_deref()))
}

fn check_url(name: &str, url: Option<&str>) -> Result<()> {
    let Some(text) = url else { return Ok(()) };
    let is_web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if is_web && text.len() <= MAX_CHARS {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} must be a URL")))
}

fn unknown() -> Error {
    let message = "Custom provider not found";
    Error::not_found(code::CUSTOM_PROVIDER_NOT_FOUND, message)
}

impl From<CustomProvider> for ProviderView {
    fn from(row: CustomProvider) -> Self {
        Self {
            id: row.id,
            provider_type: row.provider_type,
            identifier: row.identifier,
            name: row.name,
            client_id: row.client_id,
            acceptable_client_ids: row.acceptable_client_ids,
            scopes: row.scopes,
            pkce_enabled: row.pkce_enabled,
            attribute_mapping: row.attribute_mapping.0,
            authorization_params: row.authorization_params.0,
            enabled: row.enabled,
            email_optional: row.email_optional,
            issuer: row.issuer,
            discovery_url: row.discovery_url,
            skip_nonce_check: row.skip_nonce_check,
            authorization_url: row.authorization_url,
            token_url: row.token_url,
            userinfo_url: row.userinfo_url,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl std::fmt::Debug for ProviderInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderInput")
            .field("identifier", &self.identifier)
            .finish_non_exhaustive()
    }
}
