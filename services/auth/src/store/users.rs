//! `auth.users`

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    factor::FactorView,
    identity::Identity,
    user::{User, UserView},
};

/// The user with this id.
pub async fn by_id(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<User>> {
    sqlx::query_as("select * from auth.users where id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await
}

/// The user with this id, nobody else changing them until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<User>> {
    sqlx::query_as("select * from auth.users where id = $1 for no key update")
        .bind(id)
        .fetch_optional(connection)
        .await
}

/// The user of `audience` with this address, in lower case.
pub async fn by_email(
    connection: &mut PgConnection,
    email: &str,
    audience: &str,
) -> sqlx::Result<Option<User>> {
    sqlx::query_as(
        "select * from auth.users \
         where instance_id = $1 and lower(email) = $2 and aud = $3 and not is_sso_user \
         order by created_at limit 1",
    )
    .bind(Uuid::nil())
    .bind(email)
    .bind(audience)
    .fetch_optional(connection)
    .await
}

/// The user of `audience` with one of these addresses, in lower case; the first address counts most.
pub async fn by_emails(
    connection: &mut PgConnection,
    emails: &[String],
    audience: &str,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "select id from auth.users \
         where instance_id = $1 and lower(email) = any($2) and aud = $3 and not is_sso_user \
         order by array_position($2, lower(email)), created_at limit 1",
    )
    .bind(Uuid::nil())
    .bind(emails)
    .bind(audience)
    .fetch_optional(connection)
    .await
}

/// The user of `audience` with this number.
pub async fn by_phone(
    connection: &mut PgConnection,
    phone: &str,
    audience: &str,
) -> sqlx::Result<Option<User>> {
    sqlx::query_as(
        "select * from auth.users \
         where instance_id = $1 and phone = $2 and aud = $3 and not is_sso_user",
    )
    .bind(Uuid::nil())
    .bind(phone)
    .bind(audience)
    .fetch_optional(connection)
    .await
}

/// Whoever has this address, as their own or through one of their identities.
pub async fn claiming_email(
    connection: &mut PgConnection,
    email: &str,
    audience: &str,
) -> sqlx::Result<Option<User>> {
    sqlx::query_as(
        "select * from auth.users u \
         where instance_id = $1 and aud = $3 and not is_sso_user \
           and (lower(u.email) = $2 or exists ( \
               select from auth.identities i \
               where i.user_id = u.id and i.email = $2 and i.provider not like 'sso:%')) \
         order by (lower(u.email) = $2) desc nulls last, created_at limit 1",
    )
    .bind(Uuid::nil())
    .bind(email)
    .bind(audience)
    .fetch_optional(connection)
    .await
}

/// Adds a user and returns them as stored.
pub async fn insert(connection: &mut PgConnection, user: &User) -> sqlx::Result<User> {
    sqlx::query_as(
        "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, \
             email_confirmed_at, invited_at, phone, phone_confirmed_at, raw_app_meta_data, \
             raw_user_meta_data, created_at, updated_at, banned_until, is_anonymous, \
             is_sso_user, confirmation_token, recovery_token, email_change_token_new, \
             email_change, is_super_admin) \
         values ($1, $2, $3, $4, nullif($5, ''), $6, $7, $8, nullif($9, ''), $10, $11, $12, \
             $13, $13, $14, $15, $16, '', '', '', '', false) \
         returning *",
    )
    .bind(Uuid::nil())
    .bind(user.id)
    .bind(&user.aud)
    .bind(&user.role)
    .bind(&user.email)
    .bind(user.encrypted_password.as_deref().unwrap_or_default())
    .bind(user.email_confirmed_at)
    .bind(user.invited_at)
    .bind(&user.phone)
    .bind(user.phone_confirmed_at)
    .bind(&user.raw_app_meta_data)
    .bind(&user.raw_user_meta_data)
    .bind(user.created_at)
    .bind(user.banned_until)
    .bind(user.is_anonymous)
    .bind(user.is_sso_user)
    .fetch_one(connection)
    .await
}

/// Stores everything about a user that can change, and returns them as stored.
///
/// The row must be locked (see [`lock`]), or another change could be undone.
pub async fn save(
    connection: &mut PgConnection,
    user: &User,
    now: OffsetDateTime,
) -> sqlx::Result<User> {
    sqlx::query_as(
        "update auth.users set role = $2, email = nullif($3, ''), encrypted_password = $4, \
             email_confirmed_at = $5, invited_at = $6, confirmation_token = $7, \
             confirmation_sent_at = $8, recovery_token = $9, recovery_sent_at = $10, \
             email_change_token_new = $11, email_change = $12, email_change_sent_at = $13, \
             email_change_token_current = $14, email_change_confirm_status = $15, \
             raw_app_meta_data = $16, raw_user_meta_data = $17, phone = nullif($18, ''), \
             phone_confirmed_at = $19, phone_change = $20, phone_change_token = $21, \
             phone_change_sent_at = $22, banned_until = $23, reauthentication_token = $24, \
             reauthentication_sent_at = $25, deleted_at = $26, is_anonymous = $27, aud = $28, \
             updated_at = $29 \
         where id = $1 returning *",
    )
    .bind(user.id)
    .bind(&user.role)
    .bind(&user.email)
    .bind(user.encrypted_password.as_deref().unwrap_or_default())
    .bind(user.email_confirmed_at)
    .bind(user.invited_at)
    .bind(user.confirmation_token.as_deref().unwrap_or_default())
    .bind(user.confirmation_sent_at)
    .bind(user.recovery_token.as_deref().unwrap_or_default())
    .bind(user.recovery_sent_at)
    .bind(user.email_change_token_new.as_deref().unwrap_or_default())
    .bind(user.email_change.as_deref().unwrap_or_default())
    .bind(user.email_change_sent_at)
    .bind(
        user.email_change_token_current
            .as_deref()
            .unwrap_or_default(),
    )
    .bind(user.email_change_confirm_status.unwrap_or_default())
    .bind(&user.raw_app_meta_data)
    .bind(&user.raw_user_meta_data)
    .bind(&user.phone)
    .bind(user.phone_confirmed_at)
    .bind(user.phone_change.as_deref().unwrap_or_default())
    .bind(user.phone_change_token.as_deref().unwrap_or_default())
    .bind(user.phone_change_sent_at)
    .bind(user.banned_until)
    .bind(user.reauthentication_token.as_deref().unwrap_or_default())
    .bind(user.reauthentication_sent_at)
    .bind(user.deleted_at)
    .bind(user.is_anonymous)
    .bind(&user.aud)
    .bind(now)
    .fetch_one(connection)
    .await
}

/// Notes a sign-in and returns the user as stored.
pub async fn signed_in(
    connection: &mut PgConnection,
    id: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<User> {
    sqlx::query_as(
        "update auth.users set last_sign_in_at = $2, updated_at = $2 where id = $1 returning *",
    )
    .bind(id)
    .bind(now)
    .fetch_one(connection)
    .await
}

/// Replaces the hash of a locked user's password.
pub async fn upgrade_hash(connection: &mut PgConnection, id: Uuid, hash: &str) -> sqlx::Result<()> {
    sqlx::query("update auth.users set encrypted_password = $2 where id = $1")
        .bind(id)
        .bind(hash)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes a user and everything that belongs to them.
pub async fn delete(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.users where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// One page of the users of `audience`, newest first, and how many there are.
///
/// `filter` is looked for in addresses and in the full name of the user's own data.
pub async fn page(
    connection: &mut PgConnection,
    audience: &str,
    filter: Option<&str>,
    (limit, offset): (i64, i64),
) -> sqlx::Result<(Vec<User>, i64)> {
    let pattern = filter.map(|filter| format!("%{filter}%"));
    let total = sqlx::query_scalar(
        "select count(*) from auth.users \
         where instance_id = $1 and aud = $2 and ($3::text is null or email like $3 \
             or raw_user_meta_data ->> 'full_name' ilike $3)",
    )
    .bind(Uuid::nil())
    .bind(audience)
    .bind(&pattern)
    .fetch_one(&mut *connection)
    .await?;
    let users = sqlx::query_as(
        "select * from auth.users \
         where instance_id = $1 and aud = $2 and ($3::text is null or email like $3 \
             or raw_user_meta_data ->> 'full_name' ilike $3) \
         order by created_at desc, id desc limit $4 offset $5",
    )
    .bind(Uuid::nil())
    .bind(audience)
    .bind(&pattern)
    .bind(limit)
    .bind(offset)
    .fetch_all(connection)
    .await?;
    Ok((users, total))
}

/// A user with what belongs to them, as clients see them.
pub async fn view(connection: &mut PgConnection, user: User) -> sqlx::Result<UserView> {
    let identities = super::identities::of_users(connection, &[user.id]).await?;
    let factors = super::factors::of_users(connection, &[user.id]).await?;
    Ok(user.view(identities, factors.into_iter().map(Into::into).collect()))
}

/// Users with what belongs to them, in two statements for all.
pub async fn views(connection: &mut PgConnection, users: Vec<User>) -> sqlx::Result<Vec<UserView>> {
    let ids: Vec<Uuid> = users.iter().map(|user| user.id).collect();
    let mut identities: HashMap<Uuid, Vec<Identity>> = HashMap::new();
    for identity in super::identities::of_users(connection, &ids).await? {
        identities
            .entry(identity.user_id)
            .or_default()
            .push(identity);
    }
    let mut factors: HashMap<Uuid, Vec<FactorView>> = HashMap::new();
    for factor in super::factors::of_users(connection, &ids).await? {
        factors
            .entry(factor.user_id)
            .or_default()
            .push(factor.into());
    }
    let view = |user: User| {
        let id = user.id;
        user.view(
            identities.remove(&id).unwrap_or_default(),
            factors.remove(&id).unwrap_or_default(),
        )
    };
    Ok(users.into_iter().map(view).collect())
}
