//! What a run did.

/// What a run did. Holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One sentence for each change; empty when everything was right already.
    pub changes: Vec<String>,
    /// Why PostgreSQL must be restarted before everything works, if it must.
    pub restart_needed: Option<String>,
}

impl Report {
    /// Writes the report to the log.
    pub fn log(&self) {
        for change in &self.changes {
            tracing::info!(change, "changed");
        }
        if self.changes.is_empty() {
            tracing::info!("nothing to change");
        }
        if let Some(reason) = &self.restart_needed {
            tracing::warn!(reason, "restart PostgreSQL");
        }
    }

    pub(crate) fn changed(&mut self, what: impl Into<String>) {
        self.changes.push(what.into());
    }
}
