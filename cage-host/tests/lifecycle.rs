//! Creating, finding and destroying cages, on both backends.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cage_host::{CageSpec, EngineError, Error, RequestError};
use support::{Stage, image, write_tree};

on_both_backends! {
    creates_lists_finds_and_destroys => whole_life;
    rejects_a_name_that_is_taken_and_leaves_its_owner_alone => name_taken;
    leaves_nothing_when_a_file_of_the_project_cannot_be_packed => failed_create;
    leaves_nothing_when_creating_is_given_up => given_up_create;
    destroys_a_cage_twice_without_complaint => destroyed_twice;
}

fn spec(name: &str, dir: &Path) -> CageSpec {
    CageSpec::from_dir(name, dir).image(image())
}

async fn whole_life(stage: Stage) {
    let project = tempfile::tempdir().unwrap();
    write_tree(
        project.path(),
        &[("a.txt", "hello"), ("src/b.rs", "fn b() {}"), (".gitignore", "*.log\n"), ("c.log", "no")],
    );
    let name = stage.name("life");
    let cage = stage.host.create(spec(&name, project.path())).await.unwrap();
    assert_eq!(cage.arrival().files, 3);
    assert!(stage.has(&name).await);
    let found = stage.host.cage(&name).await.unwrap();
    found.destroy().await.unwrap();
    assert!(!stage.has(&name).await);
    let error = stage.host.cage(&name).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NoSuchCage { .. })), "{error}");
}

async fn name_taken(stage: Stage) {
    let name = stage.name("taken");
    let first = stage.host.create(CageSpec::empty(&name).image(image())).await.unwrap();
    let error = stage.host.create(CageSpec::empty(&name).image(image())).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NameTaken { .. })), "{error}");
    assert!(stage.has(&name).await);
    first.destroy().await.unwrap();
}

async fn failed_create(stage: Stage) {
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "x")]);
    // Deeper than the library takes: a failure in the middle of packing that also root runs into.
    let deep = project.path().join("d/".repeat(130));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("f"), "x").unwrap();
    let name = stage.name("failed");
    let error = stage.host.create(spec(&name, project.path())).await.unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
    assert!(!stage.has(&name).await);
}

async fn given_up_create(stage: Stage) {
    let project = tempfile::tempdir().unwrap();
    for file in 0..2_000 {
        write_tree(project.path(), &[(&format!("f{file}"), "content")]);
    }
    let name = stage.name("given-up");
    let create = stage.host.create(spec(&name, project.path()));
    // Given up as soon as the cage can be seen, so in the middle of its creation.
    let seen = async {
        while !stage.has(&name).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        made = create => drop(made.unwrap().destroy().await),
        () = seen => {}
    }
    stage.host.settled().await;
    assert!(!stage.has(&name).await);
}

async fn destroyed_twice(stage: Stage) {
    let name = stage.name("twice");
    let cage = stage.host.create(CageSpec::empty(&name).image(image())).await.unwrap();
    let again = stage.host.cage(&name).await.unwrap();
    cage.destroy().await.unwrap();
    again.destroy().await.unwrap();
}

#[tokio::test]
async fn copies_modes_links_and_a_clean_baseline_commit() {
    let stage = Stage::embedded();
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("run.sh", "#!/bin/sh\n"), ("plain", "x")]);
    fs::set_permissions(project.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("plain", project.path().join("link")).unwrap();
    let cage = stage.host.create(spec("demo", project.path())).await.unwrap();

    let inside = stage.home(&cage).join("project");
    assert_eq!(fs::metadata(inside.join("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_link(inside.join("link")).unwrap(), Path::new("plain"));
    let git = |arguments: &[&str]| {
        let output =
            std::process::Command::new("git").arg("-C").arg(&inside).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(git(&["log", "--format=%s"]), "baseline\n");
    assert_eq!(git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn says_which_image_is_missing() {
    let Some(stage) = Stage::docker().await else { return };
    let name = stage.name("no-image");
    let error =
        stage.host.create(CageSpec::empty(&name).image("cage-test-no-such-image:1")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Engine(EngineError::ImageMissing { image }) if image == "cage-test-no-such-image:1"),
        "{error}"
    );
    assert!(!stage.has(&name).await);
}
