//! Lists: filters, order, fields, pages.

use mongodb::bson::{Bson, DateTime, Document, doc};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::api::{ANN, Api, BOB, assert_refused, hasty, query};

const NOTES: &str = "/collections/notes/documents";

async fn list(api: &Api, pairs: &[(&str, &str)]) -> Value {
    let response = api.get(&format!("{NOTES}{}", query(pairs))).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

fn column(page: &Value, field: &str) -> Vec<Value> {
    let documents = page["data"].as_array().expect("a list").iter();
    documents.map(|document| document[field].clone()).collect()
}

async fn numbered(api: &Api, count: i32) {
    let documents = (0..count).map(|n| doc! { "owner_id": ANN, "n": n, "parity": n % 2 });
    api.fill("notes", documents).await;
}

#[tokio::test]
async fn a_filter_selects() {
    let api = Api::start().await;
    api.create(
        "notes",
        json!({ "n": 1, "tags": ["x", "y"], "at": { "$date": "2026-01-01T00:00:00Z" } }),
    )
    .await;
    let second = api
        .create(
            "notes",
            json!({ "n": 2, "items": [{ "p": 1 }, { "p": 5 }] }),
        )
        .await;
    api.create(
        "notes",
        json!({ "n": 3, "title": "Überschrift", "a": { "b": "c" } }),
    )
    .await;
    let by_id = json!({ "_id": { "$in": [second] } }).to_string();
    for (filter, expected) in [
        ("{}", json!([1, 2, 3])),
        (r#"{"n":{"$gt":1,"$lte":3}}"#, json!([2, 3])),
        (r#"{"tags":"x"}"#, json!([1])),
        (r#"{"tags":{"$all":["x","y"],"$size":2}}"#, json!([1])),
        (r#"{"items":{"$elemMatch":{"p":{"$gt":4}}}}"#, json!([2])),
        (r#"{"title":{"$regex":"^über","$options":"i"}}"#, json!([3])),
        (r#"{"a.b":"c"}"#, json!([3])),
        (
            r#"{"$or":[{"n":1},{"title":{"$exists":true}}]}"#,
            json!([1, 3]),
        ),
        (r#"{"n":{"$not":{"$in":[1,2]}}}"#, json!([3])),
        (
            r#"{"at":{"$lt":{"$date":"2026-06-01T00:00:00Z"}}}"#,
            json!([1]),
        ),
        (&by_id, json!([2])),
    ] {
        let page = list(&api, &[("filter", filter), ("sort", "n")]).await;
        assert_eq!(Value::Array(column(&page, "n")), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_list_holds_own_documents_only() {
    let api = Api::start().await;
    api.create("notes", json!({ "n": 1 })).await;
    api.user(BOB).create("notes", json!({ "n": 2 })).await;
    assert_eq!(column(&list(&api, &[]).await, "n"), [1]);
    let filter = json!({ "owner_id": BOB }).to_string();
    assert!(column(&list(&api, &[("filter", &filter)]).await, "n").is_empty());
}

#[tokio::test]
async fn fields_are_chosen() {
    let api = Api::start().await;
    let body = json!({ "a": { "b": 1, "c": 2 }, "d": 3, "e": 4 });
    let id = api.create("notes", body).await;
    let page = list(&api, &[("fields", "a.b,d")]).await;
    assert_eq!(
        page["data"],
        json!([{ "_id": id, "a": { "b": 1 }, "d": 3 }])
    );
}

#[tokio::test]
async fn nothing_is_counted_unless_asked() {
    let api = Api::start().await;
    numbered(&api, 30).await;
    let page = list(&api, &[]).await;
    assert_eq!(page["meta"]["pagination"]["limit"], 20);
    assert_eq!(page["meta"]["pagination"]["offset"], 0);
    assert_eq!(page["meta"]["pagination"].get("total"), None);
    let none = list(&api, &[("count", "none")]).await;
    assert_eq!(none["meta"]["pagination"].get("total"), None);
    let filter = r#"{"parity":0}"#;
    let exact = list(
        &api,
        &[("count", "exact"), ("filter", filter), ("limit", "3")],
    )
    .await;
    assert_eq!(exact["meta"]["pagination"]["total"], 15);
}

#[tokio::test]
async fn pages_follow_each_other_by_offset_and_by_cursor() {
    let api = Api::start().await;
    numbered(&api, 45).await;
    let by_offset = list(&api, &[("sort", "n"), ("offset", "40")]).await;
    assert_eq!(column(&by_offset, "n"), [40, 41, 42, 43, 44]);
    assert_eq!(by_offset["meta"]["pagination"].get("next_cursor"), None);

    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut pairs = vec![("sort", "parity:desc,n"), ("limit", "10"), ("fields", "n")];
        if let Some(cursor) = &cursor {
            pairs.push(("cursor", cursor));
        }
        let page = list(&api, &pairs).await;
        seen.extend(column(&page, "n"));
        match page["meta"]["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let odd = (0..45).filter(|n| n % 2 == 1);
    let expected: Vec<Value> = odd
        .chain((0..45).filter(|n| n % 2 == 0))
        .map(Value::from)
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_is_no_list_is_refused() {
    let api = Api::start().await;
    numbered(&api, 30).await;
    let page = list(&api, &[("sort", "n")]).await;
    let cursor = page["meta"]["pagination"]["next_cursor"].as_str().unwrap();
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(17_000));
    for (pairs, status, code) in [
        (vec![("limit", "0")], 400, "invalid_query"),
        (vec![("limit", "101")], 400, "invalid_query"),
        (vec![("limit", "x")], 400, "invalid_query"),
        (vec![("limit", "1"), ("limit", "2")], 400, "invalid_query"),
        (vec![("offset", "10001")], 400, "invalid_query"),
        (vec![("offset", "-1")], 400, "invalid_query"),
        (vec![("count", "maybe")], 400, "invalid_query"),
        (vec![("unknown", "1")], 400, "invalid_query"),
        (vec![("sort", "n:up")], 400, "invalid_query"),
        (vec![("sort", "$n")], 422, "invalid_key"),
        (vec![("fields", "$n")], 422, "invalid_key"),
        (vec![("cursor", "x")], 400, "invalid_cursor"),
        (vec![("cursor", cursor)], 400, "invalid_cursor"),
        (
            vec![("cursor", cursor), ("sort", "n"), ("offset", "1")],
            400,
            "invalid_query",
        ),
        (vec![("filter", "{")], 400, "invalid_json"),
        (vec![("filter", "[]")], 422, "invalid_value"),
        (vec![("filter", r#"{"a":1,"a":2}"#)], 422, "repeated_key"),
        (
            vec![("filter", r#"{"$where":"1"}"#)],
            422,
            "operator_not_allowed",
        ),
        (
            vec![("filter", r#"{"a":{"$regex":"["}}"#)],
            422,
            "refused_by_database",
        ),
        (vec![("filter", &long)], 422, "too_complex"),
    ] {
        let response = api.get(&format!("{NOTES}{}", query(&pairs))).send().await;
        assert_refused(&response, status, code);
    }
}

#[tokio::test]
async fn a_slow_filter_and_a_large_sort_end_with_a_code() {
    let api = Api::with(hasty()).await;
    let text = "a".repeat(2000) + "b";
    let documents = (0..2000).map(|n| doc! { "owner_id": ANN, "n": n, "text": &text });
    api.fill("notes", documents).await;
    let filter = r#"{"text":{"$regex":"(a+)+$"}}"#;
    let path = format!("{NOTES}{}", query(&[("filter", filter)]));
    let response = api.get(&path).send().await;
    assert!(
        [503, 422].contains(&response.status.as_u16()),
        "{}",
        response.text()
    );

    let api = Api::start().await;
    let text = "x".repeat(1024 * 1024);
    for _ in 0..15 {
        let documents = (0..8).map(|n| doc! { "owner_id": ANN, "n": n, "text": &text });
        api.fill("notes", documents).await;
    }
    let sorted = format!("{NOTES}{}", query(&[("sort", "n"), ("limit", "100")]));
    assert_refused(&api.get(&sorted).send().await, 422, "query_too_large");
    let unsorted = format!("{NOTES}?limit=100");
    assert_refused(&api.get(&unsorted).send().await, 422, "response_too_large");
    let one = format!("{NOTES}{}", query(&[("limit", "1")]));
    assert_eq!(api.get(&one).send().await.status, 200);
}

/// Values of every type that sorts, many of them equal.
fn value() -> impl Strategy<Value = Option<Bson>> {
    prop_oneof![
        Just(None),
        Just(Some(Bson::Null)),
        (-2..3).prop_map(|n| Some(Bson::Int32(n))),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.5)].prop_map(|n| Some(n.into())),
        "[ab]{0,2}".prop_map(|text| Some(text.into())),
        any::<bool>().prop_map(|yes| Some(yes.into())),
        (0..3_i64).prop_map(|ms| Some(DateTime::from_millis(ms).into())),
        (0..3).prop_map(|n| Some(doc! { "x": n }.into())),
        Just(Some(Bson::MinKey)),
        Just(Some(Bson::MaxKey)),
    ]
}

#[test]
fn cursors_visit_every_document_once_whatever_its_types() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let api = runtime.block_on(Api::start());
    let documents = proptest::collection::vec((value(), value()), 1..40);
    let cases = (documents, any::<bool>(), any::<bool>(), 1..7);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
    runner
        .run(&cases, |(documents, a, b, limit)| {
            runtime.block_on(visits_once(&api, documents, (a, b), limit))
        })
        .unwrap();
}

async fn visits_once(
    api: &Api,
    documents: Vec<(Option<Bson>, Option<Bson>)>,
    (a, b): (bool, bool),
    limit: i32,
) -> Result<(), TestCaseError> {
    let emptied = api.stored("notes").delete_many(doc! {}).await;
    prop_assert!(emptied.is_ok());
    let documents = documents.into_iter().enumerate().map(|(n, (a, b))| {
        let n = i32::try_from(n).unwrap_or_default();
        let mut document =
            doc! { "_id": format!("{:08}", n * 7919 % 1009), "owner_id": ANN, "n": n };
        document.extend(a.map(|value| ("a".to_owned(), value)));
        document.extend(b.map(|value| ("b".to_owned(), value)));
        document
    });
    api.fill("notes", documents).await;

    let one = |ascending| if ascending { 1 } else { -1 };
    let order = doc! { "a": one(a), "b": one(b), "_id": one(b) };
    let in_order = api.all("notes", doc! {}, order).await;
    let number = |document: &Document| Value::from(document.get_i32("n").unwrap_or_default());
    let expected: Vec<Value> = in_order.iter().map(number).collect();

    let word = |ascending| if ascending { "asc" } else { "desc" };
    let sort = format!("a:{},b:{}", word(a), word(b));
    let limit = limit.to_string();
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    while seen.len() <= expected.len() {
        let mut pairs = vec![("sort", sort.as_str()), ("limit", &limit), ("fields", "n")];
        pairs.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = list(api, &pairs).await;
        seen.extend(column(&page, "n"));
        match page["meta"]["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    prop_assert_eq!(seen, expected);
    Ok(())
}
