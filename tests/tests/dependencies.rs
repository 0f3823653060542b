//! Dependencies point one way, and the small crates stay small.

#![expect(clippy::unwrap_used, reason = "a panic in a test is a failure with a line number")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// The packages that a crate of ours names itself, for building and not for its tests or a feature.
fn direct_dependencies(package: &str) -> BTreeSet<String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let arguments = ["metadata", "--no-deps", "--format-version=1", "--offline", "--manifest-path", manifest];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|candidate| candidate["name"] == package).unwrap();
    let dependencies = found["dependencies"].as_array().unwrap().iter();
    let built =
        dependencies.filter(|dependency| dependency["kind"].is_null() && dependency["optional"] == false);
    built.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

fn names_none_of(package: &str, forbidden: &[&str]) {
    let named = direct_dependencies(package);
    let broken: Vec<_> = forbidden.iter().filter(|name| named.contains(**name)).collect();
    assert!(broken.is_empty(), "{package} must not depend on {broken:?}");
}

#[test]
fn the_protocol_depends_on_no_crate_of_ours_and_on_no_runtime() {
    names_none_of(
        "cage-proto",
        &["cage-send", "cage-poll", "cage-host", "cage-tests", "tokio", "clap", "bollard"],
    );
}

#[test]
fn the_programs_in_the_image_know_neither_docker_nor_an_async_runtime() {
    for program in ["cage-send", "cage-poll"] {
        names_none_of(program, &["cage-host", "cage-tests", "tokio", "bollard", "fs2"]);
    }
}

#[test]
fn the_host_library_locks_no_file_and_parses_no_command_line() {
    names_none_of("cage-host", &["cage-tests", "cage-send", "cage-poll", "fs2", "clap"]);
}
