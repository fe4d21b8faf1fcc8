//! Inserts, updates, upserts and deletes.

use super::*;

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
async fn other_bodies_than_json_are_taken() {
    let spec = Spec::start().await;
    let csv = [
        ("content-type", "text/csv"),
        ("prefer", "return=representation"),
    ];
    let got = Got::from(
        spec.send(Method::POST, "/no_pk", &csv, "a,b\nx,NULL\n\"y,z\",1\n")
            .await,
    );
    assert_eq!(
        got,
        Got {
            status: 201,
            body: json!([{"a": "x", "b": null}, {"a": "y,z", "b": "1"}])
        }
    );
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("prefer", "return=representation"),
    ];
    let got = Got::from(
        spec.send(Method::POST, "/no_pk", &form, "a=x+y&b=%C3%A9")
            .await,
    );
    assert_eq!(
        got,
        Got {
            status: 201,
            body: json!([{"a": "x y", "b": "é"}])
        }
    );
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
async fn rows_are_updated() {
    let spec = Spec::start().await;
    let patch = async |path: &str, body: Value| spec.writes(Method::PATCH, path, &body).await;
    assert_eq!(
        patch("/clients?id=eq.1", json!({"name": "M"})).await,
        ok(json!([{"id": 1, "name": "M"}]))
    );
    assert_eq!(
        patch("/clients?name=eq.M&select=name", json!({"name": "N"})).await,
        ok(json!([{"name": "N"}]))
    );
    assert_eq!(
        patch("/clients?id=eq.99", json!({"name": "N"})).await,
        ok(json!([]))
    );
    assert_eq!(patch("/clients?id=eq.1", json!({})).await, ok(json!([])));
    assert_eq!(
        patch(
            "/projects?or=(id.eq.1,name.eq.IOS)&select=id,clients(id)&order=id.desc",
            json!({"name": "same"})
        )
        .await,
        ok(json!([{"id": 3, "clients": {"id": 2}}, {"id": 1, "clients": {"id": 1}}]))
    );
    assert_eq!(
        patch(
            "/projects?id=eq.1&select=id,tasks(id)&tasks.id=eq.2",
            json!({"name": "again"})
        )
        .await,
        ok(json!([{"id": 1, "tasks": [{"id": 2}]}]))
    );
    let response = spec
        .send(Method::PATCH, "/clients?id=eq.2", &[], r#"{"name": "O"}"#)
        .await;
    assert_eq!(
        (response.status.as_u16(), response.text().as_str()),
        (204, "")
    );
    assert_eq!(response.header("content-range"), Some("0-0/*"));
}

#[tokio::test]
async fn rows_are_deleted() {
    let spec = Spec::start().await;
    let got = spec
        .writes(
            Method::DELETE,
            "/tasks?id=eq.8&select=id,projects(name)",
            &Value::Null,
        )
        .await;
    assert_eq!(got, ok(json!([{"id": 8, "projects": {"name": "OSX"}}])));
    let response = spec
        .send(
            Method::DELETE,
            "/no_pk?a=eq.1",
            &[("prefer", "count=exact")],
            "",
        )
        .await;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("content-range"), Some("*/1"));
    assert_eq!(
        spec.send(Method::DELETE, "/only_pk", &[], "").await.status,
        204
    );
    assert_eq!(spec.reads("/only_pk").await, json!([]));
}

#[tokio::test]
async fn inserts_can_meet_rows_that_exist() {
    let spec = Spec::start().await;
    let post = async |path: &str, resolution: &str, body: Value| {
        let prefer = format!("return=representation, resolution={resolution}");
        spec.send(
            Method::POST,
            path,
            &[("prefer", &prefer)],
            &body.to_string(),
        )
        .await
    };
    let merged = post(
        "/clients",
        "merge-duplicates",
        json!([{"id": 1, "name": "M"}, {"id": 9, "name": "New"}]),
    )
    .await;
    assert_eq!(merged.status, 201);
    assert_eq!(
        merged.json(),
        json!([{"id": 1, "name": "M"}, {"id": 9, "name": "New"}])
    );
    let updated = post(
        "/clients",
        "merge-duplicates",
        json!([{"id": 1, "name": "MM"}]),
    )
    .await;
    assert_eq!(updated.status, 200);
    assert_eq!(
        updated.header("preference-applied"),
        Some("resolution=merge-duplicates, return=representation")
    );
    let ignored = post(
        "/clients",
        "ignore-duplicates",
        json!([{"id": 1, "name": "X"}, {"id": 10, "name": "Y"}]),
    )
    .await;
    assert_eq!(
        (ignored.status.as_u16(), ignored.json()),
        (201, json!([{"id": 10, "name": "Y"}]))
    );
    let unique = post(
        "/capitals?on_conflict=country_id",
        "merge-duplicates",
        json!([{"id": 1, "name": "K", "country_id": 1}]),
    )
    .await;
    assert_eq!(
        unique.json(),
        json!([{"id": 1, "name": "K", "country_id": 1}])
    );
    let plain = post("/no_pk", "merge-duplicates", json!([{"a": "1", "b": "0"}])).await;
    assert_eq!(
        plain.header("preference-applied"),
        Some("return=representation")
    );
    let only = post(
        "/only_pk",
        "merge-duplicates",
        json!([{"id": 1}, {"id": 7}]),
    )
    .await;
    assert_eq!(only.status, 201);
    let unknown = post(
        "/clients?on_conflict=nope",
        "merge-duplicates",
        json!([{"id": 1, "name": "x"}]),
    )
    .await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn put_writes_the_one_row_its_url_names() {
    let spec = Spec::start().await;
    let put = async |path: &str, body: Value| spec.writes(Method::PUT, path, &body).await;
    let row = json!([{"k": "new", "extra": "1"}]);
    assert_eq!(
        put("/simple_pk?k=eq.new", json!({"k": "new", "extra": "1"})).await,
        Got {
            status: 201,
            body: row.clone()
        }
    );
    assert_eq!(
        put(
            "/simple_pk?k=eq.new",
            json!([{"k": "new", "extra": "1"}, {"k": "other", "extra": "2"}])
        )
        .await,
        ok(row)
    );
    let filters = "Filters must include all and only primary key columns with 'eq' operators";
    for path in [
        "/simple_pk",
        "/simple_pk?k=gt.new",
        "/simple_pk?extra=eq.1",
        "/compound_pk?k1=eq.1",
        "/no_pk?a=eq.1",
    ] {
        assert_eq!(
            put(path, json!({"k": "new", "extra": "1"}))
                .await
                .refusal()
                .1,
            if path.starts_with("/simple") {
                json!("PGRST105")
            } else {
                json!("PGRST204")
            },
            "{path}"
        );
    }
    assert_eq!(
        put("/simple_pk?extra=eq.1", json!({"k": "new", "extra": "1"}))
            .await
            .refusal(),
        refused(405, "PGRST105", filters)
    );
    assert_eq!(
        put("/simple_pk?k=eq.new", json!({"k": "old", "extra": "1"}))
            .await
            .refusal(),
        refused(
            400,
            "PGRST115",
            "Payload values do not match URL in primary key column(s)"
        )
    );
    assert_eq!(
        put("/simple_pk?k=eq.new&limit=1", json!({"k": "new"}))
            .await
            .refusal()
            .1,
        "PGRST114"
    );
    assert_eq!(
        spec.send(
            Method::PUT,
            "/simple_pk?k=eq.z",
            &[],
            r#"{"k":"z","extra":"1"}"#
        )
        .await
        .status,
        204
    );
}

#[tokio::test]
async fn too_many_or_too_few_rows_undo_a_write() {
    let spec = Spec::start().await;
    let object = ("accept", "application/vnd.pgrst.object+json");
    let headers = [object, ("prefer", "return=representation")];
    let response = spec
        .send(Method::PATCH, "/clients", &headers, r#"{"name": "same"}"#)
        .await;
    assert_eq!(
        Got::from(response).refusal(),
        refused(
            406,
            "PGRST116",
            "Cannot coerce the result to a single JSON object"
        )
    );
    assert_eq!(spec.reads("/clients?name=eq.same").await, json!([]));
    let headers = [("prefer", "handling=strict, max-affected=1")];
    let response = spec.send(Method::DELETE, "/no_pk", &headers, "").await;
    assert_eq!(
        Got::from(response).refusal(),
        refused(
            400,
            "PGRST124",
            "Query result exceeds max-affected preference constraint"
        )
    );
    assert_eq!(
        spec.reads("/no_pk?select=count").await,
        json!([{"count": 3}])
    );
    let headers = [("prefer", "handling=strict, anything")];
    let response = spec.send(Method::GET, "/clients", &headers, "").await;
    assert_eq!(
        Got::from(response).refusal(),
        refused(
            400,
            "PGRST122",
            "Invalid preferences given with handling=strict"
        )
    );
}
