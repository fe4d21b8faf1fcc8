//! `auth.identities`

use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{identity::Identity, user::Members};

/// An identity about to be stored.
#[derive(Clone, Debug)]
pub struct NewIdentity<'a> {
    /// Whose it is.
    pub user_id: Uuid,
    /// Name of the provider.
    pub provider: &'a str,
    /// The subject at the provider.
    pub provider_id: &'a str,
    /// What the provider says about the subject.
    pub data: Members,
}

/// Identities of these users, oldest first.
pub async fn of_users(
    connection: &mut PgConnection,
    users: &[Uuid],
) -> sqlx::Result<Vec<Identity>> {
    sqlx::query_as("select * from auth.identities where user_id = any($1) order by created_at, id")
        .bind(users)
        .fetch_all(connection)
        .await
}

/// The identity of `subject` at `provider`.
pub async fn of_provider(
    connection: &mut PgConnection,
    provider: &str,
    subject: &str,
) -> sqlx::Result<Option<Identity>> {
    sqlx::query_as("select * from auth.identities where provider = $1 and provider_id = $2")
        .bind(provider)
        .bind(subject)
        .fetch_optional(connection)
        .await
}

/// Adds an identity.
pub async fn insert(
    connection: &mut PgConnection,
    new: NewIdentity<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<Identity> {
    sqlx::query_as(
        "insert into auth.identities \
             (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, \
              updated_at) \
         values ($1, $2, $3, $4, $5, $5, $5) returning *",
    )
    .bind(new.provider_id)
    .bind(new.user_id)
    .bind(Json(new.data))
    .bind(new.provider)
    .bind(now)
    .fetch_one(connection)
    .await
}

/// Replaces what the provider says.
pub async fn update_data(
    connection: &mut PgConnection,
    id: Uuid,
    data: &Members,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("update auth.identities set identity_data = $2, updated_at = $3 where id = $1")
        .bind(id)
        .bind(Json(data))
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Replaces the subject and empties the data, for accounts that are emptied.
pub async fn obfuscate(
    connection: &mut PgConnection,
    id: Uuid,
    subject: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.identities set provider_id = $2, identity_data = '{}', updated_at = $3 \
         where id = $1",
    )
    .bind(id)
    .bind(subject)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Who has an identity with one of these addresses that its provider vouched for; two at most.
pub async fn holders(
    connection: &mut PgConnection,
    emails: &[String],
    audience: &str,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select distinct i.user_id from auth.identities i join auth.users u on u.id = i.user_id \
         where i.email = any($1) and i.identity_data -> 'email_verified' = 'true' \
             and i.provider not like 'sso:%' and u.aud = $2 and not u.is_sso_user limit 2",
    )
    .bind(emails)
    .bind(audience)
    .fetch_all(connection)
    .await
}

/// Notes a sign-in, and what the provider said on that occasion.
pub async fn signed_in(
    connection: &mut PgConnection,
    id: Uuid,
    data: &Members,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.identities set identity_data = $2, last_sign_in_at = $3, updated_at = $3 \
         where id = $1",
    )
    .bind(id)
    .bind(Json(data))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes an identity.
pub async fn delete(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.identities where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes every identity of a user but one.
pub async fn delete_others(
    connection: &mut PgConnection,
    user: Uuid,
    keep: Uuid,
) -> sqlx::Result<()> {
    sqlx::query("delete from auth.identities where user_id = $1 and id <> $2")
        .bind(user)
        .bind(keep)
        .execute(connection)
        .await?;
    Ok(())
}
