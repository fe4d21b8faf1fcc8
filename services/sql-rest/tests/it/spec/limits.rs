//! Writes that may touch only so many rows.

use super::{case::*, *};

#[tokio::test]
async fn a_limit_holds_for_writes_too() {
    let spec = Spec::start().await;
    let plays = json!({"plays": 7});
    let ordered = "A limit or offset with an order by an embedded resource is not implemented for \
                   updates and deletes.";
    spec.check([
        patch("/songs?limit=1&offset=1&order=title&select=title", &plays, 200)
            .rows(json!([{"title": "Canon"}]))
            .carries("content-range", "0-0/*"),
        patch("/songs?limit=1&order=title.desc&plays=neq.7&select=title", &plays, 200)
            .rows(json!([{"title": "Dirge"}])),
        // Without an order the key decides.
        patch("/songs_view?limit=1&select=title", &plays, 200).rows(json!([{"title": "Ballad"}])),
        patch("/songs?limit=0", &plays, 200).rows(json!([])),
        patch("/songs?limit=1", &json!({"plays": 7, "title": "x"}), 200)
            .header("range", "5-9")
            .rows(json!([{"title": "x", "plays": 7}])),
        delete("/clients?limit=1&order=name_length&id=gt.1&select=id", 409),
        delete("/samples?limit=2&order=data->n.nullslast,id.desc&select=id", 200)
            .rows(json!([{"id": 1}, {"id": 2}])),
        // Rows of a table without a key are told apart by where they are, in any partition.
        delete("/no_pk?limit=1&order=a.desc.nullslast", 200).rows(json!([{"a": "2", "b": "0"}])),
        delete("/charts?offset=1", 200)
            .rows(json!([{"title": "Canon", "year": 1981, "singer": "Ann"}])),
        delete("/plays?limit=1", 400).refused("PGRST127", "Feature not implemented"),
        delete("/songs?limit=-1", 416).refused("PGRST103", "Requested range not satisfiable"),
        delete("/tasks?limit=1&order=projects(id)&select=id,projects(id)", 400)
            .prefer("return=representation")
            .json(json!({
                "code": "PGRST127", "message": "Feature not implemented", "details": ordered, "hint": null
            })),
    ])
    .await;
}

#[tokio::test]
async fn one_object_means_one_row() {
    let spec = Spec::start().await;
    let one = |case: Case| case.header("accept", "application/vnd.pgrst.object+json");
    let rejected = |case: Case, rows: u32| {
        one(case).json(json!({
            "code": "PGRST116",
            "details": format!("The result contains {rows} rows"),
            "hint": null,
            "message": "Cannot coerce the result to a single JSON object",
        }))
    };
    let zero = json!({"plays": 0});
    let mut cases = vec![
        one(patch("/songs?title=eq.Canon", &json!({"plays": 5}), 200))
            .rows(json!({"title": "Canon", "plays": 5}))
            .carries(
                "content-type",
                "application/vnd.pgrst.object+json; charset=utf-8",
            ),
        one(patch("/songs?title=eq.Canon", &json!({"plays": 6}), 204)).nothing(),
        one(post("/songs", &json!([{"title": "x"}]), 201))
            .rows(json!({"title": "x", "plays": null})),
        one(delete("/songs?title=eq.x", 200)).rows(json!({"title": "x", "plays": null})),
    ];
    for preference in ["return=minimal", "return=representation"] {
        cases.extend([
            rejected(patch("/songs", &zero, 406), 3).prefer(preference),
            rejected(patch("/songs?title=eq.x", &zero, 406), 0).prefer(preference),
            rejected(
                post("/songs", &json!([{"title": "x"}, {"title": "y"}]), 406),
                2,
            )
            .prefer(preference),
            rejected(post("/songs", &json!([]), 406), 0).prefer(preference),
            rejected(delete("/songs", 406), 3).prefer(preference),
        ]);
    }
    cases.push(rejected(
        post("/rpc/rename_songs", &json!({"plays": 4}), 406),
        2,
    ));
    cases.push(
        get("/songs?select=title&plays=gt.0&order=title", 200).json(json!([
            {"title": "Ballad"}, {"title": "Canon"}, {"title": "Dirge"}
        ])),
    );
    spec.check(cases).await;
}

#[tokio::test]
async fn more_rows_than_allowed_are_left_alone() {
    let spec = Spec::start().await;
    let limited =
        |case: Case, most: u32| case.prefer(&format!("handling=strict, max-affected={most}"));
    let refused = |case: Case, most: u32, rows: u32| {
        limited(case, most).json(json!({
            "code": "PGRST124",
            "details": format!("The query affects {rows} rows"),
            "hint": null,
            "message": "Query result exceeds max-affected preference constraint",
        }))
    };
    let applied = "handling=strict, max-affected=3";
    spec.check([
        refused(delete("/songs", 400), 2, 3).lacks("preference-applied"),
        refused(patch("/songs?title=eq.Canon", &json!({"plays": 0}), 400), 0, 1),
        refused(post("/rpc/rename_songs", &json!({"plays": 9}), 400), 1, 3),
        limited(post("/rpc/drop_songs", &json!({}), 400), 9).refused(
            "PGRST128",
            "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
        ),
        get("/songs?select=plays&order=plays", 200).json(json!([{"plays": 1}, {"plays": 2}, {"plays": 4}])),
        limited(post("/rpc/rename_songs", &json!({"plays": 9}), 200), 3)
            .carries("preference-applied", applied),
        limited(post("/songs", &json!([{"title": "x"}, {"title": "y"}]), 201), 1)
            .carries("preference-applied", "handling=strict"),
        delete("/songs?plays=eq.0", 204)
            .prefer("handling=lenient, max-affected=1")
            .carries("preference-applied", "handling=lenient"),
        limited(delete("/songs", 204), 3).carries("preference-applied", applied),
        get("/songs", 400)
            .prefer("handling=strict, anything")
            .refused("PGRST122", "Invalid preferences given with handling=strict"),
        delete("/songs", 400).prefer("handling=strict, max-affected=many").refused(
            "PGRST122",
            "Invalid preferences given with handling=strict",
        ),
    ])
    .await;
}
