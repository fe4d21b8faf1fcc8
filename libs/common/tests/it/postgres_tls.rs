//! Encrypted connections.

use std::{io::Write, time::Duration};

use common::{
    lifecycle::Lifecycle,
    postgres::{Failure, Pool, PoolConfig, Statement, own::Database},
};
use sqlx::migrate::Migrator;
use tempfile::NamedTempFile;
use testkit::{
    servers::{
        Postgres,
        postgres::{Certificate, Options},
    },
    wait::eventually,
};

const IS_ENCRYPTED: &str = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
static NOTHING: Migrator = Migrator::DEFAULT;

/// A server with and one without encryption, and the certificate of the first with its key.
struct Servers {
    tls: Postgres,
    plain: Postgres,
    certificate: NamedTempFile,
    key: NamedTempFile,
}

impl Servers {
    async fn start() -> Self {
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let tls = Postgres::start(Options::default()).await.unwrap();
        let certificate = Certificate::self_signed("localhost").unwrap();
        tls.offer_tls(&certificate).await.unwrap();
        let servers = Self {
            plain: Postgres::start(Options::default()).await.unwrap(),
            certificate: file(&certificate.pem),
            key: file(&certificate.key),
            tls,
        };
        let deadline = Duration::from_secs(20);
        eventually("the server offers TLS", deadline, async || {
            servers.encrypted("127.0.0.1", "require").await.ok()
        })
        .await;
        servers
    }

    /// Where the server with encryption is, for one who asks for `options`.
    fn url(&self, host: &str, options: &str) -> String {
        url(&self.tls, "postgres", host, options)
    }

    /// Whether a connection to the server with encryption is encrypted.
    async fn encrypted(&self, host: &str, options: &str) -> Result<bool, Failure> {
        is_encrypted(&self.tls, host, options).await
    }
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn url(server: &Postgres, database: &str, host: &str, options: &str) -> String {
    let url = server.url(database).replace("127.0.0.1", host);
    format!("{url}?sslmode={options}")
}

async fn is_encrypted(server: &Postgres, host: &str, options: &str) -> Result<bool, Failure> {
    is_encrypted_at(url(server, "postgres", host, options)).await
}

async fn is_encrypted_at(url: String) -> Result<bool, Failure> {
    let pool = Pool::new(&PoolConfig::new(url), &Lifecycle::default()).unwrap();
    let mut lease = pool.acquire().await?;
    let outcomes = lease.run(&[Statement::once(IS_ENCRYPTED, &[])]).await?;
    Ok(outcomes[0].rows[0].text(0) == Some("t"))
}

/// The same through the pool of a service's own schema.
async fn own_is_encrypted(url: String) -> Result<bool, sqlx::Error> {
    let mut config = PoolConfig::new(url);
    config.acquire_timeout = Duration::from_secs(1);
    let lifecycle = Lifecycle::default();
    let database = Database::open(&config, "public", &NOTHING, &lifecycle).unwrap();
    sqlx::query_scalar(IS_ENCRYPTED)
        .fetch_one(database.pool())
        .await
}

#[tokio::test]
async fn encryption_is_what_the_connection_string_asks_for() {
    let servers = Servers::start().await;
    let root = servers.certificate.path().display().to_string();
    let stranger = file(&Certificate::self_signed("localhost").unwrap().pem);
    let wrong = stranger.path().display().to_string();
    let cases = [
        ("127.0.0.1", "disable".to_owned(), Some(false)),
        ("127.0.0.1", "prefer".to_owned(), Some(true)),
        ("127.0.0.1", "require".to_owned(), Some(true)),
        (
            "127.0.0.1",
            format!("require&sslrootcert={root}"),
            Some(true),
        ),
        ("127.0.0.1", format!("require&sslrootcert={wrong}"), None),
        (
            "127.0.0.1",
            format!("verify-ca&sslrootcert={root}"),
            Some(true),
        ),
        ("127.0.0.1", format!("verify-ca&sslrootcert={wrong}"), None),
        ("127.0.0.1", "verify-ca".to_owned(), None),
        (
            "localhost",
            format!("verify-full&sslrootcert={root}"),
            Some(true),
        ),
        ("127.0.0.1", format!("verify-full&sslrootcert={root}"), None),
    ];
    for (host, options, expected) in cases {
        let own = own_is_encrypted(servers.url(host, &options)).await;
        assert_eq!(own.ok(), expected, "own schema: {host} {options}");
        let found = servers.encrypted(host, &options).await;
        assert_eq!(
            found.as_ref().ok(),
            expected.as_ref(),
            "{host} {options}: {found:?}"
        );
    }
    let plain = is_encrypted(&servers.plain, "127.0.0.1", "prefer").await;
    assert!(!plain.unwrap());
    let refused = is_encrypted(&servers.plain, "127.0.0.1", "require").await;
    assert!(matches!(refused, Err(Failure::Connect(_))));
}

#[tokio::test]
async fn a_server_may_want_to_see_a_certificate() {
    let servers = Servers::start().await;
    let own = format!(
        "require&sslcert={}&sslkey={}",
        servers.certificate.path().display(),
        servers.key.path().display()
    );
    for (options, expected) in [("require", None), (own.as_str(), Some(true))] {
        let url = url(&servers.tls, "certified", "127.0.0.1", options);
        assert_eq!(own_is_encrypted(url.clone()).await.ok(), expected);
        let found = is_encrypted_at(url).await;
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{found:?}");
    }
}
