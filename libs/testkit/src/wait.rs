//! Waits for a state instead of sleeping.

use std::time::{Duration, Instant};

/// Pause between two looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Calls `look` until it gives a value, and fails with `what` when `deadline` has passed.
///
/// ```
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let mut looks = 0;
/// let seen = testkit::wait::eventually("the third look", Duration::from_secs(1), async || {
///     looks += 1;
///     (looks == 3).then_some("here")
/// });
/// assert_eq!(seen.await, "here");
/// # });
/// ```
pub async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
