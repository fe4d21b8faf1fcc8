//! What senders and operators see of the outbox.

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Store;
use crate::Error;

/// A message, as its sender sees it.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Message {
    /// The id that `POST /send` gave.
    pub(crate) id: Uuid,
    #[sqlx(try_from = "String")]
    pub(crate) status: MessageStatus,
    /// The template it was made from.
    pub(crate) template: Option<String>,
    /// Everybody it goes to.
    #[schema(value_type = Vec<Recipient>)]
    pub(crate) recipients: Json<Vec<Recipient>>,
    /// Attempts so far.
    pub(crate) attempts: i32,
    /// What last went wrong.
    pub(crate) last_error: Option<String>,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    /// When it is tried next; only while it is queued.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) next_attempt_at: Option<OffsetDateTime>,
    /// When it reached its last state.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) finished_at: Option<OffsetDateTime>,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageStatus {
    /// Waits for its next attempt.
    Queued,
    /// Is being sent.
    Sending,
    /// Every recipient is decided about, and at least one got it.
    Sent,
    /// May have been delivered: the mail server's answer was lost.
    Unconfirmed,
    /// Nobody gets it, or it was tried too often. It can be sent again.
    Dead,
}

/// One address of a message.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Recipient {
    /// The address.
    address: String,
    status: RecipientStatus,
    /// The mail server's last words about it.
    reply: Option<String>,
}

/// How far a message got for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecipientStatus {
    /// Is still to be sent.
    Pending,
    /// Is with the mail server, which has not answered yet.
    HandedOver,
    /// The mail server took it.
    Delivered,
    /// May have been delivered.
    Unconfirmed,
    /// The mail server refused it for good.
    Rejected,
}

/// Which messages to list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageFilter {
    /// Only those of this user; of everybody when none.
    pub(crate) sender: Option<Uuid>,
    pub(crate) status: Option<MessageStatus>,
}

impl MessageStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Unconfirmed => "unconfirmed",
            Self::Dead => "dead",
        }
    }
}

impl TryFrom<String> for MessageStatus {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        [
            Self::Queued,
            Self::Sending,
            Self::Sent,
            Self::Unconfirmed,
            Self::Dead,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or(text)
    }
}

impl Store {
    /// One message, if `sender` sent it; no sender sees all.
    pub(crate) async fn message(&self, id: Uuid, sender: Option<Uuid>) -> Result<Message, Error> {
        const ONE: &str = "
            select * from message_states
             where id = $1 and ($2::uuid is null or sender = $2)";
        sqlx::query_as(ONE)
            .bind(id)
            .bind(sender)
            .fetch_optional(self.pool())
            .await?
            .ok_or(Error::MessageNotFound)
    }

    /// One page of messages, newest first, and how many there are.
    pub(crate) async fn messages(
        &self,
        filter: MessageFilter,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Message>, i64), Error> {
        const PAGE: &str = "
            select * from message_states
             where ($1::uuid is null or sender = $1) and ($2::text is null or status = $2)
             order by id desc
             limit $3 offset $4";
        const COUNT: &str = "
            select count(*) from messages
             where ($1::uuid is null or sender = $1) and ($2::text is null or status = $2)";
        let status = filter.status.map(MessageStatus::as_str);
        let messages = sqlx::query_as(PAGE)
            .bind(filter.sender)
            .bind(status)
            .bind(limit)
            .bind(offset)
            .fetch_all(self.pool())
            .await?;
        let total = sqlx::query_scalar(COUNT)
            .bind(filter.sender)
            .bind(status)
            .fetch_one(self.pool())
            .await?;
        Ok((messages, total))
    }

    /// Queues a dead or unconfirmed message again, for everybody who did not get it for certain.
    pub(crate) async fn retry(&self, id: Uuid) -> Result<(), Error> {
        const MESSAGE: &str = "
            update messages
               set status = 'queued', attempts = 0, next_attempt_at = now(), finished_at = null
             where id = $1 and status in ('dead', 'unconfirmed')";
        const RECIPIENTS: &str = "
            update recipients set status = 'pending'
             where message_id = $1 and status in ('rejected', 'unconfirmed')";
        self.message(id, None).await?;
        let mut transaction = self.pool().begin().await?;
        let updated = sqlx::query(MESSAGE)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        if updated.rows_affected() == 0 {
            return Err(Error::NotRetryable);
        }
        sqlx::query(RECIPIENTS)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
