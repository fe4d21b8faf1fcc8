//! Collections shared by the service role, and what it sees itself.

use serde_json::json;

use crate::api::{Api, BOB, assert_refused};

async fn share(api: &Api, name: &str, access: &str) {
    let body = json!({ "name": name, "access": access });
    let response = api.service().post("/admin/collections", &body).send().await;
    assert_eq!(response.status, 201, "{}", response.text());
}

#[tokio::test]
async fn everyone_reads_a_public_collection_and_owners_write_it() {
    let api = Api::start().await;
    share(&api, "posts", "public_read").await;
    let id = api.create("posts", json!({ "title": "Hello" })).await;
    let path = format!("/collections/posts/documents/{id}");
    for caller in [api.user(BOB), api.anonymous()] {
        assert_eq!(caller.get(&path).send().await.status, 200);
        let list = caller.get("/collections/posts/documents").send().await;
        assert_eq!(list.json()["data"].as_array().unwrap().len(), 1);
        let body = json!({ "pipeline": [{ "$count": "n" }] });
        let counted = caller
            .post("/collections/posts/aggregate", &body)
            .send()
            .await;
        assert_eq!(counted.json()["data"][0]["n"], 1);
    }
    let change = json!({ "title": "Taken" });
    let by_bob = api.user(BOB).patch(&path, &change).send().await;
    assert_refused(&by_bob, 404, "document_not_found");
    let by_nobody = api.anonymous().patch(&path, &change).send().await;
    assert_refused(&by_nobody, 401, "sign_in_required");
    assert_eq!(api.patch(&path, &change).send().await.status, 200);
}

#[tokio::test]
async fn signed_in_users_share_an_app_collection() {
    let api = Api::start().await;
    share(&api, "board", "app").await;
    let id = api.create("board", json!({ "n": 1 })).await;
    let path = format!("/collections/board/documents/{id}");
    let changed = api.user(BOB).patch(&path, &json!({ "n": 2 })).send().await;
    assert_eq!(changed.json()["data"]["owner_id"], crate::api::ANN);
    assert_refused(
        &api.anonymous().get(&path).send().await,
        401,
        "sign_in_required",
    );
    assert_eq!(api.user(BOB).delete(&path).send().await.status, 200);
}

#[tokio::test]
async fn a_collection_is_private_until_and_after_it_is_shared() {
    let api = Api::start().await;
    let id = api.create("notes", json!({})).await;
    let path = format!("/collections/notes/documents/{id}");
    assert_refused(
        &api.anonymous().get(&path).send().await,
        401,
        "sign_in_required",
    );
    assert_refused(
        &api.user(BOB).get(&path).send().await,
        404,
        "document_not_found",
    );
    let admin = "/admin/collections/notes";
    for (access, status) in [("public_read", 200), ("private", 404)] {
        let body = json!({ "access": access });
        assert_eq!(api.service().patch(admin, &body).send().await.status, 200);
        assert_eq!(api.user(BOB).get(&path).send().await.status, status);
    }
}

#[tokio::test]
async fn the_service_role_reaches_documents_of_all_owners() {
    let api = Api::start().await;
    let id = api.create("notes", json!({ "a": 1 })).await;
    let path = format!("/collections/notes/documents/{id}");
    let service = api.service();
    assert_eq!(service.get(&path).send().await.status, 200);
    assert_eq!(
        service.patch(&path, &json!({ "a": 2 })).send().await.status,
        200
    );
    let own = service.create("notes", json!({ "a": 3 })).await;
    let own = format!("/collections/notes/documents/{own}");
    assert!(service.get(&own).send().await.json()["data"]["owner_id"].is_null());
    assert_refused(&api.get(&own).send().await, 404, "document_not_found");
}
