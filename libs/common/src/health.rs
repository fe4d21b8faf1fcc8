//! Whether a service can do its work right now.

use std::{collections::BTreeMap, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use serde::Serialize;

use crate::telemetry::DEPENDENCY_UP;

/// Longest time one check may take before it counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a check found that found nothing wrong.
const OK: &str = "ok";

type Check =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The dependencies of a service, each with a way to look at it.
#[derive(Clone, Default)]
pub struct Health {
    checks: Vec<(&'static str, bool, Check)>,
}

/// What the checks found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ready`, `degraded` (works, with less) or `unavailable`.
    pub status: &'static str,
    /// Result by dependency: `ok`, or what is wrong.
    pub checks: BTreeMap<&'static str, String>,
}

impl Health {
    /// No dependencies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dependency without which the service cannot work.
    ///
    /// The error text is shown to whoever asks: it must not hold secrets.
    pub fn require<F, R>(self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, true, check)
    }

    /// Adds a dependency whose loss only degrades the service.
    pub fn prefer<F, R>(self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.with(name, false, check)
    }

    /// Looks at every dependency, all at once.
    pub async fn report(&self) -> Report {
        let mut running = tokio::task::JoinSet::new();
        for (name, required, check) in &self.checks {
            let (name, required, check) = (*name, *required, check());
            running.spawn(async move {
                let result = match tokio::time::timeout(CHECK_TIMEOUT, check).await {
                    Ok(result) => result,
                    Err(_) => Err("no answer in time".to_owned()),
                };
                (name, required, result)
            });
        }
        let mut status = "ready";
        let mut checks = BTreeMap::new();
        while let Some(finished) = running.join_next().await {
            let Ok((name, required, result)) = finished else {
                status = "unavailable";
                continue;
            };
            if result.is_err() {
                status = match (required, status) {
                    (true, _) | (_, "unavailable") => "unavailable",
                    _ => "degraded",
                };
            }
            checks.insert(name, result.err().unwrap_or_else(|| OK.to_owned()));
        }
        Report { status, checks }
    }

    fn with<F, R>(mut self, name: &'static str, required: bool, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        self.checks.push((name, required, check));
        self
    }
}

impl Report {
    /// Whether requests can be served.
    pub fn is_ready(&self) -> bool {
        self.status != "unavailable"
    }

    /// Shows in the metrics of `service` which dependencies it can use.
    pub(crate) fn measure(&self, service: &'static str) {
        for (dependency, found) in &self.checks {
            let is_up = if found == OK { 1.0 } else { 0.0 };
            metrics::gauge!(DEPENDENCY_UP, "service" => service, "dependency" => *dependency)
                .set(is_up);
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.checks.iter().map(|(name, _, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_requirement_makes_the_service_unavailable() {
        let health = Health::new()
            .require("postgres", async || Err("refused".to_owned()))
            .prefer("redis", async || Ok(()));
        let report = health.report().await;
        assert!(!report.is_ready());
        assert_eq!(report.checks["postgres"], "refused");
        assert_eq!(report.checks["redis"], "ok");
    }

    #[tokio::test]
    async fn a_failed_preference_only_degrades() {
        let report = Health::new()
            .prefer("redis", async || Err("refused".to_owned()))
            .report()
            .await;
        assert!(report.is_ready());
        assert_eq!(report.status, "degraded");
    }

    #[tokio::test]
    async fn the_metrics_tell_which_dependencies_can_be_used() {
        let report = Health::new()
            .require("postgres", async || Err("refused".to_owned()))
            .prefer("redis", async || Ok(()))
            .report()
            .await;
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || report.measure("auth"));
        let shown = recorder.handle().render();
        for line in [
            r#"dependency_up{service="auth",dependency="postgres"} 0"#,
            r#"dependency_up{service="auth",dependency="redis"} 1"#,
        ] {
            assert!(shown.contains(line), "{shown}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_counts_as_failed() {
        let report = Health::new()
            .require("postgres", std::future::pending)
            .report()
            .await;
        assert_eq!(report.checks["postgres"], "no answer in time");
    }
}
