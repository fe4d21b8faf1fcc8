//! Encrypted connections.

use std::{io::Write, time::Duration};

use common::{
    lifecycle::Lifecycle,
    postgres::{Failure, Pool, PoolConfig, Statement},
};
use tempfile::NamedTempFile;
use testkit::{
    servers::{
        Postgres,
        postgres::{Certificate, Options},
    },
    wait::eventually,
};

/// A server with and one without encryption, and the certificate of the first.
struct Servers {
    tls: Postgres,
    plain: Postgres,
    certificate: NamedTempFile,
}

impl Servers {
    async fn start() -> Self {
        let tls = Postgres::start(Options::default()).await.unwrap();
        let certificate = Certificate::self_signed("localhost").unwrap();
        tls.offer_tls(&certificate).await.unwrap();
        let servers = Self {
            plain: Postgres::start(Options::default()).await.unwrap(),
            certificate: file(&certificate.pem),
            tls,
        };
        let deadline = Duration::from_secs(20);
        eventually("the server offers TLS", deadline, async || {
            servers.encrypted("127.0.0.1", "require").await.ok()
        })
        .await;
        servers
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

async fn is_encrypted(server: &Postgres, host: &str, options: &str) -> Result<bool, Failure> {
    let url = server.url("postgres").replace("127.0.0.1", host);
    let url = format!("{url}?sslmode={options}");
    let pool = Pool::new(&PoolConfig::new(url), &Lifecycle::default()).unwrap();
    let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let mut lease = pool.acquire().await?;
    let outcomes = lease.run(&[Statement::once(sql, &[])]).await?;
    Ok(outcomes[0].rows[0].text(0) == Some("t"))
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
