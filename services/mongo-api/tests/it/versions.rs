//! Optimistic locking: a write that expects a version.

use serde_json::json;

use crate::api::{Api, BOB, assert_refused};

const NOTES: &str = "/collections/notes/documents";

#[tokio::test]
async fn a_write_that_expects_another_version_changes_nothing() {
    let api = Api::start().await;
    let id = api.create("notes", json!({ "n": 0 })).await;
    let path = format!("{NOTES}/{id}");
    let body = json!({ "n": 1 });
    let patched = api
        .patch(&path, &body)
        .header("if-match", "\"1\"")
        .send()
        .await;
    assert_eq!(patched.header("etag"), Some("\"2\""));
    for request in [
        api.patch(&path, &body),
        api.put(&path, &body),
        api.delete(&path),
    ] {
        let response = request.header("if-match", "\"1\"").send().await;
        assert_refused(&response, 412, "version_mismatch");
    }
    assert_eq!(api.get(&path).send().await.json()["data"]["_version"], 2);
    let deleted = api.delete(&path).header("if-match", "2").send().await;
    assert_eq!(deleted.status, 200);
    let gone = api.patch(&path, &body).header("if-match", "2").send().await;
    assert_refused(&gone, 404, "document_not_found");
}

#[tokio::test]
async fn of_many_writers_of_one_version_one_wins() {
    let api = Api::start().await;
    let id = api.create("notes", json!({ "n": 0 })).await;
    let path = format!("{NOTES}/{id}");
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (api, path) = (api.user(crate::api::ANN), path.clone());
        writers.spawn(async move {
            let request = api.patch(&path, &json!({ "n": n }));
            request
                .header("if-match", "\"1\"")
                .send()
                .await
                .status
                .as_u16()
        });
    }
    let mut statuses = writers.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{statuses:?}");
    assert!(
        statuses[1..].iter().all(|status| *status == 412),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_version_of_a_foreign_document_is_not_told() {
    let api = Api::start().await;
    let id = api.create("notes", json!({})).await;
    let path = format!("{NOTES}/{id}");
    for version in ["\"1\"", "\"7\""] {
        let bob = api.user(BOB);
        let request = bob.patch(&path, &json!({ "a": 1 }));
        let request = request.header("if-match", version);
        assert_refused(&request.send().await, 404, "document_not_found");
    }
}

#[tokio::test]
async fn what_is_no_version_is_refused() {
    let api = Api::start().await;
    let id = api.create("notes", json!({})).await;
    let request = api.patch(&format!("{NOTES}/{id}"), &json!({ "a": 1 }));
    let response = request.header("if-match", "W/\"1\"").send().await;
    assert_refused(&response, 400, "invalid_if_match");
}

#[tokio::test]
async fn a_new_document_cannot_have_an_expected_version() {
    let api = Api::start().await;
    let path = format!("{NOTES}/0b6f6d1e-3f8a-4b5e-9c55-0a1b2c3d4e5f");
    let response = api
        .put(&path, &json!({}))
        .header("if-match", "1")
        .send()
        .await;
    assert_refused(&response, 404, "document_not_found");
}
