//! Prepared databases, and requests as the API makes them.

use common::config::{Env, load};
use db_bootstrap::Config;
use testkit::postgres::{Database, database_from};
use tokio_postgres::{Client, Error, Row, error::SqlState};
use uuid::Uuid;

pub(crate) const AUTHENTICATOR_PASSWORD: &str = "authenticator-password-1";
pub(crate) const AUTH_PASSWORD: &str = "auth-admin-password-1";
pub(crate) const EMAIL_PASSWORD: &str = "email-admin-password-1";

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum Caller {
    Anon,
    User(Uuid),
    Service,
}

/// The configuration for the database at `url`.
pub(crate) fn config(url: &str) -> Config {
    config_with(url, &[])
}

/// The same with more variables; later ones win.
pub(crate) fn config_with(url: &str, more: &[(&str, &str)]) -> Config {
    let variables = [
        ("DATABASE_ADMIN_URL", url),
        ("AUTHENTICATOR_PASSWORD", AUTHENTICATOR_PASSWORD),
        ("AUTH_DB_PASSWORD", AUTH_PASSWORD),
        ("EMAIL_DB_PASSWORD", EMAIL_PASSWORD),
    ];
    let all = variables.iter().chain(more).copied();
    load(&mut Env::from_pairs(all)).unwrap()
}

/// A database on which the job has run.
pub(crate) async fn bootstrapped() -> Database {
    database_from("bootstrap", async |database| {
        db_bootstrap::run(&config(&database.url().await)).await?;
        Ok(())
    })
    .await
}

/// A superuser of such a database.
pub(crate) async fn superuser() -> Client {
    bootstrapped().await.connect().await
}

/// Runs one statement as a caller, in a transaction of its own.
pub(crate) async fn ask(client: &mut Client, caller: Caller, sql: &str) -> Result<Vec<Row>, Error> {
    let (role, sub) = match caller {
        Caller::Anon => ("anon", String::new()),
        Caller::User(id) => ("authenticated", id.to_string()),
        Caller::Service => ("service_role", String::new()),
    };
    let transaction = client.transaction().await?;
    let settings =
        "select set_config('role', $1, true), set_config('request.jwt.claim.sub', $2, true)";
    transaction.query(settings, &[&role, &sub]).await?;
    let rows = transaction.query(sql, &[]).await?;
    transaction.commit().await?;
    Ok(rows)
}

/// The first column of every row, as text.
pub(crate) fn texts(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whether the statement was refused for want of a right or by a policy.
#[track_caller]
pub(crate) fn assert_refused(result: Result<Vec<Row>, Error>) {
    let error = result.expect_err("the statement must be refused");
    assert_eq!(
        error.code(),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE),
        "{error:?}"
    );
}
