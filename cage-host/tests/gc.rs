//! Cleaning up behind a host program that was killed.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::fs;

use cage_host::{CageName, CageSpec, EmbeddedConfig, Host};
use support::delegate::{Delegate, Phase};
use support::{Stage, image, programs, slow_project};

/// Plays the whole story: one program is killed while it creates, another one is still at it, a third cage is finished.
async fn removes_what_is_abandoned_alone(host: &Host, killed: Delegate, busy: Delegate, owned: &str) {
    let finished = host.create(CageSpec::empty(owned).image(image())).await.unwrap();
    slow_project(killed.project());
    slow_project(busy.project());
    killed.killed(Phase::Creating).await;
    let at_work = busy.started(Phase::Creating).await;
    assert_eq!(is_finished(host, killed.name()).await, Some(false));
    assert_eq!(is_finished(host, owned).await, Some(true));

    let removed = host.gc().await.unwrap();
    let removed: Vec<_> = removed.iter().map(CageName::as_str).collect();
    assert!(removed.contains(&killed.name()), "{removed:?}");
    assert_eq!(is_finished(host, killed.name()).await, None);
    assert!(is_finished(host, busy.name()).await.is_some(), "removed what a program is at work on");
    assert_eq!(is_finished(host, owned).await, Some(true), "removed a finished cage");

    busy.end(at_work).await;
    finished.destroy().await.unwrap();
    host.create(CageSpec::empty(killed.name()).image(image())).await.unwrap().destroy().await.unwrap();
}

/// Says whether a cage is finished; `None` when there is none.
async fn is_finished(host: &Host, name: &str) -> Option<bool> {
    let cages = host.list().await.unwrap();
    cages.iter().find(|cage| cage.name.as_str() == name).map(|cage| cage.finished)
}

#[tokio::test]
async fn removes_what_a_killed_program_left_in_docker_and_nothing_else() {
    let Some(stage) = Stage::docker().await else { return };
    let killed = Delegate::in_docker(&stage, "gc-killed");
    let busy = Delegate::in_docker(&stage, "gc-busy");
    removes_what_is_abandoned_alone(&stage.host, killed, busy, &stage.name("gc-owned")).await;
}

#[tokio::test]
async fn removes_what_a_killed_program_left_in_a_folder_and_nothing_else() {
    let killed = Delegate::embedded("killed");
    let busy = Delegate::embedded("busy").cages_of(&killed);
    let host = Host::embedded(&EmbeddedConfig::new(killed.cages(), programs_or(&killed))).unwrap();
    removes_what_is_abandoned_alone(&host, killed, busy, "demo-owned").await;
}

/// Creating uses no program of ours, so that a folder without them will do.
fn programs_or(delegate: &Delegate) -> std::path::PathBuf {
    if programs().is_dir() { programs() } else { delegate.cages() }
}

#[tokio::test]
async fn keeps_a_part_of_a_cage_that_nobody_signed_until_it_is_old() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::embedded(&EmbeddedConfig::new(root.path(), root.path())).unwrap();
    let part = root.path().join("isolated-dev-part");
    fs::create_dir(&part).unwrap();
    assert!(host.gc().await.unwrap().is_empty());
    let two_hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    fs::File::open(&part).unwrap().set_modified(two_hours_ago).unwrap();
    assert_eq!(host.gc().await.unwrap().len(), 1);
    assert!(!part.exists());
}

#[tokio::test]
async fn never_takes_the_word_of_an_id_for_a_folder_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let cages = root.path().join("cages");
    let host = Host::embedded(&EmbeddedConfig::new(&cages, root.path())).unwrap();
    for id in ["", "../precious.1", "isolated-dev-other.1"] {
        let precious = root.path().join("precious");
        let other = cages.join("isolated-dev-other");
        let part = cages.join("isolated-dev-part");
        for folder in [&precious, &other, &part] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(part.join("id"), id).unwrap();
        host.cage("part").await.unwrap().destroy().await.unwrap();
        assert!(precious.exists() && other.exists() && !part.exists(), "{id:?}");
    }
}
