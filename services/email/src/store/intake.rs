//! Accepting mail: it is stored, once for each idempotency key, within the sender's quota.

use std::time::Duration;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::Store;
use crate::{Error, mail::Mail, sender::Quota};

/// A mail to be stored.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    pub(crate) sender: Option<Uuid>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) template: Option<&'a str>,
    pub(crate) mail: &'a Mail,
}

impl Store {
    /// Stores a mail and gives its id, or the id it has from an earlier call with the same key.
    ///
    /// Users are held to `quota`; the operator's servers are not.
    pub(crate) async fn accept(&self, new: &NewMessage<'_>, quota: Quota) -> Result<Uuid, Error> {
        let mut transaction = self.pool().begin().await?;
        if let Some(sender) = new.sender {
            // One at a time for each user, so that parallel calls cannot pass the quota together.
            sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text, 0))")
                .bind(sender)
                .execute(&mut *transaction)
                .await?;
        }
        let Some(id) = insert(&mut transaction, new).await? else {
            drop(transaction);
            let key = new.idempotency_key.unwrap_or_default();
            let earlier = self.earlier(new.sender, key, &new.fingerprint).await?;
            return earlier.ok_or(Error::IdempotencyKeyReused);
        };
        if let Some(sender) = new.sender {
            within(&mut transaction, sender, quota).await?;
        }
        transaction.commit().await?;
        Ok(id)
    }

    /// The mail that was accepted under this key before; it must be the same one.
    pub(crate) async fn earlier(
        &self,
        sender: Option<Uuid>,
        key: &str,
        fingerprint: &[u8; 32],
    ) -> Result<Option<Uuid>, Error> {
        const EARLIER: &str = "
            select id, request_hash from messages
             where sender is not distinct from $1 and idempotency_key = $2";
        let found: Option<(Uuid, Vec<u8>)> = sqlx::query_as(EARLIER)
            .bind(sender)
            .bind(key)
            .fetch_optional(self.pool())
            .await?;
        match found {
            Some((_, hash)) if hash != fingerprint => Err(Error::IdempotencyKeyReused),
            found => Ok(found.map(|(id, _)| id)),
        }
    }
}

/// Gives nothing when the key was used before.
async fn insert(
    connection: &mut PgConnection,
    new: &NewMessage<'_>,
) -> Result<Option<Uuid>, sqlx::Error> {
    const MESSAGE: &str = "
        insert into messages (id, sender, idempotency_key, request_hash, template, content)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (sender, idempotency_key) where idempotency_key is not null do nothing
        returning id";
    const RECIPIENTS: &str = "
        insert into recipients (message_id, address)
        select $1, address from unnest($2::text[]) as address";

    let id: Option<Uuid> = sqlx::query_scalar(MESSAGE)
        .bind(Uuid::now_v7())
        .bind(new.sender)
        .bind(new.idempotency_key)
        .bind(new.fingerprint.as_slice())
        .bind(new.template)
        .bind(Json(new.mail))
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(id) = id {
        sqlx::query(RECIPIENTS)
            .bind(id)
            .bind(new.mail.recipients())
            .execute(connection)
            .await?;
    }
    Ok(id)
}

/// Counts what `sender` has sent, the mail just stored included.
async fn within(connection: &mut PgConnection, sender: Uuid, quota: Quota) -> Result<(), Error> {
    const COUNT: &str = "
        select count(*),
               coalesce(extract(epoch from min(created_at) + make_interval(secs => $2) - now()), 0)::float8
          from messages
         where sender = $1 and created_at > now() - make_interval(secs => $2)";
    for (window, limit) in quota.windows() {
        let (sent, seconds): (i64, f64) = sqlx::query_as(COUNT)
            .bind(sender)
            .bind(window.as_secs_f64())
            .fetch_one(&mut *connection)
            .await?;
        if sent > i64::from(limit) {
            let retry_after = Duration::try_from_secs_f64(seconds).unwrap_or(window);
            return Err(Error::QuotaExceeded { retry_after });
        }
    }
    Ok(())
}
