//! Tokens, good and bad.

use http::StatusCode;
use serde_json::json;
use testkit::jwt;

use crate::stack::{SECRET, stack, user};

#[tokio::test]
async fn a_token_gives_its_role_and_claims() {
    let stack = stack(&[]).await;
    let answer = stack
        .client
        .get("/rpc/whoami")
        .bearer(&user("u1"))
        .send()
        .await;
    let who = answer.expect(StatusCode::OK).json();
    assert_eq!(who["role"], "authenticated");
    assert_eq!(who["sub"], "u1");
    assert_eq!(who["claims"]["sub"], "u1");
    assert_eq!(who["claims"]["role"], "authenticated");
}

#[tokio::test]
async fn without_a_token_the_caller_is_anonymous() {
    let stack = stack(&[]).await;
    let who = stack
        .client
        .get("/rpc/whoami")
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(who["role"], "anon");
    assert_eq!(who["sub"], "");
    assert_eq!(who["claims"], json!({ "role": "anon" }));
}

#[tokio::test]
async fn bad_tokens_are_challenged() {
    let stack = stack(&[]).await;
    let expired = jwt::sign(SECRET, &json!({ "role": "authenticated", "exp": 1 }));
    let forged = jwt::role("another secret of 32 characters!!", "service_role");
    let unsigned = jwt::unsigned(&json!({ "role": "service_role" }));
    let cases = [
        (expired.as_str(), "PGRST303", "JWT expired"),
        (&forged, "PGRST301", "No suitable key or wrong key type"),
        (
            &unsigned,
            "PGRST301",
            "Wrong or unsupported encoding algorithm",
        ),
        ("a.b", "PGRST301", "Expected 3 parts in JWT; got 2"),
        ("é", "PGRST301", "Expected 3 parts in JWT; got 1"),
    ];
    for (token, code, message) in cases {
        let answer = stack.client.get("/authors").bearer(token).send().await;
        let answer = answer.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json()["code"], code);
        assert_eq!(answer.json()["message"], message);
        let expected = format!(r#"Bearer error="invalid_token", error_description="{message}""#);
        assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
        let proxy = format!("PostgREST; error={code}");
        assert_eq!(answer.header("proxy-status"), Some(proxy.as_str()));
    }
}

#[tokio::test]
async fn without_an_anonymous_role_a_token_is_required() {
    let stack = stack(&[("PGRST_DB_ANON_ROLE", "")]).await;
    let answer = stack
        .client
        .get("/authors")
        .send()
        .await
        .expect(StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["code"], "PGRST302");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_refused() {
    let stack = stack(&[]).await;
    let token = jwt::role(SECRET, "nobody");
    let answer = stack.client.get("/authors").bearer(&token).send().await;
    assert_eq!(
        answer.expect(StatusCode::UNAUTHORIZED).json()["code"],
        "22023"
    );
}

#[tokio::test]
async fn missing_rights_mean_401_to_the_anonymous_and_403_to_others() {
    let stack = stack(&[]).await;
    let answer = stack
        .client
        .get("/secrets")
        .send()
        .await
        .expect(StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["code"], "42501");
    let answer = stack
        .client
        .get("/secrets")
        .bearer(&user("u1"))
        .send()
        .await;
    answer.expect(StatusCode::FORBIDDEN);
}
