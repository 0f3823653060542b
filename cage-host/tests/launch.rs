//! Launching an agent, on both backends. A shell script plays the agent; the runtime around it is the real one.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::process::Command;
use std::time::Duration;

use cage_host::message::Payload;
use cage_host::{Agent, Cage, CageError, Error, RequestError, Task};
use support::Stage;
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A credential that is none, and that must turn up nowhere.
const SECRET: &str = "sk-made-up-0123456789";

on_both_backends! {
    gives_the_agent_its_task_and_how_to_report => told;
    keeps_a_credential_in_the_agents_environment_alone => secret;
    rejects_an_agent_that_is_not_there => missing;
    rejects_claude_without_a_credential => credential;
}

fn script(text: &str) -> Agent {
    Agent::Command(vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

/// Waits until the agent reports that it is done, and returns its summary.
async fn done(cage: &Cage) -> String {
    let mut outbox = cage.outbox().follow().await.unwrap();
    loop {
        let delivery = timeout(PATIENCE, outbox.next()).await.expect("no message in time").unwrap().unwrap();
        if let Some(Payload::TaskComplete(done)) = delivery.message().map(|message| &message.payload) {
            return done.summary.clone();
        }
        delivery.ack().await.unwrap();
    }
}

async fn told(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("told").await;
    let prompt = "it's $(not) a `shell`\n--help \\ \"x\" ü\n".repeat(1_000);
    let agent = script("cat > got; cage-send task_complete --summary \"$PWD $COLOUR\" --exit-code 0");
    cage.launch(Task::new(&prompt).agent(agent).env("COLOUR", "it's blue")).await.unwrap();
    let summary = done(&cage).await;
    assert!(summary.ends_with("/project it's blue"), "{summary}");
    let got = stage.agent(&cage, &["sh", "-c", r#"cat "${CAGE_DIR:-$HOME/.cage}/../project/got""#]);
    assert!(got.starts_with(&prompt), "{}", &got[..got.len().min(200)]);
    assert!(got[prompt.len()..].contains("cage-send task_complete"), "the instructions follow the task");
    cage.destroy().await.unwrap();
}

async fn secret(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("secret").await;
    let agent = script(
        "test -n \"$ANTHROPIC_API_KEY\" && cage-send task_complete --summary ready --exit-code 0; exec sleep 60",
    );
    cage.launch(Task::new("wait").agent(agent).env("ANTHROPIC_API_KEY", SECRET)).await.unwrap();
    assert_eq!(done(&cage).await, "ready");
    // The agent is still running: its command line and everything the engine shows are looked through.
    let container = format!("isolated-dev-{}", cage.name());
    let mut shown =
        stage.agent(&cage, &["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; true"]);
    for arguments in [&["inspect", &container][..], &["top", &container], &["logs", &container]] {
        let output = Command::new("docker").args(arguments).output();
        shown.extend(output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let files = r#"cd "${CAGE_DIR:-$HOME/.cage}/.." && grep -rl "$1" . || true"#;
    assert_eq!(stage.agent(&cage, &["sh", "-c", files, "sh", SECRET]), "", "no file in the cage holds it");
    cage.destroy().await.unwrap();
    assert!(!shown.contains(SECRET), "{shown}");
}

async fn missing(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("missing").await;
    let task = Task::new("work").agent(Agent::Command(vec!["no-such-agent".to_owned()]));
    let error = cage.launch(task).await.unwrap_err();
    assert!(
        matches!(&error, Error::Cage(CageError::ProgramMissing { program, .. }) if program == "no-such-agent"),
        "{error}"
    );
    cage.destroy().await.unwrap();
}

async fn credential(stage: Stage) {
    let cage = stage.empty_cage("credential").await;
    let error = cage.launch(Task::new("work")).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NoCredential)), "{error}");
    cage.destroy().await.unwrap();
}
