//! The short examples, each run as a program of its own.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::time::Duration;

use support::git::GitServer;
use support::{Stage, example, image, write_tree};
use tokio::process::Command;
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs an example to its end and returns what it printed; it must leave no cage.
async fn run(stage: &Stage, name: &str, arguments: &[&str], env: &[(&str, &str)]) -> String {
    let cage = stage.name("example");
    let mut command = Command::new(example(name));
    command.args(arguments).args(["--name", &cage, "--image", &image()]).envs(env.iter().copied());
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!stage.has(&cage).await);
    String::from_utf8(output.stdout).unwrap().replace(&cage, "NAME")
}

#[tokio::test]
async fn clones_a_repository_without_any_git_on_the_host() {
    let Some(stage) = Stage::docker().await else { return };
    let server = GitServer::start().await;
    let no_programs = [("PATH", "/nowhere")];
    let shown = run(&stage, "git", &[&server.url("repo"), "--branch", "other"], &no_programs).await;
    for file in ["first.txt", "second.txt", "other.txt"] {
        assert!(shown.contains(file), "{shown}");
    }
}

#[tokio::test]
async fn shows_a_plan_and_each_step() {
    let Some(stage) = Stage::docker().await else { return };
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "hello"), ("b", "x")]);
    let path = project.path().to_str().unwrap();
    let shown = run(&stage, "progress", &[path], &[]).await;
    // What is told in between depends on the machine's speed.
    let lines = shown.lines().filter(|line| !line.ends_with("so far"));
    let shown = lines.collect::<Vec<_>>().join("\n").replace(path, "DIR").replace(&image(), "IMAGE");
    insta::assert_snapshot!(shown, @r"
    cage NAME as container isolated-dev-NAME from image IMAGE
      project: 2 files, 6 bytes from DIR
      limits: 4294967296 bytes of memory, 2 processors, 1024 processes; network: open
    checking
    created the container
    started the container
    packed project: 2 files, 6 bytes
    committing the baseline
    done
    ");
}

#[tokio::test]
async fn puts_folders_beside_the_project() {
    let Some(stage) = Stage::docker().await else { return };
    let root = tempfile::tempdir().unwrap();
    write_tree(root.path(), &[("p/a", "1"), ("docs/b", "2"), ("docs/c", "3")]);
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let docs = format!("docs={}", path("docs"));
    let shown = run(&stage, "extra_folders", &[&path("p"), &docs], &[]).await;
    insta::assert_snapshot!(shown, @r"
    project: 1 files
    docs: 2 files
    again: 0 changes
    docs: 0 changes
    ");
}

#[tokio::test]
async fn prints_the_stream_of_an_agent_in_the_foreground() {
    let Some(stage) = Stage::docker().await else { return };
    let root = tempfile::tempdir().unwrap();
    write_tree(root.path(), &[("task", "say hello")]);
    let script = "head -n 1; cage-send task_complete --summary done --exit-code 0 >/dev/null";
    let task = root.path().join("task");
    let shown = run(&stage, "foreground", &[task.to_str().unwrap(), "--script", script], &[]).await;
    insta::assert_snapshot!(shown, @"say hello");
}

#[tokio::test]
async fn tries_two_things_from_one_state() {
    let Some(stage) = Stage::docker().await else { return };
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "hello")]);
    let shown = run(&stage, "fork", &[project.path().to_str().unwrap()], &[]).await;
    insta::assert_snapshot!(shown, @r"
    kept NAME as NAME-before
    NAME-one differs in 0 files
    NAME-two differs in 0 files
    ");
}

#[tokio::test]
async fn lists_what_there_is() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("listed").await;
    let output = Command::new(example("cleanup")).arg("--gc").output().await.unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let line = shown.lines().find(|line| line.starts_with(cage.name().as_str())).unwrap();
    let expected = format!("{} from {}: running, 0 minutes old, 0 MB", cage.name(), image());
    assert_eq!(line, expected);
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn brings_home_what_was_in_a_stopped_cage() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("salvaged").await;
    let work = "printf made > made; cage-send progress_update --status halfway";
    stage.agent(&cage, &["sh", "-c", work]);
    cage.stop(Duration::ZERO).await.unwrap();
    let project = tempfile::tempdir().unwrap();
    let mut command = Command::new(example("salvage"));
    let command = command.arg(project.path()).args(["--name", cage.name().as_str()]);
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    for told in ["the cage is stopped", "A made\n", r#""status":"halfway""#, "wrote 1 files"] {
        assert!(shown.contains(told), "no {told:?} in {shown}");
    }
    assert_eq!(std::fs::read_to_string(project.path().join("made")).unwrap(), "made");
    assert!(!stage.has(cage.name().as_str()).await);
}
