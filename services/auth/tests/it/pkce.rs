//! `POST /token?grant_type=pkce`

use axum::http::StatusCode;
use serde_json::json;
use testkit::jwt;
use time::Duration;

use crate::{
    mailed::{CHALLENGE, VERIFIER, fragment, mailed, query},
    support::{EMAIL, PASSWORD, access, refused},
};

#[tokio::test]
async fn with_pkce_only_the_requester_gets_tokens() {
    let it = mailed(&[]).await;
    let body = json!({
        "email": EMAIL, "password": PASSWORD,
        "code_challenge": CHALLENGE, "code_challenge_method": "s256",
    });
    it.service
        .post("/signup", body)
        .await
        .expect(StatusCode::OK);
    assert!(it.variable(EMAIL, "TokenHash").starts_with("pkce_"));
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(fragment(&response, "access_token"), None);
    let code = query(&response, "code").expect("a code");
    let exchange = |code: &str, verifier: &str| {
        let body = json!({"auth_code": code, "code_verifier": verifier});
        it.service.client.post("/token?grant_type=pkce").json(&body)
    };
    let wrong = "code challenge does not match previously saved code verifier";
    refused(
        || exchange(&code, &"x".repeat(43)),
        400,
        "bad_code_verifier",
        wrong,
    )
    .await;
    let tokens = exchange(&code, VERIFIER)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        jwt::claims(access(&tokens))["amr"][0]["method"],
        "email/signup"
    );
    let gone = "invalid flow state, no valid flow state found";
    refused(
        || exchange(&code, VERIFIER),
        404,
        "flow_state_not_found",
        gone,
    )
    .await;
    let empty = "invalid request: both auth code and code verifier should be non-empty";
    refused(|| exchange("", VERIFIER), 400, "validation_failed", empty).await;
}

#[tokio::test]
async fn a_code_is_not_good_forever() {
    let it = mailed(&[]).await;
    it.confirmed(EMAIL).await;
    let body = json!({
        "email": EMAIL, "code_challenge": CHALLENGE, "code_challenge_method": "s256",
    });
    it.service.post("/otp", body).await.expect(StatusCode::OK);
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let code = query(&response, "code").expect("a code");
    it.service.pass(Duration::minutes(6));
    let body = json!({"auth_code": code, "code_verifier": VERIFIER});
    let exchange = || it.service.client.post("/token?grant_type=pkce").json(&body);
    let message = "invalid flow state, flow state has expired";
    refused(exchange, 422, "flow_state_expired", message).await;
}
