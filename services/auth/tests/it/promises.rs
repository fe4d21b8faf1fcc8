//! What holds for secrets and for everything that is used up: one test for each promise.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{client::Response, jwt};
use tokio::task::JoinSet;

use crate::{
    factors::{challenged, enrolled, shown},
    mailed::{CHALLENGE, VERIFIER, mailed, query},
    support::{EMAIL, PASSWORD, SECRET, access, autoconfirming, service_role, text, with},
};

/// How many clients try the same at the same time.
const CROWD: usize = 50;

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

/// Where one worker has no time for all, somebody is sent away: those who wait for a hash.
#[tokio::test]
async fn an_unknown_address_costs_the_hash_that_a_known_one_costs() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("AUTH_PASSWORD_WORKERS", "1"),
        ("AUTH_PASSWORD_MAX_WAIT", "1ms"),
        ("AUTH_RATE_LIMIT_SCALE", "100"),
    ])
    .await;
    let admin = service_role();
    let without_password = json!({"email": "grace@example.com", "email_confirm": true});
    let create = service.client.post("/admin/users").bearer(&admin);
    create
        .json(&without_password)
        .send()
        .await
        .expect(StatusCode::OK);
    for email in ["nobody@example.com", "grace@example.com"] {
        let mut running = JoinSet::<Response>::new();
        for _ in 0..CROWD {
            let client = service.client.clone();
            let body = json!({"email": email, "password": PASSWORD});
            running.spawn(async move {
                let request = client.post("/token?grant_type=password").json(&body);
                request.send().await
            });
        }
        let answers = running.join_all().await;
        let is_sent_away = |answer: &Response| answer.status == StatusCode::SERVICE_UNAVAILABLE;
        assert!(answers.iter().any(is_sent_away), "{email}");
    }
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
    for (method, body) in [
        (Method::DELETE, json!({})),
        (Method::DELETE, json!({"should_soft_delete": true})),
        (Method::PUT, json!({"ban_duration": "24h"})),
    ] {
        let it = mailed(&[]).await;
        let service = &it.service;
        let tokens = it.confirmed(EMAIL).await;
        let flow = json!({
            "email": EMAIL, "code_challenge": CHALLENGE, "code_challenge_method": "s256",
        });
        service.post("/otp", flow).await.expect(StatusCode::OK);
        let code = query(&it.follow(EMAIL).await, "code").expect("a code");
        let recover = service.post("/recover", json!({"email": EMAIL})).await;
        recover.expect(StatusCode::OK);

        let path = format!("/admin/users/{}", text(&tokens["user"], "id"));
        let change = service.client.request(method.clone(), &path);
        let change = change.bearer(&service_role()).json(&body);
        change.send().await.expect(StatusCode::OK);

        let mails = it.count();
        let recovery = json!({"type": "recovery", "token_hash": it.variable(EMAIL, "TokenHash")});
        let exchange = json!({"auth_code": code, "code_verifier": VERIFIER});
        let mut claims = jwt::claims(access(&tokens));
        claims["session_id"] = json!("");
        let sessionless = jwt::sign(SECRET, &claims);
        for (what, answer) in [
            ("user", service.user(access(&tokens)).await),
            ("token of no session", service.user(&sessionless).await),
            (
                "update",
                service.put_user(access(&tokens), json!({"data": {}})).await,
            ),
            (
                "refresh",
                service.refresh(text(&tokens, "refresh_token")).await,
            ),
            ("password", service.sign_in(EMAIL, PASSWORD).await),
            ("recovery", service.post("/verify", recovery).await),
            (
                "code",
                service.post("/token?grant_type=pkce", exchange).await,
            ),
        ] {
            assert!(
                answer.status.is_client_error(),
                "{what} after {method} {body}: {}",
                answer.text()
            );
        }
        assert_eq!(it.count(), mails);
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
    let proven = enrolled(service, token, "watch").await;
    let challenge = challenged(service, token, &proven).await;
    let code = shown(text(&proven["totp"], "secret"), service.now());
    let verify = format!("/factors/{}/verify", text(&proven, "id"));
    call(post(
        &verify,
        json!({"challenge_id": challenge, "code": code}),
    ))
    .await;
    let admin = service_role();
    let invite = json!({"email": "grace@example.com"});
    call(service.client.post("/invite").bearer(&admin).json(&invite)).await;
    it.follow("grace@example.com").await;
    let factor = format!("/admin/users/{id}/factors/{}", text(&proven, "id"));
    let named = json!({"friendly_name": "clock"});
    call(service.client.put(&factor).bearer(&admin).json(&named)).await;
    call(service.client.delete(&factor).bearer(&admin)).await;
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
        "factor_deleted",
        "factor_in_progress",
        "factor_unenrolled",
        "factor_updated",
        "invite_accepted",
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
        "verification_attempted",
    ] {
        assert!(logged.contains(action), "{action} is not in {logged:?}");
    }
}
