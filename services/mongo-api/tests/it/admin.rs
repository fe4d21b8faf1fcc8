//! Collections, validators and indexes, shaped by the service role.

use mongodb::bson::doc;
use serde_json::json;

use crate::api::{Api, assert_refused};

const ADMIN: &str = "/admin/collections";

#[tokio::test]
async fn a_collection_lives_from_create_to_drop() {
    let api = Api::start().await;
    let service = api.service();
    let created = service
        .post(ADMIN, &json!({ "name": "notes" }))
        .send()
        .await;
    assert_eq!(created.status, 201);
    let again = service
        .post(ADMIN, &json!({ "name": "notes" }))
        .send()
        .await;
    assert_refused(&again, 409, "collection_exists");
    api.create("notes", json!({})).await;

    let one = service.get("/admin/collections/notes").send().await;
    assert_eq!(
        one.json()["data"],
        json!({ "name": "notes", "access": "private", "documents": 1 })
    );
    let list = service.get(ADMIN).send().await.json()["data"].clone();
    assert_eq!(list, json!([{ "name": "notes", "access": "private" }]));

    assert_eq!(
        service
            .delete("/admin/collections/notes")
            .send()
            .await
            .status,
        200
    );
    for path in ["", "/validator", "/indexes"] {
        let response = service
            .get(&format!("/admin/collections/notes{path}"))
            .send()
            .await;
        assert_refused(&response, 404, "collection_not_found");
    }
    api.create("notes", json!({})).await;
    let names = api.stored("notes").list_index_names().await.unwrap();
    assert_eq!(names.len(), 2, "made anew with its index: {names:?}");
}

#[tokio::test]
async fn our_own_collections_cannot_be_named_or_seen() {
    let api = Api::start().await;
    let service = api.service();
    let body = json!({ "name": "notes", "access": "public_read" });
    service.post(ADMIN, &body).send().await;
    let names = api.database().list_collection_names().await.unwrap();
    assert!(
        names.contains(&"ferrobase.collections".to_owned()),
        "{names:?}"
    );
    let list = service.get(ADMIN).send().await.json()["data"].clone();
    assert_eq!(list.as_array().unwrap().len(), 1);
    let path = "/admin/collections/ferrobase.collections";
    assert_refused(&service.get(path).send().await, 400, "invalid_path");
    assert_refused(&service.delete(path).send().await, 400, "invalid_path");
    let body = json!({ "name": "system.views" });
    assert_refused(
        &service.post(ADMIN, &body).send().await,
        422,
        "invalid_body",
    );
}

#[tokio::test]
async fn a_validator_refuses_with_the_rule_that_is_broken() {
    let api = Api::start().await;
    let service = api.service();
    service
        .post(ADMIN, &json!({ "name": "goods" }))
        .send()
        .await;
    let schema = json!({
        "required": ["title"],
        "additionalProperties": false,
        "properties": {
            "title": { "bsonType": "string", "maxLength": 5 },
            "price": { "bsonType": "number", "minimum": 0 },
        },
    });
    let path = "/admin/collections/goods/validator";
    let set = service.put(path, &schema).send().await;
    assert_eq!(set.status, 200, "{}", set.text());
    let read = service.get(path).send().await;
    assert_eq!(read.json()["data"]["schema"], schema);

    let goods = "/collections/goods/documents";
    let id = api
        .create("goods", json!({ "title": "Milk", "price": 1 }))
        .await;
    let one = format!("{goods}/{id}");
    let bad = json!({ "title": "Milk", "price": -1 });
    for response in [
        api.post(goods, &bad).send().await,
        api.put(&one, &bad).send().await,
        api.patch(&one, &json!({ "price": -1 })).send().await,
        api.patch(
            &format!("{goods}?filter=%7B%22title%22:%22Milk%22%7D"),
            &json!({ "price": -1 }),
        )
        .send()
        .await,
    ] {
        assert_refused(&response, 422, "validation_failed");
        let rule = response.json()["error"]["details"]["rules"][0].clone();
        assert_eq!(
            (&rule["field"], &rule["rule"]),
            (&json!("price"), &json!("minimum"))
        );
    }
    let unknown = api
        .post(goods, &json!({ "title": "Milk", "x": 1 }))
        .send()
        .await;
    let rule = unknown.json()["error"]["details"]["rules"][0].clone();
    assert_eq!(rule["rule"], "additionalProperties");
    assert_eq!(rule["reason"], "not allowed: x");
    let missing = api.post(goods, &json!({})).send().await;
    let rule = missing.json()["error"]["details"]["rules"][0].clone();
    assert_eq!(rule["reason"], "missing: title");

    assert_eq!(service.delete(path).send().await.status, 200);
    api.create("goods", json!({ "x": 1 })).await;
    assert!(service.get(path).send().await.json()["data"]["schema"].is_null());
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused() {
    let api = Api::start().await;
    let service = api.service();
    service
        .post(ADMIN, &json!({ "name": "goods" }))
        .send()
        .await;
    let path = "/admin/collections/goods/validator";
    let response = service
        .put(path, &json!({ "bsonType": "nonsense" }))
        .send()
        .await;
    assert_refused(&response, 422, "refused_by_database");
    let response = service
        .put("/admin/collections/none/validator", &json!({}))
        .send()
        .await;
    assert_refused(&response, 404, "collection_not_found");
}

#[tokio::test]
async fn indexes_are_made_listed_and_dropped() {
    let api = Api::start().await;
    let service = api.service();
    service
        .post(ADMIN, &json!({ "name": "goods" }))
        .send()
        .await;
    let path = "/admin/collections/goods/indexes";
    let body = json!({ "keys": { "owner_id": "asc", "sku": "desc" }, "unique": true });
    let made = service.post(path, &body).send().await;
    let name = made.json()["data"]["name"].as_str().unwrap().to_owned();
    assert_eq!(name, "owner_id_1_sku_-1");
    let expiring = json!({ "keys": { "seen": "asc" }, "expire_after_seconds": 60 });
    assert_eq!(service.post(path, &expiring).send().await.status, 201);

    let list = service.get(path).send().await.json()["data"].clone();
    let find = |name: &str| {
        let indexes = list.as_array().unwrap().iter();
        indexes
            .clone()
            .find(|index| index["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        find(&name)["keys"],
        json!({ "owner_id": "asc", "sku": "desc" })
    );
    assert_eq!(find("seen_1")["expire_after_seconds"], 60);

    api.create("goods", json!({ "sku": 1 })).await;
    let twice = api
        .post("/collections/goods/documents", &json!({ "sku": 1 }))
        .send()
        .await;
    assert_refused(&twice, 409, "duplicate_key");
    assert_eq!(twice.json()["error"]["details"]["index"], name);

    let conflicting = json!({ "keys": { "owner_id": "asc", "sku": "desc" } });
    assert_refused(
        &service.post(path, &conflicting).send().await,
        409,
        "index_conflict",
    );
    let dropped = service.delete(&format!("{path}/{name}")).send().await;
    assert_eq!(dropped.status, 200);
    let unknown = service.delete(&format!("{path}/{name}")).send().await;
    assert_refused(&unknown, 404, "index_not_found");
    for own in ["_id_", "owner_id_1__id_1"] {
        let response = service.delete(&format!("{path}/{own}")).send().await;
        assert_refused(&response, 409, "index_conflict");
    }
    let all = service.delete(&format!("{path}/*")).send().await;
    assert_refused(&all, 404, "index_not_found");
}

#[tokio::test]
async fn an_index_that_is_none_is_refused() {
    let api = Api::start().await;
    let service = api.service();
    service
        .post(ADMIN, &json!({ "name": "goods" }))
        .send()
        .await;
    let path = "/admin/collections/goods/indexes";
    for (body, code) in [
        (json!({ "keys": {} }), "invalid_value"),
        (json!({ "keys": { "$a": "asc" } }), "invalid_key"),
        (json!({ "keys": { "a": "up" } }), "invalid_body"),
        (
            json!({ "keys": { "a": "asc" }, "where": 1 }),
            "invalid_body",
        ),
        (
            json!({ "keys": { "a": "asc", "b": "asc" }, "expire_after_seconds": 1 }),
            "refused_by_database",
        ),
    ] {
        assert_refused(&service.post(path, &body).send().await, 422, code);
    }
    let parallel = json!({ "keys": { "a": "asc", "b": "asc" } });
    service.post(path, &parallel).send().await;
    let body = json!({ "a": [1], "b": [2] });
    let refused = api.post("/collections/goods/documents", &body).send().await;
    assert_refused(&refused, 422, "refused_by_database");
    assert_eq!(
        api.stored("goods").count_documents(doc! {}).await.unwrap(),
        0
    );
}
