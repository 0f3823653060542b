//! Copies of cages: what goes along, what must not, and what is left behind.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::fs::File;
use std::process::Command;
use std::time::{Duration, SystemTime};

use cage_host::{Cage, CageSpec, CageState, Error, Network, RequestError};
use support::numbers::{docker, expect, send};
use support::{Stage, image, write_tree};
use tempfile::TempDir;

on_both_backends! {
    forks_project_and_conversation_into_a_cage_of_its_own => forked;
    leaves_nothing_when_a_fork_is_given_up_or_fails => failed_fork;
}

/// A subscription's token, which is none, and which must turn up nowhere.
const TOKEN: &str = "sk-made-up-subscription-token";

/// What an agent leaves in its home.
const WORK: &str = r#"home=$(cd "${CAGE_DIR-$HOME/.cage}/.." && pwd); cd "$home/project"
second=$(stat -c %Y same-size); printf two > same-size; touch -d "@$second.5" same-size; rm gone; printf new > added; chmod +x script; mkdir empty
ln added linked; ln -s added link; mkfifo pipe
mkdir -p "$home/.claude/projects"
printf '{"claudeAiOauth":"sk-made-up-subscription-token"}' > "$home/.claude/.credentials.json"
printf '{"turn":1}' > "$home/.claude/projects/conversation.jsonl"
printf '{"agent":"claude"}' > "$home/.cage/session.json"
rm -f "$home/.bashrc""#;

async fn worked(stage: &Stage, story: &str) -> (Cage, TempDir) {
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("same-size", "one"), ("gone", "x"), ("script", "x"), ("kept", "x")]);
    // So that the second in which the agent writes it can be the host's own, whenever the cage is created.
    let same_size = File::options().write(true).open(project.path().join("same-size")).unwrap();
    same_size.set_modified(SystemTime::now() + Duration::from_secs(3_600)).unwrap();
    let spec = CageSpec::from_dir(stage.name(story), project.path()).image(image());
    let spec = spec.memory_bytes(128 << 20).pids(77).network(Network::None).env("COLOUR", "blue");
    let cage = stage.host.create(spec.label("team", "one")).await.unwrap();
    stage.agent(&cage, &["sh", "-c", WORK]);
    (cage, project)
}

/// Checks a copy of a cage in which [`WORK`] was done.
async fn assert_copy(stage: &Stage, copy: &Cage, cage: &Cage, project: &TempDir) {
    let [theirs, ours] = [copy, cage].map(|cage| async {
        if cage.state().await.unwrap() == CageState::Running {
            cage.diff(project.path()).await.unwrap().to_string()
        } else {
            cage.salvage(project.path()).await.unwrap().changes.to_string()
        }
    });
    // The FIFO stays behind.
    assert_eq!(theirs.await, ours.await.replace("A pipe (held back: it is no regular file)\n", ""));
    let look = r#"home=$(cd "${CAGE_DIR-$HOME/.cage}/.." && pwd); cd "$home"
cat .claude/projects/conversation.jsonl .cage/session.json; echo
[ -e .bashrc ] && echo "a deleted file is back"
ls .cage/outbox .cage/inbox | grep json
grep -rl made-up . && echo "a credential went along"
git -C project log --format=%s; git -C project fsck && echo; stat -c %U project/added; id -un"#;
    let seen = stage.agent(copy, &["sh", "-c", look]);
    let seen: Vec<_> = seen.split_whitespace().collect();
    assert_eq!(seen[0..2], ["{\"turn\":1}{\"agent\":\"claude\"}", "baseline"], "{seen:?}");
    assert_eq!((seen.len(), seen[2]), (4, seen[3]), "{seen:?}");
}

async fn forked(stage: Stage) {
    let (cage, project) = worked(&stage, "origin").await;
    let name = stage.name("fork");
    let fork = stage.host.fork(&cage, &name).await.unwrap();
    assert_eq!(fork.name().as_str(), name);
    assert_eq!(cage.state().await.unwrap(), CageState::Running, "the origin goes on");
    assert_copy(&stage, &fork, &cage, &project).await;
    let listed = stage.host.list().await.unwrap();
    let listed = listed.iter().find(|listed| listed.name.as_str() == name).unwrap();
    assert!(listed.finished && listed.running, "{listed:?}");

    cage.stop(Duration::ZERO).await.unwrap();
    let error = stage.host.fork(&cage, &name).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NameTaken { .. })), "{error}");
    let later = stage.host.fork(&cage, &stage.name("later")).await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Stopped, "the origin stays as it was");
    assert_copy(&stage, &later, &cage, &project).await;
    for cage in [cage, fork, later] {
        cage.destroy().await.unwrap();
    }
}

async fn failed_fork(stage: Stage) {
    let (cage, _project) = worked(&stage, "whole").await;
    stage.agent(&cage, &["sh", "-c", r#"head -c 50000000 /dev/urandom > "${CAGE_DIR-$HOME/.cage}/large""#]);
    let name = stage.name("given-up");
    let seen = async {
        while !stage.has(&name).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        fork = stage.host.fork(&cage, &name) => fork.unwrap().destroy().await.unwrap(),
        () = seen => {}
    }
    stage.host.settled().await;
    assert!(!stage.has(&name).await);
    assert_eq!(cage.state().await.unwrap(), CageState::Running, "the origin goes on");
    let gone = stage.host.cage(cage.name().as_str()).await.unwrap();
    cage.destroy().await.unwrap();
    let error = stage.host.fork(&gone, &name).await.unwrap_err();
    assert!(matches!(error, Error::Cage(_)), "{error}");
    assert!(!stage.has(&name).await);
}

#[tokio::test]
async fn snapshots_a_cage_and_makes_others_of_it_after_its_end() {
    let Some(stage) = Stage::docker().await else { return };
    let (cage, project) = worked(&stage, "snapped").await;
    send(None, &cage, 1, 2);
    let name = stage.name("snapshot");
    let snapshot = stage.host.snapshot(&cage, &name).await.unwrap();
    assert_eq!((snapshot.name.as_str(), &snapshot.cage), (&*name, &cage.name().to_string()));
    assert!(stage.host.snapshots().await.unwrap().contains(&snapshot));
    let taken = stage.host.snapshot(&cage, &name).await.unwrap_err().to_string().replace(&name, "NAME");
    assert_eq!(taken, "a snapshot named `NAME` exists already; choose another name or remove that one first");
    assert_no_token(&format!("cage-snapshot:{name}"));

    let fork = stage.host.fork_snapshot(&name, &stage.name("of-snapshot")).await.unwrap();
    assert_copy(&stage, &fork, &cage, &project).await;
    assert_eq!(settings(&fork), settings(&cage));
    // Mailboxes and cursors of its own: numbers begin anew and everything is delivered.
    let mut follower = fork.outbox().follow().await.unwrap();
    send(None, &fork, 7, 9);
    expect(&mut follower, 7, 9).await;
    cage.destroy().await.unwrap();
    stage.host.remove_snapshot(&name).await.unwrap();
    stage.host.remove_snapshot(&name).await.unwrap();
    assert!(!stage.host.snapshots().await.unwrap().contains(&snapshot));
    assert_eq!(fork.state().await.unwrap(), CageState::Running, "a cage outlives its snapshot");
    fork.destroy().await.unwrap();
    let error =
        stage.host.fork_snapshot(&name, "never").await.unwrap_err().to_string().replace(&name, "NAME");
    assert_eq!(error, "no snapshot named `NAME` exists; it was never made or has been removed");
}

/// Looks for the token in everything that an image holds: its files, layer by layer, its settings and its history.
fn assert_no_token(image: &str) {
    let count = format!("docker save '{image}' | grep --count --text {TOKEN}");
    let output = Command::new("sh").args(["-c", &count]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0", "{output:?}");
}

/// The limits of a cage's container, its environment and its caller's label, as Docker shows them.
fn settings(cage: &Cage) -> String {
    let format = "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.HostConfig.NetworkMode}} \
                  {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.Env}} {{.Config.Labels.team}} {{.Config.Image}}";
    let container = format!("isolated-dev-{}", cage.name());
    let output = Command::new("docker").args(["inspect", "--format", format, &container]).output().unwrap();
    let mut words: Vec<_> = String::from_utf8(output.stdout).unwrap().split(' ').map(str::to_owned).collect();
    let image = words.pop().unwrap();
    assert!(image.starts_with("cage"), "{image}");
    assert!(words.join(" ").contains("COLOUR=blue"), "{words:?}");
    words.join(" ")
}

/// The images under a snapshot's name, whether the engine knows them by it or not.
fn images(snapshot: &str) -> usize {
    let label = format!("label=dev.cage.name={snapshot}");
    let list = ["images", "--all", "--quiet", "--filter", &label];
    let output = Command::new("docker").args(list).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().count()
}

#[tokio::test]
async fn removes_the_image_of_a_removed_snapshot_with_the_last_cage_that_was_made_of_it() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("below").await;
    let name = stage.name("nameless");
    stage.host.snapshot(&cage, &name).await.unwrap();
    let mut copies = Vec::new();
    for story in ["first", "last"] {
        copies.push(stage.host.fork_snapshot(&name, &stage.name(story)).await.unwrap());
    }
    let [first, last] = copies.try_into().unwrap();
    stage.host.remove_snapshot(&name).await.unwrap();
    first.destroy().await.unwrap();
    last.stop(Duration::ZERO).await.unwrap();
    stage.host.gc().await.unwrap();
    assert_eq!(images(&name), 1, "a cage uses it");
    let fork = stage.host.fork(&last, &stage.name("fork")).await.unwrap();
    for cage in [last, fork] {
        assert_eq!(images(&name), 1);
        cage.destroy().await.unwrap();
    }
    assert_eq!(images(&name), 0, "no cage uses it, and nobody can find it");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn keeps_the_image_of_a_snapshot_that_has_its_name() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("named").await;
    let name = stage.name("kept");
    stage.host.snapshot(&cage, &name).await.unwrap();
    stage.host.fork_snapshot(&name, &stage.name("once")).await.unwrap().destroy().await.unwrap();
    assert_eq!(images(&name), 1);
    stage.host.remove_snapshot(&name).await.unwrap();
    assert_eq!(images(&name), 0);
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn snapshots_a_crashed_and_a_paused_cage_and_leaves_them_so() {
    let Some(stage) = Stage::docker().await else { return };
    let (cage, project) = worked(&stage, "still").await;
    let container = format!("isolated-dev-{}", cage.name());
    for (how, state) in [("pause", CageState::Paused), ("kill", CageState::Stopped)] {
        cage.start().await.unwrap();
        docker(None, &[how, &container]);
        let name = stage.name(how);
        stage.host.snapshot(&cage, &name).await.unwrap();
        assert_eq!(cage.state().await.unwrap(), state);
        let fork = stage.host.fork_snapshot(&name, &stage.name("copy")).await.unwrap();
        assert_copy(&stage, &fork, &cage, &project).await;
        fork.destroy().await.unwrap();
        stage.host.remove_snapshot(&name).await.unwrap();
    }
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn leaves_nothing_when_a_snapshot_is_given_up() {
    let Some(stage) = Stage::docker().await else { return };
    let (cage, _project) = worked(&stage, "unhurt").await;
    let name = stage.name("given-up");
    let helpers = async || {
        stage
            .host
            .list()
            .await
            .unwrap()
            .iter()
            .any(|cage| cage.name.as_str().starts_with("snapshot-") && !cage.finished)
    };
    let seen = async {
        while !helpers().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        snapshot = stage.host.snapshot(&cage, &name) => { snapshot.unwrap(); stage.host.remove_snapshot(&name).await.unwrap() }
        () = seen => {}
    }
    stage.host.settled().await;
    let snapshots = stage.host.snapshots().await.unwrap();
    assert!(!snapshots.iter().any(|snapshot| snapshot.name.as_str() == name), "{snapshots:?}");
    assert_eq!(cage.state().await.unwrap(), CageState::Running, "the cage goes on");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn rejects_a_snapshot_of_a_plain_folder() {
    let stage = Stage::embedded();
    let cage = stage.empty_cage("plain").await;
    insta::assert_snapshot!(stage.host.snapshot(&cage, "x").await.unwrap_err(), @"invalid use of the embedded backend: it has no images and so no snapshots; fork the cage instead");
}
