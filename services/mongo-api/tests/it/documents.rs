//! One document: create, read, change, replace, delete, and what is refused.

use mongodb::bson::doc;
use serde_json::{Value, json};

use crate::api::{ANN, Api, assert_refused};

const NOTES: &str = "/collections/notes/documents";

#[tokio::test]
async fn a_document_lives_from_create_to_delete() {
    let api = Api::start().await;
    let created = api
        .post(NOTES, &json!({ "title": "Milk", "n": 1 }))
        .send()
        .await;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("etag"), Some("\"1\""));
    let document = created.json()["data"].clone();
    assert_eq!(document["title"], "Milk");
    assert_eq!(document["owner_id"], ANN);
    assert_eq!(document["_version"], 1);
    assert_eq!(document["created_at"], document["updated_at"]);
    assert!(document["created_at"]["$date"].is_string());

    let path = format!("{NOTES}/{}", document["_id"].as_str().unwrap());
    assert_eq!(api.get(&path).send().await.json()["data"], document);

    let change = json!({ "title": "Bread", "n": null, "place.city": "Paris" });
    let patched = api.patch(&path, &change).send().await.json()["data"].clone();
    assert_eq!(patched["title"], "Bread");
    assert_eq!(patched["place"], json!({ "city": "Paris" }));
    assert_eq!(patched.get("n"), None);
    assert_eq!(patched["_version"], 2);
    assert_eq!(patched["created_at"], document["created_at"]);

    let replaced = api.put(&path, &json!({ "only": true })).send().await;
    assert_eq!(replaced.status, 200);
    let replaced = replaced.json()["data"].clone();
    assert_eq!(replaced["only"], true);
    assert_eq!(replaced.get("title"), None);
    assert_eq!(replaced["_version"], 3);
    assert_eq!(replaced["owner_id"], ANN);
    assert_eq!(replaced["created_at"], document["created_at"]);

    let deleted = api.delete(&path).send().await;
    assert_eq!(deleted.json()["data"], json!({ "deleted": 1 }));
    assert_refused(&api.get(&path).send().await, 404, "document_not_found");
    assert_refused(&api.delete(&path).send().await, 404, "document_not_found");
}

#[tokio::test]
async fn a_client_chooses_a_uuid_by_putting_to_it() {
    let api = Api::start().await;
    let path = format!("{NOTES}/0B6F6D1E-3F8A-4B5E-9C55-0A1B2C3D4E5F");
    let created = api.put(&path, &json!({ "a": 1 })).send().await;
    assert_eq!(created.status, 201);
    assert_eq!(
        created.json()["data"]["_id"],
        "0b6f6d1e-3f8a-4b5e-9c55-0a1b2c3d4e5f"
    );
    assert_eq!(created.json()["data"]["owner_id"], ANN);
    let again = api
        .put(&path.to_lowercase(), &json!({ "a": 2 }))
        .send()
        .await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["data"]["_version"], 2);
    assert_eq!(api.get(&path).send().await.json()["data"]["a"], 2);

    let unknown = format!("{NOTES}/65a1b2c3d4e5f60718293a4b");
    let refused = api.put(&unknown, &json!({ "a": 1 })).send().await;
    assert_refused(&refused, 404, "document_not_found");
}

#[tokio::test]
async fn every_type_survives_a_round_trip() {
    let api = Api::start().await;
    let body = json!({
        "date": { "$date": "2026-01-31T12:00:00.123Z" },
        "long_ago": { "$date": { "$numberLong": "-1" } },
        "id": { "$oid": "65a1b2c3d4e5f60718293a4b" },
        "price": { "$numberDecimal": "12.50" },
        "big": { "$numberLong": "9007199254740993" },
        "nan": { "$numberDouble": "NaN" },
        "bytes": { "$binary": { "base64": "AQID", "subType": "00" } },
        "uuid": { "$binary": { "base64": "c//SZESzTGmQ6OfR38A11A==", "subType": "04" } },
        "at": { "$timestamp": { "t": 7, "i": 1 } },
        "pattern": { "$regularExpression": { "pattern": "^a", "options": "i" } },
        "least": { "$minKey": 1 },
        "text": "naïve \u{1F600} \u{200B}",
        "exact": 0.1,
        "nested": [{ "deep": [null, true, -5] }],
    });
    let id = api.create("types", body.clone()).await;
    let read = api
        .get(&format!("/collections/types/documents/{id}"))
        .send()
        .await;
    for (key, value) in body.as_object().unwrap() {
        assert_eq!(&read.json()["data"][key], value, "{key}");
    }
    let found = api
        .stored("types")
        .find_one(doc! {})
        .await
        .unwrap()
        .unwrap();
    assert!(found.get_datetime("date").is_ok());
    assert!(found.get_decimal128("price").is_ok());
}

#[tokio::test]
async fn fields_of_the_service_cannot_be_written() {
    let api = Api::start().await;
    let id = api.create("notes", json!({ "a": 1 })).await;
    let path = format!("{NOTES}/{id}");
    for field in ["_id", "owner_id", "created_at", "updated_at", "_version"] {
        let body = json!({ field: "x" });
        for response in [
            api.post(NOTES, &body).send().await,
            api.put(&path, &body).send().await,
            api.patch(&path, &body).send().await,
            api.patch(&path, &json!({ format!("{field}.x"): 1 }))
                .send()
                .await,
        ] {
            assert_refused(&response, 422, "reserved_field");
        }
    }
}

#[tokio::test]
async fn tricks_with_keys_are_refused() {
    let api = Api::start().await;
    let id = api.create("notes", json!({ "a": 1 })).await;
    for (text, code) in [
        (r#"{"a":1,"a":2}"#, "repeated_key"),
        (r#"{"owner_id":1,"owner\u005fid":2}"#, "repeated_key"),
        (r#"{"\u006fwner_id":"x"}"#, "reserved_field"),
        (r#"{"$set":{"owner_id":"x"}}"#, "invalid_key"),
        (r#"{"a":{"$ref":"users","$id":1}}"#, "invalid_key"),
        (r#"{"a\u0000":1}"#, "invalid_key"),
        (r#"{"":1}"#, "invalid_key"),
        (r#"{"a":{"$code":"while(1);"}}"#, "code_not_allowed"),
        (r#"{"a":{"$oid":"short"}}"#, "invalid_value"),
        ("[]", "invalid_value"),
    ] {
        for request in [
            api.post(NOTES, &Value::Null),
            api.put(&format!("{NOTES}/{id}"), &Value::Null),
            api.patch(&format!("{NOTES}/{id}"), &Value::Null),
        ] {
            let response = request.body(text).send().await;
            assert_refused(&response, 422, code);
        }
    }
    let dotted = api.post(NOTES, &json!({ "owner_id.x": 1 })).send().await;
    assert_refused(&dotted, 422, "invalid_key");
    let stored = api.stored("notes").count_documents(doc! {}).await.unwrap();
    assert_eq!(stored, 1);
}

#[tokio::test]
async fn what_is_too_large_or_not_json_is_refused() {
    let api = Api::start().await;
    let large = json!({ "text": "x".repeat(256 * 1024) });
    assert_refused(
        &api.post(NOTES, &large).send().await,
        413,
        "payload_too_large",
    );
    let deep = "[".repeat(40) + &"]".repeat(40);
    let deep = format!(r#"{{"a":{deep}}}"#);
    let response = api.post(NOTES, &Value::Null).body(deep).send().await;
    assert_refused(&response, 422, "too_complex");
    let response = api.post(NOTES, &Value::Null).body("{").send().await;
    assert_refused(&response, 400, "invalid_json");
    let response = api.get(NOTES).header("content-type", "x").send().await;
    assert_eq!(response.status, 200);
    let form = api.bare().post(NOTES).bearer(&api.token()).body("{}");
    let response = form.header("content-type", "text/plain").send().await;
    assert_refused(&response, 415, "unsupported_media_type");
}

#[tokio::test]
async fn names_and_ids_that_are_none_are_refused() {
    let api = Api::start().await;
    for name in [
        "system.users",
        "ferrobase.collections",
        "a.b",
        "a%24b",
        "a%00b",
    ] {
        let path = format!("/collections/{name}/documents");
        assert_refused(&api.get(&path).send().await, 400, "invalid_path");
        assert_refused(
            &api.post(&path, &json!({})).send().await,
            400,
            "invalid_path",
        );
    }
    for id in ["1", "%7B%22$ne%22:1%7D", "65a1b2c3d4e5f60718293a4", "null"] {
        let response = api.get(&format!("{NOTES}/{id}")).send().await;
        assert_refused(&response, 400, "invalid_path");
    }
}

#[tokio::test]
async fn a_patch_that_does_not_fit_the_document_is_refused() {
    let api = Api::start().await;
    let id = api.create("notes", json!({ "a": 1 })).await;
    let path = format!("{NOTES}/{id}");
    let inside_a_number = api.patch(&path, &json!({ "a.b": 1 })).send().await;
    assert_refused(&inside_a_number, 422, "refused_by_database");
    let id = api.create("notes", json!({ "list": [] })).await;
    let far = json!({ "list.1000000": 1 });
    let far = api.patch(&format!("{NOTES}/{id}"), &far).send().await;
    assert_refused(&far, 422, "invalid_patch");
    let overlapping = api.patch(&path, &json!({ "x": 1, "x.y": 1 })).send().await;
    assert_refused(&overlapping, 422, "invalid_patch");
    assert_refused(
        &api.patch(&path, &json!({})).send().await,
        422,
        "invalid_patch",
    );
}

#[tokio::test]
async fn the_first_write_makes_the_index_that_scoping_needs() {
    let api = Api::start().await;
    api.create("fresh", json!({})).await;
    let names = api.stored("fresh").list_index_names().await.unwrap();
    assert!(names.contains(&"owner_id_1__id_1".to_owned()), "{names:?}");
}

#[tokio::test]
async fn there_is_an_end_to_the_number_of_collections() {
    let limits = mongo_api::Limits {
        collections: 2,
        ..mongo_api::Limits::default()
    };
    let api = Api::with(limits).await;
    api.create("one", json!({})).await;
    api.create("two", json!({})).await;
    let third = api
        .post("/collections/three/documents", &json!({}))
        .send()
        .await;
    assert_refused(&third, 422, "too_many_collections");
    api.create("one", json!({})).await;
}
