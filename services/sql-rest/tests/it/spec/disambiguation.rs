//! Which of several relationships is meant.

use super::*;

#[tokio::test]
async fn several_relationships_are_told_so_that_one_can_be_chosen() {
    let spec = Spec::start().await;
    let candidate = |cardinality: &str, embedding: &str, relationship: &str| json!({"cardinality": cardinality, "embedding": embedding, "relationship": relationship});
    let berths = "watches with berths";
    let clerks = "clerks with offices";
    let table = [
        (
            "/watches?select=berths(*)",
            json!([
                candidate(
                    "many-to-one",
                    berths,
                    "day using watches(day_port, day_number) and berths(port_id, number)"
                ),
                candidate(
                    "many-to-one",
                    berths,
                    "night using watches(night_port, night_number) and berths(port_id, number)"
                ),
            ]),
            "Try changing 'berths' to one of the following: 'berths!day', 'berths!night'. Find the desired relationship in the 'details' key.",
        ),
        (
            "/clerks?select=offices(*)",
            json!([
                candidate(
                    "one-to-many",
                    clerks,
                    "office_head using clerks(id) and offices(head)"
                ),
                candidate(
                    "many-to-one",
                    clerks,
                    "clerks_office_id_fkey using clerks(office_id) and offices(id)"
                ),
                candidate(
                    "many-to-many",
                    clerks,
                    "transfers using transfers_clerk_id_fkey(clerk_id) and transfers_office_id_fkey(office_id)"
                ),
                candidate(
                    "many-to-many",
                    clerks,
                    "transfers using transfers_clerk_id_fkey(clerk_id) and transfers_second_office_id_fkey(second_office_id)"
                ),
                candidate(
                    "many-to-many",
                    clerks,
                    "transfers using transfers_witness_id_fkey(witness_id) and transfers_office_id_fkey(office_id)"
                ),
                candidate(
                    "many-to-many",
                    clerks,
                    "transfers using transfers_witness_id_fkey(witness_id) and transfers_second_office_id_fkey(second_office_id)"
                ),
            ]),
            "Try changing 'offices' to one of the following: 'offices!office_head', 'offices!clerks_office_id_fkey', 'offices!transfers', 'offices!transfers', 'offices!transfers', 'offices!transfers'. Find the desired relationship in the 'details' key.",
        ),
    ];
    for (path, details, hint) in table {
        let got = spec.get(path).await;
        assert_eq!((got.status, &got.body["code"]), (300, &json!("PGRST201")));
        assert_eq!(got.body["details"], details, "{path}");
        assert_eq!(got.body["hint"], hint, "{path}");
    }
}

#[tokio::test]
async fn a_view_that_shows_a_column_twice_relates_in_as_many_ways() {
    let spec = Spec::start().await;
    let twice = spec.get("/day_watches?select=berths(*)").await;
    let columns = [
        "day_port, day_number",
        "day_port, berth",
        "port, day_number",
        "port, berth",
    ];
    let told: Vec<&str> = twice.body["details"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|candidate| candidate["relationship"].as_str())
        .collect();
    let expected = columns
        .map(|columns| format!("day using day_watches({columns}) and berths(port_id, number)"));
    let (mut told, mut expected) = (told, expected.to_vec());
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_key_a_column_or_a_junction_says_which_one_is_meant() {
    let spec = Spec::start().await;
    let table = [
        (
            "/watches?select=id,day(depth),night(depth)&order=id",
            json!([
                {"id": 1, "day": {"depth": 5}, "night": {"depth": 9}},
                {"id": 2, "day": {"depth": 12}, "night": null}
            ]),
        ),
        (
            "/berths?select=depth,nights:watches!night(id)&order=depth",
            json!([
                {"depth": 5, "nights": []},
                {"depth": 9, "nights": [{"id": 1}]},
                {"depth": 12, "nights": []}
            ]),
        ),
        (
            "/berths?select=depth,night(id)&depth=eq.9",
            json!([{"depth": 9, "night": [{"id": 1}]}]),
        ),
        (
            "/clerks?select=name,offices!office_id(name),heads:offices!head(name)&id=eq.1",
            json!([{"name": "Bartleby", "offices": {"name": "Ledgers"}, "heads": [{"name": "Ledgers"}]}]),
        ),
        (
            "/clerks?select=name,office_id(name)&id=eq.3",
            json!([{"name": "Nippers", "office_id": {"name": "Tolls"}}]),
        ),
        (
            "/clerks?select=office_id,office:office_id(name)&id=eq.3",
            json!([{"office_id": 2, "office": {"name": "Tolls"}}]),
        ),
        (
            "/clerks?select=name,offices!transfers_clerk_id_fkey(name)&id=eq.1",
            Value::Null,
        ),
        (
            "/clerks?select=id,transfers!clerk_id(...offices!second_office_id(*))&id=eq.1",
            json!([{"id": 1, "transfers": []}]),
        ),
        (
            "/clerks?select=name,followers:follows!followed(...clerks!follower(name))&id=eq.1",
            json!([{"name": "Bartleby", "followers": [{"name": "Turkey"}, {"name": "Nippers"}]}]),
        ),
        (
            "/capitals?select=name,country_id(name)&id=eq.1",
            json!([{"name": "Kabul", "country_id": {"name": "Afghanistan"}}]),
        ),
        (
            "/countries?select=name,capitals!country_id(name)&id=eq.1",
            json!([{"name": "Afghanistan", "capitals": {"name": "Kabul"}}]),
        ),
        (
            "/countries?select=name,capitals!id(name),capitals_country_id_fkey(id)&id=eq.1",
            json!([{"name": "Afghanistan", "capitals": {"name": "Kabul"}, "capitals_country_id_fkey": {"id": 1}}]),
        ),
        (
            "/berths?select=depth,inspections(passed)&order=depth",
            json!([
                {"depth": 5, "inspections": {"passed": true}},
                {"depth": 9, "inspections": null},
                {"depth": 12, "inspections": {"passed": false}}
            ]),
        ),
    ];
    for (path, expected) in table {
        if expected.is_null() {
            assert_eq!(spec.get(path).await.body["code"], "PGRST200", "{path}");
        } else {
            assert_eq!(spec.get(path).await, ok(expected), "{path}");
        }
    }
    let unknown = spec.get("/watches?select=b:berths!noon(depth)").await;
    assert_eq!(
        unknown.body["details"],
        "Searched for a foreign key relationship between 'watches' and 'berths' using the hint 'noon' in the schema 'api', but no matches were found."
    );
    assert_eq!(unknown.body["hint"], Value::Null);
}

#[tokio::test]
async fn a_relation_can_relate_to_itself_in_several_ways() {
    let spec = Spec::start().await;
    let table = [
        (
            "/clerks?select=name,mentor(name),deputy(name)&id=eq.3",
            json!([{"name": "Nippers", "mentor": {"name": "Bartleby"}, "deputy": {"name": "Turkey"}}]),
        ),
        (
            "/clerks?select=name,pupils:clerks!mentor(name,mentor(name))&id=eq.1",
            json!([{"name": "Bartleby", "pupils": [
                {"name": "Turkey", "mentor": {"name": "Bartleby"}},
                {"name": "Nippers", "mentor": {"name": "Bartleby"}}
            ]}]),
        ),
        (
            "/clerks?select=name,office_id(name),deputy(name,office_id(name),mentor(name))&id=eq.3",
            json!([{"name": "Nippers", "office_id": {"name": "Tolls"}, "deputy":
                {"name": "Turkey", "office_id": {"name": "Ledgers"}, "mentor": {"name": "Bartleby"}}}]),
        ),
        (
            "/family?select=id,parent(id,children:family!parent(id))&id=eq.2",
            json!([{"id": 2, "parent": {"id": 1, "children": [{"id": 2}, {"id": 3}]}}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}

#[tokio::test]
async fn functions_relate_and_take_the_place_of_keys() {
    let spec = Spec::start().await;
    let table = [
        (
            "/clerks?select=name,mentees(name),boss(name)&id=eq.1",
            json!([{"name": "Bartleby", "mentees": [{"name": "Turkey"}, {"name": "Nippers"}], "boss": {"name": "Bartleby"}}]),
        ),
        (
            "/clerks?select=name,b:boss!inner(name)&b.name=eq.Turkey",
            json!([{"name": "Nippers", "b": {"name": "Turkey"}}]),
        ),
        (
            "/clerks?select=name,mentees()&mentees=is.null&order=name",
            json!([{"name": "Nippers"}, {"name": "Turkey"}]),
        ),
        (
            "/clerks?select=id,boss(name)&order=boss(name).desc,id",
            json!([{"id": 3, "boss": {"name": "Turkey"}}, {"id": 1, "boss": {"name": "Bartleby"}}, {"id": 2, "boss": {"name": "Bartleby"}}]),
        ),
        (
            "/berths?select=depth,ports(name)&depth=eq.5",
            json!([{"depth": 5, "ports": null}]),
        ),
        ("/berths?select=depth,ports!inner(name)", json!([])),
        (
            "/berths?select=depth,neighbours(depth)&depth=eq.5",
            json!([{"depth": 5, "neighbours": [{"depth": 9}]}]),
        ),
        (
            "/ports?select=name,neighbours(name,neighbours(name))&id=eq.1",
            json!([{"name": "Nantucket", "neighbours": [{"name": "Nagasaki", "neighbours": [{"name": "Nantucket"}]}]}]),
        ),
        (
            "/offices?select=name,clerks!office_id(name,mentees(name))&id=eq.2",
            json!([{"name": "Tolls", "clerks": [{"name": "Nippers", "mentees": []}]}]),
        ),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
}
