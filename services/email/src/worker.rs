//! Takes mail out of the outbox and to its recipients.

use std::{sync::Arc, time::Duration};

use common::{lifecycle::Lifecycle, retry};
use lettre::Address;
use tokio::sync::Notify;

use crate::{
    Error,
    config::OutboxConfig,
    delivery::{Fate, Fates, Parcel},
    inbox::Inbox,
    mailbox::Mailbox,
    mime,
    smtp::{Line, Prepared, Transport},
    store::{Job, Store},
};

/// Attempts by `outcome`, counted for each recipient.
const ATTEMPTS: &str = "email_attempts_total";

/// Messages that are not sent, by `status`. Every replica tells the same number.
const UNSENT: &str = "email_unsent_messages";

/// Polls between two counts of the outbox.
const POLLS_PER_COUNT: u32 = 10;

/// Longest pause between two attempts at a message.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Longest pause of a worker whose database does not answer.
const LONGEST_OUTAGE_PAUSE: Duration = Duration::from_secs(15);

/// Pause between two looks whether the database is ready.
const OPENING_PAUSE: Duration = Duration::from_millis(100);

/// How often finished mails are looked through for old ones.
const PURGE_INTERVAL: Duration = Duration::from_mins(10);

/// Everything the workers need. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox {
    pub(crate) store: Store,
    pub(crate) carrier: Carrier,
    pub(crate) from: Mailbox,
    pub(crate) config: OutboxConfig,
    /// Rung when a mail was accepted by this process.
    pub(crate) bell: Arc<Notify>,
}

/// Who carries mail away.
#[derive(Clone)]
pub(crate) enum Carrier {
    Smtp(Arc<Transport>),
    Inbox(Inbox),
}

impl Outbox {
    /// Starts the workers. A stop lets each finish the mail it is at.
    pub(crate) fn start(&self, lifecycle: &Lifecycle) {
        for _ in 0..self.config.workers {
            let (outbox, stop) = (self.clone(), lifecycle.clone());
            lifecycle.spawn("mailer", async move { outbox.work(&stop).await });
        }
        let outbox = self.clone();
        lifecycle.spawn_until_stop("outbox recovery", async move {
            outbox.opened().await;
            outbox.recover().await;
        });
        let outbox = self.clone();
        lifecycle.spawn_until_stop("outbox retention", async move {
            outbox.opened().await;
            outbox.forget().await;
        });
        let outbox = self.clone();
        lifecycle.spawn_until_stop("outbox count", async move {
            outbox.opened().await;
            outbox.count().await;
        });
    }

    /// Waits until the database has the tables.
    async fn opened(&self) {
        while self.store.check().await.is_err() {
            tokio::time::sleep(OPENING_PAUSE).await;
        }
    }

    async fn work(&self, lifecycle: &Lifecycle) {
        tokio::select! {
            () = lifecycle.stopping() => {}
            () = self.opened() => {}
        }
        let mut line = Line::default();
        let mut pause = self.config.poll;
        while !lifecycle.is_stopping() {
            match self.store.lease(self.config.lease()).await {
                Ok(Some(job)) => {
                    self.attempt(&mut line, &job).await;
                    pause = self.config.poll;
                    continue;
                }
                Ok(None) => pause = self.config.poll,
                Err(error) => {
                    tracing::warn!(%error, "the outbox cannot be read");
                    pause = (pause * 2).min(LONGEST_OUTAGE_PAUSE);
                }
            }
            line.hang_up().await;
            tokio::select! {
                () = lifecycle.stopping() => {}
                () = self.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        line.hang_up().await;
    }

    /// Makes one attempt at one message and writes down what came of it.
    async fn attempt(&self, line: &mut Line, job: &Job) {
        let Some(fates) = self.deliver(line, job).await else {
            tracing::warn!(message.id = %job.id, "the lease was lost before anything was sent");
            return;
        };
        for (_, fate) in fates.iter() {
            metrics::counter!(ATTEMPTS, "outcome" => fate.label()).increment(1);
        }
        let pause = self.config.pause_after(job.attempts);
        let max_attempts = self.config.max_attempts;
        let recording = retry::until_ok("recording an attempt", || {
            self.store.record(job, &fates, max_attempts, pause)
        });
        // Once the lease is over the recovery decides, by what was marked before.
        if tokio::time::timeout(self.config.lease(), recording)
            .await
            .is_err()
        {
            tracing::error!(message.id = %job.id, "an attempt could not be recorded");
        }
    }

    /// Gives nothing when the lease was lost, and with it the right to deliver.
    async fn deliver(&self, line: &mut Line, job: &Job) -> Option<Fates> {
        let mail = &job.mail.0;
        let recipients: Vec<Address> = job
            .recipients
            .iter()
            .filter_map(|address| address.parse().ok())
            .collect();
        let written = mime::write(mail, &self.from, job.id, job.created_at);
        let mut parcel = Parcel {
            from: self.from.address(),
            recipients: &recipients,
            message: &[],
        };
        let message = match written {
            Ok(message) => message,
            Err(error) => return Some(unwritable(&parcel, job, &error)),
        };
        parcel.message = &message;
        match &self.carrier {
            Carrier::Inbox(inbox) => {
                inbox.catch(job.id, &self.from, mail, &message);
                Some(Fates::all(&parcel, &Fate::Delivered))
            }
            Carrier::Smtp(transport) => match transport.prepare(line, parcel).await {
                Prepared::Settled(fates) => Some(fates),
                Prepared::Waiting(handover) => {
                    // From here on a crash may leave a delivered message behind: say so first.
                    let lease = self.config.lease();
                    let marked = self
                        .store
                        .hand_over(job, &handover.recipients(), lease)
                        .await;
                    match marked {
                        Ok(true) => Some(handover.complete(line).await),
                        Ok(false) => None,
                        Err(error) => {
                            tracing::warn!(message.id = %job.id, %error, "not handed over");
                            let reason = "the outbox could not be written".to_owned();
                            Some(Fates::all(&parcel, &Fate::Deferred(reason)))
                        }
                    }
                }
            },
        }
    }

    async fn recover(&self) {
        loop {
            match self.store.recover(self.config.max_attempts).await {
                Ok(0) => {}
                Ok(count) => {
                    tracing::warn!(count, "messages of interrupted workers were taken up");
                    self.bell.notify_waiters();
                }
                Err(error) => tracing::debug!(%error, "the outbox cannot be looked after"),
            }
            tokio::time::sleep(self.config.poll).await;
        }
    }

    async fn count(&self) {
        loop {
            match self.store.unsent().await {
                Ok(counts) => {
                    for (status, count) in counts {
                        metrics::gauge!(UNSENT, "status" => status).set(count);
                    }
                }
                Err(error) => tracing::debug!(%error, "the outbox cannot be counted"),
            }
            tokio::time::sleep(self.config.poll * POLLS_PER_COUNT).await;
        }
    }

    async fn forget(&self) {
        loop {
            match self.store.purge(self.config.retention).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "old messages were forgotten"),
                Err(error) => tracing::debug!(%error, "old messages cannot be forgotten"),
            }
            tokio::time::sleep(PURGE_INTERVAL).await;
        }
    }
}

impl OutboxConfig {
    /// The pause after the `attempts`-th attempt: twice as long each time, up to an hour, and then
    /// somewhere between half of that and all of it, so that mails do not come back in step.
    fn pause_after(&self, attempts: i32) -> Duration {
        let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(30);
        let longest = self
            .retry_base
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE);
        longest.mul_f64(rand::random_range(0.5..=1.0))
    }
}

/// A message that was validated when it was accepted, and still cannot be written.
fn unwritable(parcel: &Parcel<'_>, job: &Job, error: &Error) -> Fates {
    tracing::error!(message.id = %job.id, error = common::error::chain(error), "unwritable");
    Fates::all(parcel, &Fate::Rejected(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour_and_differ() {
        let config = OutboxConfig {
            workers: 1,
            max_attempts: 30,
            retry_base: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            step_timeout: Duration::from_mins(1),
            retention: Duration::from_hours(24),
        };
        for (attempts, longest) in [
            (1, 15),
            (2, 30),
            (3, 60),
            (9, 3600),
            (30, 3600),
            (i32::MAX, 3600),
        ] {
            let longest = Duration::from_secs(longest);
            let pause = config.pause_after(attempts);
            assert!(
                (longest / 2..=longest).contains(&pause),
                "{attempts}: {pause:?}"
            );
        }
        assert_ne!(config.pause_after(9), config.pause_after(9));
    }
}
