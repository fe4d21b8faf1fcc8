//! Columns, filters, order and the form of the answer.

use super::*;

/// The ids of the rows a query gives.
async fn ids(spec: &Spec, relation: &str, query: &str) -> Vec<i64> {
    let rows = spec.reads(&format!("/{relation}?{query}")).await;
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["id"].as_i64()).collect()
}

#[tokio::test]
async fn rows_are_shaped_by_select() {
    let spec = Spec::start().await;
    let table = [
        (
            "/clients",
            json!([{"id": 1, "name": "Microsoft"}, {"id": 2, "name": "Apple"}]),
        ),
        (
            "/clients?select=",
            json!([{"id": 1, "name": "Microsoft"}, {"id": 2, "name": "Apple"}]),
        ),
        (
            "/clients?select=n:name&id=eq.1",
            json!([{"n": "Microsoft"}]),
        ),
        ("/clients?select=id::text&id=eq.1", json!([{"id": "1"}])),
        (
            "/clients?select=x:id::text,id&id=eq.1",
            json!([{"x": "1", "id": 1}]),
        ),
        (
            "/clients?select=*,id::text&id=eq.1",
            json!([{"id": "1", "name": "Microsoft"}]),
        ),
        (
            "/clients?select=shout&id=eq.2",
            json!([{"shout": "APPLE!"}]),
        ),
        (
            "/clients?select=name_length,s:shout::varchar&id=eq.2",
            json!([{"name_length": 5, "s": "APPLE!"}]),
        ),
        ("/samples?select=data->k->x->0&id=eq.1", json!([{"x": 10}])),
        (
            "/samples?select=data->k->x->2->>y&id=eq.1",
            json!([{"y": "deep"}]),
        ),
        (
            "/samples?select=data->>n,e:data->s&id=eq.1",
            json!([{"n": "1", "e": "text"}]),
        ),
        ("/samples?select=data->>n::int&id=eq.1", json!([{"n": 1}])),
        ("/samples?select=data->-1&id=eq.4", json!([{"data": 3}])),
        (
            "/samples?select=doc->k,tags->0&id=eq.1",
            json!([{"k": 1, "tags": "a"}]),
        ),
        (
            "/samples?select=%22a.dotted.col%22&id=eq.1",
            json!([{"a.dotted.col": "d1"}]),
        ),
        (
            "/Ghost%20Names?select=Id,Two%20Words",
            json!([{"Id": 1, "Two Words": "boo"}]),
        ),
        ("/clients?select=count", json!([{"count": 2}])),
        ("/clients?select=n:count::text", json!([{"n": "2"}])),
    ];
    for (path, expected) in table {
        assert_eq!(spec.reads(path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn unknown_names_are_refused() {
    let spec = Spec::start().await;
    let table = [
        (
            "/client",
            refused(
                404,
                "PGRST205",
                "Could not find the table 'api.client' in the schema cache",
            ),
        ),
        (
            "/clients?select=nope",
            refused(400, "42703", "column clients.nope does not exist"),
        ),
        (
            "/clients?nope=eq.1",
            refused(400, "42703", "column clients.nope does not exist"),
        ),
        (
            "/clients?order=nope",
            refused(400, "42703", "column clients.nope does not exist"),
        ),
        (
            "/clients?select=secret",
            refused(400, "42703", "column clients.secret does not exist"),
        ),
        (
            "/clients?select=id::nope",
            refused(400, "42704", "type \"nope\" does not exist"),
        ),
        (
            "/a/b",
            refused(404, "PGRST125", "Invalid path specified in request URL"),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await.refusal(), expected, "{path}");
    }
    let hint = &spec.get("/client").await.body["hint"];
    assert_eq!(hint, "Perhaps you meant the table 'api.clients'");
}

#[tokio::test]
async fn every_operator_compares() {
    let spec = Spec::start().await;
    let table = [
        ("id=eq.2", vec![2]),
        ("id=neq.2", vec![1, 3, 4]),
        ("id=gt.2", vec![3, 4]),
        ("id=gte.2&id=lt.4", vec![2, 3]),
        ("id=lte.1", vec![1]),
        ("id=not.eq.2", vec![1, 3, 4]),
        ("label=like.*w*", vec![2]),
        ("label=ilike.T*", vec![2, 3]),
        ("label=like.thr%25ee", vec![3]),
        ("label=match.^t", vec![2, 3]),
        ("label=imatch.^T", vec![2, 3]),
        ("label=eq.a,b \"c\" \\d", vec![4]),
        ("id=in.(1,3)", vec![1, 3]),
        ("label=in.(one,\"a,b \\\"c\\\" \\\\d\")", vec![1, 4]),
        ("id=in.()", vec![]),
        ("id=not.in.()", vec![1, 2, 3, 4]),
        ("label=in.()", vec![]),
        ("mood=in.(sad,happy)", vec![1, 4]),
        ("flag=is.true", vec![1, 4]),
        ("flag=is.FALSE", vec![2]),
        ("flag=is.unknown", vec![3]),
        ("amount=is.null", vec![3]),
        ("amount=is.not_null", vec![1, 2, 4]),
        ("amount=not.is.null", vec![1, 2, 4]),
        ("amount=isdistinct.2", vec![1, 3, 4]),
        ("tags=cs.{b}", vec![1, 2]),
        ("tags=cd.{a,b,z}", vec![1, 4]),
        ("tags=ov.{c,z}", vec![2]),
        ("tags=eq.{a,b}", vec![1]),
        ("data=cs.{\"n\":2}", vec![2]),
        ("span=sl.[10,12)", vec![1, 2]),
        ("span=sr.[10,12)", vec![4]),
        ("span=nxr.[0,9)", vec![1, 2]),
        ("span=nxl.[5,9)", vec![2, 4]),
        ("span=adj.[9,20)", vec![2, 4]),
        ("words=fts.cat", vec![1]),
        ("words=fts(english).cats", vec![1]),
        ("label=fts.one", vec![1]),
        ("label=plfts(simple).one", vec![1]),
        ("words=phfts.jump over", vec![]),
        ("words=wfts.cat or dog", vec![1, 2]),
        ("words=not.fts.cat", vec![2, 4]),
        ("id=eq(any).{1,4}", vec![1, 4]),
        ("id=gt(all).{1,2}", vec![3, 4]),
        ("label=like(any).{o*,*w*}", vec![1, 2]),
        ("data->k->x->>0=eq.30", vec![2]),
        ("data->n=eq.1", vec![1]),
        ("data->>n=in.(1,2)", vec![1, 2]),
        ("doc->>k=eq.v", vec![4]),
        ("at=gt.2020-06-01", vec![2]),
        ("%22a.dotted.col%22=eq.d2", vec![2]),
        ("or=(id.eq.1,label.eq.two)", vec![1, 2]),
        ("and=(id.gt.1,or(id.lt.3,label.like.a*))", vec![2, 4]),
        ("not.and=(id.gt.1,id.lt.4)", vec![1, 4]),
        (
            "or=(id.not.in.(1,2,3),not.and(id.neq.1,flag.is.not_null))",
            vec![1, 3, 4],
        ),
        (
            "or=(tags.cs.{a,b},label.eq.\"a,b \\\"c\\\" \\\\d\")",
            vec![1, 4],
        ),
        ("and=(id.eq.1)", vec![1]),
    ];
    for (query, expected) in table {
        let found = ids(&spec, "samples", &format!("{query}&select=id&order=id")).await;
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn bad_values_and_operators_are_the_client_s_fault() {
    let spec = Spec::start().await;
    let status = async |path: &str| spec.get(path).await.status;
    assert_eq!(status("/clients?id=eq.x").await, 400);
    assert_eq!(status("/clients?id=in.(%20,3)").await, 400);
    assert_eq!(status("/clients?id=cs.1").await, 404);
    assert_eq!(status("/clients?id=0").await, 400);
    assert_eq!(status("/samples?at=eq.nope").await, 400);
}

#[tokio::test]
async fn rows_come_in_the_order_asked_for() {
    let spec = Spec::start().await;
    let table = [
        ("order=id.desc", vec![4, 3, 2, 1]),
        ("order=flag,id.desc", vec![2, 4, 1, 3]),
        ("order=flag.desc.nullslast,id", vec![1, 4, 2, 3]),
        ("order=flag.asc.nullsfirst,id", vec![3, 2, 1, 4]),
        ("order=amount.nullsfirst", vec![3, 1, 2, 4]),
        ("order=data-%3E%3En.desc.nullslast,id", vec![2, 1, 3, 4]),
    ];
    for (query, expected) in table {
        assert_eq!(
            ids(&spec, "samples", &format!("{query}&select=id")).await,
            expected,
            "{query}"
        );
    }
    assert_eq!(ids(&spec, "clients", "order=shout").await, [2, 1]);
}

#[tokio::test]
async fn domains_show_and_take_their_own_form() {
    let spec = Spec::start().await;
    let table = [
        (
            "/paints?order=id",
            json!([{"id": 1, "name": "red", "shade": "#FF0000"}, {"id": 2, "name": "black", "shade": "#000000"}]),
        ),
        (
            "/paints?select=shade&id=eq.1",
            json!([{"shade": "#FF0000"}]),
        ),
        (
            "/paints?select=c:shade::text&id=eq.1",
            json!([{"c": "\"#FF0000\""}]),
        ),
        ("/paints?select=id&shade=eq.ff0000", json!([{"id": 1}])),
        (
            "/paints?select=id&shade=in.(%23ff0000,000000)&order=id",
            json!([{"id": 1}, {"id": 2}]),
        ),
        ("/paints?select=id&shade=lt.000001", json!([{"id": 2}])),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn the_body_has_the_form_the_client_accepts() {
    let spec = Spec::start().await;
    let get = async |path: &str, accept: &str| {
        let response = spec
            .send(Method::GET, path, &[("accept", accept)], "")
            .await;
        let media = response
            .header("content-type")
            .unwrap_or_default()
            .to_owned();
        (response.status.as_u16(), media, response.text())
    };
    let told = |status: u16, media: &str, body: &str| (status, media.to_owned(), body.to_owned());
    assert_eq!(
        get("/clients", "text/csv").await,
        told(
            200,
            "text/csv; charset=utf-8",
            "id,name\n1,Microsoft\n2,Apple"
        )
    );
    let object = "application/vnd.pgrst.object+json";
    assert_eq!(
        get("/clients?id=eq.1", object).await,
        told(
            200,
            "application/vnd.pgrst.object+json; charset=utf-8",
            r#"{"id":1,"name":"Microsoft"}"#
        )
    );
    assert_eq!(get("/clients", object).await.0, 406);
    assert_eq!(
        get(
            "/samples?select=id,amount&id=eq.3",
            "application/vnd.pgrst.array+json;nulls=stripped"
        )
        .await,
        told(
            200,
            "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
            r#"[{"id":3}]"#
        )
    );
    assert_eq!(
        get("/clients?id=eq.1", "application/json").await.2,
        r#"[{"id":1,"name":"Microsoft"}]"#
    );
    assert_eq!(get("/clients", "text/html").await.0, 406);
    assert_eq!(get("/clients?id=eq.1", "text/html, */*;q=0.8").await.0, 200);
    let (status, media, plan) = get(
        "/clients",
        "application/vnd.pgrst.plan+json; options=analyze|verbose",
    )
    .await;
    assert_eq!(
        (status, media.as_str()),
        (
            200,
            "application/vnd.pgrst.plan+json; for=\"application/json\"; options=analyze|verbose; charset=utf-8"
        )
    );
    assert!(plan.contains("Plan Rows"), "{plan}");
    assert!(
        get("/clients?id=eq.1", "application/vnd.pgrst.plan")
            .await
            .2
            .contains("Aggregate")
    );
}
