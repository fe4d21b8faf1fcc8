//! `auth.mfa_factors`

use sqlx::PgConnection;
use uuid::Uuid;

use crate::factor::Factor;

/// Factors of these users, oldest first.
pub async fn of_users(connection: &mut PgConnection, users: &[Uuid]) -> sqlx::Result<Vec<Factor>> {
    sqlx::query_as(
        "select id, user_id, friendly_name, factor_type::text, status::text, created_at, \
             updated_at, secret, phone, last_challenged_at, web_authn_aaguid, \
             last_webauthn_challenge_data \
         from auth.mfa_factors where user_id = any($1) order by created_at, id",
    )
    .bind(users)
    .fetch_all(connection)
    .await
}

/// Removes all factors of a user.
pub async fn delete_of_user(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.mfa_factors where user_id = $1")
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}
