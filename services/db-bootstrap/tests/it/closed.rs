//! Closed by default.

use testkit::postgres::connect;
use uuid::Uuid;

use crate::support::{
    AUTH_PASSWORD, AUTHENTICATOR_PASSWORD, Caller, EMAIL_PASSWORD, ask, assert_refused,
    bootstrapped, config_with, superuser,
};

/// Every way to make a table.
const CREATIONS: &[(&str, &str)] = &[
    ("plain", "create table public.plain (id int)"),
    ("copied", "create table public.copied as select 1 as id"),
    ("selected", "select 1 as id into public.selected"),
    (
        "parent",
        "create table public.parent (id int) partition by range (id)",
    ),
    (
        "child",
        "create table public.child partition of public.parent for values from (0) to (9)",
    ),
    (
        "Odd \"name",
        "create table public.\"Odd \"\"name\" (id int)",
    ),
];

#[tokio::test]
async fn a_new_table_has_row_security_however_it_was_made() {
    let client = superuser().await;
    for (name, statement) in CREATIONS {
        client.batch_execute(statement).await.unwrap();
        let row = client
            .query_one(
                "select relrowsecurity from pg_class where relname = $1",
                &[name],
            )
            .await
            .unwrap();
        assert!(row.get::<_, bool>(0), "{statement}");
    }
}

#[tokio::test]
async fn a_table_without_policy_shows_and_takes_nothing() {
    let client = &mut superuser().await;
    let create = "create table public.things as select 1 as id";
    client.batch_execute(create).await.unwrap();
    for caller in [Caller::Anon, Caller::User(Uuid::new_v4())] {
        let rows = ask(client, caller, "select * from public.things")
            .await
            .unwrap();
        assert!(rows.is_empty());
        assert_refused(ask(client, caller, "insert into public.things values (2)").await);
        let rows = ask(client, caller, "delete from public.things returning id")
            .await
            .unwrap();
        assert!(rows.is_empty());
        assert_refused(ask(client, caller, "truncate public.things").await);
    }
    let rows = ask(client, Caller::Service, "select * from public.things")
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn a_table_made_by_an_ordinary_role_has_row_security() {
    let client = superuser().await;
    let role = format!("builder_{}", Uuid::new_v4().simple());
    let statements = format!(
        "create role {role}; grant create, usage on schema public to {role};
         set role {role}; create table public.things (id int); reset role"
    );
    client.batch_execute(&statements).await.unwrap();
    let query = "select relrowsecurity from pg_class where oid = 'public.things'::regclass";
    assert!(
        client
            .query_one(query, &[])
            .await
            .unwrap()
            .get::<_, bool>(0)
    );
}

#[tokio::test]
async fn tables_elsewhere_are_left_alone() {
    let client = superuser().await;
    let statements = "create schema inner_workings; create table inner_workings.things (id int);
        create temp table things (id int)";
    client.batch_execute(statements).await.unwrap();
    let query = "select count(*) from pg_class where relname = 'things' and relrowsecurity";
    assert_eq!(
        client.query_one(query, &[]).await.unwrap().get::<_, i64>(0),
        0
    );
}

#[tokio::test]
async fn another_schema_can_be_exposed_under_the_same_rules() {
    let database = bootstrapped().await;
    let url = database.url().await;
    let exposed = config_with(&url, &[("EXPOSED_SCHEMAS", "public, My-App")]);
    let report = db_bootstrap::run(&exposed).await.unwrap();
    assert_eq!(report.changes, ["schema My-App: exposed"]);

    let client = &mut database.connect().await;
    let create = r#"create table "My-App".things as select 1 as id"#;
    client.batch_execute(create).await.unwrap();
    let rows = ask(client, Caller::Anon, r#"select * from "My-App".things"#)
        .await
        .unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn nobody_of_the_api_can_create_anything() {
    let client = &mut superuser().await;
    for caller in [Caller::Anon, Caller::User(Uuid::new_v4()), Caller::Service] {
        assert_refused(ask(client, caller, "create table public.things (id int)").await);
        assert_refused(ask(client, caller, "select ferrobase.expose('extensions')").await);
        assert_refused(ask(client, caller, "create table auth.things (id int)").await);
        assert_refused(ask(client, caller, "select * from ferrobase.scripts").await);
    }
}

#[tokio::test]
async fn authenticator_sees_nothing_before_it_becomes_somebody() {
    let database = bootstrapped().await;
    let url = database
        .url_for("authenticator", AUTHENTICATOR_PASSWORD)
        .await;
    let client = connect(&url).await.unwrap();
    for sql in ["select * from public.posts", "select auth.uid()"] {
        assert_refused(client.query(sql, &[]).await);
    }
    for role in ["anon", "authenticated", "service_role"] {
        let sql = format!("set role {role}; select * from public.posts; reset role");
        client.batch_execute(&sql).await.unwrap();
    }
    assert_refused(client.query("set role auth_admin", &[]).await);
    assert_refused(client.query("set role postgres", &[]).await);
}

#[tokio::test]
async fn the_login_of_a_service_rules_its_schema_and_nothing_else() {
    let database = bootstrapped().await;
    for (role, password, schema) in [
        ("auth_admin", AUTH_PASSWORD, "auth"),
        ("email_admin", EMAIL_PASSWORD, "email"),
    ] {
        let client = connect(&database.url_for(role, password).await)
            .await
            .unwrap();
        let own = format!("create table {schema}.own (id int); drop table {schema}.own");
        client.batch_execute(&own).await.unwrap();
        let other = if schema == "auth" { "email" } else { "auth" };
        for sql in [
            "select * from public.posts",
            "select * from ferrobase.scripts",
            "create table public.things (id int)",
            &format!("create table {other}.things (id int)"),
            "create schema mine",
            "set role anon",
        ] {
            assert_refused(client.query(sql, &[]).await);
        }
    }
}

#[tokio::test]
async fn tables_of_the_services_are_hidden_from_the_api() {
    let database = bootstrapped().await;
    for (role, password, schema) in [
        ("auth_admin", AUTH_PASSWORD, "auth"),
        ("email_admin", EMAIL_PASSWORD, "email"),
    ] {
        let owner = connect(&database.url_for(role, password).await)
            .await
            .unwrap();
        let create = format!("create table {schema}.secrets as select 1 as id");
        owner.batch_execute(&create).await.unwrap();
        let client = &mut database.connect().await;
        for caller in [Caller::Anon, Caller::User(Uuid::new_v4()), Caller::Service] {
            let read = format!("select * from {schema}.secrets");
            assert_refused(ask(client, caller, &read).await);
        }
    }
}
