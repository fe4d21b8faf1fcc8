//! The shape of the workspace.

use std::path::Path;

use serde_json::Value;

/// Crates that only `fleet` may depend on.
fn services(metadata: &Value) -> Vec<&str> {
    packages(metadata)
        .filter(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap());
            manifest
                .parent()
                .unwrap()
                .parent()
                .unwrap()
                .ends_with("services")
        })
        .map(|package| package["name"].as_str().unwrap())
        .collect()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().unwrap().iter()
}

#[test]
fn services_do_not_depend_on_each_other() {
    let output = std::process::Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = services(&metadata);
    assert!(
        services.contains(&"auth") && services.contains(&"fleet"),
        "{services:?}"
    );
    for package in packages(&metadata).filter(|package| package["name"] != "fleet") {
        for dependency in package["dependencies"].as_array().unwrap() {
            let (from, to) = (&package["name"], dependency["name"].as_str().unwrap());
            assert!(!services.contains(&to), "{from} depends on {to}");
        }
    }
}
