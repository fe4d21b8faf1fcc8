//! Running as somebody: role and settings for exactly one transaction.

use std::{borrow::Cow, fmt::Write, sync::LazyLock};

use super::{Failure, Param, Pool, Row, Statement};

/// Whether a transaction may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// PostgreSQL refuses writes.
    ReadOnly,
    /// Writes are allowed.
    ReadWrite,
}

/// How a transaction is isolated from others, where that is not the default way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It sees the database as it was at its beginning.
    RepeatableRead,
    /// As if transactions ran one after the other.
    Serializable,
}

/// Settings that hold for one transaction: `role`, `request.jwt.claims` and the like.
///
/// They are set with `set_config(name, value, true)`, so they end with the transaction and cannot
/// reach the next user of the connection.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    access: Access,
    isolation: Option<Isolation>,
    settings: Vec<(&'a str, Cow<'a, str>)>,
}

/// The setting that forbids writes in a transaction that has begun.
const READ_ONLY: (&str, Cow<'static, str>) = ("transaction_read_only", Cow::Borrowed("on"));

impl<'a> Session<'a> {
    /// A transaction without settings.
    pub fn new(access: Access) -> Self {
        Self {
            access,
            isolation: None,
            settings: Vec::with_capacity(12),
        }
    }

    /// A transaction run as `role`. The connection's own role must be a member of it.
    pub fn as_role(role: &'a str, access: Access) -> Self {
        Self::new(access).with("role", role)
    }

    /// Adds a setting; they are made in the order they are added.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        self.set(name, value);
        self
    }

    /// Adds a setting; they are made in the order they are added.
    pub fn set(&mut self, name: &'a str, value: impl Into<Cow<'a, str>>) {
        self.settings.push((name, value.into()));
    }

    /// Isolates the transaction in another than the default way.
    pub fn isolate(&mut self, isolation: Option<Isolation>) {
        self.isolation = isolation;
    }

    /// Whether the transaction must be begun with a statement, rather than by being sent.
    pub fn needs_begin(&self) -> bool {
        self.isolation.is_some()
    }

    /// The statement that begins the transaction.
    pub fn begin(&self) -> &'static str {
        use Isolation::{RepeatableRead, Serializable};
        match (self.isolation, self.access) {
            (None, Access::ReadWrite) => "begin",
            (None, Access::ReadOnly) => "begin read only",
            (Some(RepeatableRead), Access::ReadWrite) => "begin isolation level repeatable read",
            (Some(RepeatableRead), Access::ReadOnly) => {
                "begin isolation level repeatable read read only"
            }
            (Some(Serializable), Access::ReadWrite) => "begin isolation level serializable",
            (Some(Serializable), Access::ReadOnly) => {
                "begin isolation level serializable read only"
            }
        }
    }

    /// The statement that makes the settings, and its parameters. In a transaction that was not
    /// begun with a statement, it forbids writes too.
    pub fn settings(&self, begun: bool) -> (Cow<'static, str>, Vec<Param<'_>>) {
        let read_only = (!begun && self.access == Access::ReadOnly).then_some(&READ_ONLY);
        let settings = read_only.into_iter().chain(&self.settings);
        let params: Vec<Param<'_>> = settings
            .flat_map(|(name, value)| [Param::text(name), Param::text(value)])
            .collect();
        let number = params.len() / 2;
        let sql = match STATEMENTS.get(number) {
            Some(sql) => Cow::Borrowed(sql.as_str()),
            None => Cow::Owned(statement(number)),
        };
        (sql, params)
    }
}

/// The statements that make settings, by how many. Every request needs one of these few.
static STATEMENTS: LazyLock<Vec<String>> = LazyLock::new(|| (0..32).map(statement).collect());

/// The statement that makes a number of settings.
fn statement(settings: usize) -> String {
    let mut sql = "select ".to_owned();
    for setting in 0..settings {
        let separator = if setting > 0 { ", " } else { "" };
        let (name, value) = (2 * setting + 1, 2 * setting + 2);
        // Writing to a string does not fail.
        let _ = write!(sql, "{separator}set_config(${name}, ${value}, true)");
    }
    sql
}

impl Pool {
    /// Runs one statement in a transaction of its own, as the session says: one round trip.
    pub async fn run(
        &self,
        session: &Session<'_>,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Failure> {
        let begun = session.needs_begin();
        let (set_up, set_up_params) = session.settings(begun);
        let statements = [
            begun.then(|| Statement::kept(session.begin(), &[])),
            Some(Statement::kept(&set_up, &set_up_params)),
            Some(Statement::kept(sql, params)),
            begun.then(|| Statement::kept("commit", &[])),
        ];
        let batch: Vec<Statement<'_>> = statements.into_iter().flatten().collect();
        let mut outcomes = self.acquire().await?.run(&batch).await?;
        let main = 1 + usize::from(begun);
        Ok(outcomes.swap_remove(main).rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_made_in_order_and_as_parameters() {
        let session = Session::as_role("anon", Access::ReadWrite).with("a.b", "it's");
        let (sql, params) = session.settings(false);
        let expected = "select set_config($1, $2, true), set_config($3, $4, true)";
        assert_eq!(sql, expected);
        let texts = ["role", "anon", "a.b", "it's"].map(Param::text);
        assert_eq!(params, texts);
    }

    #[test]
    fn writes_are_forbidden_in_either_form_of_a_transaction() {
        let mut session = Session::new(Access::ReadOnly);
        let (_, params) = session.settings(false);
        assert_eq!(params, ["transaction_read_only", "on"].map(Param::text));
        assert!(!session.needs_begin());
        session.isolate(Some(Isolation::Serializable));
        assert!(session.needs_begin());
        let expected = "begin isolation level serializable read only";
        assert_eq!(session.begin(), expected);
    }
}
