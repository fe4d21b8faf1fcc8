//! The administrator's server, and settings that change while the service runs.

use std::{fs, sync::Arc};

use common::telemetry;
use http::StatusCode;
use serde_json::json;
use testkit::{Client, jwt, wait::eventually};

use crate::stack::{DEADLINE, SECRET, Stack, stack, user};

const OTHER_SECRET: &str = "another secret of 32 characters!!";

async fn status(client: &Client, path: &str) -> StatusCode {
    client.get(path).send().await.status
}

async fn current(stack: &Stack) {
    eventually("the schema cache is current", DEADLINE, async || {
        stack.state.schema_cache().is_current().then_some(())
    })
    .await;
}

/// Waits until the service listens, so that it reloads only when it is told to.
async fn settled(stack: &Stack) {
    let create = "create table api.heard (id int); grant select on api.heard to anon";
    stack.sql(create).await;
    eventually("it listens", DEADLINE, async || {
        stack.sql("notify pgrst").await;
        let status = status(&stack.client, "/heard").await;
        (status == StatusCode::OK).then_some(())
    })
    .await;
    current(stack).await;
}

#[tokio::test]
async fn an_administrator_sees_how_the_service_is() {
    // What is counted before somebody asks for the first time is lost.
    telemetry::render_metrics();
    let stack = stack(&[]).await;
    current(&stack).await;
    let admin = Client::new(sql_rest::admin::router(stack.state.clone()));
    for (path, expected) in [
        ("/live", StatusCode::OK),
        ("/ready", StatusCode::OK),
        ("/config", StatusCode::NOT_FOUND),
        ("/notfound", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(status(&admin, path).await, expected, "{path}");
    }
    let known = admin.get("/schema_cache").send().await;
    let known = known.expect(StatusCode::OK).json();
    let first = &known["dbTables"][0];
    assert_eq!(first[0], json!({ "qiName": "authors", "qiSchema": "api" }));
    assert_eq!(first[1]["tablePKCols"], json!(["id"]));
    assert_eq!(known["dbRelationships"][0][1][0]["relCardinality"], "O2M");

    stack.client.get("/books").bearer(&user("u1")).send().await;
    let metrics = admin.get("/metrics").send().await.expect(StatusCode::OK);
    let kind = metrics.header("content-type");
    assert_eq!(kind, Some("text/plain; charset=utf-8"));
    for name in [
        "pgrst_schema_cache_query_time_seconds",
        "pgrst_schema_cache_loads_total{status=\"SUCCESS\"}",
        "pgrst_db_pool_max",
        "pgrst_db_pool_waiting",
        "pgrst_db_pool_available",
        "pgrst_db_pool_timeouts_total",
        "pgrst_jwt_cache_requests_total",
        "pgrst_jwt_cache_hits_total",
    ] {
        assert!(metrics.text().contains(name), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_reloaded_is_still_served_but_not_ready() {
    let stack = stack(&[]).await;
    current(&stack).await;
    // Its connection is kept, and knows no timeout.
    assert_eq!(status(&stack.client, "/books").await, StatusCode::OK);
    let admin = Client::new(sql_rest::admin::router(stack.state.clone()));
    let database = stack.database.name();
    let alter = format!("alter role authenticator in database {database}");
    stack
        .sql(&format!("{alter} set statement_timeout = 1"))
        .await;
    stack
        .sql("create function api.slow() returns int language sql as 'select 1'")
        .await;
    stack.sql("notify pgrst, 'reload schema'").await;
    eventually("it is not ready", DEADLINE, async || {
        let status = status(&admin, "/ready").await;
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    assert_eq!(status(&stack.client, "/books").await, StatusCode::OK);
    stack.sql(&format!("{alter} reset statement_timeout")).await;
    eventually("it is ready again", DEADLINE, async || {
        (status(&admin, "/ready").await == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_in_a_file_is_read_again_with_the_settings() {
    let file = Arc::new(tempfile::NamedTempFile::new().unwrap());
    fs::write(file.path(), OTHER_SECRET).unwrap();
    let at = format!("@{}", file.path().display());
    let settings = [
        ("PGRST_JWT_SECRET", at.as_str()),
        ("PGRST_DB_CONFIG", "false"),
    ];
    let stack = stack(&settings).await;
    settled(&stack).await;
    let token = user("u1");
    let status = async || {
        let request = stack.client.get("/rpc/whoami").bearer(&token);
        request.send().await.status
    };
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);

    fs::write(file.path(), SECRET).unwrap();
    stack
        .sql("create table api.fresh (id int); grant select on api.fresh to anon")
        .await;
    stack.sql("notify pgrst, 'reload schema'").await;
    eventually("the schema is reloaded", DEADLINE, async || {
        let answer = stack.client.get("/fresh").send().await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);

    stack.sql("notify pgrst, 'reload config'").await;
    eventually("the new secret is known", DEADLINE, async || {
        (status().await == StatusCode::OK).then_some(())
    })
    .await;

    // What was verified before counts no longer.
    fs::write(file.path(), OTHER_SECRET).unwrap();
    stack.sql("notify pgrst, 'reload config'").await;
    eventually("the old secret is forgotten", DEADLINE, async || {
        (status().await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

#[tokio::test]
async fn settings_that_cannot_be_used_change_nothing() {
    let stack = stack(&[]).await;
    let database = stack.database.name();
    let alter = format!("alter role authenticator in database {database} set");
    stack
        .sql(&format!("{alter} pgrst.jwt_role_claim_key = 'role##'"))
        .await;
    stack
        .sql(&format!("{alter} pgrst.db_schemas = 'other'"))
        .await;
    stack.sql("notify pgrst, 'reload config'").await;
    stack
        .sql("create table api.fresh (id int); grant select on api.fresh to anon")
        .await;
    stack.sql("notify pgrst, 'reload schema'").await;
    eventually("a reload is over", DEADLINE, async || {
        let answer = stack.client.get("/fresh").send().await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_database_says_whether_statements_stay_prepared_and_what_sets_the_rest() {
    let stack = stack(&[]).await;
    stack
        .sql(
            "create function api.prepared() returns bigint language sql stable security definer \
               as 'select count(*) from pg_prepared_statements'; \
             create function api.configure() returns void language sql \
               as $$ select set_config('pgrst.db_max_rows', '1', true) $$; \
             grant usage on schema api to authenticator",
        )
        .await;
    let database = stack.database.name();
    let alter = format!("alter role authenticator in database {database} set pgrst.");
    let count = async || {
        let answer = stack.client.get("/rpc/prepared").send().await;
        (answer.status == StatusCode::OK).then(|| answer.json())
    };
    stack.sql("notify pgrst, 'reload schema'").await;
    eventually("statements stay prepared", DEADLINE, async || {
        let found = count().await?;
        (found != json!(0)).then_some(())
    })
    .await;
    stack
        .sql(&format!("{alter}db_prepared_statements = 'false'"))
        .await;
    stack
        .sql(&format!("{alter}db_pre_config = 'api.configure'"))
        .await;
    // The first time the function is learnt of, the second time it is called.
    eventually("nothing stays prepared", DEADLINE, async || {
        stack.sql("notify pgrst, 'reload config'").await;
        (count().await? == json!(0)).then_some(())
    })
    .await;
    eventually("the function sets what the rest is", DEADLINE, async || {
        stack.sql("notify pgrst, 'reload config'").await;
        let books = stack.client.get("/books").send().await.json();
        (books.as_array()?.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_function_for_settings_that_fails_stops_nothing() {
    let stack = stack(&[("PGRST_DB_PRE_CONFIG", "api.nothing")]).await;
    assert_eq!(status(&stack.client, "/books").await, StatusCode::OK);
}

#[tokio::test]
async fn settings_of_a_role_hold_for_its_requests() {
    let stack = stack(&[]).await;
    stack
        .sql(
            "create role careful nologin; grant careful to authenticator; \
             alter role careful set statement_timeout = '7s'; \
             alter role careful set default_transaction_isolation = 'serializable'; \
             alter role careful set log_min_duration_sample = 12345; \
             grant set on parameter log_min_duration_sample to authenticator; \
             create function api.setting(name text) returns text language sql stable \
               as $$ select current_setting(name) $$; \
             create function api.strict_setting(name text) returns text language sql stable \
               set default_transaction_isolation = 'repeatable read' \
               as $$ select current_setting(name) $$; \
             grant usage on schema api to careful; \
             notify pgrst",
        )
        .await;
    let token = jwt::sign(SECRET, &json!({ "role": "careful" }));
    let setting = async |function: &str, name: &str| {
        let path = format!("/rpc/{function}?name={name}");
        let answer = stack.client.get(&path).bearer(&token).send().await;
        (answer.status == StatusCode::OK).then(|| answer.json())
    };
    // A load that was under way may have read the roles before and the functions after the change.
    eventually("the change is known as a whole", DEADLINE, async || {
        let timeout = setting("setting", "statement_timeout").await?;
        (timeout == json!("7s")).then_some(())
    })
    .await;
    for (function, name, value) in [
        ("setting", "transaction_isolation", "serializable"),
        ("strict_setting", "transaction_isolation", "repeatable read"),
        ("setting", "log_min_duration_sample", "12345ms"),
    ] {
        assert_eq!(setting(function, name).await, Some(json!(value)), "{name}");
    }
}

#[tokio::test]
async fn connections_begin_anew_when_the_settings_they_begin_with_change() {
    let stack = stack(&[]).await;
    let timeout = async || {
        let answer = stack.client.get("/rpc/whoami").send().await;
        answer.expect(StatusCode::OK).json()["timeout"].clone()
    };
    assert_eq!(timeout().await, "0");
    let database = stack.database.name();
    let alter = format!("alter role authenticator in database {database}");
    stack
        .sql(&format!("{alter} set statement_timeout = '9s'"))
        .await;
    eventually("the new timeout holds", DEADLINE, async || {
        stack.sql("notify pgrst, 'reload schema'").await;
        (timeout().await == "9s").then_some(())
    })
    .await;
}

#[tokio::test]
async fn time_zones_can_be_left_to_the_server() {
    let stack = stack(&[("PGRST_DB_TIMEZONE_ENABLED", "false")]).await;
    let request = stack.client.get("/books");
    let request = request.header("prefer", "timezone=America/Lima");
    let answer = request.send().await.expect(StatusCode::OK);
    assert_eq!(answer.header("preference-applied"), None);
}
