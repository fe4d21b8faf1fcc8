use super::*;

const USERS: u32 = 1;
const POSTS: u32 = 2;
const LIKES: u32 = 3;
const PROFILES: u32 = 4;
const POSTS_VIEW: u32 = 5;
const HIDDEN: u32 = 6;

struct Fixture {
    names: HashMap<u32, QualifiedName>,
    columns: ColumnNames,
    views: HashSet<u32>,
    origins: Origins,
    keys: Vec<KeyRow>,
}

fn name(name: &str) -> QualifiedName {
    QualifiedName {
        schema: "public".to_owned(),
        name: name.to_owned(),
    }
}

fn key(kind: KeyKind, relation: u32, columns: &[i16], target: Option<(u32, i16)>) -> KeyRow {
    KeyRow {
        kind,
        constraint: format!("{relation}_{columns:?}_{kind:?}"),
        relation,
        columns: columns.to_vec(),
        target: target.map_or(0, |(oid, _)| oid),
        target_columns: target.map(|(_, column)| column).into_iter().collect(),
    }
}

/// Users write posts (also seen through a view) and like them; a profile belongs to one user.
fn fixture() -> Fixture {
    let tables: [(u32, &str, &[&str]); 5] = [
        (USERS, "users", &["id"]),
        (POSTS, "posts", &["id", "author_id"]),
        (LIKES, "likes", &["user_id", "post_id"]),
        (PROFILES, "profiles", &["user_id"]),
        (
            POSTS_VIEW,
            "posts_view",
            &["title", "post", "author", "writer"],
        ),
    ];
    let numbered = |columns: &[&str]| {
        let numbers = 1_i16..;
        numbers
            .zip(columns.iter().map(|column| (*column).to_owned()))
            .collect()
    };
    let shown = Shown::from([(1, vec![2]), (2, vec![3, 4])]);
    Fixture {
        names: tables
            .iter()
            .map(|(oid, table, _)| (*oid, name(table)))
            .collect(),
        columns: tables
            .iter()
            .map(|(oid, _, columns)| (*oid, numbered(columns)))
            .collect(),
        views: HashSet::from([POSTS_VIEW]),
        origins: Origins::from([(POSTS, vec![(POSTS_VIEW, shown)])]),
        keys: vec![
            key(KeyKind::Primary, USERS, &[1], None),
            key(KeyKind::Primary, POSTS, &[1], None),
            key(KeyKind::Foreign, POSTS, &[2], Some((USERS, 1))),
            key(KeyKind::Primary, LIKES, &[1, 2], None),
            key(KeyKind::Foreign, LIKES, &[1], Some((USERS, 1))),
            key(KeyKind::Foreign, LIKES, &[2], Some((POSTS, 1))),
            key(KeyKind::Primary, PROFILES, &[1], None),
            key(KeyKind::Foreign, PROFILES, &[1], Some((USERS, 1))),
            key(KeyKind::Foreign, HIDDEN, &[1], Some((USERS, 1))),
        ],
    }
}

impl Fixture {
    fn known(&self) -> Known<'_> {
        Known {
            names: &self.names,
            columns: &self.columns,
            views: &self.views,
            origins: &self.origins,
        }
    }

    fn between(&self, from: &str, to: &str, computed: &[Relationship]) -> Vec<Link> {
        let primary_keys = primary_keys(&self.keys, &self.known());
        let mut all = all(&self.keys, &primary_keys, &self.known(), computed);
        let found = all.remove(&name(from)).unwrap_or_default();
        let found = found.into_iter().filter(|found| found.to == name(to));
        found.map(|found| found.link).collect()
    }
}

fn columns(link: &Link) -> Vec<(&str, &str)> {
    let (Link::ManyToOne(key) | Link::OneToMany(key) | Link::OneToOne { key, .. }) = link else {
        return Vec::new();
    };
    let pairs = key.columns.iter();
    pairs.map(|(a, b)| (a.as_str(), b.as_str())).collect()
}

#[test]
fn a_foreign_key_relates_both_ways() {
    let fixture = fixture();
    let forth = fixture.between("posts", "users", &[]);
    assert!(matches!(forth[0], Link::ManyToOne(_)));
    assert_eq!(columns(&forth[0]), [("author_id", "id")]);
    let back = fixture.between("users", "posts", &[]);
    assert!(matches!(back[0], Link::OneToMany(_)));
    assert_eq!(columns(&back[0]), [("id", "author_id")]);
}

#[test]
fn a_unique_foreign_key_is_one_to_one() {
    let links = fixture().between("users", "profiles", &[]);
    let [Link::OneToOne { from_holds_key, .. }] = links.as_slice() else {
        panic!("{links:?}");
    };
    assert!(!from_holds_key);
}

#[test]
fn both_keys_in_a_primary_key_make_a_junction() {
    let links = fixture().between("users", "posts", &[]);
    let junctions = links.iter().filter_map(|link| match link {
        Link::ManyToMany(junction) => Some(junction),
        _ => None,
    });
    let junctions: Vec<_> = junctions.collect();
    assert_eq!(junctions.len(), 1);
    let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
    assert_eq!(junctions[0].relation, name("likes"));
    assert_eq!(junctions[0].from_columns, pair("id", "user_id"));
    assert_eq!(junctions[0].to_columns, pair("post_id", "id"));
}

#[test]
fn a_hidden_junction_relates_nothing_but_its_ends_count_as_related() {
    let mut fixture = fixture();
    fixture.keys = vec![
        key(KeyKind::Primary, HIDDEN, &[1, 2], None),
        key(KeyKind::Foreign, HIDDEN, &[1], Some((USERS, 1))),
        key(KeyKind::Foreign, HIDDEN, &[2], Some((POSTS, 1))),
    ];
    let all = all(&fixture.keys, &HashMap::new(), &fixture.known(), &[]);
    assert_eq!(all.get(&name("users")), Some(&Vec::new()));
    assert_eq!(all.get(&name("profiles")), None);
}

#[test]
fn a_view_relates_through_every_column_that_shows_the_key() {
    let links = fixture().between("posts_view", "users", &[]);
    let direct = links
        .iter()
        .filter(|link| matches!(link, Link::ManyToOne(_)));
    let found: Vec<_> = direct.map(columns).collect();
    assert_eq!(found, [[("author", "id")], [("writer", "id")]]);
}

#[test]
fn a_view_takes_over_the_primary_key_it_shows() {
    let fixture = fixture();
    let found = primary_keys(&fixture.keys, &fixture.known());
    assert_eq!(found[&POSTS_VIEW], ["post"]);
    assert_eq!(found[&LIKES], ["user_id", "post_id"]);
}

#[test]
fn a_computed_relationship_takes_the_place_of_a_detected_one() {
    let computed = Relationship {
        from: name("posts"),
        to: name("users"),
        link: Link::Computed {
            function: name("users"),
            to_one: true,
        },
        is_self: false,
        from_is_view: false,
        to_is_view: false,
    };
    let links = fixture().between("posts", "users", std::slice::from_ref(&computed));
    assert_eq!(links, [computed.link]);
}
