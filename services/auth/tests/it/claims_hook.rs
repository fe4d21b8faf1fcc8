//! A server that has a say in access tokens: what happens while it thinks, and when it says no.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::http::StatusCode;
use serde_json::{Value, json};
use testkit::{client::Response, jwt};
use tokio::task::JoinSet;

use crate::{
    hooks::hooked,
    receiver::{self, Receiver},
    support::{EMAIL, Fixture, PASSWORD, access, refused, service_role, text},
};

const HOOK: &str = "CUSTOM_ACCESS_TOKEN";

const PASSWORD_GRANT: &str = "/token?grant_type=password";

const REFRESH_GRANT: &str = "/token?grant_type=refresh_token";

/// More requests than there are connections.
const CROWD: usize = 6;

/// A service whose claims are taken as they are, unless `refuses` says no.
async fn asking(refuses: Arc<AtomicBool>) -> (Fixture, Receiver) {
    hooked(&[HOOK], move |_, input| {
        if refuses.load(Ordering::Relaxed) {
            let error = json!({"error": {"http_code": 403, "message": "not today"}});
            return receiver::json(200, &error);
        }
        receiver::json(200, &json!({"claims": input["claims"]}))
    })
    .await
}

async fn agreeing() -> (Fixture, Receiver) {
    asking(Arc::default()).await
}

/// A request on its way.
fn begun(service: &Fixture, path: &'static str, body: Value) -> JoinSet<Response> {
    let mut waiting = JoinSet::new();
    let client = service.client.clone();
    waiting.spawn(async move { client.post(path).json(&body).send().await });
    waiting
}

/// Its answer.
async fn answer(waiting: JoinSet<Response>) -> Response {
    waiting.join_all().await.remove(0)
}

/// A refresh whose hook has not answered yet; others are answered.
async fn waiting_refresh(
    service: &Fixture,
    receiver: &Receiver,
    tokens: &Value,
) -> JoinSet<Response> {
    let asked = receiver.calls(HOOK).len();
    receiver.hold(EMAIL);
    let body = json!({"refresh_token": tokens["refresh_token"]});
    let waiting = begun(service, REFRESH_GRANT, body);
    receiver.called(HOOK, asked + 1).await;
    receiver.hold("");
    waiting
}

async fn refreshed(service: &Fixture, tokens: &Value) -> Value {
    let answer = service.refresh(text(tokens, "refresh_token")).await;
    answer.expect(StatusCode::OK).json()
}

async fn count(service: &Fixture, table: &str) -> String {
    let sql = format!("select count(*)::text from auth.{table}");
    service.value(&sql).await.expect("a number")
}

#[tokio::test]
async fn those_who_wait_for_a_hook_keep_nobody_else_waiting() {
    let (service, receiver) = agreeing().await;
    let tokens = service.signed_up(EMAIL).await;
    receiver.hold("patient");
    let mut waiting = JoinSet::<Response>::new();
    for _ in 0..CROWD {
        let client = service.client.clone();
        let body = json!({"data": {"mood": "patient"}});
        waiting.spawn(async move { client.post("/signup").json(&body).send().await });
    }
    let others = async {
        receiver.called(HOOK, CROWD + 1).await;
        let users = count(&service, "users").await;
        (refreshed(&service, &tokens).await, users)
    };
    tokio::select! {
        biased;
        _ = waiting.join_next() => panic!("others are served only after those who wait"),
        (_, users) = others => assert_eq!(users, "1", "nothing is stored before the hook agrees"),
    }
}

#[tokio::test]
async fn nothing_is_locked_while_a_hook_thinks() {
    let (service, receiver) = agreeing().await;
    let tokens = service.signed_up(EMAIL).await;
    let waiting = waiting_refresh(&service, &receiver, &tokens).await;
    service
        .execute(
            "set lock_timeout = '1s'; begin; \
             select from auth.users for update; select from auth.sessions for update; \
             select from auth.refresh_tokens for update; rollback",
        )
        .await;
    receiver.release();
    answer(waiting).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_sign_in_that_a_hook_refuses_leaves_nothing() {
    let refuses = Arc::new(AtomicBool::new(true));
    let (service, _receiver) = asking(Arc::clone(&refuses)).await;
    let account = json!({"email": EMAIL, "password": PASSWORD});
    let sign_up = || service.client.post("/signup").json(&account);
    refused(sign_up, 403, "unknown", "not today").await;
    assert_eq!(count(&service, "users").await, "0");

    refuses.store(false, Ordering::Relaxed);
    service.signed_up(EMAIL).await;
    refuses.store(true, Ordering::Relaxed);
    let sign_in = || service.client.post(PASSWORD_GRANT).json(&account);
    refused(sign_in, 403, "unknown", "not today").await;
    for table in ["sessions", "refresh_tokens"] {
        assert_eq!(count(&service, table).await, "1", "{table}");
    }
}

#[tokio::test]
async fn a_refresh_or_link_that_a_hook_refuses_can_be_tried_again() {
    let refuses = Arc::new(AtomicBool::new(false));
    let (service, _receiver) = asking(Arc::clone(&refuses)).await;
    let tokens = service.signed_up(EMAIL).await;
    let body = json!({"type": "magiclink", "email": EMAIL});
    let link = service.client.post("/admin/generate_link");
    let link = link.bearer(&service_role()).json(&body).send().await;
    let hash = link.expect(StatusCode::OK).json()["hashed_token"].clone();
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    let link = json!({"type": "magiclink", "token_hash": hash});

    refuses.store(true, Ordering::Relaxed);
    for (path, body) in [(REFRESH_GRANT, &refresh), ("/verify", &link)] {
        let request = || service.client.post(path).json(body);
        refused(request, 403, "unknown", "not today").await;
    }
    refuses.store(false, Ordering::Relaxed);
    let answer = service.post(REFRESH_GRANT, refresh).await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(answer.header("sb-auth-refresh-token-reuse"), None);
    service.post("/verify", link).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn refreshes_that_wait_for_a_hook_together_get_the_same_token() {
    let (service, receiver) = agreeing().await;
    let tokens = service.signed_up(EMAIL).await;
    receiver.hold(EMAIL);
    let body = json!({"refresh_token": tokens["refresh_token"]});
    let waiting = [(); 2].map(|()| begun(&service, REFRESH_GRANT, body.clone()));
    receiver.called(HOOK, 3).await;
    receiver.hold("");
    receiver.release();
    let mut successors = Vec::new();
    for waiting in waiting {
        let answer = answer(waiting).await.expect(StatusCode::OK);
        successors.push(answer.json()["refresh_token"].clone());
    }
    assert_eq!(successors[0], successors[1]);
    assert_ne!(successors[0], tokens["refresh_token"]);
}

#[tokio::test]
async fn a_token_used_up_by_others_while_the_hook_was_asked_is_not_taken_for_stolen() {
    let (service, receiver) = agreeing().await;
    let tokens = service.signed_up(EMAIL).await;
    let waiting = waiting_refresh(&service, &receiver, &tokens).await;
    let second = refreshed(&service, &tokens).await;
    let third = refreshed(&service, &second).await;
    receiver.release();
    let answer = answer(waiting).await.expect(StatusCode::OK);
    let answer = answer.json();
    assert_eq!(answer["refresh_token"], third["refresh_token"]);
    refreshed(&service, &answer).await;
}

#[tokio::test]
async fn a_token_taken_back_while_the_hook_was_asked_is_dead() {
    for (change, code) in [
        (
            "update auth.refresh_tokens set revoked = true, updated_at = now()",
            "refresh_token_already_used",
        ),
        ("delete from auth.sessions", "refresh_token_not_found"),
    ] {
        let (service, receiver) = agreeing().await;
        let tokens = service.signed_up(EMAIL).await;
        let waiting = waiting_refresh(&service, &receiver, &tokens).await;
        service.execute(change).await;
        receiver.release();
        let answer = answer(waiting).await;
        let answer = answer.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["error_code"], code);
    }
}

#[tokio::test]
async fn a_token_says_what_its_user_has_become_while_the_hook_was_asked() {
    let (service, receiver) = agreeing().await;
    let tokens = service.signed_up(EMAIL).await;
    let waiting = waiting_refresh(&service, &receiver, &tokens).await;
    let change = json!({"data": {"plan": "gold"}});
    let changed = service.put_user(access(&tokens), change).await;
    changed.expect(StatusCode::OK);
    receiver.release();
    let answer = answer(waiting).await.expect(StatusCode::OK);
    let claims = jwt::claims(access(&answer.json()));
    assert_eq!(claims["user_metadata"]["plan"], "gold");
    let told = receiver.last(HOOK);
    assert_eq!(told["claims"]["user_metadata"]["plan"], "gold");
}

/// A sign-in whose hook has not answered yet, with a password that `change` does something to.
async fn signed_in_while(change: &str) -> (Fixture, Response) {
    let (service, receiver) = agreeing().await;
    service.signed_up(EMAIL).await;
    receiver.hold(EMAIL);
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let waiting = begun(&service, PASSWORD_GRANT, body);
    receiver.called(HOOK, 2).await;
    receiver.hold("");
    service.execute(change).await;
    receiver.release();
    let answer = answer(waiting).await;
    (service, answer)
}

#[tokio::test]
async fn a_password_that_is_changed_while_the_hook_is_asked_is_no_longer_good() {
    let change = "update auth.users set encrypted_password = null";
    let (service, answer) = signed_in_while(change).await;
    let answer = answer.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(answer["error_code"], "invalid_credentials");
    assert_eq!(count(&service, "sessions").await, "1");
}

#[tokio::test]
async fn a_password_that_is_hashed_anew_while_the_hook_is_asked_stays_good() {
    // bcrypt of "correct horse", as an import could bring it.
    let change = "update auth.users set encrypted_password = \
                  '$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e'";
    let (service, answer) = signed_in_while(change).await;
    answer.expect(StatusCode::OK);
    assert_eq!(count(&service, "sessions").await, "2");
}

#[tokio::test]
async fn a_user_who_is_banned_while_the_hook_is_asked_does_not_get_in() {
    let change = "update auth.users set banned_until = now() + interval '1 hour'";
    let (service, answer) = signed_in_while(change).await;
    let answer = answer.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(answer["error_code"], "user_banned");
    assert_eq!(count(&service, "sessions").await, "1");
}
