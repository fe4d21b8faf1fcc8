//! Many documents at a time.

use mongodb::bson::doc;
use serde_json::{Value, json};

use crate::api::{ANN, Api, BOB, assert_refused, query};

const BULK: &str = "/collections/notes/documents/bulk";
const NOTES: &str = "/collections/notes/documents";

#[tokio::test]
async fn a_bulk_insert_tells_what_became_of_each() {
    let api = Api::start().await;
    let body = json!({ "documents": [{ "n": 1 }, { "n": 2 }] });
    let response = api.post(BULK, &body).send().await;
    assert_eq!(response.status, 201);
    let data = response.json()["data"].clone();
    assert_eq!(data["inserted"], 2);
    assert_eq!(data["items"][1]["status"], "created");
    assert_eq!(data["items"][1]["document"]["n"], 2);
    assert_eq!(data["items"][1]["document"]["owner_id"], ANN);
}

#[tokio::test]
async fn a_failed_item_stops_an_ordered_bulk_insert_only() {
    let api = Api::start().await;
    api.create("notes", json!({ "n": 2 })).await;
    let index = json!({ "keys": { "n": "asc" }, "unique": true });
    let service = api.service();
    let made = service.post("/admin/collections/notes/indexes", &index);
    assert_eq!(made.send().await.status, 201);
    let documents = json!([{ "n": 1 }, { "n": 2 }, { "n": 3 }]);
    let statuses = |data: &Value| -> Vec<String> {
        let items = data["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["status"].as_str().unwrap().to_owned())
            .collect()
    };

    let response = api
        .post(BULK, &json!({ "documents": documents }))
        .send()
        .await;
    assert_eq!(response.status, 207);
    let data = response.json()["data"].clone();
    assert_eq!(statuses(&data), ["created", "failed", "skipped"]);
    assert_eq!(data["items"][1]["error"]["code"], "duplicate_key");

    let more = json!([{ "n": 4 }, { "n": 2 }, { "n": 5 }]);
    let body = json!({ "documents": more, "ordered": false });
    let data = api.post(BULK, &body).send().await.json()["data"].clone();
    assert_eq!(statuses(&data), ["created", "failed", "created"]);
    assert_eq!(data["inserted"], 2);
    assert_eq!(
        api.stored("notes").count_documents(doc! {}).await.unwrap(),
        4
    );
}

#[tokio::test]
async fn a_bulk_insert_with_a_refused_document_stores_nothing() {
    let api = Api::start().await;
    for (body, code) in [
        (
            json!({ "documents": [{ "n": 1 }, { "owner_id": BOB }] }),
            "reserved_field",
        ),
        (json!({ "documents": [] }), "invalid_value"),
        (json!({ "documents": [1] }), "invalid_value"),
        (json!({ "documents": [{}], "ordered": 1 }), "invalid_value"),
        (json!({ "documents": [{}], "else": 1 }), "invalid_value"),
        (json!({}), "invalid_value"),
    ] {
        assert_refused(&api.post(BULK, &body).send().await, 422, code);
    }
    assert_eq!(
        api.stored("notes").count_documents(doc! {}).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn an_update_by_filter_reaches_own_matches() {
    let api = Api::start().await;
    for (caller, n) in [(&api, 1), (&api, 2), (&api.user(BOB), 1)] {
        caller.create("notes", json!({ "n": n })).await;
    }
    let path = format!("{NOTES}{}", query(&[("filter", r#"{"n":1}"#)]));
    let response = api.patch(&path, &json!({ "done": true })).send().await;
    assert_eq!(
        response.json()["data"],
        json!({ "matched": 1, "modified": 1 })
    );
    let done = doc! { "done": true, "owner_id": ANN, "_version": 2 };
    assert_eq!(api.stored("notes").count_documents(done).await.unwrap(), 1);

    let response = api.delete(&path).send().await;
    assert_eq!(response.json()["data"], json!({ "deleted": 1 }));
    assert_eq!(
        api.stored("notes").count_documents(doc! {}).await.unwrap(),
        2
    );
}

#[tokio::test]
async fn a_filter_is_required_and_bounded() {
    let api = Api::start().await;
    let change = json!({ "a": 1 });
    let empty = format!("{NOTES}?filter=%7B%7D");
    assert_refused(
        &api.patch(NOTES, &change).send().await,
        422,
        "filter_required",
    );
    assert_refused(
        &api.patch(&empty, &change).send().await,
        422,
        "filter_required",
    );
    assert_refused(&api.delete(NOTES).send().await, 422, "filter_required");
    assert_refused(&api.delete(&empty).send().await, 422, "filter_required");

    let documents = (0..1001).map(|n| doc! { "n": n, "owner_id": ANN });
    api.stored("notes").insert_many(documents).await.unwrap();
    let all = format!("{NOTES}{}", query(&[("filter", r#"{"n":{"$gte":0}}"#)]));
    assert_refused(&api.delete(&all).send().await, 422, "too_many_matches");
    assert_refused(
        &api.patch(&all, &change).send().await,
        422,
        "too_many_matches",
    );
    let some = format!("{NOTES}{}", query(&[("filter", r#"{"n":{"$gt":0}}"#)]));
    assert_eq!(
        api.delete(&some).send().await.json()["data"]["deleted"],
        1000
    );
}
