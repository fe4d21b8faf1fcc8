//! Pipelines over the caller's documents.

use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use testkit::client::Response;

use crate::api::{ANN, Api, BOB, assert_refused, hasty};

async fn run(api: &Api, pipeline: Value) -> Response {
    let body = json!({ "pipeline": pipeline });
    api.post("/collections/sales/aggregate", &body).send().await
}

#[tokio::test]
async fn a_pipeline_sees_own_documents_only() {
    let api = Api::start().await;
    for (caller, tag, n) in [
        (&api, "a", 1),
        (&api, "a", 2),
        (&api, "b", 4),
        (&api.user(BOB), "a", 8),
    ] {
        caller.create("sales", json!({ "tag": tag, "n": n })).await;
    }
    let pipeline = json!([
        { "$group": { "_id": "$tag", "total": { "$sum": "$n" } } },
        { "$sort": { "_id": 1 } },
    ]);
    let response = run(&api, pipeline).await;
    assert_eq!(
        response.json()["data"],
        json!([{ "_id": "a", "total": 3 }, { "_id": "b", "total": 4 }])
    );
    let everyone = json!([{ "$match": { "owner_id": { "$exists": true } } }, { "$count": "n" }]);
    assert_eq!(
        run(&api, everyone).await.json()["data"],
        json!([{ "n": 3 }])
    );
    let facet = json!([{ "$facet": { "all": [{ "$match": { "owner_id": BOB } }] } }]);
    assert_eq!(
        run(&api, facet).await.json()["data"],
        json!([{ "all": [] }])
    );
}

#[tokio::test]
async fn stages_and_operators_outside_the_list_are_refused() {
    let api = Api::start().await;
    api.create("sales", json!({})).await;
    for (stage, code) in [
        (json!({ "$out": "x" }), "stage_not_allowed"),
        (json!({ "$merge": { "into": "x" } }), "stage_not_allowed"),
        (
            json!({ "$lookup": { "from": "x", "as": "y", "pipeline": [] } }),
            "stage_not_allowed",
        ),
        (json!({ "$unionWith": "x" }), "stage_not_allowed"),
        (
            json!({ "$facet": { "a": [{ "$graphLookup": {} }] } }),
            "stage_not_allowed",
        ),
        (
            json!({ "$match": { "$where": "1" } }),
            "operator_not_allowed",
        ),
        (
            json!({ "$set": { "a": { "$function": {} } } }),
            "operator_not_allowed",
        ),
        (
            json!({ "$set": { "a": "$$USER_ROLES" } }),
            "operator_not_allowed",
        ),
    ] {
        assert_refused(&run(&api, json!([stage])).await, 422, code);
    }
}

#[tokio::test]
async fn what_mongodb_refuses_is_a_refusal_with_its_reason() {
    let api = Api::start().await;
    api.create("sales", json!({ "n": 0, "text": "x" })).await;
    let response = run(&api, json!([{ "$set": { "x": { "$divide": [1, "$n"] } } }])).await;
    assert_refused(&response, 422, "refused_by_database");
    let message = response.json()["error"]["message"].to_string();
    assert!(message.contains("divide by zero"), "{message}");
    let response = run(&api, json!([{ "$set": { "x": { "$toDate": "$text" } } }])).await;
    assert_refused(&response, 422, "refused_by_database");
    let response = run(&api, json!([{ "$group": { "n": 1 } }])).await;
    assert_refused(&response, 422, "refused_by_database");
}

#[tokio::test]
async fn a_pipeline_has_limited_time_memory_and_results() {
    let api = Api::with(hasty()).await;
    let documents: Vec<Document> = (0..3000)
        .map(|n| doc! { "owner_id": ANN, "list": (0..300).collect::<Vec<i32>>(), "n": n })
        .collect();
    api.stored("sales").insert_many(documents).await.unwrap();
    let slow = json!([
        { "$unwind": "$list" },
        { "$group": { "_id": { "a": "$list", "b": "$n" }, "c": { "$sum": 1 } } },
    ]);
    assert_refused(&run(&api, slow).await, 503, "query_timeout");
    let many = run(&api, json!([{ "$project": { "n": 1 } }])).await;
    assert_eq!(many.json()["data"].as_array().unwrap().len(), 1000);
}

#[tokio::test]
async fn values_that_double_at_every_stage_do_no_harm() {
    let api = Api::start().await;
    api.create("sales", json!({ "a": "x".repeat(10_000) }))
        .await;
    for (step, last) in [
        (
            json!({ "$set": { "a": ["$a", "$a"] } }),
            json!({ "$sortByCount": "$a" }),
        ),
        (
            json!({ "$replaceWith": { "x": "$$ROOT", "y": "$$ROOT" } }),
            json!({ "$group": { "_id": "$x" } }),
        ),
        (
            json!({ "$set": { "a": { "$concat": ["$a", "$a"] } } }),
            json!({ "$count": "n" }),
        ),
    ] {
        let mut stages = vec![step; 28];
        stages.push(last);
        let response = run(&api, Value::Array(stages)).await;
        assert_eq!(response.status, 422, "{}", response.text());
    }
}
