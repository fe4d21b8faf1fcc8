//! Databases that change, go away and come back.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use testkit::{
    Client,
    servers::{Postgres, postgres::Options},
    wait::eventually,
};
use tokio::time::timeout;

use crate::stack::{DEADLINE, database_with, stack, state};

#[tokio::test]
async fn nothing_is_served_before_the_schema_cache_is_loaded() {
    let state = state(
        "postgres://nobody@127.0.0.1:1/nowhere",
        &[("PGRST_DB_ANON_ROLE", "")],
    );
    let client = Client::new(sql_rest::router(state.clone()));
    let answer = client
        .get("/books")
        .send()
        .await
        .expect(StatusCode::SERVICE_UNAVAILABLE);
    let expected = json!({
        "code": "PGRST002",
        "details": null,
        "hint": null,
        "message": "Could not query the database for the schema cache. Retrying."
    });
    assert_eq!(answer.json(), expected);
    assert!(state.schema_cache().check().is_err());
    assert!(!state.schema_cache().is_current());
}

#[tokio::test]
async fn a_schema_that_does_not_exist_is_no_empty_one() {
    for name in ["PGRST_DB_SCHEMAS", "PGRST_DB_EXTRA_SEARCH_PATH"] {
        let database = database_with("api", include_str!("api.sql")).await;
        let url = database.url_for("authenticator", "authenticator").await;
        let state = state(&url, &[(name, "api, \"Later\", later")]);
        let client = Client::new(sql_rest::router(state.clone()));
        let create = database.connect().await;
        create
            .batch_execute("create schema \"\"\"Later\"\"\"")
            .await
            .unwrap();
        let status = async || client.get("/books").send().await.status;
        assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
        create.batch_execute("create schema later").await.unwrap();
        create
            .batch_execute("grant usage on schema later to anon")
            .await
            .unwrap();
        eventually("books are served", DEADLINE, async || {
            (status().await == StatusCode::OK).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_notification_makes_new_tables_known() {
    let stack = stack(&[]).await;
    let missing = stack
        .client
        .get("/fresh")
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
    assert_eq!(missing.json()["code"], "PGRST205");
    let create = "create table api.fresh (id int); grant select on api.fresh to anon; notify pgrst";
    stack.sql(create).await;
    eventually("the new table is served", DEADLINE, async || {
        let answer = stack.client.get("/fresh").send().await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn settings_in_the_database_are_obeyed() {
    let stack = stack(&[]).await;
    let database = stack.database.name();
    let set = format!(
        "alter role authenticator in database {database} set pgrst.db_schemas = 'other'; \
         notify pgrst, 'reload config'"
    );
    stack.sql(&set).await;
    eventually("another schema is served", DEADLINE, async || {
        let answer = stack.client.get("/things").send().await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
    stack
        .client
        .get("/books")
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_column_of_another_type_is_noticed_without_a_reload() {
    let stack = stack(&[("PGRST_DB_CHANNEL_ENABLED", "false")]).await;
    let get = async |id: &str| {
        let path = format!("/authors?select=name&id=eq.{id}");
        stack.client.get(&path).send().await
    };
    for _ in 0..4 {
        get("1").await.expect(StatusCode::OK);
    }
    let alter = "alter table api.books drop constraint books_author_id_fkey; \
                 alter table api.authors alter id type text";
    stack.sql(alter).await;
    for _ in 0..4 {
        assert_eq!(
            get("1").await.expect(StatusCode::OK).json(),
            json!([{ "name": "Ann" }])
        );
        assert_eq!(get("x").await.expect(StatusCode::OK).json(), json!([]));
    }
}

#[tokio::test]
async fn waiting_for_a_connection_ends_with_504() {
    let stack = stack(&[
        ("PGRST_DB_POOL", "1"),
        ("PGRST_DB_POOL_ACQUISITION_TIMEOUT", "1"),
    ])
    .await;
    let sleep = stack.client.get("/rpc/sleep?seconds=3").send();
    let wait = async {
        tokio::task::yield_now().await;
        stack.client.get("/books").send().await
    };
    let (slept, waited) = tokio::join!(sleep, wait);
    slept.expect(StatusCode::NO_CONTENT);
    assert_eq!(
        waited.expect(StatusCode::GATEWAY_TIMEOUT).json()["code"],
        "PGRST003"
    );
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_nothing_behind() {
    let stack = stack(&[("PGRST_DB_POOL", "1")]).await;
    let sleep = stack.client.get("/rpc/sleep?seconds=600").send();
    assert!(timeout(Duration::from_millis(200), sleep).await.is_err());
    stack
        .client
        .get("/books")
        .send()
        .await
        .expect(StatusCode::OK);
    let client = stack.database.connect().await;
    eventually("the sleeper is gone", DEADLINE, async || {
        let sleeping = "select 1 from pg_stat_activity \
                        where datname = current_database() and wait_event = 'PgSleep'";
        client
            .query(sleeping, &[])
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_dies_is_missed_and_found_again() {
    let mut server = Postgres::start(Options::default()).await.unwrap();
    let admin = server.connect("postgres").await.unwrap();
    admin
        .batch_execute(include_str!("fixture.sql"))
        .await
        .unwrap();
    admin.batch_execute(include_str!("api.sql")).await.unwrap();
    let url = server.url_for("authenticator", "authenticator", "postgres");
    let state = state(&url, &[]);
    let client = Client::new(sql_rest::router(state.clone()));
    let status = async || client.get("/books").send().await.status;
    eventually("books are served", DEADLINE, async || {
        (status().await == StatusCode::OK).then_some(())
    })
    .await;

    server.kill().await.unwrap();
    let answer = client
        .get("/books")
        .send()
        .await
        .expect(StatusCode::SERVICE_UNAVAILABLE);
    assert!(["PGRST000", "PGRST001", "57P01"].contains(&answer.json()["code"].as_str().unwrap()));
    let answer = client
        .get("/books")
        .send()
        .await
        .expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["code"], "PGRST000");
    assert_eq!(answer.json()["message"], "Database connection error.");

    server.resume().await.unwrap();
    eventually("books are served again", DEADLINE, async || {
        (status().await == StatusCode::OK).then_some(())
    })
    .await;
}
