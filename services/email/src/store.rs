//! The tables of the service, and the only place with SQL.

mod intake;
mod messages;
mod outbox;
mod templates;

use common::postgres::own::Database;
use sqlx::PgPool;

pub(crate) use intake::NewMessage;
pub(crate) use messages::{Message, MessageFilter, MessageStatus};
pub(crate) use outbox::Job;
pub(crate) use templates::{Template, TemplateSummary};

/// The schema `email`. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Whether the database answers and has the tables; the text holds no secret.
    pub(crate) async fn check(&self) -> Result<(), String> {
        self.database.check().await
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }
}
