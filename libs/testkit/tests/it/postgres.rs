//! Databases for tests.

use testkit::postgres::{connect, database, database_from};

#[tokio::test]
async fn a_database_is_reached_by_its_url() {
    let database = database().await;
    let client = connect(&database.url().await).await.unwrap();
    let row = client
        .query_one("select current_database()", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), database.name());
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let database = database().await;
    let url = database.url_for("postgres", "wrong").await;
    assert!(connect(&url).await.is_err());
}

#[tokio::test]
async fn two_tests_share_no_tables() {
    let (one, other) = (database().await, database().await);
    let create = "create table things (id int)";
    one.connect().await.batch_execute(create).await.unwrap();
    other.connect().await.batch_execute(create).await.unwrap();
}

#[tokio::test]
async fn a_template_is_prepared_once_and_copied() {
    let prepare = async |database: &testkit::postgres::Database| {
        let client = database.connect().await;
        client
            .batch_execute("create table things as select 1 as id")
            .await?;
        Ok(())
    };
    for _ in 0..2 {
        let database = database_from("things", prepare).await;
        let client = database.connect().await;
        let row = client
            .query_one("select count(*) from things", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, i64>(0), 1);
    }
}
