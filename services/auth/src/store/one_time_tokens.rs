//! `auth.one_time_tokens`

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Confirms an address.
    Confirmation,
    /// Lets the user in without a password.
    Recovery,
    /// Confirms a new address.
    EmailChangeNew,
    /// Confirms that the present address is to be given up.
    EmailChangeCurrent,
    /// Confirms a new number.
    PhoneChange,
    /// Confirms a change of password.
    Reauthentication,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation_token",
            Self::Recovery => "recovery_token",
            Self::EmailChangeNew => "email_change_token_new",
            Self::EmailChangeCurrent => "email_change_token_current",
            Self::PhoneChange => "phone_change_token",
            Self::Reauthentication => "reauthentication_token",
        }
    }
}

/// Stores a token; an earlier one of the kind stops working.
pub async fn replace(
    connection: &mut PgConnection,
    user: Uuid,
    kind: Kind,
    (hash, relates_to): (&str, &str),
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.one_time_tokens \
             (id, user_id, token_type, token_hash, relates_to, created_at, updated_at) \
         values ($1, $2, $3::text::auth.one_time_token_type, $4, $5, \
             $6::timestamptz at time zone 'utc', $6::timestamptz at time zone 'utc') \
         on conflict (user_id, token_type) do update set token_hash = excluded.token_hash, \
             relates_to = excluded.relates_to, created_at = excluded.created_at, \
             updated_at = excluded.updated_at",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(kind.as_str())
    .bind(hash)
    .bind(relates_to.to_lowercase())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes back every token of a user.
pub async fn delete_of_user(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.one_time_tokens where user_id = $1")
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes back a user's token of one kind; tells whether there was one.
pub async fn delete(connection: &mut PgConnection, user: Uuid, kind: Kind) -> sqlx::Result<bool> {
    let result = sqlx::query(
        "delete from auth.one_time_tokens \
         where user_id = $1 and token_type = $2::text::auth.one_time_token_type",
    )
    .bind(user)
    .bind(kind.as_str())
    .execute(connection)
    .await?;
    Ok(result.rows_affected() > 0)
}
