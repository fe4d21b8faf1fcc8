//! `.env.example` and what the code reads say the same.

use std::{collections::BTreeSet, process::Command};

use common::config::Env;
use fleet::dotenv::{self, Variables};

const EXAMPLE: &str = include_str!("../../../../.env.example");

/// Names in the example, those that are commented out included.
fn documented() -> BTreeSet<String> {
    EXAMPLE
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        .filter(|name| {
            name.chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_variable_the_code_reads_is_in_the_example() {
    let mut env = Env::from_pairs(Variables::new());
    fleet::fleet::read_all(&mut env);
    let documented = documented();
    let missing: Vec<_> = env
        .known()
        .filter(|name| !documented.contains(*name))
        .collect();
    assert!(missing.is_empty(), "not in .env.example: {missing:?}");
}

#[test]
fn the_shell_script_and_the_binary_generate_the_same_variables() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("env");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/generate-env.sh");
    let status = Command::new(script).arg(&target).status().unwrap();
    assert!(status.success());
    let from_script = dotenv::load(&target).unwrap();
    let from_binary = dotenv::parse(&dotenv::generate(&Variables::new()).unwrap()).unwrap();
    assert_eq!(
        from_script.keys().collect::<Vec<_>>(),
        from_binary.keys().collect::<Vec<_>>()
    );
    assert!(from_script.values().all(|value| !value.is_empty()));
    assert_eq!(
        from_script["JWT_SECRET"].len(),
        from_binary["JWT_SECRET"].len()
    );
}

#[test]
fn missing_and_weak_secrets_stop_the_start_with_one_message() {
    let output = Command::new(env!("CARGO_BIN_EXE_ferrobase"))
        .args(["--env-file", "/dev/null", "up"])
        .env_clear()
        .env("JWT_SECRET", "short")
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{message}");
    for name in [
        "JWT_SECRET is too weak",
        "ANON_KEY",
        "SERVICE_ROLE_KEY",
        "AUTHENTICATOR_PASSWORD",
    ] {
        assert!(message.contains(name), "{name}: {message}");
    }
    assert!(!message.contains("short"), "{message}");
}
