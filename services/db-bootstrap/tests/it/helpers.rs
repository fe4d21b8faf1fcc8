//! `auth.uid()` and its family.

use tokio_postgres::Client;

use crate::support::{Caller, ask, superuser, texts};

const ID: &str = "6f1c4b0e-0a53-4f0c-9d3e-2f4d6f9b1a77";

/// What `expression` gives when the settings have these values.
async fn evaluate(
    client: &mut Client,
    settings: &[(&str, &str)],
    expression: &str,
) -> Option<String> {
    let transaction = client.transaction().await.unwrap();
    for (name, value) in settings {
        transaction
            .query("select set_config($1, $2, true)", &[name, value])
            .await
            .unwrap();
    }
    let sql = format!("select ({expression})::text");
    transaction.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn without_a_caller_every_helper_is_null() {
    let client = &mut superuser().await;
    for settings in [
        &[][..],
        &[("request.jwt.claims", ""), ("request.jwt.claim.sub", "")],
        &[("request.jwt.claims", "garbage")],
        &[("request.jwt.claims", "[1, 2]")],
        &[("request.jwt.claims", "{\"sub\":")],
        &[("request.jwt.claims", "null")],
        &[("request.jwt.claims", "{}")],
    ] {
        for expression in [
            "auth.uid()",
            "auth.role()",
            "auth.email()",
            "auth.jwt() ->> 'sub'",
        ] {
            let value = evaluate(client, settings, expression).await;
            assert_eq!(value, None, "{expression} with {settings:?}");
        }
    }
}

#[tokio::test]
async fn an_id_that_is_no_uuid_is_null() {
    let client = &mut superuser().await;
    for settings in [
        [("request.jwt.claim.sub", "42")],
        [(
            "request.jwt.claim.sub",
            "6f1c4b0e-0a53-4f0c-9d3e-2f4d6f9b1a77 ",
        )],
        [(
            "request.jwt.claim.sub",
            "6f1c4b0e-0a53-4f0c-9d3e-2f4d6f9b-a77",
        )],
        [(
            "request.jwt.claim.sub",
            "6f1c4b0e-0a53-4f0c-9d3e-2f4d6f9b1g77",
        )],
        [("request.jwt.claims", r#"{"sub": "someone"}"#)],
        [("request.jwt.claims", r#"{"sub": 42}"#)],
        [("request.jwt.claims", r#"{"sub": {"a": 1}}"#)],
    ] {
        assert_eq!(
            evaluate(client, &settings, "auth.uid()").await,
            None,
            "{settings:?}"
        );
    }
}

#[tokio::test]
async fn claims_are_read_from_json() {
    let client = &mut superuser().await;
    let claims = format!(r#"{{"sub": "{ID}", "role": "authenticated", "email": "a@example.org"}}"#);
    let settings = [("request.jwt.claims", claims.as_str())];
    for (expression, expected) in [
        ("auth.uid()", ID),
        ("auth.role()", "authenticated"),
        ("auth.email()", "a@example.org"),
        ("auth.jwt() ->> 'sub'", ID),
    ] {
        let value = evaluate(client, &settings, expression).await;
        assert_eq!(value.as_deref(), Some(expected), "{expression}");
    }
}

#[tokio::test]
async fn a_plain_setting_comes_before_json() {
    let client = &mut superuser().await;
    let settings = [
        (
            "request.jwt.claims",
            r#"{"sub": "00000000-0000-4000-8000-000000000000"}"#,
        ),
        ("request.jwt.claim.sub", ID),
    ];
    let value = evaluate(client, &settings, "auth.uid()").await;
    assert_eq!(value.as_deref(), Some(ID));
}

#[tokio::test]
async fn every_role_of_the_api_may_ask() {
    let client = &mut superuser().await;
    for caller in [
        Caller::Anon,
        Caller::User(ID.parse().unwrap()),
        Caller::Service,
    ] {
        let all = "select concat(auth.uid(), auth.role(), auth.email(), auth.jwt())";
        ask(client, caller, all).await.unwrap();
    }
}

#[tokio::test]
async fn helpers_allow_parallel_plans_and_are_constant_within_a_statement() {
    let client = &mut superuser().await;
    let properties = "select distinct provolatile::text || proparallel::text
        from pg_proc where pronamespace = 'auth'::regnamespace";
    let rows = ask(client, Caller::Service, properties).await.unwrap();
    assert_eq!(texts(&rows), ["ss"]);
}
