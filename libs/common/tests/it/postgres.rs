//! Connections and their pool.

use std::time::Duration;

use common::{
    lifecycle::Lifecycle,
    postgres::{Access, Failure, Format, Isolation, Param, Pool, PoolConfig, Session, Statement},
};
use testkit::postgres::Database;
use tokio::time::timeout;

/// Statements kept by the connections of these tests.
const CACHED_STATEMENTS: usize = 3;

async fn config(database: &Database) -> PoolConfig {
    PoolConfig {
        max_connections: 1,
        cached_statements: CACHED_STATEMENTS,
        ..PoolConfig::new(database.url().await)
    }
}

/// A pool with one connection.
async fn pool(database: &Database) -> Pool {
    Pool::new(&config(database).await, &Lifecycle::default()).unwrap()
}

/// Runs one statement and gives the first field of its first row.
async fn value(pool: &Pool, sql: &str, params: &[Param<'_>]) -> Result<Option<String>, Failure> {
    let mut lease = pool.acquire().await?;
    let outcomes = lease.run(&[Statement::kept(sql, params)]).await?;
    let row = outcomes.first().and_then(|outcome| outcome.rows.first());
    Ok(row.and_then(|row| row.text(0)).map(str::to_owned))
}

fn sqlstate(error: &Failure) -> Option<&str> {
    match error {
        Failure::Database(error) => Some(&error.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_batch_is_one_transaction() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    value(&pool, "create table t (id int)", &[]).await.unwrap();
    let mut lease = pool.acquire().await.unwrap();
    let batch = [
        Statement::kept("insert into t values (1)", &[]),
        Statement::kept("select 1 / 0", &[]),
    ];
    let Err(Failure::Database(error)) = lease.run(&batch).await else {
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
    let pool = pool(&database).await;
    let mut lease = pool.acquire().await.unwrap();
    let set = "select set_config('app.secret', $1, true)";
    let get = "select current_setting('app.secret', true)";
    let params = [Param::text("mine")];
    let batch = [Statement::kept(set, &params), Statement::kept(get, &[])];
    let outcomes = lease.run(&batch).await.unwrap();
    assert_eq!(outcomes[1].rows[0].text(0), Some("mine"));
    drop(lease);
    assert_eq!(value(&pool, get, &[]).await.unwrap().as_deref(), Some(""));
}

#[tokio::test]
async fn a_transaction_left_open_is_not_handed_on() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
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
    let pool = pool(&database).await;
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
    let pool = pool(&database).await;
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
    let config = PoolConfig {
        acquire_timeout: Duration::from_millis(20),
        ..config(&database).await
    };
    let pool = Pool::new(&config, &Lifecycle::default()).unwrap();
    let held = loop {
        // The first connection may take longer than that.
        if let Ok(lease) = pool.acquire().await {
            break lease;
        }
    };
    assert!(matches!(pool.acquire().await, Err(Failure::PoolTimeout)));
    drop(held);
    assert!(pool.acquire().await.is_ok());
}

#[tokio::test]
async fn more_statements_than_are_kept_still_run() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    for round in 0..3 {
        for number in 0..5 {
            let sql = format!("select {number} + $1::int");
            let found = value(&pool, &sql, &[Param::text("10")]).await.unwrap();
            assert_eq!(found, Some((number + 10).to_string()), "{round}");
        }
    }
    let kept = "select count(*) from pg_prepared_statements";
    let kept = value(&pool, kept, &[]).await.unwrap().unwrap();
    assert!(
        kept.parse::<usize>().unwrap() <= CACHED_STATEMENTS + 1,
        "{kept}"
    );
}

#[tokio::test]
async fn a_statement_that_does_not_parse_is_not_remembered() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    let sql = "select * from t";
    let error = value(&pool, sql, &[]).await.unwrap_err();
    assert_eq!(sqlstate(&error), Some("42P01"));
    value(&pool, "create table t (id int)", &[]).await.unwrap();
    assert_eq!(value(&pool, sql, &[]).await.unwrap(), None);
}

#[tokio::test]
async fn large_values_pass_in_both_directions_and_formats() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    let large = vec![0xFE_u8; 3_000_000];
    let mut lease = pool.acquire().await.unwrap();
    let params = [Param::Binary(&large), Param::text("x")];
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
    let pool = pool(&database).await;
    let pid = value(&pool, "select pg_backend_pid()", &[]).await.unwrap();
    let error = value(&pool, "select '\0'", &[]).await.unwrap_err();
    assert!(matches!(error, Failure::Unsendable(_)));
    assert_eq!(
        value(&pool, "select pg_backend_pid()", &[]).await.unwrap(),
        pid
    );
}

#[tokio::test]
async fn a_wrong_password_is_reported() {
    let database = testkit::postgres::database().await;
    let url = database.url_for("postgres", "wrong").await;
    let pool = Pool::new(&PoolConfig::new(url), &Lifecycle::default()).unwrap();
    let error = pool.acquire().await.unwrap_err();
    assert!(matches!(error, Failure::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn notifications_arrive() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
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

#[tokio::test]
async fn a_session_ends_with_its_transaction() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    value(&pool, "create role somebody", &[]).await.ok();
    let who = "select current_user || ' ' || current_setting('request.jwt.claims', true)";
    let session = Session::as_role("somebody", Access::ReadWrite)
        .with("request.jwt.claims", r#"{"sub":"1"}"#);
    let rows = pool.run(&session, who, &[]).await.unwrap();
    assert_eq!(rows[0].text(0), Some(r#"somebody {"sub":"1"}"#));
    assert_eq!(
        value(&pool, who, &[]).await.unwrap().as_deref(),
        Some("postgres ")
    );

    let error = pool.run(&session, "select 1 / 0", &[]).await.unwrap_err();
    assert_eq!(sqlstate(&error), Some("22012"));
    assert_eq!(
        value(&pool, who, &[]).await.unwrap().as_deref(),
        Some("postgres ")
    );
}

#[tokio::test]
async fn a_session_that_only_reads_cannot_write() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    value(&pool, "create table t (id int)", &[]).await.unwrap();
    let session = Session::new(Access::ReadOnly);
    let insert = "insert into t values (1)";
    let error = pool.run(&session, insert, &[]).await.unwrap_err();
    assert_eq!(sqlstate(&error), Some("25006"));
    pool.run(&Session::new(Access::ReadWrite), insert, &[])
        .await
        .unwrap();
}

#[tokio::test]
async fn an_isolated_session_commits() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    value(&pool, "create table t (level text)", &[])
        .await
        .unwrap();
    let mut session = Session::new(Access::ReadWrite);
    session.isolate(Some(Isolation::Serializable));
    let insert = "insert into t values (current_setting('transaction_isolation'))";
    pool.run(&session, insert, &[]).await.unwrap();
    let kept = value(&pool, "select level from t", &[]).await.unwrap();
    assert_eq!(kept.as_deref(), Some("serializable"));
}

#[tokio::test]
async fn what_the_server_says_in_passing_is_ignored() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    let chatty = "do $$ begin
        raise notice 'by the way';
        perform set_config('timezone', 'Asia/Tokyo', false);
        perform pg_notify('nobody', 'listens');
    end $$";
    value(&pool, chatty, &[]).await.unwrap();
    assert_eq!(
        value(&pool, "select 1", &[]).await.unwrap().as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_is_reported_and_forgotten() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    let pid = value(&pool, "select pg_backend_pid()", &[])
        .await
        .unwrap()
        .unwrap();
    let killing = async {
        let client = database.connect().await;
        let sleeping = "select 1 from pg_stat_activity where query like '%sleep(601)%' \
                        and state = 'active' and pid = $1";
        let pid: i32 = pid.parse().unwrap();
        testkit::wait::eventually("the sleeper sleeps", Duration::from_secs(10), async || {
            let found = client.query(sleeping, &[&pid]).await.unwrap();
            (!found.is_empty()).then_some(())
        })
        .await;
        let kill = "select pg_terminate_backend($1)";
        client.execute(kill, &[&pid]).await.unwrap();
    };
    let (slept, ()) = tokio::join!(value(&pool, "select pg_sleep(601)", &[]), killing);
    assert_eq!(sqlstate(&slept.unwrap_err()), Some("57P01"));
    assert_eq!(
        value(&pool, "select 1", &[]).await.unwrap().as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn null_is_not_an_empty_text() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    let sql = "select $1::text is null";
    let null = value(&pool, sql, &[Param::Null]).await.unwrap();
    assert_eq!(null.as_deref(), Some("t"));
    let empty = value(&pool, sql, &[Param::text("")]).await.unwrap();
    assert_eq!(empty.as_deref(), Some("f"));
}

#[tokio::test]
async fn statements_follow_tables_that_change() {
    let database = testkit::postgres::database().await;
    let pool = pool(&database).await;
    value(&pool, "create table t (id int)", &[]).await.unwrap();
    let sql = "select id from t where id = $1";
    value(&pool, sql, &[Param::text("1")]).await.unwrap();
    value(&pool, "alter table t alter id type text", &[])
        .await
        .unwrap();
    let stale = value(&pool, sql, &[Param::text("a")]).await.unwrap_err();
    let Failure::Database(stale) = stale else {
        panic!("{stale:?}");
    };
    assert!(stale.was_prepared && !stale.began);
    pool.forget_statements();
    assert_eq!(value(&pool, sql, &[Param::text("a")]).await.unwrap(), None);
}
