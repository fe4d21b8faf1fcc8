//! Values of all kinds: inside JSON, composite and array columns, in domains of their own, behind
//! names that need quotes.

use super::*;

#[tokio::test]
async fn paths_lead_into_values_of_any_kind() {
    let spec = Spec::start().await;
    let table = [
        (
            "/buoys?select=place->lat,n:place->>lon&id=eq.1",
            json!([{"lat": 1.5, "n": "2.5"}]),
        ),
        (
            "/buoys?select=a:depths->0->1,b:depths->1->>0,depths->-1&id=eq.1",
            json!([{"a": 2, "b": "3", "depths": [3, 4]}]),
        ),
        ("/buoys?select=id&place->lat=gt.2", json!([{"id": 2}])),
        ("/buoys?select=id&place->>lat=eq.1.5", json!([{"id": 1}])),
        ("/buoys?select=id&depths->1->1=eq.8", json!([{"id": 2}])),
        (
            "/buoys?select=id&order=place->lon.desc",
            json!([{"id": 2}, {"id": 1}]),
        ),
        (
            "/buoys?select=id&order=depths->0->0.desc",
            json!([{"id": 2}, {"id": 1}]),
        ),
        (
            "/samples?select=data->k->x->-1->>y&id=eq.1",
            json!([{"y": "deep"}]),
        ),
        ("/samples?select=id&data->>-1=eq.3", json!([{"id": 4}])),
        (
            "/samples?select=id&or=(data->k->x->>0.eq.30,data->>s.eq.text)&order=id",
            json!([{"id": 1}, {"id": 2}]),
        ),
        ("/samples?select=id&data=eq.[1,2,3]", json!([{"id": 4}])),
        ("/samples?select=doc->>k::int&id=eq.2", json!([{"k": 2}])),
        ("/samples?select=v:doc->>k::json&id=eq.1", json!([{"v": 1}])),
        (
            "/samples?select=id&doc->>k=in.(1,v)&order=id",
            json!([{"id": 1}, {"id": 4}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
    let table = [
        (
            "/samples?select=data->>s->1",
            "operator does not exist: text -> integer",
        ),
        (
            "/samples?select=data->>s->b",
            "operator does not exist: text -> unknown",
        ),
        (
            "/paints?shade=ilike.*ff*",
            "operator does not exist: color ~~* unknown",
        ),
    ];
    for (path, message) in table {
        assert_eq!(
            spec.get(path).await.refusal(),
            refused(404, "42883", message),
            "{path}"
        );
    }
    let got = spec.get("/samples?select=doc->>k::int").await;
    assert_eq!(
        got.refusal(),
        refused(400, "22P02", "invalid input syntax for type integer: \"v\"")
    );
}

#[tokio::test]
async fn words_are_searched_in_columns_of_any_kind() {
    let spec = Spec::start().await;
    let table = [
        ("note=fts(simple).lights", vec![1]),
        ("note=fts(english).light", vec![1]),
        ("note=plfts(french).lumière", vec![2]),
        ("note=not.wfts(english).light or dark", vec![2]),
        ("note=phfts(simple).les lumières", vec![2]),
        ("tagged=fts(simple).lights", vec![1]),
        ("tagged=not.fts(simple).lights", vec![2]),
        (
            "or=(note.fts(simple).lights, tagged.plfts(simple).lumières)",
            vec![1, 2],
        ),
        (
            "and=(note.not.fts(simple).lights,tagged.not.phfts(simple).out)",
            vec![2],
        ),
    ];
    for (query, expected) in table {
        let rows = spec
            .reads(&format!("/buoys?select=id&order=id&{query}"))
            .await;
        let found: Vec<i64> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_i64().unwrap())
            .collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn a_domain_shows_its_values_in_its_own_way_everywhere() {
    let spec = Spec::start().await;
    let table = [
        (
            "/paints?select=shade&id=eq.1",
            json!([{"shade": "#FF0000"}]),
        ),
        (
            "/paints?id=eq.2",
            json!([{"id": 2, "name": "black", "shade": "#000000"}]),
        ),
        (
            "/paints?select=s:shade::text&id=eq.1",
            json!([{"s": "\"#FF0000\""}]),
        ),
        ("/paints?select=id&shade=eq.ff0000", json!([{"id": 1}])),
        (
            "/paints?select=id&shade=in.(ff0000,000001)",
            json!([{"id": 1}]),
        ),
        (
            "/paints?select=id&shade=not.in.(ff0000)",
            json!([{"id": 2}]),
        ),
        ("/paints?select=id&shade=not.eq.ff0000", json!([{"id": 2}])),
        (
            "/paints?select=id&or=(shade.eq.ff0000,id.eq.9)",
            json!([{"id": 1}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn names_may_be_of_any_kind() {
    let spec = Spec::start().await;
    let table = [
        (
            "/Crate;?order=crateId",
            json!([{"crateId": 1}, {"crateId": 2}]),
        ),
        (
            "/Crate;?select=crateId,crateLabels(\":a->b::c\")&order=crateId",
            json!([{"crateId": 1, "crateLabels": [{":a->b::c": "arrow"}]}, {"crateId": 2, "crateLabels": []}]),
        ),
        (
            "/crateLabels?select=\"(d,e)\",\"  f  \"&\":a->b::c\"=eq.arrow",
            json!([{"(d,e)": "parens", "  f  ": "spaces"}]),
        ),
        (
            "/crateLabels?select=crateId(*)",
            json!([{"crateId": {"crateId": 1}}]),
        ),
        ("/da$h?select=a$b$&a$b$=eq.2", json!([{"a$b$": 2}])),
        (
            "/projects?id=eq.1&select=id, name, clients( name ), tasks(id)&tasks.order=id",
            json!([{"id": 1, "name": "Windows 7", "clients": {"name": "Microsoft"}, "tasks": [{"id": 1}, {"id": 2}]}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn lists_and_quantifiers_take_values_as_they_are_written() {
    let spec = Spec::start().await;
    spec.0
        .sql("insert into api.no_pk values ('\"', 'x'), ('\\', 'x'), ('a\"b\"', 'x'), ('c, d', 'x'), ('e(1)', 'x')")
        .await;
    let table = [
        ("a=in.(\")", vec!["\""]),
        ("a=in.(\\)", vec!["\\"]),
        ("a=in.(a\"b\")", vec!["a\"b\""]),
        ("a=in.(\"a\\\"b\\\"\")", vec!["a\"b\""]),
        ("a=in.(\"\\\\\")", vec!["\\"]),
        ("a=in.(\"c\\, d\")", vec!["c, d"]),
        ("a=in.(\"c, d\",\"e(1)\")", vec!["c, d", "e(1)"]),
        ("a=like(any).{c*,e*}", vec!["c, d", "e(1)"]),
        ("a=ilike(all).{C*,*D}", vec!["c, d"]),
        ("a=match(any).{^c,^e}", vec!["c, d", "e(1)"]),
        ("a=imatch(any).{^C}", vec!["c, d"]),
        ("a=gte(all).{c,d}&a=lt(any).{f}", vec!["e(1)"]),
        ("a=in.(   )", vec![]),
    ];
    for (query, expected) in table {
        let rows = spec
            .reads(&format!("/no_pk?select=a&b=eq.x&order=a&{query}"))
            .await;
        let found: Vec<&str> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["a"].as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{query}");
    }
    let got = spec.get("/clients?id=in.( ,3)").await;
    assert_eq!(
        got.refusal(),
        refused(400, "22P02", "invalid input syntax for type integer: \"\"")
    );
}
