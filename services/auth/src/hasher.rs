//! Password hashing off the request threads, so much at a time and no more.
//!
//! A hash costs a core for tens of milliseconds. Without a bound, a burst of logins would take
//! every core and with it every other request.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::{
    config,
    error::{Error, Result},
    password::hash::{self, Verdict},
};

/// Computes and compares password hashes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hasher {
    workers: Arc<Semaphore>,
    max_wait: Duration,
    /// Compared with when there is no hash, so that an unknown user costs what a known one does.
    decoy: Arc<str>,
}

impl Hasher {
    /// A hasher as configured.
    pub fn new(config: &config::Password) -> Result<Self> {
        Ok(Self {
            workers: Arc::new(Semaphore::new(config.workers)),
            max_wait: config.max_wait,
            decoy: hash::hash(&SecretString::from("nobody's password"))?.into(),
        })
    }

    /// The hash to store for `password`.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        self.run(move || hash::hash(&password)).await?
    }

    /// Whether `password` fits `hash`. Takes its time also when there is no hash.
    pub async fn verify(&self, password: SecretString, hash: Option<&str>) -> Result<Verdict> {
        let known = hash.is_some_and(|hash| !hash.is_empty());
        let hash: Arc<str> = match hash {
            Some(hash) if known => hash.into(),
            _ => Arc::clone(&self.decoy),
        };
        let verdict = self.run(move || hash::verify(&password, &hash)).await?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let workers = Arc::clone(&self.workers);
        let free = tokio::time::timeout(self.max_wait, workers.acquire_owned()).await;
        let Ok(Ok(permit)) = free else {
            return Err(Error::Busy);
        };
        // The permit goes along: a client that hangs up does not free the core.
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        task.await.map_err(|error| Error::Internal(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(max_wait: Duration) -> Hasher {
        Hasher::new(&config::Password {
            requirements: crate::password::Requirements::default(),
            update_requires_reauthentication: false,
            update_requires_current: false,
            workers: 1,
            max_wait,
        })
        .unwrap()
    }

    #[tokio::test]
    async fn without_a_hash_every_password_is_wrong() {
        let hasher = hasher(Duration::from_secs(5));
        let decoyed = SecretString::from("nobody's password");
        for hash in [None, Some("")] {
            let verdict = hasher.verify(decoyed.clone(), hash).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_does_not_free_its_worker() {
        let hasher = hasher(Duration::from_millis(10));
        let (release, released) = std::sync::mpsc::channel::<()>();
        let work = hasher.run(move || released.recv().ok());
        let begun = tokio::time::timeout(Duration::from_millis(50), work).await;
        assert!(begun.is_err(), "the client has hung up");
        let refused = hasher.hash(SecretString::from("a")).await;
        release.send(()).unwrap();
        assert!(matches!(refused, Err(Error::Busy)));
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_sent_away() {
        let hasher = hasher(Duration::from_millis(10));
        let (release, released) = std::sync::mpsc::channel::<()>();
        let busy = hasher.clone();
        let work = async move { busy.run(move || released.recv().ok()).await };
        let waits = async {
            let refused = hasher.hash(SecretString::from("a")).await;
            release.send(()).unwrap();
            refused
        };
        let (_, refused) = tokio::join!(work, waits);
        assert!(matches!(refused, Err(Error::Busy)));
    }
}
