//! Databases for tests: one server per test process, a fresh database per test.
//!
//! ```no_run
//! # async fn example() {
//! let database = testkit::postgres::database().await;
//! let client = database.connect().await;
//! client.batch_execute("create table notes (id int)").await.unwrap();
//! # }
//! ```

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OnceCell,
};
use tokio_postgres::{Client, Connection, NoTls};

use crate::servers::Postgres;

/// The server of this process. It ends with the process.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();

/// Templates by name, each prepared once.
static TEMPLATES: LazyLock<Mutex<HashMap<String, Arc<OnceCell<()>>>>> =
    LazyLock::new(Mutex::default);

/// A database of one test.
#[derive(Clone, Debug)]
pub struct Database {
    name: String,
}

/// The server that all databases of this process live in.
pub async fn server() -> &'static Postgres {
    SERVER
        .get_or_try_init(Postgres::temporary)
        .await
        .expect("a private PostgreSQL starts")
}

/// A new, empty database.
pub async fn database() -> Database {
    Database::create("template0").await
}

/// A new database with the content that `prepare` gave the template called `name`.
///
/// `prepare` runs once per process. What PostgreSQL keeps outside the database (roles, `alter
/// database … set`, grants on the database itself) is not part of a copy.
pub async fn database_from(
    name: &str,
    prepare: impl AsyncFnOnce(&Database) -> anyhow::Result<()>,
) -> Database {
    let prepared = {
        let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(templates.entry(name.to_owned()).or_default())
    };
    let template = format!("template_{name}");
    prepared
        .get_or_init(async || {
            let database = Database::create_named(&template, "template0").await;
            prepare(&database).await.expect("the template is prepared");
            database.close().await;
        })
        .await;
    Database::create(&template).await
}

/// Opens a connection to `url`; its task ends with the client.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    drive(connection);
    Ok(client)
}

/// Runs a connection until its client is dropped.
#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with its client; there is no lifecycle in a test"
)]
pub(crate) fn drive<S, T>(connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        // An error here reaches the client as a closed connection.
        let _ = connection.await;
    });
}

impl Database {
    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A URL for the superuser.
    pub async fn url(&self) -> String {
        server().await.url(&self.name)
    }

    /// A URL for another role.
    pub async fn url_for(&self, role: &str, password: &str) -> String {
        server().await.url_for(role, password, &self.name)
    }

    /// A connection as superuser.
    pub async fn connect(&self) -> Client {
        let server = server().await;
        server
            .connect(&self.name)
            .await
            .expect("a superuser can connect")
    }

    async fn create(template: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        Self::create_named(&name, template).await
    }

    async fn create_named(name: &str, template: &str) -> Self {
        let client = maintenance().await;
        client
            .batch_execute(&format!(
                r#"create database "{name}" template "{template}""#
            ))
            .await
            .expect("a database can be created");
        Self {
            name: name.to_owned(),
        }
    }

    /// Sends everybody away and lets nobody in, so that the database can be copied.
    async fn close(&self) {
        let client = maintenance().await;
        let name = &self.name;
        client
            .batch_execute(&format!(
                r#"alter database "{name}" allow_connections false"#
            ))
            .await
            .expect("a template can be closed");
        let leave =
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1";
        client
            .query(leave, &[name])
            .await
            .expect("a template can be left");
    }
}

async fn maintenance() -> Client {
    let server = server().await;
    server
        .connect("postgres")
        .await
        .expect("a superuser can connect")
}
