//! Nothing a user can say reaches another user's document: generated filters, pipelines and
//! changes, half of them well-formed and half of them hostile.

use mongodb::bson::{Document, doc};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{TestError, TestRunner},
};
use serde_json::{Map, Value, json};
use testkit::client::Response;

use crate::api::{ANN, Api, BOB, assert_refused, query};

/// Stands in every document of Bob's and nowhere else.
const SECRET: &str = "what-only-bob-may-see";

const NOTES: &str = "/collections/notes/documents";

const FIELDS: &[&str] = &[
    "a", "b", "list", "a.b", "owner_id", "_id", "secret", "_version",
];

const COMPARISONS: &[&str] = &["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"];

/// Keys that a filter or a pipeline could try.
const HOSTILE_KEYS: &[&str] = &[
    "$where",
    "$expr",
    "$function",
    "$accumulator",
    "$jsonSchema",
    "$text",
    "$and",
    "$or",
    "$nor",
    "$not",
    "$elemMatch",
    "$in",
    "$exists",
    "$regex",
    "$type",
    "$mod",
    "$comment",
    "owner_id",
    "owner_id.x",
    "$owner_id",
    "_id",
    "a.$",
    "a.$[]",
    "",
    "\u{ff04}where",
    "owner\u{200b}_id",
];

const HOSTILE_STAGES: &[&str] = &[
    "$lookup",
    "$graphLookup",
    "$unionWith",
    "$out",
    "$merge",
    "$geoNear",
    "$collStats",
    "$indexStats",
    "$documents",
    "$changeStream",
    "$currentOp",
    "$redact",
    "$setWindowFields",
];

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!(".*"),
        json!(ANN),
        json!(BOB),
        json!(SECRET),
        json!({ "$minKey": 1 }),
        json!({ "$maxKey": 1 }),
        json!({ "$oid": "65a1b2c3d4e5f60718293a4b" }),
        json!({ "$date": "2026-01-01T00:00:00Z" }),
        json!([]),
        json!({}),
    ])
}

fn field() -> impl Strategy<Value = String> {
    select(FIELDS).prop_map(str::to_owned)
}

fn object(pairs: Vec<(String, Value)>) -> Value {
    Value::Object(pairs.into_iter().collect::<Map<_, _>>())
}

/// Anything that could be written in JSON by somebody who knows MongoDB.
fn hostile() -> impl Strategy<Value = Value> {
    let key = || select(HOSTILE_KEYS).prop_map(str::to_owned);
    scalar().prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key(), inner), 0..4).prop_map(object),
        ]
    })
}

fn condition() -> impl Strategy<Value = Value> {
    prop_oneof![
        scalar(),
        (select(COMPARISONS), scalar()).prop_map(|(operator, value)| json!({ operator: value })),
        (
            select(&["$in", "$nin"][..]),
            proptest::collection::vec(scalar(), 0..3)
        )
            .prop_map(|(operator, values)| json!({ operator: values })),
        any::<bool>().prop_map(|exists| json!({ "$exists": exists })),
        Just(json!({ "$regex": ".*", "$options": "s" })),
        (select(COMPARISONS), scalar()).prop_map(|(op, v)| json!({ "$not": { op: v } })),
        (select(COMPARISONS), scalar()).prop_map(|(op, v)| json!({ "$elemMatch": { op: v } })),
    ]
}

fn filter() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => (field(), condition()).prop_map(|pair| object(vec![pair])),
        1 => Just(json!({})),
        1 => hostile(),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        (
            select(&["$and", "$or", "$nor"][..]),
            proptest::collection::vec(inner, 1..4),
        )
            .prop_map(|(operator, branches)| json!({ operator: branches }))
    })
}

fn expression() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(vec![
            json!("$owner_id"),
            json!("$secret"),
            json!("$$ROOT"),
            json!("$$CURRENT.secret"),
            json!("$_id"),
            json!("$a"),
            json!(1),
            json!("$$USER_ROLES"),
            json!("$list"),
        ]),
        hostile(),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        (
            select(
                &[
                    "$concat",
                    "$ifNull",
                    "$mergeObjects",
                    "$function",
                    "$eq",
                    "$first",
                ][..],
            ),
            proptest::collection::vec(inner, 1..3),
        )
            .prop_map(|(operator, arguments)| json!({ operator: arguments }))
    })
}

fn stage() -> impl Strategy<Value = Value> {
    prop_oneof![
        filter().prop_map(|filter| json!({ "$match": filter })),
        (field(), expression()).prop_map(|(field, value)| json!({ "$set": { field: value } })),
        (field(), expression()).prop_map(|(field, value)| json!({ "$project": { field: value } })),
        expression().prop_map(|key| json!({
            "$group": { "_id": key, "all": { "$push": "$$ROOT" } }
        })),
        expression().prop_map(|root| json!({ "$replaceWith": root })),
        expression().prop_map(|key| json!({ "$sortByCount": key })),
        Just(json!({ "$unwind": "$list" })),
        Just(json!({ "$unset": "owner_id" })),
        Just(json!({ "$sample": { "size": 100 } })),
        filter().prop_map(|filter| json!({ "$facet": { "x": [{ "$match": filter }] } })),
        (select(HOSTILE_STAGES), hostile()).prop_map(|(stage, value)| json!({ stage: value })),
        select(HOSTILE_STAGES).prop_map(|stage| json!({
            stage: { "from": "notes", "coll": "notes", "as": "x", "pipeline": [], "into": "notes" }
        })),
    ]
}

/// What Ann asks for.
#[derive(Clone, Debug)]
enum Request {
    List { filter: Value, sort: String },
    Aggregate(Vec<Value>),
    Update { filter: Value, patch: Value },
    Delete(Value),
    ById { index: usize, verb: u8, body: Value },
}

fn request() -> impl Strategy<Value = Request> {
    let sort = select(&["", "owner_id:desc", "secret", "_id:desc"][..]).prop_map(str::to_owned);
    let patch = prop_oneof![
        (field(), scalar()).prop_map(|pair| object(vec![pair])),
        hostile(),
    ];
    prop_oneof![
        (filter(), sort).prop_map(|(filter, sort)| Request::List { filter, sort }),
        proptest::collection::vec(stage(), 1..4).prop_map(Request::Aggregate),
        (filter(), patch.clone()).prop_map(|(filter, patch)| Request::Update { filter, patch }),
        filter().prop_map(Request::Delete),
        (0..3_usize, 0..4_u8, patch).prop_map(|(index, verb, body)| Request::ById {
            index,
            verb,
            body
        }),
    ]
}

/// Bob's documents, as they must stay.
struct Bobs {
    ids: Vec<String>,
    documents: Vec<Document>,
}

async fn prepare(api: &Api) -> Bobs {
    let mut ids = Vec::new();
    for n in 0..3 {
        let body = json!({ "a": n, "secret": SECRET, "list": [SECRET, n] });
        ids.push(api.user(BOB).create("notes", body).await);
    }
    Bobs {
        ids,
        documents: bobs(api).await,
    }
}

async fn bobs(api: &Api) -> Vec<Document> {
    api.all("notes", doc! { "secret": SECRET }, doc! { "_id": 1 })
        .await
}

async fn send(api: &Api, bobs: &Bobs, request: Request) -> Response {
    let only_filter =
        |filter: &Value| format!("{NOTES}{}", query(&[("filter", &filter.to_string())]));
    match request {
        Request::List { filter, sort } => {
            let filter = filter.to_string();
            let pairs = [
                ("filter", filter.as_str()),
                ("sort", &sort),
                ("limit", "100"),
            ];
            let path = format!("{NOTES}{}", query(&pairs));
            api.get(&path).send().await
        }
        Request::Aggregate(stages) => {
            let body = json!({ "pipeline": stages });
            api.post("/collections/notes/aggregate", &body).send().await
        }
        Request::Update { filter, patch } => api.patch(&only_filter(&filter), &patch).send().await,
        Request::Delete(filter) => api.delete(&only_filter(&filter)).send().await,
        Request::ById { index, verb, body } => {
            let path = format!("{NOTES}/{}", bobs.ids[index]);
            match verb {
                0 => api.get(&path).send().await,
                1 => api.patch(&path, &body).send().await,
                2 => api.put(&path, &body).send().await,
                _ => api.delete(&path).send().await,
            }
        }
    }
}

#[tokio::test]
async fn a_uuid_of_another_user_cannot_be_taken_over() {
    let api = Api::start().await;
    let path = format!("{NOTES}/0b6f6d1e-3f8a-4b5e-9c55-0a1b2c3d4e5f");
    let created = api
        .user(BOB)
        .put(&path, &json!({ "secret": SECRET }))
        .send()
        .await;
    assert_eq!(created.status, 201);
    let taken = api.put(&path, &json!({ "mine": true })).send().await;
    assert_refused(&taken, 404, "document_not_found");
    assert_eq!(bobs(&api).await.len(), 1);
}

#[test]
fn nothing_a_user_can_say_reaches_another_users_document() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let api = runtime.block_on(Api::start());
    let bobs_documents = runtime.block_on(prepare(&api));
    let accepted = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 600,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    });
    let result = runner.run(&request(), |request| {
        runtime.block_on(async {
            api.create("notes", json!({ "a": 1, "list": [1, "x"], "b": "x" }))
                .await;
            // What Ann wrote herself she may see again.
            let echoes = format!("{request:?}").contains(SECRET);
            let by_id = matches!(request, Request::ById { .. });
            let response = send(&api, &bobs_documents, request).await;
            let status = response.status.as_u16();
            prop_assert!(status < 500, "{}", response.text());
            prop_assert!(!by_id || status >= 400, "{}", response.text());
            prop_assert!(
                echoes || !response.text().contains(SECRET),
                "{}",
                response.text()
            );
            accepted.set(accepted.get() + u32::from(status < 300));
            if echoes {
                let own = doc! { "owner_id": ANN };
                api.stored("notes").delete_many(own).await.unwrap();
            }
            prop_assert_eq!(&bobs(&api).await, &bobs_documents.documents);
            Ok(())
        })
    });
    match result {
        Ok(()) => assert!(
            accepted.get() > 100,
            "only {} were accepted",
            accepted.get()
        ),
        Err(TestError::Fail(reason, request)) => panic!("{reason}\n{request:#?}"),
        Err(error) => panic!("{error}"),
    }
}
