//! `auth.custom_oauth_providers`

use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;

use crate::oauth::custom::CustomProvider;

/// The provider of this identifier.
pub async fn find(
    connection: &mut PgConnection,
    identifier: &str,
) -> sqlx::Result<Option<CustomProvider>> {
    sqlx::query_as("select * from auth.custom_oauth_providers where identifier = $1")
        .bind(identifier)
        .fetch_optional(connection)
        .await
}

/// The provider of this identifier, which nobody else changes before the transaction ends.
pub async fn lock(
    connection: &mut PgConnection,
    identifier: &str,
) -> sqlx::Result<Option<CustomProvider>> {
    sqlx::query_as("select * from auth.custom_oauth_providers where identifier = $1 for update")
        .bind(identifier)
        .fetch_optional(connection)
        .await
}

/// All providers, of one type if that is wished.
pub async fn list(
    connection: &mut PgConnection,
    provider_type: Option<&str>,
) -> sqlx::Result<Vec<CustomProvider>> {
    sqlx::query_as(
        "select * from auth.custom_oauth_providers \
         where $1::text is null or provider_type = $1 order by identifier limit 1000",
    )
    .bind(provider_type)
    .fetch_all(connection)
    .await
}

/// Adds a provider, or replaces everything that can change about it.
pub async fn put(
    connection: &mut PgConnection,
    provider: &CustomProvider,
    now: OffsetDateTime,
) -> sqlx::Result<CustomProvider> {
    sqlx::query_as(
        "insert into auth.custom_oauth_providers (id, provider_type, identifier, name, client_id, \
             client_secret, acceptable_client_ids, scopes, pkce_enabled, attribute_mapping, \
             authorization_params, enabled, email_optional, issuer, discovery_url, \
             skip_nonce_check, authorization_url, token_url, userinfo_url, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
             $19, $20, $20) \
         on conflict (id) do update set name = $4, client_id = $5, client_secret = $6, \
             acceptable_client_ids = $7, scopes = $8, pkce_enabled = $9, attribute_mapping = $10, \
             authorization_params = $11, enabled = $12, email_optional = $13, issuer = $14, \
             discovery_url = $15, skip_nonce_check = $16, authorization_url = $17, \
             token_url = $18, userinfo_url = $19, updated_at = $20 \
         returning *",
    )
    .bind(provider.id)
    .bind(&provider.provider_type)
    .bind(&provider.identifier)
    .bind(&provider.name)
    .bind(&provider.client_id)
    .bind(&provider.client_secret)
    .bind(&provider.acceptable_client_ids)
    .bind(&provider.scopes)
    .bind(provider.pkce_enabled)
    .bind(Json(&provider.attribute_mapping.0))
    .bind(Json(&provider.authorization_params.0))
    .bind(provider.enabled)
    .bind(provider.email_optional)
    .bind(&provider.issuer)
    .bind(&provider.discovery_url)
    .bind(provider.skip_nonce_check)
    .bind(&provider.authorization_url)
    .bind(&provider.token_url)
    .bind(&provider.userinfo_url)
    .bind(now)
    .fetch_one(connection)
    .await
}

/// Removes a provider; tells whether there was one.
pub async fn delete(connection: &mut PgConnection, identifier: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("delete from auth.custom_oauth_providers where identifier = $1")
        .bind(identifier)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}
