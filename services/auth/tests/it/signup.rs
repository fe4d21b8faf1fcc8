//! `POST /signup`

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::jwt;

use crate::support::{EMAIL, PASSWORD, access, autoconfirming, refused, text, with};

#[tokio::test]
async fn a_confirmed_sign_up_answers_tokens() {
    let service = autoconfirming().await;
    let body = json!({"email": "Ada@Example.com", "password": PASSWORD, "data": {"name": "Ada"}});
    let response = service.post("/signup", body).await.expect(StatusCode::OK);
    let tokens = response.json();
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(text(&tokens, "refresh_token").len(), 12);
    let user = &tokens["user"];
    assert_eq!(user["email"], EMAIL);
    assert_eq!(user["phone"], "");
    assert_eq!(user["role"], "authenticated");
    assert_eq!(user["aud"], "authenticated");
    assert_eq!(
        user["app_metadata"],
        json!({"provider": "email", "providers": ["email"]})
    );
    let expected = json!({
        "name": "Ada", "sub": user["id"], "email": EMAIL,
        "email_verified": true, "phone_verified": false,
    });
    assert_eq!(user["user_metadata"], expected);
    let identity = &user["identities"][0];
    assert_eq!(identity["id"], user["id"]);
    assert_eq!(identity["provider"], "email");
    assert_eq!(identity["identity_data"]["email_verified"], false);
    assert!(user["email_confirmed_at"].is_string() && user["confirmed_at"].is_string());
    assert!(user.get("factors").is_none() && user.get("invited_at").is_none());
    assert_eq!(response.header("sb-auth-user-id"), user["id"].as_str());
}

#[tokio::test]
async fn an_access_token_says_what_clients_rely_on() {
    let service = autoconfirming().await;
    let tokens = service.signed_up(EMAIL).await;
    let claims = jwt::claims(access(&tokens));
    assert_eq!(claims["sub"], tokens["user"]["id"]);
    assert_eq!(claims["aud"], "authenticated");
    assert_eq!(claims["role"], "authenticated");
    assert_eq!(claims["email"], EMAIL);
    assert_eq!(claims["phone"], "");
    assert_eq!(claims["aal"], "aal1");
    assert_eq!(claims["amr"][0]["method"], "password");
    assert!(claims["amr"][0]["timestamp"].is_i64());
    assert_eq!(claims["is_anonymous"], false);
    assert!(claims["session_id"].is_string());
    assert_eq!(claims["exp"], tokens["expires_at"]);
    let exp = claims["exp"].as_i64().zip(claims["iat"].as_i64());
    assert_eq!(exp.map(|(exp, iat)| exp - iat), Some(3600));
    assert_eq!(claims["app_metadata"]["provider"], "email");
}

#[tokio::test]
async fn without_autoconfirm_the_answer_is_the_user_and_a_token_waits() {
    let service = with([]).await;
    let user = service.sign_up(EMAIL).await.expect(StatusCode::OK).json();
    assert_eq!(user["email"], EMAIL);
    assert!(user["confirmation_sent_at"].is_string());
    assert!(user.get("access_token").is_none() && user.get("email_confirmed_at").is_none());
    assert_eq!(user["user_metadata"]["email_verified"], false);
    let stored = service
        .value(
            "select o.token_hash from auth.one_time_tokens o join auth.users u \
             on u.id = o.user_id and u.confirmation_token = o.token_hash \
             where o.token_type = 'confirmation_token' and o.relates_to = u.email",
        )
        .await;
    assert_eq!(stored.map(|hash| hash.len()), Some(56));
    let request = || {
        let body = json!({"email": EMAIL, "password": PASSWORD});
        service
            .client
            .post("/token?grant_type=password")
            .json(&body)
    };
    refused(request, 400, "email_not_confirmed", "Email not confirmed").await;
}

#[tokio::test]
async fn a_known_address_is_told_only_where_nothing_is_confirmed() {
    let service = autoconfirming().await;
    service.signed_up(EMAIL).await;
    let request = || {
        let body = json!({"email": EMAIL, "password": "another password"});
        service.client.post("/signup").json(&body)
    };
    refused(
        request,
        422,
        "user_already_exists",
        "User already registered",
    )
    .await;
}

#[tokio::test]
async fn a_known_address_looks_like_a_new_one_but_for_its_identities() {
    let service = with([("GOTRUE_SMTP_MAX_FREQUENCY", "0s")]).await;
    let new = service.sign_up(EMAIL).await.expect(StatusCode::OK).json();
    service
        .execute("update auth.users set email_confirmed_at = now()")
        .await;
    let repeated = service.sign_up(EMAIL).await.expect(StatusCode::OK).json();
    assert_eq!(repeated["identities"], json!([]));
    assert_ne!(repeated["id"], new["id"]);
    let names = |value: &Value| {
        value
            .as_object()
            .map(|o| o.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(names(&repeated), names(&new));
    assert_eq!(
        service
            .value("select count(*)::text from auth.users")
            .await
            .as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn an_account_that_waits_for_confirmation_keeps_its_password() {
    let service = with([("GOTRUE_SMTP_MAX_FREQUENCY", "0s")]).await;
    service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let before = service
        .value("select encrypted_password from auth.users")
        .await;
    let body = json!({"email": EMAIL, "password": "another password", "data": {"a": 1}});
    let again = service
        .post("/signup", body)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(again["user_metadata"].get("a"), None);
    assert_eq!(
        service
            .value("select encrypted_password from auth.users")
            .await,
        before
    );
}

#[tokio::test]
async fn mail_goes_out_once_a_minute() {
    let service = with([]).await;
    service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let again = service
        .sign_up(EMAIL)
        .await
        .expect(StatusCode::TOO_MANY_REQUESTS)
        .json();
    assert_eq!(again["error_code"], "over_email_send_rate_limit");
    assert!(text(&again, "msg").starts_with("For security purposes, you can only request this"));
    service.pass(time::Duration::seconds(61));
    service.sign_up(EMAIL).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_account_made_under_other_settings_is_not_opened_by_signing_up() {
    let service = autoconfirming().await;
    let body = json!({"email": EMAIL});
    let admin = crate::support::service_role();
    service
        .client
        .post("/admin/users")
        .bearer(&admin)
        .json(&body)
        .send()
        .await
        .expect(StatusCode::OK);
    let answer = service
        .sign_up(EMAIL)
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .json();
    assert_eq!(answer["error_code"], "user_already_exists");
}

#[tokio::test]
async fn anonymous_users_get_tokens_when_they_are_wanted() {
    let service = with([("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true")]).await;
    let body = json!({"data": {"theme": "dark"}});
    let tokens = service
        .post("/signup", body)
        .await
        .expect(StatusCode::OK)
        .json();
    let user = &tokens["user"];
    assert_eq!(user["is_anonymous"], true);
    assert_eq!(user["email"], "");
    assert_eq!(user["identities"], json!([]));
    assert_eq!(user["app_metadata"], json!({}));
    assert_eq!(user["user_metadata"], json!({"theme": "dark"}));
    let claims = jwt::claims(access(&tokens));
    assert_eq!(claims["is_anonymous"], true);
    assert_eq!(claims["amr"][0]["method"], "anonymous");
}

#[tokio::test]
async fn refusals_come_with_gotrues_words() {
    let service = autoconfirming().await;
    let both = "Only an email address or phone number should be provided on signup.";
    let weak = "weak_password";
    for (body, status, code, message) in [
        (
            json!({}),
            422,
            "anonymous_provider_disabled",
            "Anonymous sign-ins are disabled",
        ),
        (
            json!({"email": EMAIL}),
            400,
            "validation_failed",
            "Signup requires a valid password",
        ),
        (
            json!({"email": EMAIL, "phone": "+15550100", "password": PASSWORD}),
            400,
            "validation_failed",
            both,
        ),
        (
            json!({"phone": "+15550100", "password": PASSWORD}),
            400,
            "phone_provider_disabled",
            "Phone signups are disabled",
        ),
        (
            json!({"email": "nobody", "password": PASSWORD}),
            400,
            "validation_failed",
            "Unable to validate email address: invalid format",
        ),
        (
            json!({"email": EMAIL, "password": "x".repeat(73)}),
            400,
            "validation_failed",
            "Password cannot be longer than 72 characters",
        ),
    ] {
        refused(
            || service.client.post("/signup").json(&body),
            status,
            code,
            message,
        )
        .await;
    }
    let body = json!({"email": EMAIL, "password": "short"});
    let older = service.post("/signup", body.clone()).await;
    let older = older.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(older.json()["error_code"], weak);
    assert_eq!(
        older.json()["weak_password"],
        json!({"reasons": ["length"]})
    );
    let newer = service
        .client
        .post("/signup")
        .header("x-supabase-api-version", "2024-01-01");
    let newer = newer
        .json(&body)
        .send()
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    let expected = json!({
        "code": weak,
        "message": "Password should be at least 6 characters.",
        "weak_password": {"reasons": ["length"]},
    });
    assert_eq!(newer.json(), expected);
    assert_eq!(newer.header("x-sb-error-code"), None);
}

#[tokio::test]
async fn nobody_signs_up_where_that_is_disabled() {
    let service = with([("GOTRUE_DISABLE_SIGNUP", "true")]).await;
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let message = "Signups not allowed for this instance";
    refused(
        || service.client.post("/signup").json(&body),
        422,
        "signup_disabled",
        message,
    )
    .await;
}

#[tokio::test]
async fn of_two_simultaneous_sign_ups_one_makes_the_account() {
    let service = autoconfirming().await;
    let (one, other) = tokio::join!(service.sign_up(EMAIL), service.sign_up(EMAIL));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
}

#[tokio::test]
async fn a_password_that_attackers_know_is_refused_and_noticed_at_login() {
    let mut list = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut list, b"password1\nbattery staple\n").expect("a written file");
    let path = list.path().to_str().expect("a path");
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("AUTH_LEAKED_PASSWORDS_PATH", path),
    ])
    .await;
    let body = json!({"email": EMAIL, "password": "battery staple"});
    let refusal = service
        .post("/signup", body)
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .json();
    assert_eq!(refusal["error_code"], "weak_password");
    assert_eq!(refusal["weak_password"]["reasons"], json!(["pwned"]));

    let tokens = service.signed_up(EMAIL).await;
    let refusal = service
        .put_user(access(&tokens), json!({"password": "password1"}))
        .await;
    assert_eq!(refusal.json()["weak_password"]["reasons"], json!(["pwned"]));
    let hash = bcrypt::hash("password1", 4).expect("a hash");
    service
        .execute(&format!(
            "update auth.users set encrypted_password = '{hash}'"
        ))
        .await;
    let tokens = service
        .sign_in(EMAIL, "password1")
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(tokens["weak_password"]["reasons"], json!(["pwned"]));
}
