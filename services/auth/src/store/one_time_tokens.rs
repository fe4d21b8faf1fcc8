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
    const ALL: [Self; 6] = [
        Self::Confirmation,
        Self::Recovery,
        Self::EmailChangeNew,
        Self::EmailChangeCurrent,
        Self::PhoneChange,
        Self::Reauthentication,
    ];

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

/// A token that was found.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Found {
    /// Whose it is.
    pub user_id: Uuid,
    /// What it is for, in the schema's words.
    pub token_type: String,
    /// The hash it is stored as.
    pub token_hash: String,
    /// The address or number it was sent to.
    pub relates_to: String,
}

impl Found {
    /// What it is for.
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == self.token_type)
    }
}

/// The token that is stored as one of `hashes` and is for one of `kinds`.
pub async fn find(
    connection: &mut PgConnection,
    hashes: &[String],
    kinds: &[Kind],
) -> sqlx::Result<Option<Found>> {
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    sqlx::query_as(
        "select user_id, token_type::text, token_hash, relates_to from auth.one_time_tokens \
         where token_hash = any($1) and token_type::text = any($2) limit 1",
    )
    .bind(hashes)
    .bind(kinds)
    .fetch_optional(connection)
    .await
}

/// Uses a token up: of many who try at the same time, one succeeds.
pub async fn take(connection: &mut PgConnection, found: &Found) -> sqlx::Result<bool> {
    let result = sqlx::query(
        "delete from auth.one_time_tokens \
         where user_id = $1 and token_type::text = $2 and token_hash = $3",
    )
    .bind(found.user_id)
    .bind(&found.token_type)
    .bind(&found.token_hash)
    .execute(connection)
    .await?;
    Ok(result.rows_affected() > 0)
}
