//! Bodies of writes, and what is wrong with them.

use super::{case::*, *};

#[tokio::test]
async fn bodies_are_read_as_their_type_says() {
    let spec = Spec::start().await;
    let csv = |body: &str, status: u16| {
        case(Method::POST, "/no_pk", status)
            .header("content-type", "text/csv")
            .body(body)
    };
    let form = |path: &str, body: &str| {
        case(Method::POST, path, 201)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let json_of = |body: &str| case(Method::POST, "/no_pk", 201).body(body);
    spec.check([
        csv("a,b\nx,NULL", 201)
            .header("accept", "text/csv")
            .prefer("return=representation")
            .text("a,b\nx,")
            .carries("content-type", "text/csv; charset=utf-8"),
        csv("a,b\r\n1,\"\"\r\n\"x, \"\"y\"\"\",\"NULL\"\r\n", 201)
            .rows(json!([{"a": "1", "b": ""}, {"a": "x, \"y\"", "b": "NULL"}])),
        csv("a,b\nx,y\nz", 400).refused("PGRST102", "All lines must have same number of fields"),
        csv("", 400).refused("PGRST102", "Empty or invalid csv"),
        form("/no_pk", "a=1&a=2+3&b=").rows(json!([{"a": "2 3", "b": ""}])),
        form(
            "/samples?select=id,amount,flag,mood",
            "id=9&amount=1.5&flag=true&mood=ok",
        )
        .rows(json!([{"id": 9, "amount": 1.5, "flag": true, "mood": "ok"}])),
        json_of("\t\n {\"a\": \"1\"}\r\n ").rows(json!([{"a": "1", "b": null}])),
        json_of(r#"[{"a": "1", "b": "2"}, {"b": "4", "a": "3"}]"#)
            .rows(json!([{"a": "1", "b": "2"}, {"a": "3", "b": "4"}])),
        json_of("3").rows(json!([])),
        json_of("[]").nothing(),
        json_of(r#"{"a": "1"}"#)
            .header("content-type", "application/json; charset=utf-8; anything")
            .nothing(),
        case(Method::POST, "/no_pk", 400)
            .header("content-type", "text/plain")
            .body("x")
            .refused("PGRST102", "Content-Type not acceptable: text/plain"),
        case(Method::POST, "/no_pk", 400)
            .body(r#"[{"a": "1"}, 5]"#)
            .refused("PGRST102", "All object keys must match"),
        case(Method::POST, "/no_pk?columns=a", 400).body(r#"[{"a": "1"}, 5]"#),
        post("/codes", &json!({"bits": "1010", "letters": "xyz"}), 201)
            .rows(json!([{"bits": "1010", "letters": "xyz"}])),
        post(
            "/Odd%20Names",
            &json!({"theId": 2, "a \"quoted\" name": "q"}),
            201,
        )
        .rows(json!([{"theId": 2, "a \"quoted\" name": "q"}])),
    ])
    .await;
}

#[tokio::test]
async fn bad_bodies_are_refused() {
    let spec = Spec::start().await;
    let post = async |path: &str, body: &str| {
        Got::from(spec.send(Method::POST, path, &[], body).await).refusal()
    };
    assert_eq!(
        post("/clients", "").await,
        refused(400, "PGRST102", "Empty or invalid json")
    );
    assert_eq!(
        post("/clients", r#"[{"id":1},{"name":"x"}]"#).await,
        refused(400, "PGRST102", "All object keys must match")
    );
    assert_eq!(
        post("/clients", r#"{"id": 9, "nope": 1}"#).await,
        refused(
            400,
            "PGRST204",
            "Could not find the 'nope' column of 'clients' in the schema cache"
        )
    );
    assert_eq!(
        post("/clients?columns=id,nope", r#"{"id": 9}"#).await,
        refused(
            400,
            "PGRST204",
            "Could not find the 'nope' column of 'clients' in the schema cache"
        )
    );
    assert_eq!(post("/clients", r#"{"id": 1, "name": "x"}"#).await.0, 409);
    assert_eq!(post("/clients", r#"{"id": 9}"#).await.0, 400);
    assert_eq!(
        post("/projects", r#"{"id": 9, "name": "x", "client_id": 99}"#)
            .await
            .0,
        409
    );
    assert_eq!(post("/computed", r#"{"total": 9}"#).await.0, 400);
}

#[tokio::test]
async fn what_is_wrong_first_is_told_first() {
    let spec = Spec::start().await;
    let garbled = "}{";
    spec.check([
        // A name that leads nowhere, before what the body says.
        case(Method::POST, "/nowhere?columns=nope", 404)
            .body("{}")
            .refused(
                "PGRST205",
                "Could not find the table 'api.nowhere' in the schema cache",
            ),
        case(Method::POST, "/songs?columns=", 400)
            .body("{}")
            .refused(
                "PGRST100",
                "\"failed to parse columns parameter ()\" (line 1, column 1)",
            ),
        case(Method::POST, "/songs?columns=title,nope", 400)
            .body(garbled)
            .refused(
                "PGRST204",
                "Could not find the 'nope' column of 'songs' in the schema cache",
            ),
        case(Method::POST, "/songs", 400)
            .body(garbled)
            .refused("PGRST102", "Empty or invalid json"),
        post("/songs", &json!({"title": null}), 400).refused(
            "23502",
            "null value in column \"title\" of relation \"songs\" violates not-null constraint",
        ),
        post("/songs", &json!({"title": "Canon"}), 409).refused(
            "23505",
            "duplicate key value violates unique constraint \"songs_pkey\"",
        ),
        post("/songs", &json!({"title": "x", "plays": "many"}), 400)
            .refused("22P02", "invalid input syntax for type smallint: \"many\""),
    ])
    .await;
}
