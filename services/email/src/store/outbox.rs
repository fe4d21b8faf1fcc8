//! The worker's side of the outbox.
//!
//! A message is leased to one worker at a time. A worker that ends in the middle of an attempt
//! leaves its lease to expire; what then happens depends on how far it got, which is why recipients
//! are marked `handed_over` before the mail server becomes responsible for them.

use std::time::Duration;

use lettre::Address;
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Store;
use crate::{
    delivery::{Fate, Fates},
    mail::Mail,
};

/// Most messages that are looked after at a time.
const BATCH: i64 = 500;

/// Decides the state of messages by the states of their recipients.
const SETTLE: &str = "
    with settled as (
        select m.id,
               case when bool_or(r.status = 'pending') and m.attempts < $2 then 'queued'
                    when bool_or(r.status = 'pending') then 'dead'
                    when bool_or(r.status = 'unconfirmed') then 'unconfirmed'
                    when bool_or(r.status = 'delivered') then 'sent'
                    else 'dead'
               end as status
          from messages m join recipients r on r.message_id = m.id
         where m.id = any($1)
         group by m.id)
    update messages m
       set status = s.status,
           lease = null,
           leased_until = null,
           last_error = coalesce($4, m.last_error),
           next_attempt_at = now() + make_interval(secs => $3),
           finished_at = case when s.status = 'queued' then null else now() end,
           content = case when s.status = 'sent' then null else m.content end
      from settled s
     where m.id = s.id";

/// A message that is leased to one worker.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) lease: Uuid,
    /// Whether it must rather stay unconfirmed than be sent twice.
    pub(crate) is_keyed: bool,
    /// Attempts so far, this one included.
    pub(crate) attempts: i32,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) mail: Json<Mail>,
    /// Addresses that wait for it.
    pub(crate) recipients: Vec<String>,
}

impl Store {
    /// Leases the message that is due the longest.
    pub(crate) async fn lease(&self, duration: Duration) -> Result<Option<Job>, sqlx::Error> {
        const LEASE: &str = "
            update messages m
               set status = 'sending',
                   attempts = attempts + 1,
                   lease = gen_random_uuid(),
                   leased_until = now() + make_interval(secs => $1)
             where id = (select id from messages
                          where status = 'queued' and next_attempt_at <= now()
                          order by next_attempt_at
                          limit 1
                            for update skip locked)
            returning id, lease, idempotency_key is not null as is_keyed, attempts, created_at,
                      content as mail,
                      array(select address from recipients r
                             where r.message_id = m.id and r.status = 'pending'
                             order by address) as recipients";
        sqlx::query_as(LEASE)
            .bind(duration.as_secs_f64())
            .fetch_optional(self.pool())
            .await
    }

    /// Notes that the mail server is about to become responsible for `recipients`, and renews the
    /// lease. Says no when the lease was lost: then nothing may be delivered.
    pub(crate) async fn hand_over(
        &self,
        job: &Job,
        recipients: &[&Address],
        duration: Duration,
    ) -> Result<bool, sqlx::Error> {
        const HAND_OVER: &str = "
            with held as (
                update messages set leased_until = now() + make_interval(secs => $4)
                 where id = $1 and lease = $2
                returning id)
            update recipients r set status = 'handed_over'
              from held where r.message_id = held.id and r.address = any($3)";
        let addresses: Vec<&str> = recipients
            .iter()
            .map(|address| (*address).as_ref())
            .collect();
        let result = sqlx::query(HAND_OVER)
            .bind(job.id)
            .bind(job.lease)
            .bind(addresses)
            .bind(duration.as_secs_f64())
            .execute(self.pool())
            .await?;
        Ok(result.rows_affected() > 0)
    }

    /// Writes down what an attempt did and gives the lease back. What remains is tried again after
    /// `pause`, unless there were `max_attempts` already.
    pub(crate) async fn record(
        &self,
        job: &Job,
        fates: &Fates,
        max_attempts: u32,
        pause: Duration,
    ) -> Result<(), sqlx::Error> {
        const HELD: &str = "select 1 from messages where id = $1 and lease = $2 for update";
        const RECIPIENTS: &str = "
            update recipients r set status = f.status, reply = f.reply
              from unnest($2::text[], $3::text[], $4::text[]) as f (address, status, reply)
             where r.message_id = $1 and r.address = f.address";

        let mut transaction = self.pool().begin().await?;
        let held = sqlx::query(HELD).bind(job.id).bind(job.lease);
        if held.fetch_optional(&mut *transaction).await?.is_none() {
            return Ok(());
        }
        let mut columns: (Vec<&str>, Vec<&str>, Vec<Option<&str>>) = Default::default();
        for (address, fate) in fates.iter() {
            columns.0.push(address);
            columns.1.push(state_after(fate, job.is_keyed));
            columns.2.push(fate.reply());
        }
        sqlx::query(RECIPIENTS)
            .bind(job.id)
            .bind(columns.0)
            .bind(columns.1)
            .bind(columns.2)
            .execute(&mut *transaction)
            .await?;
        let settled = [job.id];
        settle(
            &mut transaction,
            &settled,
            max_attempts,
            pause,
            fates.complaint(),
        )
        .await?;
        transaction.commit().await
    }

    /// Takes up messages whose worker is gone. Gives their number.
    ///
    /// What was not handed over is simply sent. What was, may have arrived: under an idempotency
    /// key it becomes unconfirmed, without one it is sent again.
    pub(crate) async fn recover(&self, max_attempts: u32) -> Result<usize, sqlx::Error> {
        const EXPIRED: &str = "
            select id from messages
             where status = 'sending' and leased_until < now()
             limit $1
               for update skip locked";
        const RECIPIENTS: &str = "
            update recipients r
               set status = case when m.idempotency_key is null then 'pending' else 'unconfirmed' end,
                   reply = $2
              from messages m
             where m.id = r.message_id and m.id = any($1) and r.status = 'handed_over'";
        const REASON: &str = "the mailer was interrupted";

        let mut transaction = self.pool().begin().await?;
        let expired: Vec<Uuid> = sqlx::query_scalar(EXPIRED)
            .bind(BATCH)
            .fetch_all(&mut *transaction)
            .await?;
        if expired.is_empty() {
            return Ok(0);
        }
        sqlx::query(RECIPIENTS)
            .bind(&expired)
            .bind(REASON)
            .execute(&mut *transaction)
            .await?;
        settle(
            &mut transaction,
            &expired,
            max_attempts,
            Duration::ZERO,
            Some(REASON),
        )
        .await?;
        transaction.commit().await?;
        Ok(expired.len())
    }

    /// How many messages there are in each state but `sent`.
    pub(crate) async fn unsent(&self) -> Result<Vec<(String, f64)>, sqlx::Error> {
        const COUNT: &str = "
            select state,
                   (select count(*) from messages where status = state and status <> 'sent')::float8
              from unnest(array['queued', 'sending', 'unconfirmed', 'dead']) as state";
        sqlx::query_as(COUNT).fetch_all(self.pool()).await
    }

    /// Forgets messages that were finished before `age`. Gives their number.
    pub(crate) async fn purge(&self, age: Duration) -> Result<u64, sqlx::Error> {
        const PURGE: &str = "
            delete from messages
             where id in (select id from messages
                           where finished_at < now() - make_interval(secs => $1)
                           limit $2)";
        let result = sqlx::query(PURGE)
            .bind(age.as_secs_f64())
            .bind(BATCH)
            .execute(self.pool())
            .await?;
        Ok(result.rows_affected())
    }
}

fn state_after(fate: &Fate, is_keyed: bool) -> &'static str {
    match fate {
        Fate::Delivered => "delivered",
        Fate::Rejected(_) => "rejected",
        Fate::Unconfirmed(_) if is_keyed => "unconfirmed",
        Fate::Deferred(_) | Fate::Unconfirmed(_) => "pending",
    }
}

async fn settle(
    connection: &mut PgConnection,
    messages: &[Uuid],
    max_attempts: u32,
    pause: Duration,
    complaint: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(SETTLE)
        .bind(messages)
        .bind(i32::try_from(max_attempts).unwrap_or(i32::MAX))
        .bind(pause.as_secs_f64())
        .bind(complaint)
        .execute(connection)
        .await?;
    Ok(())
}
