//! `auth.sso_providers`, `auth.saml_providers` and `auth.sso_domains`

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::saml::provider::SsoProvider;

/// Most providers that are listed.
const MAX_LISTED: i64 = 1000;

/// A provider with its domains; what comes after it says which.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "select p.id, p.resource_id, p.disabled, p.created_at, p.updated_at, s.entity_id, \
                 s.metadata_xml, s.metadata_url, s.attribute_mapping, s.name_id_format, \
                 s.updated_at as saml_updated_at, \
                 array(select d.domain from auth.sso_domains d where d.sso_provider_id = p.id \
                     order by d.created_at, d.domain) as domains \
             from auth.sso_providers p join auth.saml_providers s on s.sso_provider_id = p.id ",
            $which
        )
    };
}

/// Which providers are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// With this name of the operator's.
    pub resource_id: Option<&'a str>,
    /// With a name of the operator's that begins so.
    pub resource_id_prefix: Option<&'a str>,
}

/// Providers, oldest first.
pub async fn list(
    connection: &mut PgConnection,
    filter: Filter<'_>,
) -> sqlx::Result<Vec<SsoProvider>> {
    sqlx::query_as(select!(
        "where ($1::text is null or p.resource_id = $1) \
             and ($2::text is null or starts_with(p.resource_id, $2)) \
         order by p.created_at, p.id limit $3"
    ))
    .bind(filter.resource_id)
    .bind(filter.resource_id_prefix)
    .bind(MAX_LISTED)
    .fetch_all(connection)
    .await
}

/// The provider with this id.
pub async fn by_id(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<SsoProvider>> {
    sqlx::query_as(select!("where p.id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await
}

/// The provider with this id, which nobody else changes before the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<SsoProvider>> {
    sqlx::query("select from auth.sso_providers where id = $1 for update")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    by_id(connection, id).await
}

/// The provider that the operator knows by this name.
pub async fn by_resource_id(
    connection: &mut PgConnection,
    resource_id: &str,
) -> sqlx::Result<Option<SsoProvider>> {
    sqlx::query_as(select!("where lower(p.resource_id) = lower($1)"))
        .bind(resource_id)
        .fetch_optional(connection)
        .await
}

/// The provider of this name in SAML.
pub async fn by_entity_id(
    connection: &mut PgConnection,
    entity_id: &str,
) -> sqlx::Result<Option<SsoProvider>> {
    sqlx::query_as(select!("where s.entity_id = $1"))
        .bind(entity_id)
        .fetch_optional(connection)
        .await
}

/// The provider of a domain's users.
pub async fn by_domain(
    connection: &mut PgConnection,
    domain: &str,
) -> sqlx::Result<Option<SsoProvider>> {
    sqlx::query_as(select!(
        "where p.id = (select sso_provider_id from auth.sso_domains where lower(domain) = lower($1))"
    ))
    .bind(domain)
    .fetch_optional(connection)
    .await
}

/// Adds a provider, or replaces everything about it that can change; its domains are apart.
pub async fn put(
    connection: &mut PgConnection,
    provider: &SsoProvider,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.sso_providers (id, resource_id, disabled, created_at, updated_at) \
         values ($1, $2, $3, $4, $4) \
         on conflict (id) do update set resource_id = $2, disabled = $3, updated_at = $4",
    )
    .bind(provider.id)
    .bind(&provider.resource_id)
    .bind(provider.disabled)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "with known as ( \
             update auth.saml_providers set metadata_xml = $3, metadata_url = $4, \
                 attribute_mapping = $5, name_id_format = $6, updated_at = $8 \
             where sso_provider_id = $1 returning id) \
         insert into auth.saml_providers (id, sso_provider_id, entity_id, metadata_xml, \
             metadata_url, attribute_mapping, name_id_format, created_at, updated_at) \
         select gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, $8 \
         where not exists (select from known)",
    )
    .bind(provider.id)
    .bind(&provider.entity_id)
    .bind(&provider.metadata_xml)
    .bind(&provider.metadata_url)
    .bind(&provider.attribute_mapping)
    .bind(&provider.name_id_format)
    .bind(now)
    .bind(provider.saml_updated_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives a provider exactly these domains.
pub async fn set_domains(
    connection: &mut PgConnection,
    provider: Uuid,
    domains: &[String],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("delete from auth.sso_domains where sso_provider_id = $1 and domain <> all ($2)")
        .bind(provider)
        .bind(domains)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "insert into auth.sso_domains (id, sso_provider_id, domain, created_at, updated_at) \
         select gen_random_uuid(), $1, domain, $3, $3 from unnest($2::text[]) as domain \
         where domain not in (select domain from auth.sso_domains where sso_provider_id = $1)",
    )
    .bind(provider)
    .bind(domains)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Replaces what a provider says about itself.
pub async fn refresh(
    connection: &mut PgConnection,
    provider: Uuid,
    metadata_xml: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.saml_providers set metadata_xml = $2, updated_at = $3 \
         where sso_provider_id = $1",
    )
    .bind(provider)
    .bind(metadata_xml)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a provider and its domains; its users stay.
pub async fn delete(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.sso_providers where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
