//! The SQL of the main shapes of requests, to be looked at when it changes:
//! `INSTA_UPDATE=always cargo test -p sql-rest snapshots` writes what is current.

use http::Method;
use sql_rest::sql::Bind;

use super::{Given, catalog::catalog, options};

/// Each request with its statements and their binds.
fn written(requests: impl IntoIterator<Item = Given>) -> String {
    let (catalog, options) = (catalog(), options());
    let mut lines = Vec::new();
    for given in requests {
        let Given {
            method,
            path,
            query,
            headers,
            ..
        } = &given;
        lines.push(format!("{method} {path}?{query}"));
        lines.extend(
            headers
                .iter()
                .map(|(name, value)| format!("{name}: {value:?}")),
        );
        let statements = given.statements(&catalog, &options);
        for statement in statements.expect("the request is understood") {
            lines.push(statement.sql);
            let binds = statement.binds.iter().enumerate();
            lines.extend(
                binds.map(|(position, bind)| format!("${} = {}", position + 1, shown(bind))),
            );
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

fn shown(bind: &Bind) -> String {
    match bind {
        Bind::Text(text) => text.clone(),
        Bind::Body(bytes) | Bind::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn get(path: &str) -> Given {
    Given::new(Method::GET, path)
}

fn json(method: Method, path: &str, prefer: &str, body: &'static str) -> Given {
    Given::new(method, path)
        .header("prefer", prefer.as_bytes())
        .body(body)
}

#[test]
fn reads() {
    let statements = written([
        get("/projects?id=eq.1"),
        get(
            "/projects?select=id,title:name,data->a->>0,data->>b&order=id.desc.nullslast,name&limit=10&offset=20",
        ),
        get(
            "/projects?name=like.a*&client_id=in.(1,2)&data=is.null&or=(id.gt.1,not.and(id.lt.5,name.ilike.b*))",
        ),
        get("/projects?words=fts(english).cat&name=plfts.dog"),
        get("/projects?select=client_id,id.count(),id.sum()::text"),
        get("/clients?select=shout,name::varchar"),
        get("/users?shade=eq.red"),
        get("/projects?client_id=gt.1&limit=5").header("prefer", b"count=exact"),
        get("/projects?client_id=gt.1").header("prefer", b"count=planned"),
        get("/projects?id=eq.1").header("accept", b"application/vnd.pgrst.object+json"),
        get("/projects?id=eq.1").header("accept", b"text/csv"),
        get("/projects?id=eq.1").header("accept", b"application/vnd.pgrst.plan+json"),
    ]);
    insta::assert_snapshot!(statements);
}

#[test]
fn embeds() {
    let statements = written([
        get("/projects?select=id,clients(name)"),
        get(
            "/clients?select=id,projects(id,name)&projects.order=id&projects.limit=3&projects.name=eq.x",
        ),
        get("/clients?select=id,projects!inner(id)&projects.id=gt.1"),
        get("/users?select=id,projects(id,clients(name))"),
        get("/projects?select=id,...clients(client:name)&order=clients(name)"),
        get("/clients?select=id,...projects(names:name)"),
        get("/clients?select=id,projects()&projects=not.is.null"),
    ]);
    insta::assert_snapshot!(statements);
}

#[test]
fn writes() {
    let (post, patch, put, delete) = (Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    let statements = written([
        json(post.clone(), "/projects", "", r#"{"name":"a"}"#),
        json(
            post.clone(),
            "/projects?select=id,clients(name)",
            "return=representation",
            r#"[{"id":1,"client_id":2}]"#,
        ),
        json(
            post.clone(),
            "/projects",
            "return=headers-only",
            r#"{"id":1}"#,
        ),
        json(
            post.clone(),
            "/projects?columns=id,name",
            "missing=default",
            r#"[{"id":1},{"id":2,"name":"b"}]"#,
        ),
        json(
            post.clone(),
            "/projects?on_conflict=id",
            "resolution=merge-duplicates",
            r#"[{"id":1,"name":"a"}]"#,
        ),
        json(
            post.clone(),
            "/projects?columns=id,name",
            "resolution=ignore-duplicates",
            r#"[{"id":1,"name":"a"}]"#,
        ),
        json(
            post,
            "/users",
            "return=representation",
            r#"{"shade":"red"}"#,
        ),
        json(
            patch,
            "/projects?id=eq.1",
            "return=representation",
            r#"{"name":"b"}"#,
        ),
        json(
            put,
            "/projects?id=eq.1",
            "",
            r#"{"id":1,"name":"b","client_id":1,"data":null,"words":null}"#,
        ),
        json(delete, "/projects?id=eq.1&name=neq.x", "count=exact", ""),
    ]);
    insta::assert_snapshot!(statements);
}

#[test]
fn calls() {
    let statements = written([
        get("/rpc/add_them?a=1&b=2"),
        json(Method::POST, "/rpc/add_them", "", r#"{"a":1,"b":2}"#),
        get("/rpc/all_projects?select=id,clients(name)&id=gt.1&order=id&limit=2")
            .header("prefer", b"count=exact"),
        get("/rpc/anything?kind=x&select=whatever"),
    ]);
    insta::assert_snapshot!(statements);
}
