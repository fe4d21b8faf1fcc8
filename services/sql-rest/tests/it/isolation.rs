//! Nobody sees what is another's, whatever connection serves them.

use http::StatusCode;
use serde_json::json;

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
