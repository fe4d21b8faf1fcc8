//! Relationships that are found through views, partitions and hidden junctions.

use super::*;

#[tokio::test]
async fn views_relate_as_the_tables_they_show() {
    let spec = Spec::start().await;
    let table = [
        (
            "/ships?select=name,captains(name)&id=in.(1,3)",
            json!([{"name": "Pequod", "captains": {"name": "Ahab"}}, {"name": "Abraham", "captains": null}]),
        ),
        (
            "/captains?select=name,ships(name)&ships.order=id&id=eq.1",
            json!([{"name": "Ahab", "ships": [{"name": "Pequod"}, {"name": "Essex"}]}]),
        ),
        (
            "/old_ships?select=name,captain:captains(name)&order=id",
            json!([{"name": "Pequod", "captain": {"name": "Ahab"}}, {"name": "Essex", "captain": {"name": "Ahab"}}]),
        ),
        (
            "/shipList?select=name,captains(name)&shipId=eq.2",
            json!([{"name": "Nautilus", "captains": {"name": "Nemo"}}]),
        ),
        (
            "/captains?select=name,shipList(shipId)&id=eq.2",
            json!([{"name": "Nemo", "shipList": [{"shipId": 2}]}]),
        ),
        (
            "/ships_of_ships?select=id,captains(name)&id=eq.2",
            json!([{"id": 2, "captains": {"name": "Nemo"}}]),
        ),
        (
            "/stored_ships?select=id,captains(name)&id=eq.1",
            json!([{"id": 1, "captains": {"name": "Ahab"}}]),
        ),
        (
            "/ships_by_query?select=name,siblings,captains(name)&id=eq.1",
            json!([{"name": "Pequod", "siblings": 2, "captains": {"name": "Ahab"}}]),
        ),
        (
            "/ships_counted?select=ships,captain:captains(name)&order=captain_id",
            json!([
                {"ships": 2, "captain": {"name": "Ahab"}},
                {"ships": 1, "captain": {"name": "Nemo"}},
                {"ships": 1, "captain": null}
            ]),
        ),
        (
            "/ships?select=id,captains_seen_twice!second(first)&id=eq.1",
            json!([{"id": 1, "captains_seen_twice": {"first": 1}}]),
        ),
        (
            "/ships?select=id,captains!inner(name)&captains.name=eq.Nemo",
            json!([{"id": 2, "captains": {"name": "Nemo"}}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn a_junction_must_be_exposed_by_itself_or_by_a_view() {
    let spec = Spec::start().await;
    assert_eq!(
        spec.reads("/ships?select=name,flags(colour)&id=lt.3&order=id&flags.order=id")
            .await,
        json!([
            {"name": "Pequod", "flags": [{"colour": "white"}]},
            {"name": "Nautilus", "flags": [{"colour": "black"}, {"colour": "white"}]}
        ])
    );
    let hidden = spec.get("/goods?select=ports(*)").await;
    assert_eq!(
        hidden,
        Got {
            status: 400,
            body: json!({
                "code": "PGRST200",
                "details": "Searched for a foreign key relationship between 'goods' and 'ports' in the schema 'api', but no matches were found.",
                "hint": null,
                "message": "Could not find a relationship between 'goods' and 'ports' in the schema cache"
            })
        }
    );
}

#[tokio::test]
async fn partitioned_tables_relate_and_their_partitions_do_not() {
    let spec = Spec::start().await;
    let table = [
        (
            "/voyages?select=code,ports(name)&order=code",
            json!([{"code": "A", "ports": {"name": "Nantucket"}}, {"code": "B", "ports": {"name": "Nagasaki"}}]),
        ),
        (
            "/ports?select=name,voyages(code)&id=eq.1",
            json!([{"name": "Nantucket", "voyages": [{"code": "A"}]}]),
        ),
        (
            "/voyages?select=code,cargoes(weight)&cargoes.order=weight&code=eq.A",
            json!([{"code": "A", "cargoes": [{"weight": 50}, {"weight": 500}]}]),
        ),
        (
            "/cargoes?select=weight,voyages(code)&weight=eq.70",
            json!([{"weight": 70, "voyages": {"code": "B"}}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
    let parted = spec.get("/voyages?select=code,cargoes_light(weight)").await;
    assert_eq!(
        parted.refusal(),
        refused(
            400,
            "PGRST200",
            "Could not find a relationship between 'voyages' and 'cargoes_light' in the schema cache"
        )
    );
    assert_eq!(
        parted.body["hint"],
        "Perhaps you meant 'cargoes' instead of 'cargoes_light'."
    );
    assert_eq!(
        spec.get("/voyages_1851?select=code,ports(name)")
            .await
            .refusal(),
        refused(
            404,
            "PGRST205",
            "Could not find the table 'api.voyages_1851' in the schema cache"
        )
    );
}
