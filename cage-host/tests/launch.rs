//! Launching an agent, on both backends. A shell script plays the agent; the runtime around it is the real one.
//! Credentials have a file of their own.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::time::Duration;

use cage_host::{Agent, Cage, CageError, Credential, Error, RequestError, Task};
use support::Stage;
use support::agent::{done, script};
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

on_both_backends! {
    gives_the_agent_its_task_and_how_to_report => told;
    takes_the_words_from_a_file_and_adds_nothing_when_told_so => from_file;
    refuses_a_second_agent_and_leaves_the_firsts_task_alone => second;
    rejects_resuming_where_nobody_worked => nothing_to_resume;
    goes_on_with_new_words_after_an_agent_has_ended => resumed;
    shows_the_stream_of_a_foreground_agent_from_its_own_beginning => foreground;
    ends_a_foreground_agent_with_its_handle => foreground_dropped;
    rejects_an_agent_that_is_not_there => missing;
    rejects_claude_without_a_credential => credential;
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

async fn from_file(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("from-file").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("task.md");
    // Larger than any command line may be.
    let prompt = "it's $(not) a `shell`\n".repeat(150_000);
    std::fs::write(&file, &prompt).unwrap();
    let agent = script("cmp - ../expected && cage-send task_complete --summary same --exit-code 0");
    let expected = dir.path().join("expected");
    std::fs::write(&expected, prompt.trim_end()).unwrap();
    stage.put(&cage, &expected, "expected");
    cage.launch(Task::from_file(file).without_instructions().agent(agent)).await.unwrap();
    assert_eq!(done(&cage).await, "same");
    cage.destroy().await.unwrap();
}

/// An agent that says that it is there, and stays.
fn stays() -> Agent {
    script("cage-send task_complete --summary ready --exit-code 0; echo started; exec sleep 600")
}

fn assert_running(error: &Error) {
    assert!(matches!(error, Error::Request(RequestError::AgentRunning { .. })), "{error}");
}

async fn second(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("second").await;
    cage.launch(Task::new("the first task").agent(stays())).await.unwrap();
    assert_eq!(done(&cage).await, "ready");
    assert_running(&cage.launch(Task::new("the second task").agent(stays())).await.unwrap_err());
    assert_running(&cage.run(Task::new("the third task").agent(stays())).await.unwrap_err());
    let task = stage.agent(&cage, &["sh", "-c", "cat \"${CAGE_DIR:-$HOME/.cage}/task.md\""]);
    assert!(task.starts_with("the first task"), "{task}");
    cage.destroy().await.unwrap();
}

async fn nothing_to_resume(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("nothing").await;
    let error = cage.launch(Task::resume().agent(stays())).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NothingToResume { .. })), "{error}");
    cage.destroy().await.unwrap();
}

async fn resumed(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("resumed").await;
    let agent = || script("cat >> got; cage-send task_complete --summary done --exit-code 0");
    let first = cage.run(Task::new("the first words").agent(agent())).await.unwrap();
    timeout(PATIENCE, first.finish()).await.unwrap().unwrap();
    let again = cage.run(Task::resume_with("the later words").agent(agent())).await.unwrap();
    timeout(PATIENCE, again.finish()).await.unwrap().unwrap();
    let got = stage.agent(&cage, &["sh", "-c", r#"cat "${CAGE_DIR:-$HOME/.cage}/../project/got""#]);
    assert!(got.starts_with("the first words"), "{got}");
    assert_eq!(
        (got.matches("the first words").count(), got.matches("the later words").count()),
        (1, 1),
        "{got}"
    );
    cage.destroy().await.unwrap();
}

async fn lines(cage: &Cage, said: &str) -> Vec<String> {
    let agent = script(&format!("{said}; cage-send task_complete --summary done --exit-code 0 >/dev/null"));
    let mut run = cage.run(Task::new("work").agent(agent)).await.unwrap();
    let mut lines = Vec::new();
    while let Some(line) = timeout(PATIENCE, run.next_line()).await.unwrap() {
        lines.push(line.unwrap());
    }
    timeout(PATIENCE, run.finish()).await.unwrap().unwrap();
    lines
}

async fn foreground(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("foreground").await;
    assert_eq!(lines(&cage, "echo one; echo; printf two").await, ["one", "", "two"]);
    let many = lines(&cage, "seq 1 20000").await;
    assert!(
        many.iter().map(String::as_str).eq((1..=20_000).map(|n| n.to_string()).collect::<Vec<_>>()),
        "{}",
        many.len()
    );
    cage.destroy().await.unwrap();
}

async fn foreground_dropped(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("dropped").await;
    let mut run = cage.run(Task::new("work").agent(stays())).await.unwrap();
    while timeout(PATIENCE, run.next_line()).await.unwrap().unwrap().unwrap() != "started" {}
    assert_running(&cage.launch(Task::new("more").agent(stays())).await.unwrap_err());
    drop(run);
    // As soon as it has ended another one is let in.
    let next = async {
        while let Err(error) = cage.launch(Task::new("more").agent(stays())).await {
            assert_running(&error);
        }
    };
    timeout(PATIENCE, next).await.expect("it goes on");
    cage.destroy().await.unwrap();
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

fn claude() -> Task {
    Task::new("work")
        .credential(Credential::api_key("made-up"))
        .env("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
}

#[tokio::test]
async fn says_which_argument_the_runtime_refuses() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("argument").await;
    let error = cage.launch(claude().without_preflight().arguments(["--resume", "x"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"could not launch the agent in the cage: exit code 2 (cage-poll: --resume cannot be combined with supervise: it resumes the conversation itself)");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn says_that_the_agent_does_not_start_or_runs_no_hooks() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("preflight").await;
    let container = format!("isolated-dev-{}", cage.name());
    let replace = |script: &str| {
        let write =
            "rm -f /usr/local/bin/claude; cat > /usr/local/bin/claude; chmod 755 /usr/local/bin/claude";
        let arguments = ["exec", "--interactive", "--user", "root", &container, "sh", "-c", write];
        support::feed("docker", &arguments, script);
    };
    replace("#!/bin/sh\necho 'no memory for V8' >&2; exit 133\n");
    let broken = cage.launch(claude()).await.unwrap_err();
    insta::assert_snapshot!(broken, @"`claude --version` failed in the cage (no memory for V8); use an image built by `make image`");
    replace("#!/bin/sh\necho 2.1.197\n");
    let silent = cage.launch(claude()).await.unwrap_err();
    insta::assert_snapshot!(silent, @"the agent's hooks do not work in the cage (cage-poll: hook not firing: claude ended with exit status: 0 and did not run the session-start hook; the settings are right, so see whether it reads them); use an image built by `make image`");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn accepts_the_image_as_it_is() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("accepted").await;
    cage.launch(claude()).await.unwrap();
    cage.destroy().await.unwrap();
}
