//! Running a statement as somebody: role and settings for exactly one transaction.

use postgres_types::ToSql;
use tokio_postgres::Row;

use super::{Failure, Pool};

/// Whether a transaction may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// PostgreSQL refuses writes.
    ReadOnly,
    /// Writes are allowed.
    ReadWrite,
}

impl Access {
    fn begin(self) -> &'static str {
        match self {
            Self::ReadOnly => "begin read only",
            Self::ReadWrite => "begin",
        }
    }
}

/// Settings that hold for one transaction: `role`, `request.jwt.claims` and the like.
///
/// They are set with `set_config(name, value, true)`, so they end with the transaction and cannot
/// reach the next user of the connection.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    access: Access,
    settings: Vec<(&'a str, &'a str)>,
}

impl<'a> Session<'a> {
    /// A transaction run as `role`. The connection's own role must be a member of it.
    pub fn as_role(role: &'a str, access: Access) -> Self {
        Self {
            access,
            settings: vec![("role", role)],
        }
    }

    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.settings.push((name, value));
        self
    }

    /// The statement that applies the settings, and its parameters.
    fn statement(&self) -> (String, Vec<&(dyn ToSql + Sync)>) {
        let calls = (0..self.settings.len())
            .map(|index| format!("set_config(${}, ${}, true)", index * 2 + 1, index * 2 + 2))
            .collect::<Vec<_>>();
        let parameters = self
            .settings
            .iter()
            .flat_map(|(name, value)| [name as &(dyn ToSql + Sync), value])
            .collect();
        (format!("select {}", calls.join(", ")), parameters)
    }
}

impl Pool {
    /// Runs one statement in a transaction of its own, as the session says: one round trip.
    ///
    /// Everything is sent at once. When a step fails PostgreSQL skips the rest, and the final
    /// `commit` of a failed transaction rolls it back.
    pub async fn run(
        &self,
        session: &Session<'_>,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let connection = self.get().await?;
        let (settings_sql, settings) = session.statement();
        let settings_statement = connection.prepare_cached(&settings_sql).await?;
        let statement = connection.prepare_cached(sql).await?;
        // All four are queued before the first await, so a caller that goes away leaves a
        // transaction that ends by itself.
        let ((), _, rows, ()) = tokio::try_join!(
            biased;
            connection.batch_execute(session.access.begin()),
            connection.query(&settings_statement, &settings),
            connection.query(&statement, parameters),
            connection.batch_execute("commit"),
        )?;
        Ok(rows)
    }
}
