//! Nobody sees what is another's, whatever connection serves them.

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stack::{stack, user};

#[tokio::test]
async fn rows_of_one_user_are_hidden_from_another() {
    let stack = stack(&[]).await;
    let (ann, bob) = (user("ann"), user("bob"));
    let todo = json!({ "title": "mine" });
    let made = stack
        .client
        .post("/todos")
        .bearer(&ann)
        .json(&todo)
        .send()
        .await;
    made.expect(StatusCode::CREATED);

    let list = async |token: &str| {
        let answer = stack
            .client
            .get("/todos?select=owner,title")
            .bearer(token)
            .send()
            .await;
        answer.expect(StatusCode::OK).json()
    };
    assert_eq!(
        list(&ann).await,
        json!([{ "owner": "ann", "title": "mine" }])
    );
    assert_eq!(list(&bob).await, json!([]));

    let forged = json!({ "title": "theirs", "owner": "ann" });
    let refused = stack
        .client
        .post("/todos")
        .bearer(&bob)
        .json(&forged)
        .send()
        .await;
    assert_eq!(
        refused.expect(StatusCode::FORBIDDEN).json()["code"],
        "42501"
    );

    let change = json!({ "title": "stolen" });
    let path = "/todos?owner=eq.ann";
    stack
        .client
        .patch(path)
        .bearer(&bob)
        .json(&change)
        .send()
        .await
        .expect(StatusCode::NO_CONTENT);
    stack
        .client
        .delete(path)
        .bearer(&bob)
        .send()
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(
        list(&ann).await,
        json!([{ "owner": "ann", "title": "mine" }])
    );
}

#[tokio::test]
async fn requests_of_many_users_over_few_connections_never_mix() {
    let stack = stack(&[("PGRST_APP_SETTINGS_greeting", "hi")]).await;
    let mut running = JoinSet::new();
    for worker in 0..16 {
        let client = stack.client.clone();
        running.spawn(async move {
            for round in 0..125 {
                let sub = format!("user-{worker}-{round}");
                let token = user(&sub);
                let request = match round % 5 {
                    0 => client.get("/rpc/whoami"),
                    1 => client.post("/rpc/leave_traces").body("{}"),
                    2 => client
                        .post("/rpc/fail")
                        .json(&json!({ "state": "P0001", "message": "x" })),
                    3 => client
                        .get("/rpc/whoami")
                        .header("Prefer", "timezone=Asia/Tokyo"),
                    _ => client.post("/rpc/whoami").body("{}"),
                };
                let answer = request.bearer(&token).header("X-Me", &sub).send().await;
                if matches!(round % 5, 0 | 3 | 4) {
                    check(&answer.expect(StatusCode::OK).json(), &sub, round);
                }
                let anonymous = client.get("/rpc/whoami").send().await;
                let who = anonymous.expect(StatusCode::OK).json();
                assert_eq!(who["role"], "anon");
                assert_eq!(who["sub"], "");
                assert_eq!(who["headers"]["x-me"], Value::Null);
            }
        });
    }
    while let Some(finished) = running.join_next().await {
        finished.unwrap();
    }
}

fn check(who: &Value, sub: &str, round: usize) {
    assert_eq!(who["role"], "authenticated");
    assert_eq!(who["sub"], sub);
    assert_eq!(who["claims"]["sub"], sub);
    assert_eq!(who["headers"]["x-me"], sub);
    assert_eq!(who["greeting"], "hi");
    assert_eq!(who["search_path"], r#""api", "public""#);
    assert_eq!(who["timezone"] == "Asia/Tokyo", round % 5 == 3);
}
