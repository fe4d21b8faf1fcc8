//! Ranges, counts and totals.

use super::*;

#[tokio::test]
async fn ranges_and_counts_are_told() {
    let spec = Spec::start().await;
    let get = async |path: &str, headers: &[(&str, &str)]| {
        let response = spec.send(Method::GET, path, headers, "").await;
        let range = response
            .header("content-range")
            .unwrap_or_default()
            .to_owned();
        (
            response.status.as_u16(),
            range,
            response.json().as_array().map_or(0, Vec::len),
        )
    };
    let exact = ("prefer", "count=exact");
    let told = |status: u16, range: &str, rows: usize| (status, range.to_owned(), rows);
    assert_eq!(get("/samples", &[]).await, told(200, "0-3/*", 4));
    assert_eq!(get("/samples", &[exact]).await, told(200, "0-3/4", 4));
    assert_eq!(
        get("/samples?limit=2", &[exact]).await,
        told(206, "0-1/4", 2)
    );
    assert_eq!(
        get("/samples?limit=2&offset=3", &[exact]).await,
        told(206, "3-3/4", 1)
    );
    assert_eq!(
        get("/samples", &[("range", "1-2"), exact]).await,
        told(206, "1-2/4", 2)
    );
    assert_eq!(get("/samples?limit=0", &[]).await, told(200, "*/*", 0));
    let endless = ("range", "1-18446744073709551615");
    assert_eq!(get("/samples", &[endless]).await, told(200, "1-3/*", 3));
    assert_eq!(get("/samples?id=gt.9", &[exact]).await, told(200, "*/0", 0));
    assert_eq!(get("/samples?offset=9", &[]).await, told(200, "*/*", 0));
    assert_eq!(get("/samples?offset=9", &[exact]).await.0, 416);
    assert_eq!(get("/samples?limit=-1", &[]).await.0, 416);
    assert_eq!(
        get("/projects?select=*,clients!inner(*)&limit=1", &[exact]).await,
        told(206, "0-0/4", 1)
    );
}

#[tokio::test]
async fn estimates_come_from_the_planner() {
    let spec = Spec::with(&[("PGRST_DB_MAX_ROWS", "2")]).await;
    let range = async |path: &str, prefer: &str| {
        let response = spec
            .send(Method::GET, path, &[("prefer", prefer)], "")
            .await;
        response
            .header("content-range")
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(range("/samples?id=eq.1", "count=estimated").await, "0-0/1");
    assert!(!range("/samples", "count=planned").await.ends_with('*'));
    assert_eq!(range("/samples", "count=exact").await, "0-1/4");
    let got = spec.reads("/clients?select=id,projects(id)&id=eq.1").await;
    assert_eq!(got, json!([{"id": 1, "projects": [{"id": 1}, {"id": 2}]}]));
}

#[tokio::test]
async fn aggregates_group_by_what_else_is_shown() {
    let spec = Spec::start().await;
    let table = [
        ("/samples?select=count()", json!([{"count": 4}])),
        ("/samples?select=amount.sum()", json!([{"sum": 13.5}])),
        (
            "/samples?select=total:amount.sum()::text,n:count()",
            json!([{"total": "13.5", "n": 4}]),
        ),
        (
            "/samples?select=flag,count()&order=flag",
            json!([{"flag": false, "count": 1}, {"flag": true, "count": 2}, {"flag": null, "count": 1}]),
        ),
        (
            "/samples?select=id.max(),id.min()",
            json!([{"max": 4, "min": 1}]),
        ),
        ("/samples?select=data->>n::int.sum()", json!([{"sum": 3}])),
        (
            "/tasks?select=project_id,count()&order=project_id&limit=1",
            json!([{"project_id": 1, "count": 2}]),
        ),
        (
            "/projects?select=count(),clients(name)&client_id=eq.1",
            json!([{"count": 2, "clients": {"name": "Microsoft"}}]),
        ),
        (
            "/clients?select=name,projects(count())&id=eq.1",
            json!([{"name": "Microsoft", "projects": [{"count": 2}]}]),
        ),
        (
            "/clients?select=name,projects(count)&id=eq.1",
            json!([{"name": "Microsoft", "projects": [{"count": 2}]}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn aggregates_can_be_turned_off() {
    let spec = Spec::with(&[("PGRST_DB_AGGREGATES_ENABLED", "false")]).await;
    let got = spec.get("/samples?select=count()").await;
    assert_eq!(
        got.refusal(),
        refused(400, "PGRST123", "Use of aggregate functions is not allowed")
    );
    assert_eq!(
        spec.reads("/clients?select=count").await,
        json!([{"count": 2}])
    );
}
