//! A catalogue as a database with clients, their projects, and the people who do the tasks would
//! give it.

use indexmap::IndexMap;
use sql_rest::catalog::{
    Catalog, Column, ComputedColumn, ForeignKey, Function, Junction, Link, Parameter,
    QualifiedName, Relation, Relationship, Representation, ReturnKind, Returns, Volatility,
};

/// The catalogue.
pub(super) fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let relations = [
        relation("clients", &[("id", "integer"), ("name", "text")]),
        relation(
            "projects",
            &[
                ("id", "integer"),
                ("name", "text"),
                ("client_id", "integer"),
                ("data", "jsonb"),
                ("words", "tsvector"),
            ],
        ),
        relation(
            "users",
            &[("id", "integer"), ("name", "text"), ("shade", "api.color")],
        ),
        relation(
            "users_projects",
            &[("user_id", "integer"), ("project_id", "integer")],
        ),
    ];
    catalog.relations.extend(relations);
    relate(&mut catalog);
    catalog.computed_columns.insert(
        name("clients"),
        [(
            "shout".to_owned(),
            ComputedColumn {
                function: name("shout"),
                data_type: "text".to_owned(),
            },
        )]
        .into(),
    );
    catalog.representations.insert(
        "api.color".to_owned(),
        Representation {
            to_json: Some(name("color_json")),
            from_json: Some(name("color_of_json")),
            from_text: Some(name("color_of_text")),
        },
    );
    let scalar = ReturnKind::Scalar(QualifiedName {
        schema: "pg_catalog".to_owned(),
        name: "int4".to_owned(),
    });
    catalog.functions.insert(
        name("add_them"),
        vec![function(
            &[("a", "integer"), ("b", "integer")],
            scalar,
            false,
        )],
    );
    catalog.functions.insert(
        name("all_projects"),
        vec![function(&[], ReturnKind::Relation(name("projects")), true)],
    );
    catalog.functions.insert(
        name("anything"),
        vec![function(&[("kind", "text")], ReturnKind::Record, true)],
    );
    catalog
}

fn name(name: &str) -> QualifiedName {
    QualifiedName {
        schema: "api".to_owned(),
        name: name.to_owned(),
    }
}

fn relation(called: &str, columns: &[(&str, &str)]) -> (QualifiedName, Relation) {
    let columns: IndexMap<String, Column> = columns
        .iter()
        .map(|(name, data_type)| ((*name).to_owned(), column(name, data_type)))
        .collect();
    let relation = Relation {
        primary_key: columns.keys().take(1).cloned().collect(),
        columns,
        insertable: true,
        updatable: true,
        deletable: true,
        ..Relation::default()
    };
    (name(called), relation)
}

fn column(name: &str, data_type: &str) -> Column {
    Column {
        name: name.to_owned(),
        nullable: name != "id",
        data_type: data_type.to_owned(),
        base_type: data_type.to_owned(),
        nominal_type: data_type.to_owned(),
        default: (name == "name").then(|| "'nameless'::text".to_owned()),
        ..Column::default()
    }
}

/// Projects belong to clients; users and projects meet in a third relation.
fn relate(catalog: &mut Catalog) {
    let key = |near: &str, far: &str| ForeignKey {
        constraint: "projects_client_id_fkey".to_owned(),
        columns: vec![(near.to_owned(), far.to_owned())],
    };
    let junction = Junction {
        relation: name("users_projects"),
        from_constraint: "users_projects_user_id_fkey".to_owned(),
        to_constraint: "users_projects_project_id_fkey".to_owned(),
        from_columns: vec![("id".to_owned(), "user_id".to_owned())],
        to_columns: vec![("project_id".to_owned(), "id".to_owned())],
    };
    let links = [
        (
            "projects",
            "clients",
            Link::ManyToOne(key("client_id", "id")),
        ),
        (
            "clients",
            "projects",
            Link::OneToMany(key("id", "client_id")),
        ),
        ("users", "projects", Link::ManyToMany(junction)),
    ];
    for (from, to, link) in links {
        catalog
            .relationships
            .entry(name(from))
            .or_default()
            .push(Relationship {
                from: name(from),
                to: name(to),
                link,
                is_self: false,
                from_is_view: false,
                to_is_view: false,
            });
    }
}

fn function(parameters: &[(&str, &str)], kind: ReturnKind, is_set: bool) -> Function {
    let parameter = |(name, data_type): &(&str, &str)| Parameter {
        name: (*name).to_owned(),
        data_type: (*data_type).to_owned(),
        required: true,
        variadic: false,
    };
    Function {
        oid: 0,
        description: None,
        parameters: parameters.iter().map(parameter).collect(),
        returns: Returns {
            kind,
            is_set,
            columns: IndexMap::new(),
        },
        volatility: Volatility::Stable,
        settings: Vec::new(),
    }
}
