//! `auth.oauth_clients`

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::oauth_server::client::Client;

/// Most clients of a list.
const MAX_LISTED: i64 = 1000;

/// The client of this id.
pub async fn find(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Client>> {
    sqlx::query_as(
        "select id, client_secret_hash, registration_type::text, redirect_uris, grant_types, \
             client_name, client_uri, logo_uri, client_type::text, token_endpoint_auth_method, \
             created_at, updated_at \
         from auth.oauth_clients where id = $1 and deleted_at is null",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

/// The client of this id, which nobody else changes before the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Client>> {
    sqlx::query("select from auth.oauth_clients where id = $1 for update")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    find(connection, id).await
}

/// All clients, newest first.
pub async fn list(connection: &mut PgConnection) -> sqlx::Result<Vec<Client>> {
    sqlx::query_as(
        "select id, client_secret_hash, registration_type::text, redirect_uris, grant_types, \
             client_name, client_uri, logo_uri, client_type::text, token_endpoint_auth_method, \
             created_at, updated_at \
         from auth.oauth_clients where deleted_at is null order by created_at desc, id limit $1",
    )
    .bind(MAX_LISTED)
    .fetch_all(connection)
    .await
}

/// Adds a client, or replaces everything that can change about it.
pub async fn put(connection: &mut PgConnection, client: &Client) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.oauth_clients (id, client_secret_hash, registration_type, \
             redirect_uris, grant_types, client_name, client_uri, logo_uri, client_type, \
             token_endpoint_auth_method, created_at, updated_at) \
         values ($1, $2, $3::text::auth.oauth_registration_type, $4, $5, $6, $7, $8, \
             $9::text::auth.oauth_client_type, $10, $11, $12) \
         on conflict (id) do update set client_secret_hash = $2, redirect_uris = $4, \
             grant_types = $5, client_name = $6, client_uri = $7, logo_uri = $8, updated_at = $12",
    )
    .bind(client.id)
    .bind(&client.client_secret_hash)
    .bind(&client.registration_type)
    .bind(&client.redirect_uris)
    .bind(&client.grant_types)
    .bind(&client.client_name)
    .bind(&client.client_uri)
    .bind(&client.logo_uri)
    .bind(&client.client_type)
    .bind(&client.token_endpoint_auth_method)
    .bind(client.created_at)
    .bind(client.updated_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Hides a client and ends everything it has; tells whether there was one.
pub async fn delete(
    connection: &mut PgConnection,
    id: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "update auth.oauth_clients set deleted_at = $2, updated_at = $2 \
         where id = $1 and deleted_at is null",
    )
    .bind(id)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for statement in [
        "delete from auth.sessions where oauth_client_id = $1",
        "delete from auth.oauth_authorizations where client_id = $1",
        "delete from auth.oauth_consents where client_id = $1",
    ] {
        sqlx::query(statement)
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}
