//! Hooks that are functions in the database.

use axum::http::StatusCode;
use serde_json::json;
use testkit::jwt;

use crate::support::{EMAIL, Fixture, PASSWORD, access, with};

/// A service whose hook `name` is `public.hook`, with this body.
async fn with_function(name: &str, body: &str) -> Fixture {
    let variable = |part: &str| format!("GOTRUE_HOOK_{name}_{part}");
    let (enabled, uri) = (variable("ENABLED"), variable("URI"));
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        (enabled.as_str(), "true"),
        (uri.as_str(), "pg-functions://postgres/public/hook"),
    ])
    .await;
    let function = format!(
        "create table public.told (event jsonb); grant all on public.told to auth_admin; \
         create function public.hook(event jsonb) returns jsonb language plpgsql as $$ \
         begin {body} end $$;"
    );
    service.execute(&function).await;
    service
}

#[tokio::test]
async fn a_function_adds_claims_within_the_transaction() {
    let service = with_function(
        "CUSTOM_ACCESS_TOKEN",
        "insert into public.told values (event); \
         return jsonb_set(event, '{claims,sessions}', \
             (select to_jsonb(count(*)) from auth.sessions));",
    )
    .await;
    let tokens = service.signed_up(EMAIL).await;
    assert_eq!(jwt::claims(access(&tokens))["sessions"], 1);
    let told = "select event ->> 'authentication_method' from public.told";
    assert_eq!(service.value(told).await.as_deref(), Some("password"));
}

#[tokio::test]
async fn a_function_says_no() {
    let service = with_function(
        "BEFORE_USER_CREATED",
        "return jsonb_build_object('error', \
             jsonb_build_object('http_code', 418, 'message', 'tea only'));",
    )
    .await;
    let answer = service.sign_up(EMAIL).await.expect(StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.json()["msg"], "tea only");
}

#[tokio::test]
async fn what_a_function_stores_about_an_attempt_stays_when_the_attempt_fails() {
    let service = with_function(
        "PASSWORD_VERIFICATION_ATTEMPT",
        "insert into public.told values (event); return '{\"decision\": \"continue\"}';",
    )
    .await;
    service.signed_up(EMAIL).await;
    for password in ["wrong horse", PASSWORD] {
        service.sign_in(EMAIL, password).await;
    }
    let told = "select string_agg(event ->> 'valid', ' ') from public.told";
    assert_eq!(service.value(told).await.as_deref(), Some("false true"));
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_ended() {
    let service = with_function("BEFORE_USER_CREATED", "perform pg_sleep(60); return '{}';").await;
    let answer = service.sign_up(EMAIL).await;
    answer.expect(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let left = service.post("/token?grant_type=password", body).await;
    left.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_function_of_json_that_answers_nothing_has_no_objection() {
    let service = with_function("BEFORE_USER_CREATED", "return null;").await;
    service
        .execute(
            "drop function public.hook; create function public.hook(event json) returns void \
             language sql as 'select'",
        )
        .await;
    service.signed_up(EMAIL).await;
}
