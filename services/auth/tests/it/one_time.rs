//! What is used up: stored so that its reader gets nothing, and good for one of many who try.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::client::Response;
use tokio::task::JoinSet;

use crate::{
    factors::{challenged, enrolled, shown},
    mailed::{CHALLENGE, Mailed, VERIFIER, mailed, query},
    phone::{PHONE, Phoned, phoned},
    provider::{KEYCLOAK, ada, with_provider},
    support::{EMAIL, Fixture, PASSWORD, access, autoconfirming, service_role, text, with},
};

/// How many try the same at the same time.
const CROWD: usize = 50;

/// Limits that let a crowd in.
const WIDE: (&str, &str) = ("AUTH_RATE_LIMIT_SCALE", "100");

const NEW: &str = "new@example.com";

/// The answers to a crowd that sends the same request.
async fn crowd<F>(service: &Fixture, request: impl Fn() -> F) -> Vec<Response>
where
    F: Future<Output = Response> + Send + 'static,
{
    service.open_connections().await;
    let mut running = JoinSet::new();
    for _ in 0..CROWD {
        running.spawn(request());
    }
    running.join_all().await
}

async fn crowd_posts(service: &Fixture, path: &'static str, body: &Value) -> Vec<Response> {
    crowd(service, || {
        let (client, body) = (service.client.clone(), body.clone());
        async move { client.post(path).json(&body).send().await }
    })
    .await
}

/// Checks that one of them got what was there, and the others `refusal`.
fn assert_one(answers: &[Response], refusal: StatusCode) {
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    let successes = statuses.iter().filter(|status| status.is_success()).count();
    let refusals = statuses.iter().filter(|status| **status == refusal).count();
    assert_eq!((successes, refusals), (1, CROWD - 1), "{statuses:?}");
}

/// Checks that one of the browsers was led back with `what` and the others with an error.
fn assert_one_landed(answers: &[Response], what: &str) {
    let led_with = |what: &str| {
        let locations = answers
            .iter()
            .filter_map(|answer| answer.header("location"));
        locations.filter(|location| location.contains(what)).count()
    };
    assert_eq!((led_with(what), led_with("error_code=")), (1, CROWD - 1));
}

/// Every word in the tables of schema `auth` where what is sent could be.
async fn stored_words(service: &Fixture) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for table in ["users", "one_time_tokens", "flow_state", "mfa_challenges"] {
        let sql = format!("select string_agg(t::text, ' ') from auth.{table} t");
        let text = service.value(&sql).await.unwrap_or_default();
        let cut = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        words.extend(cut.map(str::to_owned));
    }
    words
}

/// A confirmed user, and mail that is read.
async fn crowded() -> (Mailed, Value) {
    let it = mailed(&[WIDE]).await;
    let tokens = it.confirmed(EMAIL).await;
    (it, tokens)
}

fn by_code(it: &Mailed, kind: &str, email: &str) -> Value {
    json!({"type": kind, "email": email, "token": it.variable(email, "Token")})
}

fn by_link(it: &Mailed, kind: &str, email: &str) -> Value {
    json!({"type": kind, "token_hash": it.variable(email, "TokenHash")})
}

#[tokio::test]
async fn what_was_mailed_is_nowhere_stored_and_what_is_stored_opens_nothing() {
    let it = mailed(&[("GOTRUE_SMTP_MAX_FREQUENCY", "0s"), WIDE]).await;
    let tokens = it.confirmed(EMAIL).await;
    let service = &it.service;
    let put = service.put_user(access(&tokens), json!({"email": NEW}));
    put.await.expect(StatusCode::OK);
    for (path, body) in [
        ("/recover", json!({"email": EMAIL})),
        (
            "/otp",
            json!({"email": "otp@example.com", "code_challenge": CHALLENGE, "code_challenge_method": "plain"}),
        ),
        (
            "/signup",
            json!({"email": "b@example.com", "password": PASSWORD}),
        ),
    ] {
        service.post(path, body).await.expect(StatusCode::OK);
    }
    let words = stored_words(service).await;
    for address in [EMAIL, NEW, "otp@example.com", "b@example.com"] {
        for sent in ["Token", "TokenHash"] {
            let sent = it.variable(address, sent);
            assert!(!words.contains(&sent), "{address} was sent {sent}");
        }
    }
    let stored = "select string_agg(token_hash, ' ') from auth.one_time_tokens";
    let stored = service.value(stored).await.expect("tokens");
    assert_eq!(stored.split(' ').count(), 5);
    for hash in stored.split(' ') {
        for kind in ["signup", "recovery", "magiclink", "email_change", "email"] {
            let body = json!({"type": kind, "token_hash": hash});
            let refusal = service.post("/verify", body).await;
            refusal.expect(StatusCode::FORBIDDEN);
        }
    }
    let landed = it.follow("otp@example.com").await;
    let code = query(&landed, "code").expect("a code");
    assert!(!stored_words(service).await.contains(&code));
    let stored = "select string_agg(auth_code, '') from auth.flow_state";
    let stored = service.value(stored).await.expect("a hash");
    let body = json!({"auth_code": stored, "code_verifier": CHALLENGE});
    let refusal = service.post("/token?grant_type=pkce", body).await;
    refusal.expect(StatusCode::NOT_FOUND);
    let body = json!({"auth_code": code, "code_verifier": CHALLENGE});
    let tokens = service.post("/token?grant_type=pkce", body).await;
    tokens.expect(StatusCode::OK);
}

#[tokio::test]
async fn what_was_sent_to_a_number_is_nowhere_stored() {
    let it = phoned(&[WIDE]).await;
    let tokens = it.signed_in().await;
    it.service
        .post("/otp", json!({"phone": PHONE}))
        .await
        .expect(StatusCode::OK);
    let signing_in = it.code();
    let change = json!({"phone": "15550199"});
    let change = it.service.put_user(access(&tokens), change).await;
    change.expect(StatusCode::OK);
    let words = stored_words(&it.service).await;
    for code in [signing_in, it.code()] {
        assert!(!words.contains(&code), "{code}");
    }
}

#[tokio::test]
async fn of_fifty_who_confirm_an_address_exactly_one_gets_in() {
    let it = mailed(&[WIDE]).await;
    for (address, by_code_alone) in [(EMAIL, false), ("grace@example.com", true)] {
        it.service.sign_up(address).await.expect(StatusCode::OK);
        let body = if by_code_alone {
            by_code(&it, "signup", address)
        } else {
            by_link(&it, "signup", address)
        };
        let answers = crowd_posts(&it.service, "/verify", &body).await;
        assert_one(&answers, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn of_fifty_who_accept_an_invitation_exactly_one_gets_in() {
    let it = mailed(&[WIDE]).await;
    let invite = it.service.client.post("/invite").bearer(&service_role());
    let invite = invite.json(&json!({"email": EMAIL})).send().await;
    invite.expect(StatusCode::OK);
    let body = by_link(&it, "invite", EMAIL);
    let answers = crowd_posts(&it.service, "/verify", &body).await;
    assert_one(&answers, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn of_fifty_who_type_a_recovery_code_exactly_one_gets_in() {
    let (it, _) = crowded().await;
    let recover = it.service.post("/recover", json!({"email": EMAIL})).await;
    recover.expect(StatusCode::OK);
    let body = by_code(&it, "recovery", EMAIL);
    let answers = crowd_posts(&it.service, "/verify", &body).await;
    assert_one(&answers, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn of_fifty_browsers_that_follow_a_magic_link_exactly_one_gets_in() {
    let (it, _) = crowded().await;
    let otp = it.service.post("/otp", json!({"email": EMAIL})).await;
    otp.expect(StatusCode::OK);
    let token = it.variable(EMAIL, "TokenHash");
    let path = format!("/verify?type=magiclink&token={token}");
    let answers = crowd(&it.service, || {
        let (client, path) = (it.service.client.clone(), path.clone());
        async move { client.get(&path).send().await }
    })
    .await;
    assert_one_landed(&answers, "access_token=");
}

#[tokio::test]
async fn of_fifty_who_confirm_a_change_of_address_exactly_one_counts() {
    let (it, tokens) = crowded().await;
    let change = it.service.put_user(access(&tokens), json!({"email": NEW}));
    change.await.expect(StatusCode::OK);
    // The first is half of the change; fifty of it are no more than that.
    for address in [EMAIL, NEW] {
        let body = by_link(&it, "email_change", address);
        let answers = crowd_posts(&it.service, "/verify", &body).await;
        assert_one(&answers, StatusCode::FORBIDDEN);
        let user = it.service.user(access(&tokens)).await.json();
        assert_eq!(user["email"], address);
    }
}

#[tokio::test]
async fn of_fifty_who_show_a_fresh_proof_exactly_one_changes_the_password() {
    let reauthenticate = "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION";
    // Nobody is to be sent away because hashing takes its time.
    let patient = ("AUTH_PASSWORD_MAX_WAIT", "10m");
    let whole = ("GOTRUE_API_MAX_REQUEST_DURATION", "10m");
    let it = mailed(&[WIDE, patient, whole, (reauthenticate, "true")]).await;
    let tokens = it.confirmed(EMAIL).await;
    let token = access(&tokens);
    it.service
        .execute("update auth.sessions set created_at = now() - interval '2 days'")
        .await;
    let asked = it.service.client.get("/reauthenticate").bearer(token);
    asked.send().await.expect(StatusCode::OK);
    let nonce = it.variable(EMAIL, "Token");
    let body = json!({"password": "battery staple", "nonce": nonce});
    let answers = crowd(&it.service, || {
        let (client, token, body) = (it.service.client.clone(), token.to_owned(), body.clone());
        async move { client.put("/user").bearer(&token).json(&body).send().await }
    })
    .await;
    assert_one(&answers, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn of_fifty_who_type_a_code_sent_to_a_number_exactly_one_gets_in() {
    let it: Phoned = phoned(&[WIDE]).await;
    let otp = it.service.post("/otp", json!({"phone": PHONE})).await;
    otp.expect(StatusCode::OK);
    let body = json!({"type": "sms", "phone": PHONE, "token": it.code()});
    let answers = crowd_posts(&it.service, "/verify", &body).await;
    assert_one(&answers, StatusCode::FORBIDDEN);

    let tokens = it.signed_in().await;
    let change = it
        .service
        .put_user(access(&tokens), json!({"phone": "15550199"}));
    change.await.expect(StatusCode::OK);
    let body = json!({"type": "phone_change", "phone": "15550199", "token": it.code()});
    let answers = crowd_posts(&it.service, "/verify", &body).await;
    assert_one(&answers, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn of_fifty_who_exchange_a_code_exactly_one_gets_tokens() {
    let (it, _) = crowded().await;
    let body = json!({
        "email": EMAIL, "code_challenge": CHALLENGE, "code_challenge_method": "s256",
    });
    it.service.post("/otp", body).await.expect(StatusCode::OK);
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let code = query(&response, "code").expect("a code");
    let body = json!({"auth_code": code, "code_verifier": VERIFIER});
    let answers = crowd_posts(&it.service, "/token?grant_type=pkce", &body).await;
    assert_one(&answers, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn of_fifty_browsers_that_come_back_from_a_provider_exactly_one_gets_in() {
    let (service, provider) = with_provider(&[WIDE]).await;
    provider.knows(ada(true));
    let there = service.client.get(KEYCLOAK).send().await;
    let back = provider
        .visit(there.header("location").expect("a location"))
        .await;
    let answers = crowd(&service, || {
        let (client, path) = (service.client.clone(), format!("/callback?{back}"));
        async move { client.get(&path).send().await }
    })
    .await;
    assert_one_landed(&answers, "access_token=");
}

#[tokio::test]
async fn of_many_who_accept_one_invitation_at_a_provider_exactly_one_does() {
    let (service, provider) = with_provider(&[WIDE]).await;
    let link = service.client.post("/admin/generate_link");
    let link = link.bearer(&service_role());
    let link = link.json(&json!({"type": "invite", "email": EMAIL}));
    let link = link.send().await.expect(StatusCode::OK).json();
    let path = format!("{KEYCLOAK}&invite_token={}", text(&link, "hashed_token"));
    let mut back = Vec::new();
    for subject in 0..CROWD {
        let subject = subject.to_string();
        provider.knows(json!({"sub": subject, "email": EMAIL, "email_verified": true}));
        let there = service.client.get(&path).send().await;
        let there = there.header("location").expect("a location").to_owned();
        let query = provider.visit(&there).await;
        back.push(format!("/callback?{query}"));
    }
    let turn = AtomicUsize::new(0);
    let answers = crowd(&service, || {
        let path = back[turn.fetch_add(1, Ordering::Relaxed)].clone();
        let client = service.client.clone();
        async move { client.get(&path).send().await }
    })
    .await;
    assert_one_landed(&answers, "access_token=");
}

/// A client that lost the answer may ask again: all get the one token that took the other's place.
#[tokio::test]
async fn fifty_who_refresh_with_one_token_share_one_new_token() {
    let service = with([("GOTRUE_MAILER_AUTOCONFIRM", "true"), WIDE]).await;
    let tokens = service.signed_up(EMAIL).await;
    let body = json!({"refresh_token": tokens["refresh_token"]});
    let answers = crowd_posts(&service, "/token?grant_type=refresh_token", &body).await;
    let bodies: Vec<_> = answers.iter().map(Response::json).collect();
    let new: BTreeSet<_> = bodies
        .iter()
        .map(|body| text(body, "refresh_token"))
        .collect();
    assert_eq!(new.len(), 1);
    let rows = "select count(*)::text from auth.refresh_tokens";
    assert_eq!(service.value(rows).await.as_deref(), Some("2"));
    let rotated = |answer: &&Response| answer.header("sb-auth-refresh-token-rotated").is_some();
    assert_eq!(answers.iter().filter(rotated).count(), 1);
    let next = service.refresh(new.first().expect("a token")).await;
    next.expect(StatusCode::OK);
}

#[tokio::test]
async fn of_fifty_answers_to_a_challenge_exactly_one_raises_the_session() {
    let service = with([("GOTRUE_MAILER_AUTOCONFIRM", "true"), WIDE]).await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    let factor = enrolled(&service, token, "watch").await;
    // A code is as good for another challenge as for its own: it is used up with either.
    let challenges = [
        challenged(&service, token, &factor).await,
        challenged(&service, token, &factor).await,
    ];
    let path = format!("/factors/{}/verify", text(&factor, "id"));
    let code = shown(text(&factor["totp"], "secret"), service.now());
    let turn = AtomicUsize::new(0);
    let answers = crowd(&service, || {
        let n = turn.fetch_add(1, Ordering::Relaxed);
        let body = json!({"challenge_id": challenges[n % 2], "code": code});
        let (client, path, token) = (service.client.clone(), path.clone(), token.to_owned());
        async move { client.post(&path).bearer(&token).json(&body).send().await }
    })
    .await;
    assert_one(&answers, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_token_of_a_link_cannot_be_made_from_its_code() {
    let service = autoconfirming().await;
    service.signed_up(EMAIL).await;
    let admin = service_role();
    let link = service.client.post("/admin/generate_link").bearer(&admin);
    let link = link.json(&json!({"type": "recovery", "email": EMAIL}));
    let link = link.send().await.expect(StatusCode::OK).json();
    // Another installation's token for the same address and code.
    let other = auth::one_time::Tokens::new(&"another secret".to_owned().into());
    let guess = other.token(EMAIL, text(&link, "email_otp"));
    assert_ne!(text(&link, "hashed_token"), guess);
    let refusal = json!({"type": "recovery", "token_hash": guess});
    let refusal = service.post("/verify", refusal).await;
    refusal.expect(StatusCode::FORBIDDEN);
}
