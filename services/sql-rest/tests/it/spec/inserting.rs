//! Inserts.

use super::{case::*, *};

#[tokio::test]
async fn rows_are_inserted() {
    let spec = Spec::start().await;
    let post = async |path: &str, body: Value| spec.writes(Method::POST, path, &body).await;
    let created = |body: Value| Got { status: 201, body };
    assert_eq!(
        post("/clients", json!({"id": 3, "name": "Google"})).await,
        created(json!([{"id": 3, "name": "Google"}]))
    );
    assert_eq!(
        post(
            "/clients?select=id",
            json!([{"id": 4, "name": "a"}, {"name": "b", "id": 5}])
        )
        .await,
        created(json!([{"id": 4}, {"id": 5}]))
    );
    assert_eq!(post("/clients", json!([])).await, created(json!([])));
    assert_eq!(
        post(
            "/projects?select=id,clients(name)",
            json!({"id": 9, "name": "x", "client_id": 1})
        )
        .await,
        created(json!([{"id": 9, "clients": {"name": "Microsoft"}}]))
    );
    assert_eq!(
        post(
            "/clients?select=shout,big_projects(id)",
            json!({"id": 6, "name": "c"})
        )
        .await,
        created(json!([{"shout": "C!", "big_projects": []}]))
    );
    assert_eq!(
        post(
            "/clients?columns=id,name",
            json!({"id": 7, "name": "d", "extra": true})
        )
        .await,
        created(json!([{"id": 7, "name": "d"}]))
    );
    assert_eq!(
        post(
            "/paints?select=shade",
            json!({"id": 3, "name": "x", "shade": "#0000FF"})
        )
        .await,
        created(json!([{"shade": "#0000FF"}]))
    );
    let defaults = post("/defaults?select=id,name", json!([{}, {}])).await;
    assert_eq!(
        defaults,
        created(json!([{"id": 1, "name": "nameless"}, {"id": 2, "name": "nameless"}]))
    );
    assert_eq!(
        post("/defaults?select=id", json!({})).await,
        created(json!([{"id": 3}]))
    );
}

#[tokio::test]
async fn an_insert_tells_as_much_as_is_asked_for() {
    let spec = Spec::start().await;
    let post = async |path: &str, prefer: &str, body: &str| {
        spec.send(Method::POST, path, &[("prefer", prefer)], body)
            .await
    };
    let response = post(
        "/compound_pk",
        "return=headers-only",
        r#"{"k1": 1, "k2": "a b", "extra": 2}"#,
    )
    .await;
    assert_eq!(response.status, 201);
    assert_eq!(
        response.header("location"),
        Some("/compound_pk?k1=eq.1&k2=eq.a%20b")
    );
    assert_eq!(
        response.header("preference-applied"),
        Some("return=headers-only")
    );
    let response = post("/no_pk", "return=headers-only", r#"{"a": "1"}"#).await;
    assert_eq!(response.header("location"), None);
    let response = post("/no_pk", "count=exact", r#"[{"a": "1"},{"a": "2"}]"#).await;
    assert_eq!(
        (response.status.as_u16(), response.text().as_str()),
        (201, "")
    );
    assert_eq!(response.header("content-range"), Some("*/2"));
}

#[tokio::test]
async fn absent_keys_take_defaults_when_asked_to() {
    let spec = Spec::start().await;
    let body = r#"[{"score": 1}, {"name": "given"}, {}]"#;
    let path = "/defaults?columns=id,name,score&select=id,name,score";
    let headers = [("prefer", "return=representation, missing=default")];
    let response = spec.send(Method::POST, path, &headers, body).await;
    assert_eq!(
        response.json(),
        json!([
            {"id": 1, "name": "nameless", "score": 1},
            {"id": 2, "name": "given", "score": null},
            {"id": 3, "name": "nameless", "score": null}
        ])
    );
    assert_eq!(
        response.header("preference-applied"),
        Some("missing=default, return=representation")
    );
    let one = spec
        .send(Method::POST, path, &headers, r#"{"score": 4}"#)
        .await;
    assert_eq!(
        one.json(),
        json!([{"id": 4, "name": "nameless", "score": 4}])
    );
}

#[tokio::test]
async fn a_location_leads_to_the_new_row() {
    let spec = Spec::start().await;
    let insert = |path: &str, body: Value| post(path, &body, 201).prefer("return=headers-only");
    spec.check([
        insert(
            "/songs?select=plays",
            json!({"title": "Étude 1", "plays": 3}),
        )
        .nothing()
        .carries("location", "/songs?title=eq.%C3%89tude%201")
        .carries("content-range", "*/*")
        .carries("preference-applied", "return=headers-only"),
        get("/songs?title=eq.%C3%89tude%201", 200).json(json!([{"title": "Étude 1", "plays": 3}])),
        // In the order of the columns, whatever the order of the key.
        insert("/chords", json!({"song": "Canon", "position": 1}))
            .carries("location", "/chords?song=eq.Canon&position=eq.1"),
        insert("/charts", json!({"title": "New", "year": 2021}))
            .carries("location", "/charts?title=eq.New&year=eq.2021"),
        insert("/songs_view", json!({"title": "Hymn"}))
            .carries("location", "/songs_view?title=eq.Hymn"),
        insert("/concerts_in_halls", json!({"id": 1}))
            .carries("location", "/concerts_in_halls?id=eq.1&hall=is.null"),
        insert("/tickets", json!({"seat": "B2"})).carries("location", "/tickets?id=eq.2"),
        insert("/songs", json!([{"title": "a"}, {"title": "b"}])).lacks("location"),
        insert("/no_pk", json!({"a": "x"})).lacks("location"),
        post("/songs", &json!({"title": "c"}), 201)
            .nothing()
            .lacks("location"),
        post("/songs", &json!({"title": "d"}), 201)
            .rows(json!([{"title": "d", "plays": null}]))
            .lacks("location"),
        post("/posted", &json!({"title": "e"}), 201).carries("location", "/elsewhere/e"),
    ])
    .await;
}

#[tokio::test]
async fn defaults_come_from_wherever_they_are_declared() {
    let spec = Spec::start().await;
    let insert = |path: &str, body: &str| {
        case(Method::POST, path, 201)
            .body(body)
            .prefer("missing=default")
            .carries(
                "preference-applied",
                "missing=default, return=representation",
            )
    };
    let duplicate = r#"{"id": 1, "body": {"a": 1, "a": 2}}"#;
    spec.check([
        insert(
            "/songs_view?columns=title,plays",
            r#"[{"title": "x"}, {"title": "y", "plays": 1}]"#,
        )
        .rows(json!([{"title": "x", "plays": 100}, {"title": "y", "plays": 1}])),
        insert("/draws?columns=id,name", r#"{"name": "l"}"#).rows(json!([{"id": 7, "name": "l"}])),
        insert(
            "/passes?columns=id,seat&select=seat",
            r#"[{"seat": "B"}, {"id": 9, "seat": "C"}]"#,
        )
        .rows(json!([{"seat": "B"}, {"seat": "C"}])),
        post(
            "/computed?columns=price,total",
            &json!([{"price": 1}, {"total": 2}]),
            400,
        )
        .prefer("missing=default")
        .refused(
            "428C9",
            "cannot insert a non-DEFAULT value into column \"total\"",
        ),
        // Without defaults the body is kept to the letter.
        case(Method::POST, "/notes?columns=id,body", 201)
            .body(duplicate)
            .prefer("return=representation")
            .text(r#"[{"id":1,"body":{"a": 1, "a": 2}}]"#),
        insert("/notes?columns=id,body", duplicate)
            .prefer("return=representation")
            .text(r#"[{"id":1,"body":{"a": 2}}]"#),
    ])
    .await;
}

#[tokio::test]
async fn an_insert_needs_no_more_rights_than_its_answer() {
    let spec = Spec::start().await;
    let member = |id: i32| json!({"id": id, "mail": "g@h", "password": "p"});
    let denied = "permission denied for table members";
    spec.check([
        post("/boxes", &json!({"v": "x"}), 201).nothing(),
        post("/boxes", &json!({"v": "x"}), 401)
            .prefer("return=representation")
            .refused("42501", "permission denied for table boxes")
            .carries("www-authenticate", "Bearer"),
        post("/members", &member(4), 201)
            .prefer("return=minimal")
            .nothing(),
        post("/members?select=id,mail", &member(5), 201).rows(json!([{"id": 5, "mail": "g@h"}])),
        post("/members", &member(6), 401)
            .prefer("return=representation")
            .refused("42501", denied),
        post("/members", &member(6), 201)
            .prefer("return=headers-only")
            .carries("location", "/members?id=eq.6"),
        patch("/members?id=eq.1", &json!({"password": "q"}), 204).nothing(),
        delete("/members?id=eq.1", 401)
            .prefer("return=representation")
            .refused("42501", denied),
        delete("/members?id=eq.1&select=id", 200).rows(json!([{"id": 1}])),
        delete("/members?id=eq.2", 204).nothing(),
    ])
    .await;
}
