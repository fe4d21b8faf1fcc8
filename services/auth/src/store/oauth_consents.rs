//! `auth.oauth_consents`

use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::oauth_server::{client::Client, scope::Scopes};

/// Most consents of a list.
const MAX_LISTED: i64 = 1000;

/// What a user let a client know.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The client.
    pub client: Client,
    /// What it may know.
    pub scopes: Scopes,
    /// Since when.
    pub granted_at: OffsetDateTime,
}

/// What the user lets the client know at present.
pub async fn find(
    connection: &mut PgConnection,
    (user, client): (Uuid, Uuid),
) -> sqlx::Result<Option<Scopes>> {
    let scopes: Option<String> = sqlx::query_scalar(
        "select scopes from auth.oauth_consents \
         where user_id = $1 and client_id = $2 and revoked_at is null",
    )
    .bind(user)
    .bind(client)
    .fetch_optional(connection)
    .await?;
    Ok(scopes.map(|scopes| Scopes::stored(&scopes)))
}

/// All that the user lets clients know, newest first.
pub async fn list(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<Vec<Consent>> {
    let rows = sqlx::query(
        "select c.id, c.client_secret_hash, c.registration_type::text, c.redirect_uris, \
             c.grant_types, c.client_name, c.client_uri, c.logo_uri, c.client_type::text, \
             c.token_endpoint_auth_method, c.created_at, c.updated_at, s.scopes, s.granted_at \
         from auth.oauth_consents s join auth.oauth_clients c on c.id = s.client_id \
         where s.user_id = $1 and s.revoked_at is null and c.deleted_at is null \
         order by s.granted_at desc limit $2",
    )
    .bind(user)
    .bind(MAX_LISTED)
    .fetch_all(connection)
    .await?;
    rows.iter().map(consent).collect()
}

fn consent(row: &PgRow) -> sqlx::Result<Consent> {
    Ok(Consent {
        client: sqlx::FromRow::from_row(row)?,
        scopes: Scopes::stored(row.try_get("scopes")?),
        granted_at: row.try_get("granted_at")?,
    })
}

/// Lets the client know this much, whatever it was before.
pub async fn put(
    connection: &mut PgConnection,
    (user, client): (Uuid, Uuid),
    scopes: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.oauth_consents (id, user_id, client_id, scopes, granted_at) \
         values ($1, $2, $3, $4, $5) \
         on conflict (user_id, client_id) do update \
             set scopes = $4, granted_at = $5, revoked_at = null",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(client)
    .bind(scopes)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes it back; tells whether there was something.
pub async fn revoke(
    connection: &mut PgConnection,
    (user, client): (Uuid, Uuid),
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "update auth.oauth_consents set revoked_at = $3 \
         where user_id = $1 and client_id = $2 and revoked_at is null",
    )
    .bind(user)
    .bind(client)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
