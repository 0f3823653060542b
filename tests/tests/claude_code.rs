//! What the runtime relies on in the pinned Claude Code, seen on the real CLI in the real image.
//!
//! When the pinned version moves, these tests say what else has moved with it.

use std::time::Duration;

use cage_tests::docker::{NO_NAMES, docker, gateway, in_docker};
use cage_tests::places;
use cage_tests::run::{Finished, Run};
use cage_tests::scripted_api::{INPUT_TOKENS_PER_REPLY, RecordedRequest, Script, ScriptedApi, Turn};
use serde_json::{Value, json};

const SESSION: &str = "5e551043-0000-4000-8000-000000000001";

/// Longer than any of these conversations takes; the slowest waits for two retries.
const DEADLINE: Duration = Duration::from_secs(60);

/// A container with Claude Code in it, and the script that it talks to.
struct Agent<'a> {
    name: &'a str,
    api: ScriptedApi,
}

/// One run of Claude Code: how it ended and what its stream said.
struct Answer {
    finished: Finished,
    lines: Vec<Value>,
}

impl<'a> Agent<'a> {
    async fn start(name: &'a str, script: Script) -> Self {
        let api = ScriptedApi::start(gateway().await, script).await.expect("the gateway has a free port");
        let (container, label) = (format!("isolated-dev-{name}"), format!("dev.cage.name={name}"));
        let url = format!("ANTHROPIC_BASE_URL={}", api.base_url());
        let (image, key) = (places::image(), "ANTHROPIC_API_KEY=made-up");
        let quiet = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1";
        let run = ["run", "--detach", "--init", "--name", &container, "--label", &label];
        let env = ["--env", &url, "--env", key, "--env", quiet, &image];
        let _ = docker(run.into_iter().chain(NO_NAMES).chain(env)).await.exits_with(0);
        Self { name, api }
    }

    fn claude(&self, options: &[&str]) -> Run {
        let container = format!("isolated-dev-{}", self.name);
        let claude =
            ["claude", "-p", "--dangerously-skip-permissions", "--verbose", "--output-format", "stream-json"];
        Run::new("docker")
            .args(["exec", "--interactive", &container])
            .args(claude)
            .args(options)
            .deadline(DEADLINE)
    }

    async fn ask(&self, prompt: &str, options: &[&str]) -> Answer {
        let finished = self.claude(options).stdin(prompt).finish().await;
        let lines = finished.stdout().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Answer { finished, lines }
    }

    fn last_request(&self) -> RecordedRequest {
        self.api.requests().pop().expect("the CLI asked")
    }

    async fn remove(self) {
        let container = format!("isolated-dev-{}", self.name);
        let _ = docker(["rm", "--force", "--volumes", &container]).await.exits_with(0);
    }
}

impl Answer {
    fn exits_with(self, code: i32) -> Self {
        Self { finished: self.finished.exits_with(code), lines: self.lines }
    }

    fn result(&self) -> &Value {
        self.lines.iter().rfind(|line| line["type"] == "result").expect("a result line")
    }

    fn retries(&self) -> Vec<u64> {
        let retries = self.lines.iter().filter(|line| line["subtype"] == "api_retry");
        retries.filter_map(|line| line["error_status"].as_u64()).collect()
    }
}

#[tokio::test]
async fn runs_tools_and_reports_what_they_cost() {
    in_docker("cli-tools", async |name| {
        let script = Script::new([
            Turn::bash("echo \"it's 2 of 5\" > note.txt; id -un", "Write a note"),
            Turn::tool("Read", json!({ "file_path": "note.txt" })),
            Turn::tool("Edit", json!({ "file_path": "note.txt", "old_string": "2", "new_string": "3" })),
            Turn::bash("cat note.txt", "Read it"),
            Turn::say("Done."),
        ]);
        let agent = Agent::start(name, script).await;
        let answer = agent.ask("write a note", &["--session-id", SESSION]).await.exits_with(0);
        assert_eq!(answer.result()["result"], "Done.");
        assert_eq!(answer.result()["usage"]["input_tokens"], 5 * INPUT_TOKENS_PER_REPLY);
        let last = agent.last_request();
        assert_eq!(last.session_id(), Some(SESSION));
        assert!(last.mentions("trustycage") && last.mentions("it's 3 of 5"), "{:?}", last.tool_results());
        agent.remove().await;
    })
    .await;
}

#[tokio::test]
async fn resumes_the_same_conversation() {
    in_docker("cli-resume", async |name| {
        let agent = Agent::start(name, Script::new([Turn::say("First."), Turn::say("Second.")])).await;
        let _ = agent.ask("the first task", &["--session-id", SESSION]).await.exits_with(0);
        let answer = agent.ask("the revision", &["--resume", SESSION]).await.exits_with(0);
        assert_eq!(answer.result()["session_id"], SESSION);
        let last = agent.last_request();
        assert!(last.mentions("the first task") && last.mentions("the revision"));
        assert_eq!(last.said(), ["First."]);
        agent.remove().await;
    })
    .await;
}

#[tokio::test]
async fn survives_an_api_that_fails_twice() {
    in_docker("cli-retry", async |name| {
        let turns = [Turn::status(529), Turn::status(500), Turn::say("Back.")];
        let agent = Agent::start(name, Script::new(turns)).await;
        let answer = agent.ask("go on", &[]).await.exits_with(0);
        assert_eq!((answer.retries(), &answer.result()["result"]), (vec![529, 500], &"Back.".into()));
        agent.remove().await;
    })
    .await;
}

#[tokio::test]
async fn gives_up_on_an_api_that_stays_overloaded() {
    in_docker("cli-overloaded", async |name| {
        let agent = Agent::start(name, Script::new([]).then_forever(Turn::status(529))).await;
        let answer = agent.ask("go on", &[]).await.exits_with(1);
        assert_eq!(answer.retries(), [529, 529]);
        assert_eq!(answer.result()["is_error"], true);
        assert_eq!(answer.result()["subtype"], "success", "which is why only `is_error` can be believed");
        agent.remove().await;
    })
    .await;
}

#[tokio::test]
async fn asks_once_more_without_a_stream_when_it_gets_garbage() {
    in_docker("cli-garbage", async |name| {
        let agent = Agent::start(name, Script::new([Turn::garbage(), Turn::say("Back.")])).await;
        let answer = agent.ask("go on", &[]).await.exits_with(0);
        assert_eq!(answer.result()["result"], "Back.");
        assert!(!agent.last_request().wants_stream());
        agent.remove().await;
    })
    .await;
}

#[tokio::test]
async fn says_so_when_it_gets_nothing_but_garbage() {
    in_docker("cli-all-garbage", async |name| {
        let agent = Agent::start(name, Script::new([]).then_forever(Turn::garbage())).await;
        let answer = agent.ask("go on", &[]).await.exits_with(1);
        let result = answer.result()["result"].as_str().expect("a text");
        assert!(result.contains("malformed response"), "{result}");
        agent.remove().await;
    })
    .await;
}

#[tokio::test]
async fn ends_on_sigterm_while_the_api_hangs_and_can_be_resumed() {
    in_docker("cli-hang", async |name| {
        let agent = Agent::start(name, Script::new([Turn::hang(), Turn::say("Back.")])).await;
        let hanging = tokio::spawn(agent.claude(&["--session-id", SESSION]).stdin("the task").finish());
        tokio::time::timeout(DEADLINE, agent.api.wait_for_turns(1)).await.expect("the CLI asks");
        let container = format!("isolated-dev-{name}");
        let _ = docker(["exec", &container, "pkill", "-TERM", "claude"]).await.exits_with(0);
        let _ = hanging.await.expect("no panic").exits_with(143);
        let answer = agent.ask("go on", &["--resume", SESSION]).await.exits_with(0);
        assert_eq!(answer.result()["result"], "Back.");
        assert!(agent.last_request().mentions("the task"));
        agent.remove().await;
    })
    .await;
}
