//! The short examples for talking with an agent and watching it, each run as a program of its own on a cage that is
//! there already.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::time::Duration;

use cage_host::{Agent, Cage, Task};
use support::{Stage, example, write_tree};
use tokio::process::Command;
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs an example to its end and returns what it printed.
async fn run(cage: &Cage, name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(example(name));
    command.arg(cage.name().as_str()).args(arguments);
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{name}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn reads_waits_and_answers() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("examples-talk").await;
    stage.agent(&cage, &["cage-send", "progress_update", "--status", "it's going well"]);
    let ask = ["cage-send", "info_request", "--request-id", "r1", "--description"];
    stage.agent(&cage, &[&ask[..], &["which colour?"]].concat());
    stage.agent(&cage, &["cage-send", "task_complete", "--summary", "all done", "--exit-code", "0"]);
    let shown = run(&cage, "read", &[]).await;
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(shown.contains("it's going well"), "{shown}");
    assert_eq!(run(&cage, "wait", &[]).await, "exit code 0: all done\n");
    let folder = tempfile::tempdir().unwrap();
    write_tree(folder.path(), &[("style.md", "two spaces")]);
    let folder = folder.path().to_str().unwrap();
    assert!(run(&cage, "answer", &[folder]).await.starts_with("answered with message "));
    let answer = stage.agent(&cage, &["cage-poll", "--timeout", "0", "--no-going-idle"]);
    assert!(answer.contains("blue"), "{answer}");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn answers_with_files() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("examples-files").await;
    let folder = tempfile::tempdir().unwrap();
    write_tree(folder.path(), &[("style.md", "two spaces")]);
    let ask =
        ["cage-send", "info_request", "--request-id", "r1", "--description", "style", "--paths", "style.md"];
    stage.agent(&cage, &ask);
    let shown = run(&cage, "answer", &[folder.path().to_str().unwrap()]).await;
    assert_eq!(shown, "sent [\"style.md\"], refused []\n");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn shows_a_status_and_a_log() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("examples-watch").await;
    let agent = Agent::Command(
        ["sh", "-c", "echo hello; cage-send task_complete --summary done --exit-code 0"]
            .map(str::to_owned)
            .to_vec(),
    );
    cage.launch(Task::new("work").agent(agent)).await.unwrap();
    run(&cage, "wait", &[]).await;
    let shown = run(&cage, "status", &[]).await;
    assert!(shown.ends_with("0.0000 USD and 0 tokens in 1 turns\n"), "{shown}");
    let shown = run(&cage, "overview", &[]).await;
    assert!(shown.contains(&format!("{}: complete with exit code 0: done\n", cage.name())), "{shown}");
    let shown = run(&cage, "logs", &[]).await;
    assert!(shown.starts_with("hello\nSent task_complete -> "), "{shown}");
    cage.destroy().await.unwrap();
}
