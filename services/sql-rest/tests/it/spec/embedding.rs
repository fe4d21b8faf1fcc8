//! Related rows.

use super::*;

#[tokio::test]
async fn related_rows_are_embedded() {
    let spec = Spec::start().await;
    let table = [
        (
            "/projects?select=id,clients(name)&id=in.(1,5)&order=id",
            json!([{"id": 1, "clients": {"name": "Microsoft"}}, {"id": 5, "clients": null}]),
        ),
        (
            "/clients?select=id,projects(id)&order=id&projects.order=id.desc",
            json!([{"id": 1, "projects": [{"id": 2}, {"id": 1}]}, {"id": 2, "projects": [{"id": 4}, {"id": 3}]}]),
        ),
        (
            "/users?select=id,tasks(id)&id=eq.3&tasks.order=id",
            json!([{"id": 3, "tasks": [{"id": 1}, {"id": 5}]}]),
        ),
        (
            "/countries?select=name,capitals(name)&id=eq.1",
            json!([{"name": "Afghanistan", "capitals": {"name": "Kabul"}}]),
        ),
        (
            "/capitals?select=name,countries(name)&id=eq.1",
            json!([{"name": "Kabul", "countries": {"name": "Afghanistan"}}]),
        ),
        (
            "/family?select=name,children:family(name)&id=eq.1&children.order=id",
            json!([{"name": "Grandmother", "children": [{"name": "Mother"}, {"name": "Uncle"}]}]),
        ),
        (
            "/family?select=name,parent(name,parent(name))&id=eq.4",
            json!([{"name": "Child", "parent": {"name": "Mother", "parent": {"name": "Grandmother"}}}]),
        ),
        (
            "/family?select=name,children:family!parent(name)&id=eq.2",
            json!([{"name": "Mother", "children": [{"name": "Child"}]}]),
        ),
        (
            "/projects?select=id,client(name)&id=eq.1",
            json!([{"id": 1, "client": {"name": "Microsoft"}}]),
        ),
        (
            "/projects?select=id,client_id(name)&id=eq.1",
            json!([{"id": 1, "client_id": {"name": "Microsoft"}}]),
        ),
        (
            "/projects?select=id,c:clients!client(name)&id=eq.1",
            json!([{"id": 1, "c": {"name": "Microsoft"}}]),
        ),
        (
            "/projects?select=id,clients!client_id(name)&id=eq.1",
            json!([{"id": 1, "clients": {"name": "Microsoft"}}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn related_rows_are_found_through_views_functions_and_several_steps() {
    let spec = Spec::start().await;
    let table = [
        (
            "/messages?select=id,sender(name),to:users!message_recipient(name)&id=eq.1",
            json!([{"id": 1, "sender": {"name": "Angela Martin"}, "to": {"name": "Michael Scott"}}]),
        ),
        (
            "/clients?select=id,projects(id,tasks(id,users(id)))&id=eq.2&projects.id=eq.3&projects.tasks.order=id&projects.tasks.users.order=id",
            json!([{"id": 2, "projects": [{"id": 3, "tasks": [{"id": 5, "users": [{"id": 2}, {"id": 3}]}, {"id": 6, "users": [{"id": 2}]}]}]}]),
        ),
        (
            "/users?select=id,tasks!users_tasks(id)&id=eq.3&tasks.limit=1&tasks.order=id.desc",
            json!([{"id": 3, "tasks": [{"id": 5}]}]),
        ),
        (
            "/projects_view?select=id,clients(name),tasks(id)&id=eq.1&tasks.order=id",
            json!([{"id": 1, "clients": {"name": "Microsoft"}, "tasks": [{"id": 1}, {"id": 2}]}]),
        ),
        (
            "/clients?select=id,big_projects(id)&id=eq.1",
            json!([{"id": 1, "big_projects": [{"id": 2}]}]),
        ),
        (
            "/projects?select=id,client_of(name)&id=eq.1",
            json!([{"id": 1, "client_of": {"name": "Microsoft"}}]),
        ),
        ("/clients?select=id,projects()&id=eq.1", json!([{"id": 1}])),
        (
            "/clients?select=id,projects(*)&id=eq.1&projects.id=eq.1",
            json!([{"id": 1, "projects": [{"id": 1, "name": "Windows 7", "client_id": 1}]}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn embedded_rows_can_decide_about_the_rows_around() {
    let spec = Spec::start().await;
    let table = [
        (
            "/projects?select=id,clients!inner(name)&clients.name=eq.Apple&order=id",
            json!([{"id": 3, "clients": {"name": "Apple"}}, {"id": 4, "clients": {"name": "Apple"}}]),
        ),
        (
            "/clients?select=id,projects!inner(id)&projects.id=eq.3",
            json!([{"id": 2, "projects": [{"id": 3}]}]),
        ),
        (
            "/clients?select=id,projects!inner()&projects.id=eq.3",
            json!([{"id": 2}]),
        ),
        (
            "/users?select=id,tasks!inner(id)&tasks.id=eq.7",
            json!([{"id": 2, "tasks": [{"id": 7}]}]),
        ),
        (
            "/clients?select=id,projects!inner(id,tasks!inner(id))&projects.tasks.id=eq.5",
            json!([{"id": 2, "projects": [{"id": 3, "tasks": [{"id": 5}]}]}]),
        ),
        (
            "/clients?select=id,projects(id,tasks!inner(id))&projects.tasks.id=eq.5&order=id",
            json!([{"id": 1, "projects": []}, {"id": 2, "projects": [{"id": 3, "tasks": [{"id": 5}]}]}]),
        ),
        (
            "/projects?select=id,clients()&clients=is.null",
            json!([{"id": 5}]),
        ),
        (
            "/projects?select=id,clients()&clients=not.is.null&id=gt.3",
            json!([{"id": 4}]),
        ),
        (
            "/clients?select=id,projects()&projects.id=eq.3&projects=is.null",
            json!([{"id": 1}]),
        ),
        (
            "/projects?select=id,clients(),tasks()&or=(clients.is.null,tasks.is.null)",
            json!([{"id": 5}]),
        ),
        (
            "/projects?select=id,clients(name)&order=clients(name).desc.nullslast,id&id=in.(1,3,5)",
            json!([{"id": 1, "clients": {"name": "Microsoft"}}, {"id": 3, "clients": {"name": "Apple"}}, {"id": 5, "clients": null}]),
        ),
        (
            "/projects?select=id,c:clients(name)&order=c(id).desc.nullsfirst,id&id=in.(1,3,5)",
            json!([{"id": 5, "c": null}, {"id": 3, "c": {"name": "Apple"}}, {"id": 1, "c": {"name": "Microsoft"}}]),
        ),
        (
            "/projects?select=id,clients()&order=clients(name),id&limit=1",
            json!([{"id": 3}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn embedded_rows_can_be_spread() {
    let spec = Spec::start().await;
    let table = [
        (
            "/projects?select=id,...clients(client:name)&id=in.(1,5)&order=id",
            json!([{"id": 1, "client": "Microsoft"}, {"id": 5, "client": null}]),
        ),
        (
            "/tasks?select=id,...projects(project:name,...clients(client:name))&id=eq.1",
            json!([{"id": 1, "project": "Windows 7", "client": "Microsoft"}]),
        ),
        (
            "/tasks?select=id,...projects(clients(name))&id=eq.1",
            json!([{"id": 1, "clients": {"name": "Microsoft"}}]),
        ),
        (
            "/clients?select=name,...projects(ids:id,names:name)&projects.order=id&id=eq.1",
            json!([{"name": "Microsoft", "ids": [1, 2], "names": ["Windows 7", "Windows 10"]}]),
        ),
        (
            "/clients?select=name,...projects(ids:id)&projects.order=name.desc&id=eq.1",
            json!([{"name": "Microsoft", "ids": [1, 2]}]),
        ),
        (
            "/clients?select=id,...projects(p:name)&projects.id=eq.99&id=eq.1",
            json!([{"id": 1, "p": []}]),
        ),
        (
            "/clients?select=id,...projects()&id=eq.1",
            json!([{"id": 1}]),
        ),
        (
            "/users?select=id,...tasks(names:name)&id=eq.3&tasks.order=id.desc",
            json!([{"id": 3, "names": ["Design IOS", "Design w7"]}]),
        ),
        (
            "/users?select=id,...tasks(task:name,...projects(project:name))&id=eq.3&tasks.order=id",
            json!([{"id": 3, "task": ["Design w7", "Design IOS"], "project": ["Windows 7", "IOS"]}]),
        ),
        (
            "/tasks?select=...projects(...clients(client:name)),count()&id=lt.5",
            json!([{"client": "Microsoft", "count": 4}]),
        ),
        (
            "/projects?select=client_id,...tasks(n:count())",
            Value::Null,
        ),
        (
            "/tasks?select=...projects(client_id,id.sum())&id=in.(1,3)",
            json!([{"client_id": 1, "sum": 3}]),
        ),
    ];
    for (path, expected) in table {
        if expected.is_null() {
            let got = spec.get(path).await;
            assert_eq!(
                got.refusal(),
                refused(400, "PGRST127", "Feature not implemented"),
                "{path}"
            );
        } else {
            assert_eq!(spec.get(path).await, ok(expected), "{path}");
        }
    }
}

#[tokio::test]
async fn what_does_not_lead_anywhere_is_refused() {
    let spec = Spec::start().await;
    let table = [
        (
            "/clients?select=id,task(id)",
            refused(
                400,
                "PGRST200",
                "Could not find a relationship between 'clients' and 'task' in the schema cache",
            ),
        ),
        (
            "/messages?select=users(*)",
            refused(
                300,
                "PGRST201",
                "Could not embed because more than one relationship was found for 'messages' and 'users'",
            ),
        ),
        (
            "/clients?projects.id=eq.1",
            refused(
                400,
                "PGRST108",
                "'projects' is not an embedded resource in this request",
            ),
        ),
        (
            "/clients?select=id,projects(id)&order=projects(id)",
            refused(
                400,
                "PGRST118",
                "A related order on 'projects' is not possible",
            ),
        ),
        (
            "/clients?select=id,projects(id)&projects=eq.1",
            refused(
                400,
                "PGRST120",
                "Bad operator on the 'projects' embedded resource",
            ),
        ),
        (
            "/projects?select=id,clients(nope)",
            refused(400, "42703", "column clients_1.nope does not exist"),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await.refusal(), expected, "{path}");
    }
    let body = spec.get("/messages?select=users(*)").await.body;
    assert_eq!(
        body["details"][0],
        json!({
            "cardinality": "many-to-one",
            "embedding": "messages with users",
            "relationship": "message_recipient using messages(recipient) and users(id)"
        })
    );
    assert_eq!(
        body["hint"],
        "Try changing 'users' to one of the following: 'users!message_recipient', 'users!message_sender'. Find the desired relationship in the 'details' key."
    );
}

#[tokio::test]
async fn an_alias_is_the_name_of_an_embed() {
    let spec = Spec::start().await;
    let path = "/clients?select=id,p:projects(id)&projects.id=eq.1&id=eq.1";
    let response = spec.send(Method::GET, path, &[], "").await;
    assert_eq!(response.json(), json!([{"id": 1, "p": [{"id": 1}]}]));
    assert!(
        response
            .header("warning")
            .is_some_and(|warning| warning.contains("Update `projects` to `p`"))
    );
    let twice = "/projects?select=t:tasks(id),c:clients(id)&tasks.order=id&tasks.id=gt.0&clients.id=gt.0&id=eq.1";
    let response = spec.send(Method::GET, twice, &[], "").await;
    let warnings: Vec<_> = response.headers.get_all("warning").iter().collect();
    assert_eq!(warnings.len(), 2);
    let both = "/clients?select=id,p:projects(id),q:projects(id)&p.id=eq.1&q.id=eq.2&id=eq.1";
    assert_eq!(
        spec.reads(both).await,
        json!([{"id": 1, "p": [{"id": 1}], "q": [{"id": 2}]}])
    );
    let strict = Spec::with(&[("PGRST_URL_USE_LEGACY_TARGET_NAMES", "false")]).await;
    let refusal = strict.get(path).await;
    assert_eq!(refusal.status, 400);
    assert_eq!(
        refusal.body["hint"],
        "Change 'projects' to 'p' in filters, orders or limits."
    );
}
