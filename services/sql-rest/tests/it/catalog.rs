//! What the loader finds in a database.

use std::time::Instant;

use common::{
    lifecycle::Lifecycle,
    postgres::{Pool, PoolConfig},
};
use sql_rest::catalog::{
    Catalog, Link, QualifiedName, ReturnKind, Volatility,
    load::{Exposure, load},
};
use testkit::postgres::Database;

const SCHEMA: &str = include_str!("catalog.sql");

fn name(name: &str) -> QualifiedName {
    QualifiedName {
        schema: "api".to_owned(),
        name: name.to_owned(),
    }
}

fn exposure() -> Exposure {
    Exposure {
        schemas: vec!["api".to_owned()],
        extra_search_path: vec!["extra".to_owned()],
        hoisted_settings: vec!["statement_timeout".to_owned()],
    }
}

async fn load_from(database: &Database) -> Catalog {
    let config = PoolConfig::new(database.url().await);
    let pool = Pool::new(&config, &Lifecycle::default()).expect("a usable URL");
    let mut lease = pool.acquire().await.expect("a connection");
    load(&mut lease, &exposure())
        .await
        .expect("the catalogue is read")
}

async fn catalog() -> Catalog {
    let database = testkit::postgres::database_from("catalog", async |database| {
        database.connect().await.batch_execute(SCHEMA).await?;
        Ok(())
    })
    .await;
    load_from(&database).await
}

fn links<'a>(catalog: &'a Catalog, from: &str, to: &str) -> Vec<&'a Link> {
    let from = catalog.relationships.get(&name(from)).into_iter().flatten();
    let found = from.filter(|found| found.to == name(to));
    found.map(|found| &found.link).collect()
}

#[tokio::test]
async fn relations_of_the_exposed_schemas_are_found_and_partitions_are_not() {
    let catalog = catalog().await;
    let mut names: Vec<_> = catalog
        .relations
        .keys()
        .map(|name| name.name.as_str())
        .collect();
    names.sort_unstable();
    let expected = [
        "events",
        "labels",
        "orders",
        "orders_plain",
        "orders_view",
        "private_view",
        "profiles",
        "tagged",
        "tags",
        "users",
        "users_summary",
    ];
    assert_eq!(names, expected);
    let users = &catalog.relations[&name("users")];
    assert_eq!(users.description.as_deref(), Some("People"));
    assert_eq!(users.primary_key, ["id"]);
    assert!(users.insertable && users.updatable && users.deletable && !users.is_view);
    let summary = &catalog.relations[&name("users_summary")];
    assert!(summary.is_view && !summary.insertable && !summary.deletable);
    assert!(catalog.relations[&name("orders_view")].insertable);
    assert_eq!(catalog.schema_descriptions["api"], "The public face");
}

#[tokio::test]
async fn columns_carry_types_defaults_and_comments() {
    let catalog = catalog().await;
    let users = &catalog.relations[&name("users")];
    let order: Vec<_> = users.columns.keys().map(String::as_str).collect();
    assert_eq!(order, ["id", "name", "mood", "shade", "full_name"]);

    let id = &users.columns["id"];
    assert_eq!(id.default.as_deref(), Some("nextval('api.users_id_seq')"));
    assert!(!id.nullable);

    let name = &users.columns["name"];
    assert_eq!(name.nominal_type, "character varying(20)");
    assert_eq!(name.data_type, "character varying");
    assert_eq!(name.max_length, Some(20));
    assert_eq!(name.description.as_deref(), Some("As spoken"));
    assert_eq!(name.default.as_deref(), Some("'nobody'::character varying"));

    let mood = &users.columns["mood"];
    assert_eq!(mood.data_type, "api.mood");
    assert_eq!(mood.enum_labels, ["sad", "happy"]);
    assert!(mood.nullable);

    let shade = &users.columns["shade"];
    assert_eq!(shade.data_type, "api.color");
    assert_eq!(shade.base_type, "integer");
    assert_eq!(shade.default.as_deref(), Some("7"));

    assert_eq!(users.columns["full_name"].default, None);
}

#[tokio::test]
async fn foreign_keys_relate_tables_both_ways() {
    let catalog = catalog().await;
    let [Link::ManyToOne(key)] = links(&catalog, "orders", "users")[..] else {
        panic!("orders belong to users");
    };
    assert_eq!(key.constraint, "orders_user_fkey");
    assert_eq!(key.columns, [("user_id".to_owned(), "id".to_owned())]);
    assert!(matches!(
        links(&catalog, "users", "orders")[..],
        [Link::OneToMany(_)]
    ));
    assert!(matches!(
        links(&catalog, "users", "profiles")[..],
        [Link::OneToOne {
            from_holds_key: false,
            ..
        }]
    ));
    assert!(matches!(
        links(&catalog, "labels", "labels")[..],
        [Link::OneToMany(_), Link::ManyToOne(_)]
    ));
    assert!(matches!(
        links(&catalog, "events", "users")[..],
        [Link::ManyToOne(_)]
    ));
}

#[tokio::test]
async fn junctions_relate_their_ends() {
    let catalog = catalog().await;
    let found = links(&catalog, "orders", "tags");
    let [Link::ManyToMany(junction)] = found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(junction.relation, name("tagged"));
    let pairs = |pairs: &[(&str, &str)]| {
        let owned = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect::<Vec<_>>()
    };
    let to_order = pairs(&[("id", "order_id"), ("region", "order_region")]);
    assert_eq!(junction.from_columns, to_order);
    assert_eq!(junction.to_columns, pairs(&[("tag_id", "id")]));
}

#[tokio::test]
async fn views_inherit_keys_and_relationships() {
    let catalog = catalog().await;
    let view = &catalog.relations[&name("orders_view")];
    assert_eq!(view.primary_key, ["order_number", "area"]);
    let [Link::ManyToOne(key)] = links(&catalog, "orders_view", "users")[..] else {
        panic!("the view shows the key");
    };
    assert_eq!(key.columns, [("buyer".to_owned(), "id".to_owned())]);
    assert!(matches!(
        links(&catalog, "users", "orders_view")[..],
        [Link::OneToMany(_)]
    ));
    // Through a view in a schema of the search path, and through a subquery.
    assert!(matches!(
        links(&catalog, "orders_plain", "users")[..],
        [Link::ManyToOne(_)]
    ));
    assert!(links(&catalog, "users_summary", "orders").len() == 1);
    // Of a table nobody sees.
    assert_eq!(catalog.relations[&name("private_view")].primary_key, ["id"]);
    assert!(matches!(
        links(&catalog, "private_view", "users")[..],
        [Link::ManyToOne(_)]
    ));
}

#[tokio::test]
async fn functions_on_rows_are_columns_and_relationships() {
    let catalog = catalog().await;
    let columns = &catalog.computed_columns[&name("users")];
    assert_eq!(columns["initial"].data_type, "text");
    assert_eq!(columns["shout"].function.schema, "extra");
    let computed = links(&catalog, "users", "orders");
    assert!(
        !computed
            .iter()
            .any(|link| matches!(link, Link::Computed { .. }))
    );
    let [Link::Computed { function, to_one }] = links(&catalog, "tags", "users")[..] else {
        panic!("tags have a computed owner");
    };
    assert_eq!(*function, name("owner"));
    assert!(to_one);
    // It is named like its target, so it replaces the key's own relationship.
    assert!(matches!(
        links(&catalog, "profiles", "users")[..],
        [Link::Computed { to_one: true, .. }]
    ));
}

#[tokio::test]
async fn functions_carry_their_signature() {
    let catalog = catalog().await;
    let function = |wanted: &str| &catalog.functions[&name(wanted)][0];

    let add = function("add");
    assert_eq!(add.description.as_deref(), Some("Sums up"));
    assert_eq!(add.volatility, Volatility::Immutable);
    let [a, b] = add.parameters.as_slice() else {
        panic!("{add:?}");
    };
    assert_eq!(
        (a.name.as_str(), a.data_type.as_str(), a.required),
        ("a", "integer", true)
    );
    assert_eq!((b.name.as_str(), b.required), ("b", false));

    assert_eq!(function("noop").returns.kind, ReturnKind::Void);
    assert_eq!(function("pair").returns.kind, ReturnKind::Record);
    assert_eq!(function("one_out").returns.kind, ReturnKind::Record);
    let listed = &function("list_users").returns;
    assert!(listed.is_set);
    assert_eq!(listed.kind, ReturnKind::Relation(name("users")));
    assert!(function("many").parameters[0].variadic);
    assert_eq!(
        function("wide").parameters[0].data_type,
        "character varying"
    );
    assert_eq!(
        function("slow").settings,
        [("statement_timeout".to_owned(), "1s".to_owned())]
    );
    assert_eq!(function("take_body").parameters[0].name, "");
    assert_eq!(catalog.functions[&name("overloaded")].len(), 2);
    for absent in ["unnamed_two", "on_write"] {
        assert!(!catalog.functions.contains_key(&name(absent)), "{absent}");
    }
}

#[tokio::test]
async fn casts_of_domains_are_found() {
    let catalog = catalog().await;
    let color = &catalog.representations["api.color"];
    assert_eq!(color.to_json, Some(name("color_to_json")));
    assert_eq!(color.from_json, Some(name("color_from_json")));
    assert_eq!(color.from_text, Some(name("color_from_text")));
}

/// A table that refers to an earlier one.
fn create_table(number: usize) -> String {
    let reference = match number {
        0 | 1 => String::new(),
        _ => format!("references api.t{}", number / 2),
    };
    // No sequences and no columns that are stored apart: each would be a file more.
    format!(
        "create table api.t{number} (id int primary key, parent int {reference}, \
         amount bigint not null default 7, created timestamptz default now());"
    )
}

#[tokio::test]
async fn ten_thousand_tables_load_in_seconds() {
    let database = testkit::postgres::database().await;
    let client = database.connect().await;
    client
        .batch_execute("create schema api; create schema extra")
        .await
        .unwrap();
    for hundred in 0..100 {
        let many = (0..100).fold(String::new(), |sql, number| {
            sql + &create_table(hundred * 100 + number)
        });
        client.batch_execute(&many).await.unwrap();
    }
    let started = Instant::now();
    let catalog = load_from(&database).await;
    println!("10,000 tables load in {:?}", started.elapsed());
    assert_eq!(catalog.relations.len(), 10_000);
    assert_eq!(links(&catalog, "t5000", "t2500").len(), 1);
}
