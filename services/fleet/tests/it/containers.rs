//! What Compose tells the services, and what the services read.

use std::{collections::BTreeSet, fs, path::Path};

use common::config::Env;

/// Set by the image, or never: a container listens on its own port, and finds the others by name.
const FIXED: [&str; 6] = [
    "LISTEN_HOST",
    "AUTH_URL",
    "EMAIL_URL",
    "SQL_REST_URL",
    "MONGO_API_URL",
    "GATEWAY_URL",
];

/// Names that some container is told: those on the lists in deploy/env, and those in the Compose files.
fn told() -> BTreeSet<String> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let lists = fs::read_dir(root.join("deploy/env")).unwrap();
    let files = lists.map(|entry| entry.unwrap().path());
    files
        .chain(["docker-compose.yml", "docker-compose.override.yml"].map(|name| root.join(name)))
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let names = text
                .lines()
                .map(|line| line.trim().split(':').next().unwrap().to_owned());
            names.collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_variable_the_code_reads_reaches_a_container() {
    let mut env = Env::default();
    fleet::fleet::read_all(&mut env);
    let told = told();
    let missing: Vec<_> = env
        .known()
        .filter(|name| !told.contains(*name) && !FIXED.contains(name) && !name.ends_with("_PORT"))
        .collect();
    assert!(missing.is_empty(), "on no list in deploy/env: {missing:?}");
}
