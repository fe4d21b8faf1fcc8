//! Media types: those that are built in, and those the database makes.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::client::Response;

use crate::stack::{Stack, stack_with};

async fn gallery() -> Stack {
    let settings = [("PGRST_DB_EXTRA_SEARCH_PATH", "extra")];
    stack_with("media", include_str!("media.sql"), &settings).await
}

async fn get(stack: &Stack, path: &str, accept: &str) -> Response {
    let request = stack.client.get(path).header("accept", accept);
    request.send().await
}

/// Asks for each path in a media type and expects a body in another.
async fn answers(cases: &[(&str, &str, &str, &[u8])]) {
    let stack = gallery().await;
    for (path, accept, kind, body) in cases {
        let answer = get(&stack, path, accept).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} as {accept}");
        assert_eq!(
            answer.header("content-type"),
            Some(*kind),
            "{path} as {accept}"
        );
        let length = body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
        assert_eq!(answer.bytes.as_ref(), *body, "{path} as {accept}");
    }
}

async fn refuses(cases: &[(&str, &str)]) {
    let stack = gallery().await;
    for (path, accept) in cases {
        let answer = get(&stack, path, accept).await;
        let answer = answer.expect(StatusCode::NOT_ACCEPTABLE);
        let expected = json!({
            "code": "PGRST107", "details": null, "hint": null,
            "message": format!("None of these media types are available: {accept}")
        });
        assert_eq!(answer.json(), expected, "{path}");
    }
}

#[tokio::test]
async fn an_aggregate_makes_a_media_type_of_a_relation() {
    let packed = "application/vnd.packed";
    answers(&[
        ("/lines", packed, packed, b"\0\0\0\x01\0\0\0\x02"),
        ("/lines?id=eq.2", packed, packed, b"\0\0\0\x02"),
        ("/rpc/all_lines", packed, packed, b"\0\0\0\x01\0\0\0\x02"),
        (
            "/documents",
            "text/xml",
            "text/xml; charset=utf-8",
            b"<a/><b>c</b>",
        ),
        (
            "/projects",
            "text/tab-separated-values",
            "text/tab-separated-values",
            b"id\tname\n1\troof\n2\tdoor\n",
        ),
        (
            "/shops",
            "application/json",
            "application/json; charset=utf-8",
            b"{\"own\": true}",
        ),
    ])
    .await;
    refuses(&[
        ("/lines", "text/plain"),
        ("/lines?select=id", packed),
        ("/lines?select=id,name", packed),
        ("/lines?select=name,id", packed),
        ("/rpc/all_lines", "application/octet-stream"),
        ("/projects", "undefined"),
    ])
    .await;
}

#[tokio::test]
async fn an_aggregate_over_anything_makes_a_media_type_of_any_shape() {
    let count = "application/vnd.count+json";
    answers(&[
        ("/lines", count, count, b"{\"count\": 2}"),
        ("/rpc/all_lines", count, count, b"{\"count\": 2}"),
        ("/shops", count, count, b"\"own\""),
        ("/rpc/all_shops", count, count, b"\"own\""),
        (
            "/projects",
            "pg/rows",
            "pg/rows",
            b"(1,roof,1)\n(2,door,)\n",
        ),
        (
            "/projects?select=name,id",
            "pg/rows",
            "pg/rows",
            b"(roof,1)\n(door,2)\n",
        ),
        (
            "/shops?select=id,shouted",
            "pg/rows",
            "pg/rows",
            b"(1,CORNER)\n",
        ),
        (
            "/projects?select=*,shops(id)&id=eq.1",
            "pg/rows",
            "pg/rows",
            b"(1,roof,1,\"{\"\"id\"\":1}\")\n",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_function_can_give_a_media_type() {
    let packed = "application/vnd.packed";
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/png,*/*;q=0.8";
    answers(&[
        ("/rpc/page.html", "text/html", "text/html", b"<p>Hello</p>"),
        (
            "/rpc/welcome",
            "text/plain",
            "text/plain; charset=utf-8",
            b"Welcome",
        ),
        (
            "/rpc/one_tag",
            "text/xml",
            "text/xml; charset=utf-8",
            b"<tag/>",
        ),
        ("/rpc/picture", "image/png", "image/png", b"\x89PNG"),
        ("/rpc/picture", "image/png, */*", "image/png", b"\x89PNG"),
        ("/rpc/picture", browser, "image/png", b"\x89PNG"),
        ("/rpc/pack_line?id=1", packed, packed, b"\0\0\0\x01"),
        ("/rpc/pack_line?id=7", packed, packed, b""),
        (
            "/rpc/welcome",
            "*/*",
            "application/json; charset=utf-8",
            b"\"Welcome\"",
        ),
        (
            "/projects?id=eq.2",
            "text/plain, application/json",
            "application/json; charset=utf-8",
            br#"[{"id":2,"name":"door","shop_id":null}]"#,
        ),
    ])
    .await;
    refuses(&[
        ("/rpc/welcome", "text/xml"),
        ("/rpc/welcome_twice", "text/plain"),
        ("/rpc/greeting", "text/plain"),
        ("/rpc/greeting", "application/octet-stream"),
    ])
    .await;
}

#[tokio::test]
async fn any_media_type_can_be_left_to_the_database() {
    let bytes = "application/octet-stream";
    answers(&[
        ("/rpc/anything", "*/*", bytes, b"any"),
        ("/rpc/anything", "image/boingo", bytes, b"any"),
        ("/rpc/something", "app/chico", "app/chico", b"app/chico"),
        ("/rpc/something", "*/*", "app/groucho", b"*/*"),
        ("/numbers", "*/*", bytes, b"12"),
        ("/numbers?val=eq.2", "magic/number", "magic/number", b"2"),
        ("/numbers?val=eq.1", "unknown/unknown", bytes, b"1"),
    ])
    .await;
    let stack = gallery().await;
    let answer = get(&stack, "/rpc/something", "text/csv").await;
    answer.expect(StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_handler_may_add_headers() {
    let stack = gallery().await;
    let answer = get(&stack, "/lines", "text/csv").await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(
        answer.header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    let name = answer.header("content-disposition");
    assert_eq!(name, Some("attachment; filename=\"lines.csv\""));
    assert_eq!(answer.text(), "\u{feff}1,first\n2,second\n");
}

#[tokio::test]
async fn vendored_media_types_are_nobody_elses() {
    let stack = gallery().await;
    let answer = get(&stack, "/shops?id=eq.1", "application/vnd.pgrst.object").await;
    let answer = answer.expect(StatusCode::OK);
    let kind = answer.header("content-type");
    assert_eq!(
        kind,
        Some("application/vnd.pgrst.object+json; charset=utf-8")
    );
    assert_eq!(answer.text(), r#"{"id":1,"name":"corner"}"#);
}

#[tokio::test]
async fn nulls_can_be_left_out() {
    let array = "application/vnd.pgrst.array+json;nulls=stripped";
    let object = "application/vnd.pgrst.object+json;nulls=stripped";
    answers(&[
        (
            "/projects?id=eq.2",
            array,
            "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
            br#"[{"id":2,"name":"door"}]"#,
        ),
        (
            "/projects?id=eq.2",
            object,
            "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8",
            br#"{"id":2,"name":"door"}"#,
        ),
        (
            "/projects?id=eq.2",
            "application/vnd.pgrst.array+json",
            "application/json; charset=utf-8",
            br#"[{"id":2,"name":"door","shop_id":null}]"#,
        ),
    ])
    .await;
}

fn feature(id: i32, name: &str) -> Value {
    json!({
        "type": "Feature",
        "geometry": { "type": "Point", "coordinates": [1, 2] },
        "properties": { "id": id, "name": name }
    })
}

#[tokio::test]
async fn rows_with_a_geometry_are_features() {
    let stack = gallery().await;
    let collection =
        |features: &[Value]| json!({ "type": "FeatureCollection", "features": features });
    for (path, expected) in [
        ("/places", collection(&[feature(1, "here")])),
        ("/places?id=gt.1", collection(&[])),
        ("/rpc/one_place?id=1", collection(&[feature(1, "here")])),
    ] {
        let answer = get(&stack, path, "application/geo+json").await;
        let answer = answer.expect(StatusCode::OK);
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/geo+json; charset=utf-8"), "{path}");
        assert_eq!(answer.json(), expected, "{path}");
    }
    let none = get(&stack, "/projects", "application/geo+json").await;
    let none = none.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(none["code"], "22023");
    assert_eq!(none["message"], "geometry column is missing");
}

#[tokio::test]
async fn written_rows_are_features_too() {
    let stack = gallery().await;
    let geometry = json!({ "type": "Point", "coordinates": [1, 2] });
    let place = json!({ "id": 2, "name": "there", "geom": geometry });
    let write = async |method: Method, path: &str, body: &Value| {
        let request = stack
            .client
            .request(method, path)
            .header("accept", "application/geo+json")
            .header("prefer", "return=representation");
        request.body(body.to_string()).send().await
    };
    let posted = write(Method::POST, "/places", &place).await;
    let posted = posted.expect(StatusCode::CREATED).json();
    assert_eq!(posted["features"], json!([feature(2, "there")]));
    let patched = write(Method::PATCH, "/places?id=eq.2", &json!({ "name": "gone" })).await;
    let patched = patched.expect(StatusCode::OK).json();
    assert_eq!(patched["features"], json!([feature(2, "gone")]));
    let deleted = write(Method::DELETE, "/places?id=eq.2", &Value::Null).await;
    let deleted = deleted.expect(StatusCode::OK).json();
    assert_eq!(deleted["features"], json!([feature(2, "gone")]));
}

#[tokio::test]
async fn head_tells_the_media_type_and_gives_nothing() {
    let stack = gallery().await;
    for (path, accept, kind) in [
        ("/lines", "application/vnd.packed", "application/vnd.packed"),
        ("/projects", "text/csv", "text/csv; charset=utf-8"),
        ("/rpc/welcome", "text/plain", "text/plain; charset=utf-8"),
    ] {
        let request = stack.client.request(Method::HEAD, path);
        let answer = request.header("accept", accept).send().await;
        let answer = answer.expect(StatusCode::OK);
        assert_eq!(answer.header("content-type"), Some(kind));
        assert_eq!(answer.header("content-length"), None);
        assert!(answer.bytes.is_empty());
    }
}
