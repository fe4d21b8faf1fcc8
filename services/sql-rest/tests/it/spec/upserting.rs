//! Inserts that meet rows there are.

use super::{case::*, *};

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

/// An insert that updates rows there are.
fn merge(path: &str, body: &Value, status: u16) -> Case {
    post(path, body, status)
        .prefer("resolution=merge-duplicates")
        .rows(body.clone())
        .carries(
            "preference-applied",
            "resolution=merge-duplicates, return=representation",
        )
}

/// An insert that leaves rows there are as they are, and tells of the others.
fn ignore(path: &str, body: &Value, new: &Value) -> Case {
    post(path, body, 201)
        .prefer("resolution=ignore-duplicates")
        .rows(new.clone())
        .carries(
            "preference-applied",
            "resolution=ignore-duplicates, return=representation",
        )
}

#[tokio::test]
async fn an_upsert_goes_by_any_unique_columns() {
    let spec = Spec::start().await;
    let songs = json!([{"title": "Canon", "plays": 9}, {"title": "New", "plays": 1}]);
    let more = json!([{"title": "Canon", "plays": 1}, {"title": "Newer", "plays": 1}]);
    let seats = json!([
        {"hall": 1, "place": "A1", "sold": true}, {"hall": 1, "place": "A2", "sold": true}
    ]);
    let others = json!([
        {"hall": 1, "place": "A1", "sold": false}, {"hall": 1, "place": "A3", "sold": true}
    ]);
    let none = json!([]);
    spec.check([
        merge("/songs", &songs, 201),
        merge("/songs", &songs, 200),
        merge("/songs", &none, 200),
        post("/songs", &songs, 200)
            .prefer("resolution=merge-duplicates")
            .nothing(),
        ignore("/songs", &songs, &none),
        ignore("/songs", &more, &json!([more[1]])),
        merge("/seats?on_conflict=hall,place", &seats, 201),
        merge("/seats?on_conflict=place", &seats, 200),
        ignore("/seats?on_conflict=place", &others, &json!([others[1]])),
    ])
    .await;
}

#[tokio::test]
async fn an_upsert_is_for_relations_of_every_kind() {
    let spec = Spec::start().await;
    let songs = json!([{"title": "Canon", "plays": 9}, {"title": "New", "plays": 1}]);
    let charts = json!([
        {"title": "Canon", "year": 1981, "singer": null}, {"title": "New", "year": 2021, "singer": "Z"}
    ]);
    let odd = json!([{"theId": 1, "a \"quoted\" name": "same"}]);
    let keyed = json!([{"id": 1, "note": "changed"}, {"note": "added"}]);
    let kept = json!([{"seat": "A1", "note": "changed"}, {"seat": null, "note": "added"}]);
    let generated = |table: &str| {
        let path = format!("/{table}?columns=id,note&select=seat,note");
        post(&path, &keyed, 201)
            .prefer("resolution=merge-duplicates, missing=default")
            .rows(kept.clone())
            .carries(
                "preference-applied",
                "resolution=merge-duplicates, missing=default, return=representation",
            )
    };
    spec.check([
        merge("/songs_view", &songs, 201),
        merge("/charts", &charts, 201),
        ignore("/charts", &charts, &json!([])),
        merge("/Odd%20Names", &odd, 200),
        merge("/only_pk", &json!([{"id": 1}, {"id": 3}]), 201),
        ignore(
            "/only_pk",
            &json!([{"id": 1}, {"id": 4}]),
            &json!([{"id": 4}]),
        ),
        generated("tickets"),
        generated("passes"),
    ])
    .await;
}

#[tokio::test]
async fn an_upsert_needs_something_to_go_by() {
    let spec = Spec::start().await;
    let upsert = |path: &str, body: Value, status: u16| {
        post(path, &body, status).prefer("resolution=merge-duplicates")
    };
    let song = json!({"title": "Canon"});
    spec.check([
        upsert("/no_pk", json!({"a": "1"}), 201)
            .nothing()
            .lacks("preference-applied"),
        upsert("/songs?on_conflict=nope", song.clone(), 400)
            .refused("42703", "column \"nope\" does not exist"),
        upsert("/songs?on_conflict=plays", song.clone(), 400).refused(
            "42P10",
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
        ),
        // Nobody asked for duplicates to be resolved.
        post("/songs?on_conflict=title", &song, 409),
    ])
    .await;
}

#[tokio::test]
async fn a_put_names_its_row_completely() {
    let spec = Spec::start().await;
    let put = |path: &str, body: Value, status: u16| case(Method::PUT, path, status).body(&body);
    let filters = "Filters must include all and only primary key columns with 'eq' operators";
    let limits = "limit/offset querystring parameters are not allowed for PUT";
    let other = "Payload values do not match URL in primary key column(s)";
    let song = json!({"title": "Canon", "plays": 3});
    let chart = json!({"title": "Canon", "year": 1981, "singer": "Zoe"});
    let mut cases = vec![
        put("/songs?title=eq.Canon", song.clone(), 204)
            .nothing()
            .lacks("content-length"),
        put("/songs?title=eq.Canon", song.clone(), 204)
            .prefer("return=minimal")
            .nothing(),
        put("/songs?title=eq.Canon", song.clone(), 200).rows(json!([song])),
        put("/songs?title=eq.Canon", song.clone(), 200)
            .header("range", "1-1")
            .rows(json!([song])),
        put(
            "/songs?title=eq.Canon",
            json!([song, {"title": "Other", "plays": 1}]),
            200,
        )
        .header("accept", "application/vnd.pgrst.object+json")
        .rows(song.clone()),
        put(
            "/songs?title=eq.New&select=title",
            json!({"title": "New"}),
            201,
        )
        .rows(json!([{"title": "New"}])),
        put("/charts?title=eq.Canon&year=eq.1981", chart.clone(), 200).rows(json!([chart])),
        put("/only_pk?id=eq.1", json!({"id": 1}), 200).rows(json!([{"id": 1}])),
        put("/only_pk?id=eq.9", json!({"id": 9}), 201).rows(json!([{"id": 9}])),
        put("/songs?title=eq.Canon&limit=1", song.clone(), 400).refused("PGRST114", limits),
        put("/songs?title=eq.Canon&offset=1", song.clone(), 400).refused("PGRST114", limits),
        put("/songs?title=eq.Dirge", song.clone(), 400).refused("PGRST115", other),
        put("/charts?title=eq.Canon&year=eq.1997", chart.clone(), 400).refused("PGRST115", other),
        put("/charts?title=eq.Canon", chart, 405).refused("PGRST105", filters),
        put("/no_pk?a=eq.1", json!({"a": "1"}), 405).refused("PGRST105", filters),
    ];
    for filter in [
        "",
        "?plays=eq.3",
        "?title=not.eq.Canon",
        "?title=in.(Canon)",
        "?title=eq(any).{Canon}",
        "?and=(title.eq.Canon)",
        "?title=eq.Canon&plays=eq.3",
    ] {
        let path = format!("/songs{filter}");
        cases.push(put(&path, song.clone(), 405).refused("PGRST105", filters));
    }
    spec.check(cases).await;
}
