//! Users who come with a dump of a GoTrue database.

use axum::http::StatusCode;
use serde_json::json;
use testkit::jwt;

use crate::support::{Fixture, access, text, with};

/// `table.column type`, with `not null` where it is, of every table GoTrue has.
const TABLES: &str = include_str!("gotrue/tables.txt");

const DUMP: &str = include_str!("gotrue/dump.sql");

async fn imported() -> Fixture {
    let service = with([("GOTRUE_EXTERNAL_PHONE_ENABLED", "true")]).await;
    service.execute(DUMP).await;
    service
}

async fn hash_of(service: &Fixture, id: &str) -> String {
    let sql = format!("select encrypted_password from auth.users where id = '{id}'");
    service.value(&sql).await.unwrap_or_default()
}

#[tokio::test]
async fn every_table_of_gotrue_is_there_with_its_columns() {
    let service = with([]).await;
    let sql = "select string_agg(line, chr(10) order by line) from ( \
        select c.relname || '.' || a.attname || ' ' \
            || replace(replace(replace(replace(format_type(a.atttypid, a.atttypmod), \
                'timestamp with time zone', 'timestamptz'), \
                'timestamp without time zone', 'timestamp'), \
                'character varying', 'varchar'), 'integer', 'int') \
            || case when a.attnotnull then ' not null' else '' end as line \
        from pg_class c join pg_attribute a on a.attrelid = c.oid \
        where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r' \
            and a.attnum > 0 and not a.attisdropped) lines";
    let ours = service.value(sql).await.unwrap_or_default();
    let ours: Vec<_> = ours.lines().collect();
    let missing: Vec<_> = TABLES.lines().filter(|line| !ours.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test]
async fn hashes_of_every_kind_sign_in_and_become_argon2id() {
    let service = imported().await;
    for (login, password) in [
        (json!({"email": "bcrypt@example.com"}), "U*U"),
        (json!({"email": "argon2i@example.com"}), "password"),
        (json!({"email": "argon2id@example.com"}), "password"),
        (json!({"email": "firebase@example.com"}), "user1password"),
        (json!({"phone": "+1 555 0100"}), "U*U"),
    ] {
        let sign_in = async |password: &str| {
            let mut body = login.clone();
            body["password"] = json!(password);
            service.post("/token?grant_type=password", body).await
        };
        sign_in("another").await.expect(StatusCode::BAD_REQUEST);
        let tokens = sign_in(password).await.expect(StatusCode::OK).json();
        let id = text(&tokens["user"], "id");
        let upgraded = hash_of(&service, id).await;
        assert!(
            upgraded.starts_with("$argon2id$v=19$m=19456,"),
            "{upgraded}"
        );
        sign_in(password).await.expect(StatusCode::OK);
        assert_eq!(
            hash_of(&service, id).await,
            upgraded,
            "it is made anew once"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_leaves_the_imported_hash_alone() {
    let service = imported().await;
    let id = "6b1e0f6e-9a3b-4a3c-8a55-000000000001";
    let before = hash_of(&service, id).await;
    service
        .sign_in("bcrypt@example.com", "another")
        .await
        .expect(StatusCode::BAD_REQUEST);
    assert_eq!(hash_of(&service, id).await, before);
}

#[tokio::test]
async fn imported_sessions_go_on_and_imported_factors_count() {
    let service = imported().await;
    let tokens = service
        .refresh("h7mz4k2pqw5r")
        .await
        .expect(StatusCode::OK)
        .json();
    let claims = jwt::claims(access(&tokens));
    assert_eq!(claims["amr"][0]["method"], "password");
    assert_eq!(tokens["user"]["factors"][0]["friendly_name"], "watch");
    let body = json!({"password": "battery staple"});
    let refusal = service.put_user(access(&tokens), body).await;
    assert_eq!(refusal.json()["error_code"], "insufficient_aal");
}
