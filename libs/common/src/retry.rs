//! Patience with dependencies that are not there yet.

use std::{error::Error, future::Future, time::Duration};

use crate::error::chain;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Repeats `attempt` until it succeeds, pausing ever longer up to five seconds.
///
/// Meant for start-up work inside [`crate::lifecycle::Lifecycle::spawn_until_stop`], which ends it.
pub async fn until_ok<T, E, F, R>(what: &'static str, mut attempt: F) -> T
where
    E: Error + 'static,
    F: FnMut() -> R,
    R: Future<Output = Result<T, E>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(error, ?pause, "{what} failed, trying again");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_until_the_first_success() {
        let mut attempts = 0;
        let value = until_ok("test", || {
            attempts += 1;
            let result = if attempts < 4 {
                Err(std::io::Error::other("not yet"))
            } else {
                Ok(attempts)
            };
            async move { result }
        })
        .await;
        assert_eq!(value, 4);
    }
}
