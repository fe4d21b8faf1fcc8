//! `auth.webauthn_credentials`

use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{passkey::Passkey, webauthn::Credential};

/// Passkeys of a user, oldest first.
pub async fn of_user(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<Vec<Passkey>> {
    sqlx::query_as(
        "select id, user_id, friendly_name, created_at, last_used_at, credential_id, public_key, \
             attestation_type, aaguid, sign_count, transports, backup_eligible, backed_up \
         from auth.webauthn_credentials where user_id = $1 order by created_at, id",
    )
    .bind(user)
    .fetch_all(connection)
    .await
}

/// The passkey a browser names, nobody else using it until the transaction ends.
pub async fn lock(
    connection: &mut PgConnection,
    credential: &[u8],
) -> sqlx::Result<Option<Passkey>> {
    sqlx::query_as(
        "select id, user_id, friendly_name, created_at, last_used_at, credential_id, public_key, \
             attestation_type, aaguid, sign_count, transports, backup_eligible, backed_up \
         from auth.webauthn_credentials where credential_id = $1 for no key update",
    )
    .bind(credential)
    .fetch_optional(connection)
    .await
}

/// Adds a passkey; its credential must not be one already.
pub async fn insert(
    connection: &mut PgConnection,
    user: Uuid,
    (name, credential): (&str, &Credential),
    now: OffsetDateTime,
) -> sqlx::Result<Passkey> {
    sqlx::query_as(
        "insert into auth.webauthn_credentials \
             (id, user_id, friendly_name, created_at, updated_at, credential_id, public_key, \
              attestation_type, aaguid, sign_count, transports, backup_eligible, backed_up) \
         values ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         returning id, user_id, friendly_name, created_at, last_used_at, credential_id, \
             public_key, attestation_type, aaguid, sign_count, transports, backup_eligible, \
             backed_up",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(name)
    .bind(now)
    .bind(&credential.id)
    .bind(&credential.public_key)
    .bind(&credential.attestation_type)
    .bind(credential.aaguid)
    .bind(i64::from(credential.sign_count))
    .bind(Json(credential.transports.as_deref().unwrap_or_default()))
    .bind(credential.backup_eligible)
    .bind(credential.backed_up)
    .fetch_one(connection)
    .await
}

/// Notes a sign-in, and the credential as it is after it.
pub async fn used(
    connection: &mut PgConnection,
    id: Uuid,
    credential: &Credential,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.webauthn_credentials \
         set sign_count = $2, backed_up = $3, last_used_at = $4, updated_at = $4 where id = $1",
    )
    .bind(id)
    .bind(i64::from(credential.sign_count))
    .bind(credential.backed_up)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives a user's passkey another name.
pub async fn rename(
    connection: &mut PgConnection,
    (user, id): (Uuid, Uuid),
    name: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Passkey>> {
    sqlx::query_as(
        "update auth.webauthn_credentials set friendly_name = $3, updated_at = $4 \
         where user_id = $1 and id = $2 \
         returning id, user_id, friendly_name, created_at, last_used_at, credential_id, \
             public_key, attestation_type, aaguid, sign_count, transports, backup_eligible, \
             backed_up",
    )
    .bind(user)
    .bind(id)
    .bind(name)
    .bind(now)
    .fetch_optional(connection)
    .await
}

/// Removes a passkey of a user; says whether there was one.
pub async fn delete(connection: &mut PgConnection, (user, id): (Uuid, Uuid)) -> sqlx::Result<bool> {
    let done = sqlx::query("delete from auth.webauthn_credentials where user_id = $1 and id = $2")
        .bind(user)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes all passkeys of a user.
pub async fn delete_of_user(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.webauthn_credentials where user_id = $1")
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}
