//! What holds for secrets and for everything that is used up: one test for each promise.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::client::Response;
use tokio::task::JoinSet;

use crate::{
    mailed::{CHALLENGE, Mailed, VERIFIER, mailed, query},
    support::{EMAIL, Fixture, PASSWORD, access, autoconfirming, service_role, text, with},
};

/// How many clients try the same at the same time.
const CROWD: usize = 50;

/// The statuses of a crowd that posts the same body.
async fn crowd(service: &Fixture, path: &'static str, body: &Value) -> Vec<StatusCode> {
    let mut running = JoinSet::new();
    for _ in 0..CROWD {
        let (client, body) = (service.client.clone(), body.clone());
        running.spawn(async move { client.post(path).json(&body).send().await.status });
    }
    running.join_all().await
}

fn successes(statuses: &[StatusCode]) -> usize {
    statuses.iter().filter(|status| status.is_success()).count()
}

#[tokio::test]
async fn a_password_is_stored_as_an_argon2id_hash() {
    let service = autoconfirming().await;
    service.signed_up(EMAIL).await;
    let stored = service
        .value("select encrypted_password from auth.users")
        .await;
    let stored = stored.expect("a hash");
    assert!(
        stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{stored}"
    );
}

#[tokio::test]
async fn hashing_has_its_share_of_the_machine_and_no_more() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("AUTH_PASSWORD_WORKERS", "1"),
        ("AUTH_PASSWORD_MAX_WAIT", "1ms"),
        ("AUTH_RATE_LIMIT_SCALE", "100"),
    ])
    .await;
    let tokens = service.signed_up(EMAIL).await;
    let mut running = JoinSet::<Response>::new();
    for _ in 0..CROWD {
        let client = service.client.clone();
        let body = json!({"email": EMAIL, "password": PASSWORD});
        running.spawn(async move {
            let request = client.post("/token?grant_type=password").json(&body);
            request.send().await
        });
    }
    // Others are served meanwhile.
    service
        .refresh(text(&tokens, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    let answers = running.join_all().await;
    let is_sent_away = |answer: &&Response| answer.status == StatusCode::SERVICE_UNAVAILABLE;
    let sent_away = answers.iter().find(is_sent_away);
    let sent_away = sent_away.expect("one worker has no time for all");
    assert_eq!(sent_away.header("retry-after"), Some("1"));
    assert!(answers.iter().any(|answer| answer.status == StatusCode::OK));
}

#[tokio::test]
async fn a_code_is_nowhere_stored_as_it_was_sent() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let code = it.variable(EMAIL, "Token");
    let stored = "select coalesce((select string_agg(t::text, ' ') from auth.one_time_tokens t), '') \
                  || (select string_agg(u.confirmation_token, ' ') from auth.users u)";
    let stored = it.service.value(stored).await.unwrap_or_default();
    let hash = it.variable(EMAIL, "TokenHash");
    assert!(stored.contains(&hash));
    // The row has other digits (ids and times), so only what could be the code is looked at.
    let without_hash = stored.replace(&hash, "");
    let words = without_hash.split(|c: char| !c.is_ascii_alphanumeric());
    assert!(!words.into_iter().any(|word| word == code), "{stored}");
}

#[tokio::test]
async fn of_fifty_who_exchange_a_code_exactly_one_gets_tokens() {
    let it = crowded(&[]).await;
    let body = json!({
        "email": EMAIL, "code_challenge": CHALLENGE, "code_challenge_method": "s256",
    });
    it.service.post("/otp", body).await.expect(StatusCode::OK);
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let code = query(&response, "code").expect("a code");
    let body = json!({"auth_code": code, "code_verifier": VERIFIER});
    let statuses = crowd(&it.service, "/token?grant_type=pkce", &body).await;
    assert_eq!(successes(&statuses), 1, "{statuses:?}");
}

#[tokio::test]
async fn of_fifty_who_type_a_recovery_code_exactly_one_gets_in() {
    let it = crowded(&[]).await;
    it.service
        .post("/recover", json!({"email": EMAIL}))
        .await
        .expect(StatusCode::OK);
    let code = it.variable(EMAIL, "Token");
    let body = json!({"type": "recovery", "email": EMAIL, "token": code});
    let statuses = crowd(&it.service, "/verify", &body).await;
    assert_eq!(successes(&statuses), 1, "{statuses:?}");
}

#[tokio::test]
async fn guesses_at_a_code_are_limited_wherever_they_come_from() {
    let it = mailed(&[
        ("AUTH_RATE_LIMIT_ACCOUNT", "3/5m"),
        ("GOTRUE_RATE_LIMIT_VERIFY", "1000"),
    ])
    .await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let guess = async |n: usize, code: &str| {
        let body = json!({"type": "signup", "email": EMAIL, "token": code});
        let request = it.service.client.post("/verify").json(&body);
        let from = format!("192.0.2.{n}");
        request.header("x-forwarded-for", &from).send().await.status
    };
    for n in 0..3 {
        assert_eq!(guess(n, "no code").await, StatusCode::FORBIDDEN);
    }
    let right = it.variable(EMAIL, "Token");
    assert_eq!(guess(9, &right).await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn whoever_is_removed_or_banned_is_cut_off_at_the_next_check() {
    for change in [
        "delete from auth.users",
        "update auth.users set banned_until = now() + interval '1 day'",
    ] {
        let service = autoconfirming().await;
        let tokens = service.signed_up(EMAIL).await;
        service.execute(change).await;
        service
            .user(access(&tokens))
            .await
            .expect(StatusCode::FORBIDDEN);
        service
            .refresh(text(&tokens, "refresh_token"))
            .await
            .expect(StatusCode::BAD_REQUEST);
        service
            .sign_in(EMAIL, PASSWORD)
            .await
            .expect(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn everything_that_concerns_security_is_in_the_audit_log() {
    let it = mailed(&[]).await;
    let tokens = it.confirmed(EMAIL).await;
    let (service, token) = (&it.service, access(&tokens));
    let id = text(&tokens["user"], "id");
    let call = async |request: testkit::client::RequestBuilder<'_>| {
        let response = request.send().await;
        assert!(response.status.is_success(), "{}", response.text());
        response.json()
    };
    let post = |path: &str, body: Value| service.client.post(path).bearer(token).json(&body);
    call(post("/recover", json!({"email": EMAIL}))).await;
    call(service.client.get("/reauthenticate").bearer(token)).await;
    let factor = json!({"factor_type": "totp", "friendly_name": "x"});
    let factor = call(post("/factors", factor)).await;
    let path = format!("/factors/{}", text(&factor, "id"));
    call(post(&format!("{path}/challenge"), json!({}))).await;
    call(service.client.delete(&path).bearer(token)).await;
    let body = json!({"password": "battery staple"});
    call(service.client.put("/user").bearer(token).json(&body)).await;
    let signed_in = service.sign_in(EMAIL, "battery staple").await.json();
    service
        .refresh(text(&signed_in, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    let admin = service_role();
    let invite = json!({"email": "grace@example.com"});
    call(service.client.post("/invite").bearer(&admin).json(&invite)).await;
    let again = json!({"email": EMAIL, "password": PASSWORD});
    call(service.client.post("/signup").json(&again)).await;
    call(service.client.post("/logout").bearer(token)).await;
    let user = format!("/admin/users/{id}");
    call(service.client.delete(&user).bearer(&admin)).await;

    let logged = "select string_agg(distinct payload ->> 'action', ',') \
                  from auth.audit_log_entries where payload ->> 'actor_username' <> ''";
    let logged = service.value(logged).await.unwrap_or_default();
    let logged: BTreeSet<_> = logged.split(',').collect();
    for action in [
        "challenge_created",
        "factor_in_progress",
        "factor_unenrolled",
        "login",
        "logout",
        "token_refreshed",
        "token_revoked",
        "user_confirmation_requested",
        "user_deleted",
        "user_invited",
        "user_modified",
        "user_reauthenticate_requested",
        "user_recovery_requested",
        "user_repeated_signup",
        "user_signedup",
        "user_updated_password",
    ] {
        assert!(logged.contains(action), "{action} is not in {logged:?}");
    }
}

/// A confirmed user, and limits that let a crowd in.
async fn crowded(more: &[(&str, &str)]) -> Mailed {
    let mut settings = vec![("AUTH_RATE_LIMIT_SCALE", "100")];
    settings.extend(more);
    let it = mailed(&settings).await;
    it.confirmed(EMAIL).await;
    it
}
