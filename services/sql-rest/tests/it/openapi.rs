//! The root document.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stack::{Stack, stack_with, user};

async fn library(pairs: &[(&str, &str)]) -> Stack {
    stack_with("library", include_str!("openapi.sql"), pairs).await
}

async fn document(pairs: &[(&str, &str)]) -> Value {
    let stack = library(pairs).await;
    stack
        .client
        .get("/")
        .send()
        .await
        .expect(StatusCode::OK)
        .json()
}

/// The keys of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn references(value: &Value) -> Vec<&str> {
    let list = value.as_array().expect("a list");
    list.iter()
        .filter_map(|item| item["$ref"].as_str())
        .map(|text| text.trim_start_matches("#/parameters/"))
        .collect()
}

#[tokio::test]
async fn the_root_describes_the_schema() {
    let document = document(&[]).await;
    assert_eq!(document["swagger"], "2.0");
    assert_eq!(document["info"]["title"], "Library");
    assert_eq!(document["info"]["description"], "Books and\nwho wrote them");
    let docs = &document["externalDocs"]["url"];
    assert_eq!(docs, "https://postgrest.org/en/v16/references/api.html");
    assert_eq!(document["security"], Value::Null);
    assert_eq!(document["securityDefinitions"], Value::Null);
    let paths = keys(&document["paths"]);
    for path in [
        "/",
        "/authors",
        "/book_titles",
        "/books",
        "/catalogue",
        "/loans",
        "/novels",
        "/rpc/any_of",
        "/rpc/lend",
        "/rpc/search",
    ] {
        assert!(paths.contains(&path), "{path}: {paths:?}");
    }
    for path in [
        "/members_only",
        "/rpc/close_library",
        "/things",
        "/loans_now",
    ] {
        assert!(!paths.contains(&path), "{path}");
    }
}

#[tokio::test]
async fn the_root_is_given_in_its_own_media_type() {
    let stack = library(&[]).await;
    let root = async |method: Method, accept: &str| {
        let request = stack.client.request(method, "/").header("accept", accept);
        request.send().await
    };
    for accept in ["application/openapi+json", "application/json", "*/*"] {
        let answer = root(Method::GET, accept).await.expect(StatusCode::OK);
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/openapi+json; charset=utf-8"));
        assert!(answer.header("content-length").is_some());
    }
    let head = root(Method::HEAD, "application/openapi+json").await;
    let head = head.expect(StatusCode::OK);
    assert!(head.bytes.is_empty());
    let csv = root(Method::GET, "text/csv").await;
    let csv = csv.expect(StatusCode::NOT_ACCEPTABLE).json();
    assert_eq!(csv["code"], "PGRST107");
    let elsewhere = stack.client.get("/books");
    let elsewhere = elsewhere.header("accept", "application/openapi+json");
    elsewhere.send().await.expect(StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_definition_tells_types_defaults_and_keys() {
    let document = document(&[]).await;
    let definitions = &document["definitions"];
    let expected = json!({
        "type": "object",
        "description": "What can be lent\n\nand must be\nbrought back",
        "required": ["id", "title"],
        "properties": {
            "id": {
                "type": "integer", "format": "int32",
                "description": "Shelf mark\n\nNote:\nThis is a Primary Key.<pk/>"
            },
            "title": { "type": "string", "format": "text" },
            "genre": {
                "type": "string", "format": "api.genre", "default": "novel",
                "enum": ["novel", "poetry"]
            },
            "code": { "type": "string", "format": "character varying", "maxLength": 13 },
            "pages": { "type": "integer", "format": "int32", "default": 42 },
            "price": { "type": "number", "format": "numeric", "default": 9.5 },
            "lent": { "type": "boolean", "format": "boolean", "default": false },
            "published": { "type": "string", "format": "date", "default": "1900-01-01" },
            "tags": { "type": "array", "format": "text[]", "items": { "type": "string" } },
            "extra": { "format": "jsonb" },
            "author_id": {
                "type": "integer", "format": "int64",
                "description": "Note:\nThis is a Foreign Key to `authors.id`.\
                                <fk table='authors' column='id'/>"
            }
        }
    });
    assert_eq!(definitions["books"], expected);
    let order = keys(&definitions["authors"]["properties"]);
    assert_eq!(order, ["id", "name"]);
    assert_eq!(
        definitions["authors"]["properties"]["name"],
        json!({
            "type": "string", "format": "character varying", "maxLength": 40, "default": "nobody",
            "description": "As printed"
        })
    );
    assert_eq!(definitions["book_titles"]["required"], Value::Null);
    let of_view = &definitions["novels"]["properties"];
    assert_eq!(
        of_view["id"]["description"],
        "Note:\nThis is a Primary Key.<pk/>"
    );
    assert_eq!(
        definitions["loans"]["properties"]["author_id"]["description"],
        of_view["author_id"]["description"]
    );
}

#[tokio::test]
async fn a_path_tells_what_can_be_done_with_a_relation() {
    let document = document(&[]).await;
    let books = &document["paths"]["/authors"];
    assert_eq!(keys(books), ["delete", "get", "patch", "post"]);
    assert_eq!(books["get"]["summary"], "People who write");
    assert_eq!(books["get"]["tags"], json!(["authors"]));
    let filters = ["rowFilter.authors.id", "rowFilter.authors.name"];
    let reading = [
        "select",
        "order",
        "range",
        "rangeUnit",
        "offset",
        "limit",
        "preferCount",
    ];
    let expected: Vec<&str> = filters.into_iter().chain(reading).collect();
    assert_eq!(references(&books["get"]["parameters"]), expected);
    assert_eq!(
        references(&books["post"]["parameters"]),
        ["body.authors", "select", "preferPost"]
    );
    assert_eq!(
        books["get"]["responses"]["200"]["schema"],
        json!({ "type": "array", "items": { "$ref": "#/definitions/authors" } })
    );
    for (method, status, description) in [
        ("post", "201", "Created"),
        ("patch", "204", "No Content"),
        ("delete", "204", "No Content"),
    ] {
        let response = &books[method]["responses"][status];
        assert_eq!(response["description"], description);
    }
    assert_eq!(keys(&document["paths"]["/book_titles"]), ["get"]);
    assert_eq!(keys(&document["paths"]["/catalogue"]), ["get"]);
    let parameters = &document["parameters"];
    assert_eq!(
        parameters["rowFilter.authors.name"],
        json!({
            "name": "name", "in": "query", "required": false, "type": "string",
            "description": "As printed"
        })
    );
    assert_eq!(
        parameters["body.authors"],
        json!({
            "name": "authors", "in": "body", "required": false, "description": "authors",
            "schema": { "$ref": "#/definitions/authors" }
        })
    );
    assert_eq!(parameters["preferParams"]["enum"], Value::Null);
}

#[tokio::test]
async fn a_path_tells_how_a_function_is_called() {
    let document = document(&[]).await;
    let search = &document["paths"]["/rpc/search"];
    assert_eq!(search["get"]["tags"], json!(["(rpc) search"]));
    assert_eq!(search["post"]["summary"], "Finds books");
    assert_eq!(search["post"]["description"], "by words");
    let query = |name: &str, format: &str, kind: &str, required: bool| {
        json!({
            "name": name, "in": "query", "required": required, "format": format, "type": kind
        })
    };
    let expected = json!([
        query("words", "text", "string", true),
        query("genre", "genre", "string", false),
        query("limit", "int32", "integer", false),
        query("codes", "text[]", "string", false)
    ]);
    assert_eq!(search["get"]["parameters"], expected);
    let body = &search["post"]["parameters"][0]["schema"];
    assert_eq!(body["required"], json!(["words"]));
    assert_eq!(
        body["properties"]["codes"],
        json!({ "type": "array", "format": "text[]", "items": { "type": "string" } })
    );
    assert_eq!(body["description"], "Finds books\nby words");

    let lend = &document["paths"]["/rpc/lend"];
    assert_eq!(keys(lend), ["post"]);
    let body = &lend["post"]["parameters"][0]["schema"];
    assert_eq!(body["required"], json!(["book_id", "note"]));
    assert_eq!(
        document["paths"]["/rpc/any_of"]["get"]["parameters"][0],
        json!({
            "name": "v", "in": "query", "required": false, "type": "array",
            "collectionFormat": "multi", "items": { "type": "string", "format": "text" }
        })
    );
}

#[tokio::test]
async fn what_a_role_may_not_use_is_hidden_from_it() {
    let stack = library(&[]).await;
    let request = stack.client.get("/").bearer(&user("u1"));
    let document = request.send().await.expect(StatusCode::OK).json();
    let path = |path: &str| document["paths"][path]["post"]["tags"][0].clone();
    assert_eq!(path("/members_only"), "members_only");
    assert_eq!(path("/rpc/close_library"), "(rpc) close_library");
    assert_eq!(document["paths"]["/books"], Value::Null);
    let column = &document["parameters"]["rowFilter.members_only.a/b"];
    assert_eq!(column["name"], "a/b");
    let filter = &document["paths"]["/members_only"]["get"]["parameters"][1];
    assert_eq!(filter["$ref"], "#/parameters/rowFilter.members_only.a~1b");
}

#[tokio::test]
async fn everything_or_nothing_can_be_shown() {
    let all = document(&[("PGRST_OPENAPI_MODE", "ignore-privileges")]).await;
    assert!(all["paths"]["/members_only"]["get"].is_object());
    assert!(all["paths"]["/rpc/close_library"]["post"].is_object());

    let stack = library(&[("PGRST_OPENAPI_MODE", "disabled")]).await;
    let nothing = stack.client.get("/").send().await;
    let expected = json!({
        "code": "PGRST126", "details": null, "hint": null,
        "message": "Root endpoint metadata is disabled"
    });
    assert_eq!(nothing.expect(StatusCode::NOT_FOUND).json(), expected);
}

#[tokio::test]
async fn the_address_and_the_need_for_a_token_are_settings() {
    let document = document(&[
        ("PGRST_OPENAPI_SERVER_PROXY_URI", "https://example.com/rest"),
        ("PGRST_OPENAPI_SECURITY_ACTIVE", "true"),
    ])
    .await;
    assert_eq!(document["schemes"], json!(["https"]));
    assert_eq!(document["host"], "example.com:443");
    assert_eq!(document["basePath"], "/rest");
    assert_eq!(document["security"], json!([{ "JWT": [] }]));
    let scheme = &document["securityDefinitions"]["JWT"];
    assert_eq!(scheme["type"], "apiKey");
    assert_eq!(scheme["in"], "header");
    assert_eq!(scheme["name"], "Authorization");
}

#[tokio::test]
async fn each_of_several_schemas_has_its_own_document() {
    let stack = library(&[("PGRST_DB_SCHEMAS", "api, other")]).await;
    let request = stack.client.get("/").header("accept-profile", "other");
    let answer = request.send().await.expect(StatusCode::OK);
    assert_eq!(answer.header("content-profile"), Some("other"));
    let document = answer.json();
    assert_eq!(keys(&document["paths"]), ["/", "/things"]);
    assert_eq!(document["info"]["title"], "PostgREST API");
}

#[tokio::test]
async fn a_function_can_stand_in_for_the_document() {
    let stack = library(&[("PGRST_DB_ROOT_SPEC", "root")]).await;
    for (accept, kind) in [
        (
            "application/openapi+json",
            "application/openapi+json; charset=utf-8",
        ),
        ("application/json", "application/json; charset=utf-8"),
    ] {
        let request = stack.client.get("/").header("accept", accept);
        let answer = request.send().await.expect(StatusCode::OK);
        assert_eq!(answer.header("content-type"), Some(kind));
        assert_eq!(answer.json(), json!({ "swagger": "2.0" }));
    }
}
