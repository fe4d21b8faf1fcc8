//! `GET /user` and `PUT /user`

use axum::http::StatusCode;
use serde_json::json;
use testkit::jwt;

use crate::support::{EMAIL, PASSWORD, SECRET, access, autoconfirming, refused, with};

#[tokio::test]
async fn a_user_sees_themselves() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let user = service
        .user(access(&tokens))
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(user, tokens["user"]);
}

#[tokio::test]
async fn only_a_good_token_of_a_present_user_is_accepted() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let good = jwt::claims(access(&tokens));
    let with_claim = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        jwt::sign(SECRET, &claims)
    };
    let bad = "invalid JWT: unable to parse or verify signature, ";
    let signature = format!("{bad}token signature is invalid: signature is invalid");
    let algorithm = format!("{bad}token signature is invalid: signing method is invalid");
    let expired = format!("{bad}token has invalid claims: token is expired");
    let nobody = "00000000-0000-4000-8000-000000000000";
    let no_session = "Session from session_id claim in JWT does not exist";
    for (token, status, code, message) in [
        (
            jwt::sign("another-secret", &good),
            403,
            "bad_jwt",
            signature.as_str(),
        ),
        (
            jwt::sign_with_header(SECRET, &json!({"alg": "HS512", "typ": "JWT"}), &good),
            403,
            "bad_jwt",
            &algorithm,
        ),
        (with_claim("exp", json!(1)), 403, "bad_jwt", &expired),
        (
            jwt::role(SECRET, "anon"),
            403,
            "bad_jwt",
            "invalid claim: missing sub claim",
        ),
        (
            with_claim("sub", json!("me")),
            400,
            "bad_jwt",
            "invalid claim: sub claim must be a UUID",
        ),
        (
            with_claim("session_id", json!("mine")),
            403,
            "bad_jwt",
            "invalid claim: session_id claim must be a UUID",
        ),
        (
            with_claim("sub", json!(nobody)),
            403,
            "user_not_found",
            "User from sub claim in JWT does not exist",
        ),
        (
            with_claim("session_id", json!(nobody)),
            403,
            "session_not_found",
            no_session,
        ),
    ] {
        refused(
            || service.client.get("/user").bearer(&token),
            status,
            code,
            message,
        )
        .await;
    }
    let unsigned = service
        .user(&jwt::unsigned(&good))
        .await
        .expect(StatusCode::FORBIDDEN);
    assert_eq!(unsigned.json()["error_code"], "bad_jwt");
    let message = "This endpoint requires a valid Bearer token";
    for header in ["", "Basic abc", "Bearer", "Bearer a b"] {
        let request = || service.client.get("/user").header("authorization", header);
        refused(request, 401, "no_authorization", message).await;
    }
}

#[tokio::test]
async fn a_ban_counts_at_the_next_request() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    service
        .execute("update auth.users set banned_until = now() + interval '1 hour'")
        .await;
    let request = || service.client.get("/user").bearer(access(&tokens));
    refused(request, 403, "user_banned", "User is banned").await;
}

#[tokio::test]
async fn an_access_token_expires() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    service.pass(time::Duration::minutes(59));
    service.user(access(&tokens)).await.expect(StatusCode::OK);
    service.pass(time::Duration::minutes(1));
    service
        .user(access(&tokens))
        .await
        .expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn another_audience_is_refused() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let request = || {
        service
            .client
            .get("/user")
            .bearer(access(&tokens))
            .header("x-jwt-aud", "x")
    };
    let message = "Token audience doesn't match request audience";
    refused(request, 400, "validation_failed", message).await;
}

#[tokio::test]
async fn a_users_own_data_is_merged() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    service
        .put_user(token, json!({"data": {"a": 1, "b": 2}}))
        .await
        .expect(StatusCode::OK);
    let user = service
        .put_user(token, json!({"data": {"a": null, "c": 3}}))
        .await;
    let data = &user.expect(StatusCode::OK).json()["user_metadata"];
    assert_eq!(
        (data.get("a"), &data["b"], &data["c"]),
        (None, &json!(2), &json!(3))
    );
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let service = autoconfirming().await;
    let one = service.signed_up(EMAIL).await;
    let other = service.sign_in(EMAIL, PASSWORD).await.json();
    let body = json!({"password": "battery staple"});
    service
        .put_user(access(&one), body)
        .await
        .expect(StatusCode::OK);
    service.user(access(&one)).await.expect(StatusCode::OK);
    service
        .user(access(&other))
        .await
        .expect(StatusCode::FORBIDDEN);
    service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::BAD_REQUEST);
    service
        .sign_in(EMAIL, "battery staple")
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn refusals_come_with_gotrues_words() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    service.signed_up("grace@example.com").await;
    let same = "New password should be different from the old password.";
    let taken = "A user with this email address has already been registered";
    let admin = "Updating app_metadata requires admin privileges";
    let malformed = "Unable to validate email address: invalid format";
    for (body, status, code, message) in [
        (json!({"password": PASSWORD}), 422, "same_password", same),
        (
            json!({"email": "Grace@example.com"}),
            422,
            "email_exists",
            taken,
        ),
        (json!({"email": "x"}), 400, "validation_failed", malformed),
        (
            json!({"app_metadata": {"role": "admin"}}),
            403,
            "not_admin",
            admin,
        ),
    ] {
        let request = || {
            service
                .client
                .put("/user")
                .bearer(access(&tokens))
                .json(&body)
        };
        refused(request, status, code, message).await;
    }
    let weak = service
        .put_user(access(&tokens), json!({"password": "short"}))
        .await;
    assert_eq!(weak.json()["error_code"], "weak_password");
}

#[tokio::test]
async fn a_permanent_user_must_confirm_a_new_address() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let body = json!({"email": "New@example.com"});
    let user = service
        .put_user(access(&tokens), body)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(user["email"], EMAIL);
    assert_eq!(user["new_email"], "new@example.com");
    assert!(user["email_change_sent_at"].is_string());
    let kinds = "select string_agg(token_type::text || ' ' || relates_to, ',' \
                 order by token_type) from auth.one_time_tokens";
    let expected = "email_change_token_new new@example.com,\
                    email_change_token_current ada@example.com";
    assert_eq!(service.value(kinds).await.as_deref(), Some(expected));
}

#[tokio::test]
async fn an_anonymous_user_becomes_permanent_with_an_address() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true"),
    ])
    .await;
    let tokens = service
        .post("/signup", json!({}))
        .await
        .expect(StatusCode::OK)
        .json();
    let message = "Updating password of an anonymous user without an email or phone is not allowed";
    let body = json!({"password": PASSWORD});
    let request = || {
        service
            .client
            .put("/user")
            .bearer(access(&tokens))
            .json(&body)
    };
    refused(request, 422, "validation_failed", message).await;

    let body = json!({"email": EMAIL, "password": PASSWORD});
    let user = service
        .put_user(access(&tokens), body)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(user["is_anonymous"], false);
    assert_eq!(user["email"], EMAIL);
    assert_eq!(
        user["app_metadata"],
        json!({"provider": "email", "providers": ["email"]})
    );
    let signed_in = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(signed_in["user"]["id"], tokens["user"]["id"]);
}
