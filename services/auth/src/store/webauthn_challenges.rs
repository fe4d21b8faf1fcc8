//! `auth.webauthn_challenges`: what browsers were asked for passkeys.

use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

/// What the browser was asked for.
#[derive(Clone, Copy, Debug)]
pub enum Ceremony {
    /// A new passkey of this user.
    Registration(Uuid),
    /// Any passkey.
    Authentication,
}

/// A row of `auth.webauthn_challenges`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Challenge {
    session_data: Json<Value>,
    /// When it can no longer be answered.
    pub expires_at: OffsetDateTime,
}

impl Challenge {
    /// What the browser is to sign.
    pub fn text(&self) -> &str {
        self.session_data.0["challenge"]
            .as_str()
            .unwrap_or_default()
    }
}

impl Ceremony {
    fn name(self) -> &'static str {
        match self {
            Self::Registration(_) => "registration",
            Self::Authentication => "authentication",
        }
    }

    fn user(self) -> Option<Uuid> {
        match self {
            Self::Registration(user) => Some(user),
            Self::Authentication => None,
        }
    }
}

/// Stores a challenge, and forgets some that nobody answered in time.
pub async fn insert(
    connection: &mut PgConnection,
    ceremony: Ceremony,
    challenge: &str,
    (now, expires_at): (OffsetDateTime, OffsetDateTime),
) -> sqlx::Result<Uuid> {
    sqlx::query(
        "delete from auth.webauthn_challenges where id in ( \
             select id from auth.webauthn_challenges where expires_at < $1 \
             order by expires_at limit 10 for update skip locked)",
    )
    .bind(now - time::Duration::HOUR)
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar(
        "insert into auth.webauthn_challenges \
             (id, user_id, challenge_type, session_data, created_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6) returning id",
    )
    .bind(Uuid::new_v4())
    .bind(ceremony.user())
    .bind(ceremony.name())
    .bind(Json(json!({ "challenge": challenge })))
    .bind(now)
    .bind(expires_at)
    .fetch_one(connection)
    .await
}

/// Takes a challenge out of the table: whoever gets it is the only one.
pub async fn take(
    connection: &mut PgConnection,
    id: Uuid,
    ceremony: Ceremony,
) -> sqlx::Result<Option<Challenge>> {
    sqlx::query_as(
        "delete from auth.webauthn_challenges \
         where id = $1 and challenge_type = $2 and user_id is not distinct from $3 \
         returning session_data, expires_at",
    )
    .bind(id)
    .bind(ceremony.name())
    .bind(ceremony.user())
    .fetch_optional(connection)
    .await
}
