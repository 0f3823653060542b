//! Where a credential is and, above all, where it is not.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

use cage_host::{Credential, Error, RequestError, Task};
use support::agent::{done, script};
use support::{Stage, feed, image};

on_both_backends! {
    copies_a_subscription_at_launch_and_again_when_asked => subscription;
    rejects_a_refresh_of_what_is_no_file => no_refresh;
    puts_no_credential_into_a_cage_with_a_gateway => gateway;
}

async fn subscription(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("subscription").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials.json");
    fs::write(&file, r#"{"made":"up"}"#).unwrap();
    let credential = Credential::subscription(&file);
    let agent = script("cage-send task_complete --summary ready --exit-code 0");
    cage.launch(Task::new("work").agent(agent).credential(credential.clone())).await.unwrap();
    assert_eq!(done(&cage).await, "ready");
    let look = "cd \"${CAGE_DIR:-$HOME/.cage}/../.claude\"; stat -c %a .credentials.json; cat .credentials.json; ls -A";
    let seen = || stage.agent(&cage, &["sh", "-c", look]);
    assert_eq!(seen(), "600\n{\"made\":\"up\"}.credentials.json\n");
    fs::write(&file, r#"{"made":"anew"}"#).unwrap();
    cage.refresh_credential(&credential).await.unwrap();
    assert_eq!(seen(), "600\n{\"made\":\"anew\"}.credentials.json\n");
    cage.destroy().await.unwrap();
}

async fn no_refresh(stage: Stage) {
    let cage = stage.empty_cage("refresh").await;
    let error = cage.refresh_credential(&Credential::api_key("sk-made-up")).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::Invalid { what: "credential", .. })), "{error}");
    cage.destroy().await.unwrap();
}

async fn gateway(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("gateway").await;
    let agent = script(
        "cage-send task_complete --exit-code 0 --summary \"$(env | grep -E '^(ANTHROPIC|CLAUDE)_' | sort | tr '\\n' ' ')\"",
    );
    let credential = Credential::gateway("http://10.0.0.1:8080");
    cage.launch(Task::new("work").agent(agent).credential(credential)).await.unwrap();
    let env = done(&cage).await;
    cage.destroy().await.unwrap();
    insta::allow_duplicates! { insta::assert_snapshot!(env.trim(), @"ANTHROPIC_AUTH_TOKEN=signed-in-by-the-gateway ANTHROPIC_BASE_URL=http://10.0.0.1:8080"); }
}

/// Runs a program and returns everything that it printed.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The command lines of every process of this machine, those in containers among them.
fn command_lines() -> String {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    processes.map(|line| String::from_utf8_lossy(&line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// What the engine tells of a program in a container; its own command does not show it.
fn inspect_exec(id: &str) -> String {
    let endpoint = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let mut engine = UnixStream::connect(endpoint.strip_prefix("unix://").unwrap()).unwrap();
    write!(engine, "GET /exec/{id}/json HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    engine.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 OK") || answer.contains(" 404 "), "{answer}");
    answer
}

/// Everything that the engine and the machine tell of a cage, by where it was found.
fn everything_shown(container: &str) -> Vec<(&'static str, String)> {
    let execs = said("docker", &["inspect", "--format", "{{range .ExecIDs}}{{.}} {{end}}", container]);
    vec![
        ("container", said("docker", &["inspect", container])),
        ("labels", said("docker", &["inspect", "--format", "{{json .Config.Labels}}", container])),
        ("execs", execs.split_whitespace().map(inspect_exec).collect()),
        ("image", said("docker", &["image", "inspect", &image()])),
        ("history", said("docker", &["history", "--no-trunc", &image()])),
        ("log", said("docker", &["logs", container])),
        ("top", said("docker", &["top", container, "-eo", "pid,args"])),
        ("command lines outside", command_lines()),
        (
            "command lines inside",
            said("docker", &["exec", container, "sh", "-c", "cat /proc/[0-9]*/cmdline; true"]),
        ),
    ]
}

/// Launches an agent that says nothing, and looks through everything while it runs.
async fn stays_hidden(credential: impl Fn(&str) -> Credential) {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("hidden").await;
    let secret = format!("sk-made-up-{}", cage.name());
    let agent = script("cage-send task_complete --summary ready --exit-code 0 >/dev/null; exec sleep 600");
    cage.launch(Task::new("wait").agent(agent).credential(credential(&secret))).await.unwrap();
    assert_eq!(done(&cage).await, "ready");
    let container = format!("isolated-dev-{}", cage.name());
    for (place, shown) in everything_shown(&container) {
        assert!(!shown.is_empty() || ["log", "execs"].contains(&place), "{place} shows nothing at all");
        assert!(!shown.contains(&secret), "it is in: {place}\n{shown}");
    }
    // The pattern comes in on standard input: on a command line it would find itself.
    let search = |options: &str, places: &str| {
        let find = format!(
            "cat > /dev/shm/pattern; grep {options} --file /dev/shm/pattern {places} 2>/dev/null || true"
        );
        feed("docker", &["exec", "--interactive", &container, "sh", "-c", &find], &secret)
    };
    assert_eq!(search("--recursive --files-with-matches", "/home /tmp /var /etc /run /opt /srv"), "");
    assert_ne!(search("--text --files-with-matches", "/proc/[0-9]*/environ"), "", "it never was in the cage");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn keeps_an_api_key_in_the_agents_environment_alone() {
    stays_hidden(|secret| Credential::api_key(secret)).await;
}

#[tokio::test]
async fn keeps_an_oauth_token_in_the_agents_environment_alone() {
    stays_hidden(|secret| Credential::oauth_token(secret)).await;
}
