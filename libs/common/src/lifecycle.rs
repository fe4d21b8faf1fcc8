//! An orderly end: stop accepting, finish what was begun, then leave.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tracks the tasks of a service (or a process) and tells them when to stop.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    /// The same, for those who ask at every request: a token has a lock.
    is_stopping: Arc<AtomicBool>,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Completes when a stop has been asked for.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether a stop has been asked for.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Asks every task to stop.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.stop.cancel();
    }

    /// Runs `task` to its end; a stop waits for it. Servers and writers go here.
    #[expect(
        clippy::disallowed_methods,
        reason = "the tracked spawn the lint points to"
    )]
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(self.tasks.track_future(async move {
            task.await;
            tracing::debug!(task = name, "task ended");
        }))
    }

    /// Runs `task` and drops it when a stop is asked for. Pollers and reporters go here.
    pub fn spawn_until_stop<F>(&self, name: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.spawn(name, async move {
            stop.run_until_cancelled_owned(task).await;
        })
    }

    /// Asks for a stop and waits for the tasks, for at most `grace`. Tells whether all ended.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.stop();
        self.tasks.close();
        tokio::time::timeout(grace, self.tasks.wait()).await.is_ok()
    }
}

/// Completes at the first SIGTERM or SIGINT, or when `lifecycle` is stopped from within.
pub async fn stop_requested(lifecycle: &Lifecycle) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = lifecycle.stopping() => {}
    }
    Ok(())
}

/// Drains `lifecycle`; a second signal ends the wait early.
pub async fn drain_or_second_signal(lifecycle: &Lifecycle, grace: Duration) -> std::io::Result<()> {
    let until_signal = Lifecycle::default();
    tokio::select! {
        drained = lifecycle.drain(grace) => {
            if drained {
                tracing::info!("stopped");
            } else {
                tracing::warn!(?grace, "grace period over, leaving now");
            }
        }
        second = stop_requested(&until_signal) => {
            second?;
            tracing::warn!("second signal, leaving now");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_drain_waits_for_spawned_work() {
        let lifecycle = Lifecycle::default();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        lifecycle.spawn("worker", async move {
            released.await.ok();
        });
        assert!(!lifecycle.drain(Duration::from_millis(20)).await);
        release.send(()).unwrap();
        assert!(lifecycle.drain(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_drain_drops_work_that_runs_until_stop() {
        let lifecycle = Lifecycle::default();
        lifecycle.spawn_until_stop("poller", std::future::pending());
        assert!(lifecycle.drain(Duration::from_secs(5)).await);
    }
}
