//! `/admin/sso/providers`: identity providers as admins manage them.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types};
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    authentication::Admin,
    error::{Error, Result, code},
    request::{Body, IdpName, Params},
    saml::{
        assertion::{EMAIL_ADDRESS, Mapping, PERSISTENT, TRANSIENT, UNSPECIFIED},
        fetch_metadata,
        metadata::IdentityProvider,
        provider::SsoProvider,
    },
    store::{self, sso_providers::Filter},
};

/// What a name of the operator's begins with where an id could stand.
const RESOURCE: &str = "resource_";

/// Most domains of a provider.
const MAX_DOMAINS: usize = 1000;

/// Longest domain (RFC 1035, 2.3.4), and longest name of the operator's.
const MAX_NAME_BYTES: usize = 255;

/// An identity provider as an admin describes it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SsoProviderInput {
    r#type: String,
    metadata_url: String,
    metadata_xml: String,
    domains: Option<Vec<String>>,
    attribute_mapping: Mapping,
    name_id_format: String,
    resource_id: Option<String>,
    disabled: Option<bool>,
}

/// An identity provider as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SsoProviderView {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    disabled: Option<bool>,
    saml: SamlView,
    domains: Vec<DomainView>,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
}

/// The SAML side of an identity provider.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SamlView {
    entity_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_xml: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_url: Option<String>,
    attribute_mapping: Mapping,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_id_format: Option<String>,
}

/// A domain whose users an identity provider signs in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DomainView {
    domain: String,
}

/// All identity providers, without their metadata.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SsoProviders {
    items: Vec<SsoProviderView>,
}

/// Lists the identity providers.
#[utoipa::path(
    operation_id = "admin_sso_list",
    get,
    path = "/admin/sso/providers",
    params(
        ("resource_id" = Option<String>, Query),
        ("resource_id_prefix" = Option<String>, Query),
    ),
    responses((status = 200, body = SsoProviders), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Admin,
    params: Params,
) -> Result<Json<SsoProviders>> {
    state.saml()?;
    let resource_id = params.get("resource_id");
    let filter = Filter {
        resource_id,
        resource_id_prefix: params
            .get("resource_id_prefix")
            .filter(|_| resource_id.is_none()),
    };
    let mut connection = state.store().connection().await?;
    let rows = store::sso_providers::list(&mut connection, filter).await?;
    let brief = |row| {
        let mut view = SsoProviderView::from(row);
        view.saml.metadata_xml = None;
        view
    };
    Ok(Json(SsoProviders {
        items: rows.into_iter().map(brief).collect(),
    }))
}

/// Makes an identity provider known.
#[utoipa::path(
    operation_id = "admin_sso_create",
    post,
    path = "/admin/sso/providers",
    request_body = SsoProviderInput,
    responses((status = 201, body = SsoProviderView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    _: Admin,
    Body(input): Body<SsoProviderInput>,
) -> Result<Response> {
    state.saml()?;
    if input.r#type != "saml" {
        let message = "Only 'saml' supported for SSO provider type";
        return Err(Error::invalid(message));
    }
    input.check()?;
    let (text, metadata) = input
        .metadata(&state)
        .await?
        .ok_or_else(|| Error::invalid("Either metadata_xml or metadata_url must be set"))?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let entity_id = &metadata.entity_id;
    if store::sso_providers::by_entity_id(&mut tx, entity_id)
        .await?
        .is_some()
    {
        return Err(already_there(entity_id));
    }
    let row = SsoProvider {
        id: Uuid::new_v4(),
        resource_id: non_empty(input.resource_id.as_deref()),
        disabled: input.disabled,
        created_at: Some(now),
        updated_at: Some(now),
        entity_id: metadata.entity_id,
        metadata_xml: text,
        metadata_url: non_empty(Some(&input.metadata_url)),
        attribute_mapping: Some(types::Json(input.attribute_mapping)),
        name_id_format: non_empty(Some(&input.name_id_format)),
        saml_updated_at: Some(now),
        domains: Vec::new(),
    };
    let stored = put(&mut tx, row, input.domains.as_deref(), now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(SsoProviderView::from(stored))).into_response())
}

/// One identity provider.
#[utoipa::path(
    operation_id = "admin_sso_read",
    get,
    path = "/admin/sso/providers/{idp_id}",
    params(("idp_id" = String, Path, description = "its id, or `resource_` and the operator's name for it")),
    responses((status = 200, body = SsoProviderView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn read(
    State(state): State<AppState>,
    _: Admin,
    IdpName(name): IdpName,
) -> Result<Json<SsoProviderView>> {
    state.saml()?;
    let mut connection = state.store().connection().await?;
    Ok(Json(named(&mut connection, &name).await?.into()))
}

/// Changes an identity provider; its entity stays the same.
#[utoipa::path(
    operation_id = "admin_sso_update",
    put,
    path = "/admin/sso/providers/{idp_id}",
    params(("idp_id" = String, Path)),
    request_body = SsoProviderInput,
    responses((status = 200, body = SsoProviderView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    _: Admin,
    IdpName(name): IdpName,
    Body(input): Body<SsoProviderInput>,
) -> Result<Json<SsoProviderView>> {
    state.saml()?;
    input.check()?;
    let id = {
        let mut connection = state.store().connection().await?;
        named(&mut connection, &name).await?.id
    };
    // Nothing of ours is held while metadata are fetched.
    let metadata = input.metadata(&state).await?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let row = store::sso_providers::lock(&mut tx, id).await?;
    let mut row = row.ok_or_else(unknown)?;
    if let Some((text, metadata)) = metadata {
        if metadata.entity_id != row.entity_id {
            let message = format!(
                "SAML Metadata can be updated only if the EntityID matches for the provider; \
                 expected '{}' but got '{}'",
                row.entity_id, metadata.entity_id
            );
            return Err(Error::bad_request(code::SAML_ENTITY_ID_MISMATCH, message));
        }
        row.metadata_xml = text;
        row.saml_updated_at = Some(now);
        if !input.metadata_url.is_empty() {
            row.metadata_url = Some(input.metadata_url.clone());
        }
    }
    if input.attribute_mapping.keys.is_some() {
        row.attribute_mapping = Some(types::Json(input.attribute_mapping));
    }
    row.name_id_format = non_empty(Some(&input.name_id_format));
    if let Some(resource_id) = &input.resource_id {
        row.resource_id = non_empty(Some(resource_id));
    }
    row.disabled = input.disabled.or(row.disabled);
    let stored = put(&mut tx, row, input.domains.as_deref(), now).await?;
    tx.commit().await?;
    Ok(Json(stored.into()))
}

/// Removes an identity provider; its users stay, but cannot sign in anymore.
#[utoipa::path(
    operation_id = "admin_sso_delete",
    delete,
    path = "/admin/sso/providers/{idp_id}",
    params(("idp_id" = String, Path)),
    responses((status = 200, body = SsoProviderView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    _: Admin,
    IdpName(name): IdpName,
) -> Result<Json<SsoProviderView>> {
    state.saml()?;
    let mut connection = state.store().connection().await?;
    let row = named(&mut connection, &name).await?;
    store::sso_providers::delete(&mut connection, row.id).await?;
    Ok(Json(row.into()))
}

impl SsoProviderInput {
    /// Fails when something is not acceptable, whatever it is for.
    fn check(&self) -> Result<()> {
        if !self.metadata_url.is_empty() && !self.metadata_xml.is_empty() {
            let message = "Only one of metadata_xml or metadata_url needs to be set";
            return Err(Error::invalid(message));
        }
        if !self.metadata_url.is_empty() && Url::parse(&self.metadata_url).is_err() {
            return Err(Error::invalid("metadata_url is not a valid URL"));
        }
        let formats = [PERSISTENT, EMAIL_ADDRESS, TRANSIENT, UNSPECIFIED];
        if !self.name_id_format.is_empty() && !formats.contains(&self.name_id_format.as_str()) {
            return Err(Error::invalid(format!(
                "name_id_format must be unspecified or one of {}",
                formats.join(", ")
            )));
        }
        let domains = self.domains.as_deref().unwrap_or_default();
        let is_bad = |domain: &String| domain.is_empty() || domain.len() > MAX_NAME_BYTES;
        if domains.len() > MAX_DOMAINS || domains.iter().any(is_bad) {
            return Err(Error::invalid("domains has something that is not a domain"));
        }
        if self
            .resource_id
            .as_ref()
            .is_some_and(|id| id.len() > MAX_NAME_BYTES)
        {
            return Err(Error::invalid("resource_id is too long"));
        }
        Ok(())
    }

    /// The metadata given, or fetched from where they are.
    async fn metadata(&self, state: &AppState) -> Result<Option<(String, IdentityProvider)>> {
        let text = if !self.metadata_xml.is_empty() {
            self.metadata_xml.clone()
        } else if self.metadata_url.is_empty() {
            return Ok(None);
        } else {
            fetch_metadata(state.oauth().fetcher(), &self.metadata_url).await?
        };
        let metadata = IdentityProvider::read(&text)?;
        Ok(Some((text, metadata)))
    }
}

/// The provider with this id, or with this name of the operator's.
async fn named(connection: &mut PgConnection, name: &str) -> Result<SsoProvider> {
    let found = match (name.strip_prefix(RESOURCE), Uuid::try_parse(name)) {
        (Some(resource_id), _) => {
            store::sso_providers::by_resource_id(connection, resource_id).await?
        }
        (None, Ok(id)) => store::sso_providers::by_id(connection, id).await?,
        (None, Err(_)) => None,
    };
    found.ok_or_else(unknown)
}

fn unknown() -> Error {
    let message = "SSO Identity Provider not found";
    Error::not_found(code::SSO_PROVIDER_NOT_FOUND, message)
}

/// Stores a provider, and its domains if they are given.
async fn put(
    connection: &mut PgConnection,
    row: SsoProvider,
    domains: Option<&[String]>,
    now: OffsetDateTime,
) -> Result<SsoProvider> {
    let stored = store::sso_providers::put(connection, &row, now).await;
    stored.map_err(|error| match Error::from(error) {
        error if error.violates("saml_providers_entity_id_key") => already_there(&row.entity_id),
        error if error.violates("sso_providers_resource_id_idx") => {
            Error::unprocessable(code::CONFLICT, "Another SSO provider has this resource_id")
        }
        error => error,
    })?;
    if let Some(domains) = domains {
        for domain in domains {
            let holder = store::sso_providers::by_domain(connection, domain).await?;
            if let Some(holder) = holder.filter(|holder| holder.id != row.id) {
                return Err(assigned(domain, holder.id));
            }
        }
        let set = store::sso_providers::set_domains(connection, row.id, domains, now).await;
        set.map_err(|error| match Error::from(error) {
            error if error.violates("sso_domains_domain_idx") => {
                let message = "An SSO domain is already assigned to an SSO identity provider";
                Error::bad_request(code::SSO_DOMAIN_ALREADY_EXISTS, message)
            }
            error => error,
        })?;
    }
    named(connection, &row.id.to_string()).await
}

fn non_empty(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn already_there(entity_id: &str) -> Error {
    let message = format!("SAML Identity Provider with this EntityID ({entity_id}) already exists");
    Error::unprocessable(code::SAML_IDP_ALREADY_EXISTS, message)
}

fn assigned(domain: &str, holder: Uuid) -> Error {
    let message =
        format!("SSO Domain '{domain}' is already assigned to an SSO identity provider ({holder})");
    Error::bad_request(code::SSO_DOMAIN_ALREADY_EXISTS, message)
}

impl From<SsoProvider> for SsoProviderView {
    fn from(row: SsoProvider) -> Self {
        Self {
            id: row.id,
            resource_id: row.resource_id,
            disabled: row.disabled,
            saml: SamlView {
                entity_id: row.entity_id,
                metadata_xml: Some(row.metadata_xml),
                metadata_url: row.metadata_url,
                attribute_mapping: row
                    .attribute_mapping
                    .map(|mapping| mapping.0)
                    .unwrap_or_default(),
                name_id_format: row.name_id_format,
            },
            domains: row
                .domains
                .into_iter()
                .map(|domain| DomainView { domain })
                .collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
