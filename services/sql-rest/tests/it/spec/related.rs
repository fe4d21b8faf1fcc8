//! What related rows decide about the rows around: which there are, how many, in what order.

use testkit::wait::eventually;

use super::*;
use crate::stack::DEADLINE;

/// The status, `Content-Range` and body of a counted read.
async fn counted(spec: &Spec, path: &str, count: &str) -> (u16, String, Value) {
    let headers = [("prefer", count)];
    let response = spec.send(Method::GET, path, &headers, "").await;
    let range = response.header("content-range").unwrap_or_default();
    (response.status.as_u16(), range.to_owned(), response.json())
}

#[tokio::test]
async fn rows_are_counted_as_their_related_rows_leave_them() {
    let spec = Spec::start().await;
    let table = [
        ("/projects?select=id,clients!inner(id)", "0-3/4"),
        ("/projects?select=id,clients!left(id)", "0-4/5"),
        (
            "/projects?select=id,clients!inner(id)&clients.id=eq.1",
            "0-1/2",
        ),
        (
            "/projects?select=id,clients!inner(id)&clients.id=eq.0",
            "*/0",
        ),
        (
            "/tasks?select=id,projects!inner(id,clients!inner(id))&projects.clients.id=eq.1",
            "0-3/4",
        ),
        (
            "/tasks?select=id,projects(id,clients!inner(id))&projects.clients.id=eq.1",
            "0-7/8",
        ),
        (
            "/clients?select=id,projects!inner(id,tasks!inner(id))&projects.tasks.id=in.(1,3)",
            "0-0/1",
        ),
        (
            "/users?select=id,tasks!inner(id,projects!inner(id))&tasks.projects.id=eq.3",
            "0-1/2",
        ),
        (
            "/users?select=id,tasks!users_tasks!inner(id)&tasks.id=eq.1",
            "0-1/2",
        ),
        (
            "/projects?select=name,clients!inner(name),tasks!inner(name)",
            "0-3/4",
        ),
        (
            "/projects?select=name,clients(name)&clients=not.is.null",
            "0-3/4",
        ),
        ("/projects?select=name,clients()&clients=is.null", "0-0/1"),
        (
            "/rpc/all_projects?select=id,clients!inner(id)&clients.id=eq.1",
            "0-1/2",
        ),
        (
            "/clerks?select=name,mentees!inner(name)&mentees.name=eq.Turkey",
            "0-0/1",
        ),
    ];
    for (path, range) in table {
        let (status, found, _) = counted(&spec, path, "count=exact").await;
        assert_eq!((status, found.as_str()), (200, range), "{path}");
    }
}

#[tokio::test]
async fn an_estimate_holds_where_nothing_limits_the_count() {
    let spec = Spec::start().await;
    spec.0.sql("analyze api.tasks").await;
    let path = "/tasks?select=id&id=lt.3";
    let (_, planned, _) = counted(&spec, path, "count=planned").await;
    let (_, estimated, _) = counted(&spec, path, "count=estimated").await;
    let total = |range: &str| range.split('/').nth(1).unwrap().parse::<i64>().unwrap();
    assert_eq!(total(&estimated), total(&planned).max(2));
    let (_, fewer, _) = counted(&spec, "/tasks?limit=1", "count=planned").await;
    assert_eq!(fewer, "0-0/8");
}

#[tokio::test]
async fn the_presence_of_related_rows_is_a_condition_like_any_other() {
    let spec = Spec::start().await;
    let table = [
        (
            "/projects?select=id,c:clients()&c=is.null",
            json!([{"id": 5}]),
        ),
        (
            "/users?select=id,tasks()&tasks.id=eq.1&tasks=not.is.null&order=id",
            json!([{"id": 1}, {"id": 3}]),
        ),
        (
            "/users?select=id,tasks()&tasks.id=eq.1&tasks=is.null",
            json!([{"id": 2}]),
        ),
        (
            "/users?select=id,tasks()&tasks.id=eq.1&tasks=is.not_null&order=id",
            json!([{"id": 1}, {"id": 3}]),
        ),
        (
            "/clients?select=id,projects(id,tasks())&projects.tasks=not.is.null&projects.tasks.id=eq.3&projects=not.is.null",
            json!([{"id": 1, "projects": [{"id": 2}]}]),
        ),
        (
            "/clients?select=id,projects(id,tasks())&projects.or=(tasks.is.null,id.eq.1)&projects.tasks.id=lt.3&id=eq.1",
            json!([{"id": 1, "projects": [{"id": 1}, {"id": 2}]}]),
        ),
        (
            "/projects?select=id,clients(),tasks()&clients.name=eq.Apple&tasks.id=eq.1&or=(clients.not.is.null,tasks.not.is.null)&order=id",
            json!([{"id": 1}, {"id": 3}, {"id": 4}]),
        ),
        (
            "/clients?select=id,projects(id)&projects.id=eq.3&projects=not.is.null",
            json!([{"id": 2, "projects": [{"id": 3}]}]),
        ),
        (
            "/projects?select=id,clients(name)&clients.name=eq.Apple&clients=not.is.null&order=id",
            json!([{"id": 3, "clients": {"name": "Apple"}}, {"id": 4, "clients": {"name": "Apple"}}]),
        ),
        (
            "/projects?select=id,clients(),tasks()&not.and=(clients.not.is.null,tasks.not.is.null)",
            json!([{"id": 5}]),
        ),
        (
            "/pupil?select=pupil,grade(*)&grade=eq.1&order=pupil",
            json!([{"pupil": 1, "grade": {"grade": 1}}, {"pupil": 2, "grade": {"grade": 1}}]),
        ),
        (
            "/grade?select=*,pupil(*)&grade=eq.1",
            json!([{"grade": 1, "pupil": [{"pupil": 1, "grade": 1}, {"pupil": 2, "grade": 1}]}]),
        ),
        (
            "/projects?select=id,client_id,client:client_id(name)&client_id=eq.2&order=id",
            json!([
                {"id": 3, "client_id": 2, "client": {"name": "Apple"}},
                {"id": 4, "client_id": 2, "client": {"name": "Apple"}}
            ]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
    let refusal = spec
        .get("/projects?select=id,clients()&clients=is.true")
        .await;
    assert_eq!(
        refusal.body["details"],
        "Only is null or not is null filters are allowed on embedded resources"
    );
}

#[tokio::test]
async fn the_one_related_row_decides_about_the_order() {
    let spec = Spec::start().await;
    let ids = async |path: &str| -> Vec<i64> {
        let rows = spec.reads(path).await;
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let table = [
        (
            "/projects?select=id,clients(name)&order=clients(name).nullsfirst,id",
            vec![5, 3, 4, 1, 2],
        ),
        (
            "/projects?select=id,c:clients(name)&order=c(name),id",
            vec![3, 4, 1, 2, 5],
        ),
        (
            "/projects?select=id,c:clients(n:name)&order=c(n),id",
            vec![3, 4, 1, 2, 5],
        ),
        (
            "/projects?select=id,clients(id)&order=clients(name),id",
            vec![3, 4, 1, 2, 5],
        ),
        (
            "/projects?select=id,clients()&order=clients(name).desc.nullslast,id.desc",
            vec![2, 1, 4, 3, 5],
        ),
        (
            "/projects?select=id,clients(id)&order=clients(shout),id",
            vec![3, 4, 1, 2, 5],
        ),
        (
            "/tasks?select=id,projects(...clients(client:name))&order=projects(client),id.desc",
            vec![8, 7, 6, 5, 4, 3, 2, 1],
        ),
        (
            "/tasks?select=id,...projects(p:name)&order=projects(p),id&limit=3",
            vec![5, 6, 7],
        ),
        ("/paints?select=id&order=shade", vec![2, 1]),
    ];
    for (path, expected) in table {
        assert_eq!(ids(path).await, expected, "{path}");
    }
    assert_eq!(
        spec.reads(
            "/users?select=tasks(id,projects(id))&tasks.order=projects(id).desc,name&id=eq.1"
        )
        .await,
        json!([{"tasks": [
            {"id": 4, "projects": {"id": 2}}, {"id": 3, "projects": {"id": 2}},
            {"id": 2, "projects": {"id": 1}}, {"id": 1, "projects": {"id": 1}}
        ]}])
    );
    let refusal = spec
        .get("/clients?select=id,p:projects(id)&order=p(id)")
        .await;
    assert_eq!(
        refusal.body["details"],
        "'clients' and 'p' do not form a many-to-one or one-to-one relationship"
    );
    let refusal = spec
        .get("/projects?select=id,clients(name)&order=client(name)")
        .await;
    assert_eq!(
        (refusal.status, &refusal.body["code"]),
        (400, &json!("PGRST108"))
    );
    assert_eq!(
        refusal.body["hint"],
        "Verify that 'client' is included in the 'select' query parameter."
    );
}

#[tokio::test]
async fn the_whole_row_is_meant_whatever_its_columns_are_called() {
    let spec = Spec::start().await;
    spec.0
        .sql(
            "create function api.twice(api.pupil) returns int language sql stable as $$ select $1.pupil * 2 $$;
             create function api.mates(api.pupil) returns setof api.pupil language sql stable as
               $$ select * from api.pupil p where p.grade = $1.grade and p.pupil <> $1.pupil $$;
             notify pgrst",
        )
        .await;
    eventually("the functions are known", DEADLINE, async || {
        (spec.get("/pupil?select=twice").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(
        spec.reads("/pupil?select=twice,mates(pupil)&order=twice.desc&twice=gt.1")
            .await,
        json!([{"twice": 4, "mates": [{"pupil": 1}]}, {"twice": 2, "mates": [{"pupil": 2}]}])
    );
    let written = spec
        .writes(
            Method::PATCH,
            "/pupil?select=twice,mates(pupil)&pupil=eq.1",
            &json!({"grade": 1}),
        )
        .await;
    assert_eq!(written, ok(json!([{"twice": 2, "mates": [{"pupil": 2}]}])));
    let nested =
        "/clerks?select=id,clerks:offices!office_id(name),mentees(id)&id=eq.1&mentees.order=id";
    assert_eq!(
        spec.reads(nested).await,
        json!([{"id": 1, "clerks": {"name": "Ledgers"}, "mentees": [{"id": 2}, {"id": 3}]}])
    );
}

#[tokio::test]
async fn a_range_applies_at_every_level() {
    let spec = Spec::start().await;
    let path = "/clients?select=id,projects(id,tasks(id))&order=id&limit=1&projects.order=id.desc&projects.limit=1&projects.tasks.offset=1&projects.tasks.order=id";
    assert_eq!(
        spec.reads(path).await,
        json!([{"id": 1, "projects": [{"id": 2, "tasks": [{"id": 4}]}]}])
    );
    assert_eq!(
        spec.reads("/tasks?select=id,projects(id)&projects.offset=1&id=eq.1")
            .await,
        json!([{"id": 1, "projects": null}])
    );
    assert_eq!(
        spec.reads("/clients?select=id,projects(id)&projects.limit=0&id=eq.1")
            .await,
        json!([{"id": 1, "projects": []}])
    );
    let bounded = Spec::with(&[("PGRST_DB_MAX_ROWS", "1")]).await;
    assert_eq!(
        bounded
            .reads("/users?select=id,tasks(id,projects(id))&order=id&tasks.order=id.desc")
            .await,
        json!([{"id": 1, "tasks": [{"id": 4, "projects": {"id": 2}}]}])
    );
}
