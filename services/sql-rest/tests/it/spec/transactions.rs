//! How a transaction ends, and what it is told.

use super::{case::*, *};

/// Writes of every kind, each followed by a look at what it left.
async fn writes(spec: &Spec, end: Option<&str>, stay: bool) {
    let ended = |case: Case| match end {
        Some(end) => case.prefer(end),
        None => case,
    };
    let left = |path: &str, rows: Value, before: Value| {
        get(path, 200).json(if stay { rows } else { before })
    };
    let nine = json!([{"id": 9}]);
    let empty = json!([]);
    let one = json!([{"id": 1}]);
    spec.check([
        ended(post("/only_pk", &json!({"id": 9}), 201)).rows(nine.clone()),
        left("/only_pk?id=eq.9", nine.clone(), empty.clone()),
        ended(case(Method::PUT, "/only_pk?id=eq.8", 201).body(r#"{"id": 8}"#))
            .rows(json!([{"id": 8}])),
        left("/only_pk?id=eq.8", json!([{"id": 8}]), empty.clone()),
        ended(patch("/only_pk?id=eq.2", &json!({"id": 7}), 200)).rows(json!([{"id": 7}])),
        left("/only_pk?id=eq.2", empty.clone(), json!([{"id": 2}])),
        ended(delete("/only_pk?id=eq.1", 200)).rows(one.clone()),
        left("/only_pk?id=eq.1", empty.clone(), one),
        ended(post("/rpc/drop_songs", &json!({}), 204)).nothing(),
        left(
            "/songs?select=count()",
            json!([{"count": 0}]),
            json!([{"count": 3}]),
        ),
    ])
    .await;
}

/// Constraints speak up at once and at the end, whatever the end is.
async fn constraints(spec: &Spec, end: Option<&str>) {
    let violated = |late: bool| {
        let case = post("/rpc/insert_twice", &json!({"late": late}), 409)
            .refused(
                "23505",
                "duplicate key value violates unique constraint \"once_n_key\"",
            )
            .lacks("preference-applied");
        match end {
            Some(end) => case.prefer(end),
            None => case,
        }
    };
    spec.check([violated(false), violated(true)]).await;
}

#[tokio::test]
async fn changes_stay_or_go_as_configured() {
    let commit = Some("tx=commit");
    let rollback = Some("tx=rollback");
    for (configured, end, stay) in [
        ("commit", None, true),
        ("commit", rollback, true),
        ("rollback", None, false),
        ("rollback", commit, false),
        ("commit-allow-override", None, true),
        ("commit-allow-override", rollback, false),
        ("rollback-allow-override", None, false),
        ("rollback-allow-override", commit, true),
    ] {
        let spec = Spec::with(&[("PGRST_DB_TX_END", configured)]).await;
        constraints(&spec, end).await;
        writes(&spec, end, stay).await;
    }
}

#[tokio::test]
async fn an_end_is_confirmed_only_where_it_may_be_chosen() {
    let free = Spec::with(&[("PGRST_DB_TX_END", "rollback-allow-override")]).await;
    free.check([
        get("/only_pk", 200)
            .prefer("tx=commit")
            .carries("preference-applied", "tx=commit"),
        case(Method::HEAD, "/only_pk", 200)
            .prefer("tx=rollback")
            .carries("preference-applied", "tx=rollback"),
        get("/rpc/greet", 200)
            .prefer("tx=commit")
            .carries("preference-applied", "tx=commit"),
        post("/only_pk", &json!({"id": 5}), 201)
            .prefer("tx=rollback, return=minimal, count=exact")
            .carries(
                "preference-applied",
                "return=minimal, count=exact, tx=rollback",
            ),
        // What is refused was not committed.
        delete("/only_pk", 406)
            .prefer("tx=commit")
            .header("accept", "application/vnd.pgrst.object+json")
            .lacks("preference-applied"),
        get("/only_pk", 200).json(json!([{"id": 1}, {"id": 2}])),
    ])
    .await;
    let bound = Spec::with(&[("PGRST_DB_TX_END", "rollback")]).await;
    bound
        .check([
            get("/only_pk", 200)
                .prefer("tx=commit")
                .lacks("preference-applied"),
            get("/rpc/greet", 200)
                .prefer("tx=commit")
                .lacks("preference-applied"),
        ])
        .await;
}

#[tokio::test]
async fn a_function_writes_only_where_it_may() {
    let spec = Spec::start().await;
    let read_only = |name: &str| {
        let message = format!("cannot execute {name} in a read-only transaction");
        move |case: Case| case.refused("25006", &message)
    };
    spec.check([
        read_only("nextval()")(get("/rpc/count_calls", 405)),
        read_only("UPDATE")(get("/rpc/rename_songs?plays=9", 405)),
        case(Method::HEAD, "/rpc/rename_songs?plays=9", 405),
        post("/rpc/write_while_stable", &json!({}), 400),
        post("/rpc/count_calls", &json!({}), 200).json(json!(1)),
        post("/rpc/count_calls", &json!({}), 200).json(json!(2)),
        post(
            "/rpc/rename_songs?select=title&plays=eq.0&order=title.desc",
            &json!({"plays": 2}),
            200,
        )
        .json(json!([{"title": "Canon"}, {"title": "Ballad"}])),
    ])
    .await;
}

#[tokio::test]
async fn a_function_brings_its_own_settings() {
    let spec = Spec::start().await;
    let told = |path: &str, value: &str| get(path, 200).json(json!(value));
    spec.check([
        told("/rpc/patient", "7s"),
        told("/rpc/setting?name=statement_timeout", "0"),
        told("/rpc/strict", "serializable"),
        told("/rpc/setting?name=transaction_isolation", "read committed"),
        told("/rpc/setting?name=request.method", "GET"),
        told("/rpc/setting?name=request.path", "/rpc/setting"),
        told("/rpc/setting?name=transaction_read_only", "on"),
        post("/rpc/patient", &json!({}), 200).json(json!("7s")),
        told("/rpc/setting?name=timezone", "Europe/Madrid")
            .prefer("timezone=Europe/Madrid")
            .carries("preference-applied", "timezone=Europe/Madrid"),
    ])
    .await;
}

#[tokio::test]
async fn a_function_before_the_request_has_a_say_in_every_answer() {
    let spec = Spec::with(&[("PGRST_DB_PRE_REQUEST", "extra.before")]);
    let spec = spec.await;
    let marked = |case: Case| case.carries("x-before", "seen");
    spec.check([
        marked(get("/only_pk", 200)),
        marked(case(Method::HEAD, "/only_pk", 200).text("")),
        marked(post("/only_pk", &json!({"id": 5}), 201).nothing()),
        marked(patch("/only_pk?id=eq.5", &json!({"id": 6}), 204).nothing()).lacks("content-length"),
        marked(
            case(Method::PUT, "/only_pk?id=eq.6", 204)
                .body(r#"{"id": 6}"#)
                .nothing(),
        ),
        marked(delete("/only_pk?id=eq.6", 204).nothing()),
        marked(get("/rpc/greet", 200).carries("content-type", "application/greeting+json")),
    ])
    .await;
}
