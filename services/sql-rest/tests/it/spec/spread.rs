//! Related rows among the columns of the rows around, and values that sum up.

use super::*;

#[tokio::test]
async fn the_columns_of_many_rows_become_arrays() {
    let spec = Spec::start().await;
    let table = [
        (
            "/clients?select=client:name,...projects(name,id)&projects.order=id&order=id",
            json!([
                {"client": "Microsoft", "name": ["Windows 7", "Windows 10"], "id": [1, 2]},
                {"client": "Apple", "name": ["IOS", "OSX"], "id": [3, 4]}
            ]),
        ),
        (
            "/clients?select=client:name,...projects(*)&projects.order=name.desc&id=eq.2",
            json!([{"client": "Apple", "id": [4, 3], "name": ["OSX", "IOS"], "client_id": [2, 2]}]),
        ),
        (
            "/projects?select=id,...tasks(task:name)&tasks=is.null",
            json!([{"id": 5, "task": []}]),
        ),
        (
            "/offices?select=name,...clerks!office_id(clerk:name,mentor)&clerks.order=id&id=eq.1",
            json!([{"name": "Ledgers", "clerk": ["Bartleby", "Turkey"], "mentor": [null, 1]}]),
        ),
        (
            "/clients?select=name,...projects(id,tasks(id))&projects.order=id&projects.tasks.order=id&id=eq.1",
            json!([{"name": "Microsoft", "id": [1, 2], "tasks": [[{"id": 1}, {"id": 2}], [{"id": 3}, {"id": 4}]]}]),
        ),
        (
            "/clients?select=name,...projects(id,...tasks(task_ids:id))&projects.order=id&projects.tasks.order=id&id=eq.1",
            json!([{"name": "Microsoft", "id": [1, 2], "task_ids": [[1, 2], [3, 4]]}]),
        ),
        (
            "/users?select=name,...tasks(task:name,...projects(project:name,clients(name)))&tasks.order=id&id=eq.3",
            json!([{"name": "Dwight Schrute", "task": ["Design w7", "Design IOS"], "project": ["Windows 7", "IOS"],
                "clients": [{"name": "Microsoft"}, {"name": "Apple"}]}]),
        ),
        (
            "/users?select=name,...tasks!inner(task:id)&tasks.id=lt.3&tasks.order=id.desc&order=id",
            json!([{"name": "Angela Martin", "task": [2, 1]}, {"name": "Dwight Schrute", "task": [1]}]),
        ),
        (
            "/users?select=name,...tasks(task:id)&tasks.id=lt.2&tasks=not.is.null&order=id",
            json!([{"name": "Angela Martin", "task": [1]}, {"name": "Dwight Schrute", "task": [1]}]),
        ),
        (
            "/clients?select=name,...projects(id,...clients(c:name))&projects.order=clients(name),id.desc&id=eq.1",
            json!([{"name": "Microsoft", "id": [2, 1], "c": ["Microsoft", "Microsoft"]}]),
        ),
        (
            "/users?select=id,projects_of:users_tasks(...tasks(name,...projects(project:name)))&id=eq.3&users_tasks.order=task_id",
            json!([{"id": 3, "projects_of": [
                {"name": "Design w7", "project": "Windows 7"}, {"name": "Design IOS", "project": "IOS"}
            ]}]),
        ),
        (
            "/countries?select=name,...capitals(capital:name)&order=id",
            json!([{"name": "Afghanistan", "capital": "Kabul"}, {"name": "Algeria", "capital": "Algiers"}]),
        ),
        (
            "/clerks?select=name,...boss(boss_name:name)&id=eq.3",
            json!([{"name": "Nippers", "boss_name": "Turkey"}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn spreading_does_not_need_aggregates_to_be_allowed() {
    let spec = Spec::with(&[("PGRST_DB_AGGREGATES_ENABLED", "false")]).await;
    assert_eq!(
        spec.reads("/clients?select=...projects(id)&projects.order=id&order=id")
            .await,
        json!([{"id": [1, 2]}, {"id": [3, 4]}])
    );
    for path in [
        "/clients?select=name,projects(id.sum())",
        "/projects?select=...clients(id.count())",
        "/clients?select=...projects(id.count())",
    ] {
        assert_eq!(spec.get(path).await.body["code"], "PGRST123", "{path}");
    }
    assert_eq!(
        spec.reads("/clients?select=name,projects(count)&order=id")
            .await,
        json!([{"name": "Microsoft", "projects": [{"count": 2}]}, {"name": "Apple", "projects": [{"count": 2}]}])
    );
}

#[tokio::test]
async fn what_is_spread_is_summed_up_over_the_rows_around() {
    let spec = Spec::start().await;
    let table = [
        (
            "/bills?select=total:amount.sum(),...kinds(kind:name)&order=kinds(kind)",
            json!([{"total": 600, "kind": "goods"}, {"total": 1400, "kind": "work"}]),
        ),
        (
            "/bills?select=...kinds(kind:name,n:count()),amount.avg()::int&order=kinds(kind)",
            json!([{"kind": "goods", "n": 2, "avg": 300}, {"kind": "work", "n": 2, "avg": 700}]),
        ),
        (
            "/bills?select=...projects(client_id,...clients(client:name,count())),amount.max()&order=projects(client_id)",
            json!([
                {"client_id": 1, "client": "Microsoft", "count": 3, "max": 500},
                {"client_id": 2, "client": "Apple", "count": 1, "max": 1200}
            ]),
        ),
        (
            "/bills?select=...projects(clients(name)),amount.sum()&order=amount.sum",
            Value::Null,
        ),
        (
            "/projects?select=name,bills(amount.sum(),amount.count())&id=in.(1,5)&order=id",
            json!([
                {"name": "Windows 7", "bills": [{"sum": 300, "count": 2}]},
                {"name": "Orphan", "bills": [{"sum": null, "count": 0}]}
            ]),
        ),
        (
            "/clients?select=name,projects(...bills(amount.sum()))&id=eq.1",
            Value::Null,
        ),
        (
            "/projects?select=client_id,bills(kind_id,amount.sum())&id=eq.1&bills.order=kind_id",
            json!([{"client_id": 1, "bills": [{"kind_id": 1, "sum": 100}, {"kind_id": 2, "sum": 200}]}]),
        ),
        (
            "/bills?select=project_id,sum:amount.sum(),projects(name)&order=project_id&limit=1",
            json!([{"project_id": 1, "sum": 300, "projects": {"name": "Windows 7"}}]),
        ),
        (
            "/samples?select=n:data->>n::int.sum()::text",
            json!([{"n": "3"}]),
        ),
        ("/paints?select=shade.sum()", json!([{"sum": 16_711_680}])),
        ("/rpc/all_projects?select=id.max()", json!([{"max": 5}])),
        ("/count_column?select=count", json!([{"count": 7}])),
        ("/count_column?select=count()", json!([{"count": 1}])),
    ];
    for (path, expected) in table {
        if expected.is_null() {
            assert_eq!(spec.get(path).await.status, 400, "{path}");
        } else {
            assert_eq!(spec.get(path).await, ok(expected), "{path}");
        }
    }
}
