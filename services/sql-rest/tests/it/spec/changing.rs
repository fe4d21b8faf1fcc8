//! Updates and deletes.

use super::{case::*, *};

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
async fn an_update_tells_how_many_rows_it_changed() {
    let spec = Spec::start().await;
    let all = |body: &str, status: u16| case(Method::PATCH, "/songs", status).body(body);
    let ranged = |case: Case, range: &'static str| case.carries("content-range", range);
    let named = |title: &str| json!({"title": title});
    let mut cases = vec![
        ranged(
            patch("/songs?plays=lt.3", &json!({"plays": 0}), 204).nothing(),
            "0-1/*",
        )
        .lacks("content-length"),
        ranged(
            patch("/songs?title=eq.none", &json!({"plays": 0}), 204),
            "*/*",
        ),
        ranged(
            patch("/songs?plays=eq.0", &json!({"plays": 9}), 204),
            "0-1/2",
        )
        .prefer("count=exact"),
        // Nothing is planned about what was written.
        ranged(
            patch("/songs?plays=eq.9", &json!({"plays": 9}), 204),
            "0-1/*",
        )
        .prefer("count=planned"),
        ranged(
            patch("/songs?title=eq.Canon&select=plays", &named("Fugue"), 200),
            "0-0/*",
        )
        .rows(json!([{"plays": 9}])),
        ranged(patch("/songs?title=eq.Canon", &named("Fugue"), 200), "*/*").rows(json!([])),
        patch(
            "/songs?title=eq.Fugue",
            &json!([{"plays": 1}, {"plays": 2}]),
            200,
        )
        .rows(json!([{"title": "Fugue", "plays": 1}])),
        patch(
            "/clients?shout=eq.APPLE!&select=id,shout",
            &json!({"name": "Pear"}),
            200,
        )
        .rows(json!([{"id": 2, "shout": "PEAR!"}])),
        patch(
            "/paints?id=eq.1&columns=shade",
            &json!({"shade": "#000001", "name": 5}),
            200,
        )
        .rows(json!([{"id": 1, "name": "red", "shade": "#000001"}])),
        patch("/songs_view?title=eq.Dirge&columns=plays", &json!({}), 200)
            .prefer("missing=default")
            .rows(json!([{"title": "Dirge", "plays": 100}]))
            .carries(
                "preference-applied",
                "missing=default, return=representation",
            ),
        patch("/codes?bits=eq.0000", &json!({"bits": "1111"}), 200)
            .rows(json!([{"bits": "1111", "letters": "abc"}])),
        patch("/posted?title=eq.Dirge", &json!({"plays": 1}), 205),
        patch("/nowhere?columns=nope", &json!({}), 404).refused(
            "PGRST205",
            "Could not find the table 'api.nowhere' in the schema cache",
        ),
        patch("/songs?nope=eq.1", &json!({"plays": 1}), 400)
            .refused("42703", "column songs.nope does not exist"),
        all("", 400).refused("PGRST102", "Empty or invalid json"),
    ];
    for body in ["{}", "[]", "[{}]"] {
        cases.push(ranged(all(body, 204).nothing(), "*/*"));
        cases.push(ranged(all(body, 200).rows(json!([])), "*/*"));
    }
    spec.check(cases).await;
}

#[tokio::test]
async fn what_was_written_is_shown_like_what_is_read() {
    let spec = Spec::start().await;
    spec.check([
        patch(
            "/family?id=eq.2&select=name,family(name),parent:parent(name)",
            &json!({"name": "Mum"}),
            200,
        )
        .rows(json!([
            {"name": "Mum", "family": [{"name": "Child"}], "parent": {"name": "Grandmother"}}
        ])),
        patch(
            "/users?id=eq.2&select=tasks(id,projects(name))&tasks.id=gt.5&tasks.order=id.desc&tasks.projects.name=eq.IOS",
            &json!({"name": "M."}),
            200,
        )
        .rows(json!([
            {"tasks": [{"id": 7, "projects": null}, {"id": 6, "projects": {"name": "IOS"}}]}
        ])),
        patch(
            "/projects?select=id,clients!inner(id)&clients.name=eq.Apple&order=id.desc",
            &json!({"name": "same"}),
            200,
        )
        .rows(json!([{"id": 4, "clients": {"id": 2}}, {"id": 3, "clients": {"id": 2}}])),
        patch("/projects?id=eq.1&select=no:id::text,...clients(client:name)", &json!({"name": "x"}), 200)
            .rows(json!([{"no": "1", "client": "Microsoft"}])),
        patch("/projects?id=eq.5&select=client_id,name", &json!({"name": "x"}), 200)
            .header("accept", "application/vnd.pgrst.array+json;nulls=stripped")
            .rows(json!([{"name": "x"}])),
        delete("/capitals?id=eq.1&select=name,countries(name)", 200)
            .rows(json!([{"name": "Kabul", "countries": {"name": "Afghanistan"}}]))
            .carries("content-range", "*/*"),
        delete("/capitals?id=eq.1", 200).rows(json!([])),
        delete("/capitals?select=name", 200)
            .header("accept", "text/csv")
            .prefer("return=representation, count=exact")
            .text("name\nAlgiers")
            .carries("content-range", "*/1"),
        delete("/capitals", 204).nothing().lacks("content-length"),
        delete("/clients?id=eq.1", 409),
    ])
    .await;
}
