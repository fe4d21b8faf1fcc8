//! Connections and their pool.

use std::time::Duration;

use common::lifecycle::Lifecycle;
use sql_rest::wire::{Error, Format, Param, Pool, PoolOptions, Statement};
use testkit::postgres::Database;
use tokio::time::timeout;

pub(crate) const OPTIONS: PoolOptions = PoolOptions {
    size: 1,
    acquire_timeout: Duration::from_secs(10),
    max_idle: Duration::from_mins(1),
    max_lifetime: Duration::from_mins(10),
    cached_statements: 3,
};

/// A pool over `database`.
pub(crate) async fn pool(database: &Database, options: PoolOptions) -> Pool {
    let target = database.url().await.parse().expect("a usable URL");
    Pool::new(target, options, &Lifecycle::default())
}

fn text(value: &str) -> Param<'_> {
    Param::Text(value.as_bytes())
}

/// Runs one statement and gives the first field of its first row.
async fn value(pool: &Pool, sql: &str, params: &[Param<'_>]) -> Result<Option<String>, Error> {
    let mut lease = pool.acquire().await?;
    let outcomes = lease.run(&[Statement::kept(sql, params)]).await?;
    let row = outcomes.first().and_then(|outcome| outcome.rows.first());
    Ok(row.and_then(|row| row.text(0)).map(str::to_owned))
}

fn sqlstate(error: &Error) -> Option<&str> {
    match error {
        Error::Database(error) => Some(&error.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_batch_is_one_transaction() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    value(&pool, "create table t (id int)", &[]).await.unwrap();
    let mut lease = pool.acquire().await.unwrap();
    let batch = [
        Statement::kept("insert into t values (1)", &[]),
        Statement::kept("select 1 / 0", &[]),
    ];
    let Err(Error::Database(error)) = lease.run(&batch).await else {
        panic!("the division must fail");
    };
    assert_eq!(error.code, "22012");
    assert_eq!(error.statement, 1);
    drop(lease);
    let count = value(&pool, "select count(*) from t", &[]).await.unwrap();
    assert_eq!(count.as_deref(), Some("0"));
}

#[tokio::test]
async fn settings_of_a_batch_end_with_it() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    let mut lease = pool.acquire().await.unwrap();
    let set = "select set_config('app.secret', $1, true)";
    let get = "select current_setting('app.secret', true)";
    let params = [text("mine")];
    let batch = [Statement::kept(set, &params), Statement::kept(get, &[])];
    let outcomes = lease.run(&batch).await.unwrap();
    assert_eq!(outcomes[1].rows[0].text(0), Some("mine"));
    drop(lease);
    assert_eq!(value(&pool, get, &[]).await.unwrap().as_deref(), Some(""));
}

#[tokio::test]
async fn a_transaction_left_open_is_not_handed_on() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    value(&pool, "create table t (id int)", &[]).await.unwrap();
    let mut lease = pool.acquire().await.unwrap();
    let batch = [
        Statement::kept("begin", &[]),
        Statement::kept("insert into t values (1)", &[]),
    ];
    lease.run(&batch).await.unwrap();
    drop(lease);
    let count = value(&pool, "select count(*) from t", &[]).await.unwrap();
    assert_eq!(count.as_deref(), Some("0"));
}

#[tokio::test]
async fn an_abandoned_statement_is_cancelled() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    let mut lease = pool.acquire().await.unwrap();
    let sleep = [Statement::kept("select pg_sleep(600)", &[])];
    let cut = timeout(Duration::from_millis(50), lease.run(&sleep)).await;
    assert!(cut.is_err());
    drop(lease);
    let sleeping = "select count(*) from pg_stat_activity where query like '%sleep(600)%' \
                    and state = 'active' and pid <> pg_backend_pid()";
    testkit::wait::eventually("the sleeper is gone", Duration::from_secs(10), async || {
        let count = value(&pool, sleeping, &[]).await.unwrap();
        (count.as_deref() == Some("0")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_connection_the_server_closed_is_replaced() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    let pid = value(&pool, "select pg_backend_pid()", &[])
        .await
        .unwrap()
        .unwrap();
    let client = database.connect().await;
    let kill = format!("select pg_terminate_backend({pid}, 5000)");
    client.batch_execute(&kill).await.unwrap();
    let other = value(&pool, "select pg_backend_pid()", &[])
        .await
        .unwrap()
        .unwrap();
    assert_ne!(pid, other);
}

#[tokio::test]
async fn waiting_for_a_connection_has_an_end() {
    let database = testkit::postgres::database().await;
    let options = PoolOptions {
        acquire_timeout: Duration::from_millis(20),
        ..OPTIONS
    };
    let pool = pool(&database, options).await;
    let held = loop {
        // The first connection may take longer than that.
        if let Ok(lease) = pool.acquire().await {
            break lease;
        }
    };
    assert!(matches!(pool.acquire().await, Err(Error::PoolTimeout)));
    drop(held);
    assert!(pool.acquire().await.is_ok());
}

#[tokio::test]
async fn more_statements_than_are_kept_still_run() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    for round in 0..3 {
        for number in 0..5 {
            let sql = format!("select {number} + $1::int");
            let found = value(&pool, &sql, &[text("10")]).await.unwrap();
            assert_eq!(found, Some((number + 10).to_string()), "{round}");
        }
    }
    let kept = "select count(*) from pg_prepared_statements";
    let kept = value(&pool, kept, &[]).await.unwrap().unwrap();
    assert!(
        kept.parse::<usize>().unwrap() <= OPTIONS.cached_statements + 1,
        "{kept}"
    );
}

#[tokio::test]
async fn a_statement_that_does_not_parse_is_not_remembered() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    let sql = "select * from t";
    let error = value(&pool, sql, &[]).await.unwrap_err();
    assert_eq!(sqlstate(&error), Some("42P01"));
    value(&pool, "create table t (id int)", &[]).await.unwrap();
    assert_eq!(value(&pool, sql, &[]).await.unwrap(), None);
}

#[tokio::test]
async fn large_values_pass_in_both_directions_and_formats() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    let large = vec![0xFE_u8; 3_000_000];
    let mut lease = pool.acquire().await.unwrap();
    let params = [Param::Binary(&large), text("x")];
    let statement = Statement {
        columns: &[Format::Text, Format::Binary],
        ..Statement::kept(
            "select length($1::bytea), $1::bytea || $2::text::bytea",
            &params,
        )
    };
    let outcomes = lease.run(&[statement]).await.unwrap();
    let row = &outcomes[0].rows[0];
    assert_eq!(row.text(0), Some("3000000"));
    assert_eq!(row.take(1).unwrap().len(), large.len() + 1);
}

#[tokio::test]
async fn a_zero_byte_in_a_statement_spares_the_connection() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    let pid = value(&pool, "select pg_backend_pid()", &[]).await.unwrap();
    let error = value(&pool, "select '\0'", &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unsendable(_)));
    assert_eq!(
        value(&pool, "select pg_backend_pid()", &[]).await.unwrap(),
        pid
    );
}

#[tokio::test]
async fn a_wrong_password_is_reported() {
    let database = testkit::postgres::database().await;
    let url = database.url_for("postgres", "wrong").await;
    let pool = Pool::new(url.parse().unwrap(), OPTIONS, &Lifecycle::default());
    let error = pool.acquire().await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn notifications_arrive() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database, OPTIONS).await;
    let mut listener = pool.connect_apart().await.unwrap();
    listener
        .run(&[Statement::once("listen pgrst", &[])])
        .await
        .unwrap();
    value(&pool, "select pg_notify('pgrst', 'reload schema')", &[])
        .await
        .unwrap();
    let heard = listener.notification().await.unwrap();
    assert_eq!(heard.channel, "pgrst");
    assert_eq!(heard.payload, "reload schema");
}
