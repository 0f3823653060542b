//! The runtime around the real Claude Code in a real container: what reaches the host, and what reaches the model.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use cage_tests::docker::{NO_NAMES, docker, gateway, in_docker};
use cage_tests::places;
use cage_tests::run::{Finished, Run};
use cage_tests::scripted_api::{Script, ScriptedApi, Turn};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How long a single message may take. The slowest comes after the CLI's own retries.
const PATIENCE_SECONDS: &str = "180";

/// How long a whole supervised run may take; the slowest waits longer than two minutes in a shell.
const DEADLINE: Duration = Duration::from_secs(240);

/// How soon the host must hear of a crash.
const CRASH_REPORT_MAX: Duration = Duration::from_secs(2);

/// An agent that answers its task at once.
const COMPLETE: &str = "cage-send task_complete --summary \"it's done\" --exit-code 0";

/// A container with Claude Code in it, the script that it talks to, and the supervisor, as long as one is awaited.
struct Cage {
    name: String,
    api: ScriptedApi,
    supervisor: Mutex<Option<JoinHandle<Finished>>>,
}

/// Plays a story in a cage of its own, whose supervisor is told to end behind it, and whose agent asks as often as the
/// script says.
async fn in_cage(story: &str, script: Script, test: impl AsyncFnOnce(&Cage)) {
    in_docker(story, async |name| {
        let cage = Cage::start(name, script).await;
        test(&cage).await;
        cage.stop().await;
        assert!(!cage.api.overrun(), "the agent asked more often than the script has turns");
        let _ = docker(["rm", "--force", "--volumes", &cage.container()]).await.exits_with(0);
    })
    .await;
}

impl Cage {
    async fn start(name: &str, script: Script) -> Self {
        let api = ScriptedApi::start(gateway().await, script).await.expect("the gateway has a free port");
        let cage = Self { name: name.to_owned(), api, supervisor: Mutex::default() };
        let (container, label) = (cage.container(), format!("dev.cage.name={name}"));
        let url = format!("ANTHROPIC_BASE_URL={}", cage.api.base_url());
        let (image, key) = (places::image(), "ANTHROPIC_API_KEY=made-up");
        let safe = ["--init", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
        let run = ["run", "--detach", "--name", &container, "--label", &label, "--env", &url, "--env", key];
        let _ =
            docker(run.into_iter().chain(safe).chain(NO_NAMES).chain([image.as_str()])).await.exits_with(0);
        cage
    }

    fn container(&self) -> String {
        format!("isolated-dev-{}", self.name)
    }

    /// A program in the container.
    fn exec(&self, arguments: &[&str]) -> Run {
        Run::new("docker").args(["exec", "--interactive", &self.container()]).args(arguments)
    }

    async fn sh(&self, command: &str) -> String {
        self.exec(&["sh", "-c", command]).finish().await.exits_with(0).stdout().to_owned()
    }

    /// Writes a task and starts the supervisor with it.
    async fn launch(&self, task: &str, flags: &[&str]) {
        let write = self.exec(&["sh", "-c", "cat > ~/.cage/task.md"]).stdin(task);
        let _ = write.finish().await.exits_with(0);
        self.relaunch(flags);
    }

    /// Starts the supervisor with the task that is there.
    fn relaunch(&self, flags: &[&str]) {
        let supervise = ["cage-poll", "supervise", "--task-file", "/home/trustycage/.cage/task.md"];
        let claude = ["--", "claude", "-p", "--dangerously-skip-permissions"];
        let run = self.exec(&[&supervise, flags, &claude].concat()).deadline(DEADLINE);
        *self.supervisor.lock().expect("nothing panics with it") = Some(tokio::spawn(run.finish()));
    }

    fn supervisor(&self) -> Option<JoinHandle<Finished>> {
        self.supervisor.lock().expect("nothing panics with it").take()
    }

    /// Tells the supervisor to end, if there is one.
    async fn stop(&self) {
        let Some(supervisor) = self.supervisor() else { return };
        let pid = self.session().await["supervisor_pid"].to_string();
        let _ = self.exec(&["kill", "-TERM", &pid]).finish().await.exits_with(0);
        let _ = supervisor.await.expect("the run does not panic").exits_with(0);
    }

    /// Waits for the next message to the host.
    async fn next(&self) -> Value {
        let poll = ["cage-poll", "--mailbox", "outbox", "--consumer", "test", "--no-going-idle"];
        let wait = self.exec(&[&poll[..], &["--timeout", PATIENCE_SECONDS]].concat()).deadline(DEADLINE);
        let finished = wait.finish().await.exits_with(0);
        serde_json::from_str(finished.stdout()).expect("a message is JSON")
    }

    /// Waits for the next message, expects this type and returns its payload.
    async fn expect(&self, type_name: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], type_name, "{message}\n{}", self.sh("cat ~/.cage/session.json").await);
        message["payload"].clone()
    }

    async fn expect_error(&self, error_type: &str) -> Value {
        let error = self.expect("error").await;
        assert_eq!(error["error_type"], error_type, "{error}");
        error
    }

    /// Waits for both reports of an API that failed and returns the supervisor's. The other one is a hook's, which the
    /// agent does not wait for when it ends, so either can be the first.
    async fn expect_api_crash(&self) -> Value {
        let mut reports = [self.expect("error").await, self.expect("error").await];
        reports.sort_by_key(|report| report["error_type"].to_string());
        let types = reports.each_ref().map(|report| report["error_type"].as_str());
        assert_eq!(types, [Some("agent_crashed"), Some("api_failure")], "{reports:?}");
        assert_eq!(reports[0]["recoverable"], reports[1]["recoverable"], "{reports:?}");
        reports[0].take()
    }

    async fn revise(&self, instructions: &str) {
        let send = ["cage-send", "task_revision", "--mailbox", "inbox", "--instructions", instructions];
        let _ = self.exec(&send).finish().await.exits_with(0);
    }

    async fn session(&self) -> Value {
        serde_json::from_str(&self.sh("cat ~/.cage/session.json").await).expect("session.json is JSON")
    }

    /// Waits until the supervisor has written down a state.
    async fn wait_for_state(&self, state: &str) -> Value {
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            let session = self.session().await;
            if session["state"] == state {
                return session;
            }
        }
        unreachable!("the state is never {state}: {}", self.session().await)
    }

    /// The messages to the agent that are not consumed.
    async fn pending(&self) -> usize {
        self.sh("cage-poll --all --peek").await.lines().count()
    }

    /// The session ids under which the model was asked, each once.
    fn conversations(&self) -> Vec<String> {
        let requests = self.api.requests();
        let mut ids: Vec<_> = requests.iter().filter_map(|request| request.session_id()).collect();
        ids.dedup();
        ids.into_iter().map(str::to_owned).collect()
    }

    /// Whether the last request shows the model this text.
    fn model_was_told(&self, text: &str) -> bool {
        self.api.requests().last().is_some_and(|request| request.mentions(text))
    }
}

#[tokio::test]
async fn reaches_the_same_conversation_with_a_revision_after_the_agent_has_exited() {
    let turns = [
        Turn::bash(format!("echo one > a.txt; {COMPLETE}"), "Work"),
        Turn::say("Done."),
        Turn::bash(format!("echo two >> a.txt; {COMPLETE}"), "Work more"),
        Turn::say("Done again."),
    ];
    in_cage("sup-revision", Script::new(turns), async |cage| {
        cage.launch("Write one; it's easy.", &[]).await;
        assert_eq!(cage.expect("task_complete").await["summary"], "it's done");
        let session = cage.wait_for_state("waiting").await;
        assert_eq!((&session["pid"], &session["last_tool"]), (&Value::Null, &json!("Bash")));
        cage.revise("it's not enough: write two").await;
        cage.expect("task_complete").await;
        let session = cage.wait_for_state("waiting").await;
        assert!(cage.model_was_told("it's easy") && cage.model_was_told("it's not enough: write two"));
        assert_eq!(cage.conversations().len(), 1);
        assert_eq!(session["session_ids"], json!(cage.conversations()));
        assert_eq!((&session["turns"], &session["usage"]["input_tokens"]), (&json!(2), &json!(400)));
        assert_eq!((cage.sh("cat a.txt").await.as_str(), cage.pending().await), ("one\ntwo\n", 0));
        cage.stop().await;
        assert_eq!(cage.session().await["state"], "done");
    })
    .await;
}

#[tokio::test]
async fn delivers_two_revisions_that_came_while_the_agent_worked() {
    let wait = "until [ $(ls ~/.cage/inbox/*.json | wc -l) = 2 ]; do sleep 0.1; done";
    let turns = [Turn::bash(wait, "Work"), Turn::bash(COMPLETE, "Report"), Turn::say("Done.")];
    in_cage("sup-two", Script::new(turns), async |cage| {
        cage.launch("Work.", &[]).await;
        cage.api.wait_for_turns(1).await;
        cage.revise("the first wish").await;
        cage.revise("the second wish").await;
        cage.expect("task_complete").await;
        cage.wait_for_state("waiting").await;
        let told = cage.api.requests().last().expect("the CLI asked").told().concat();
        assert!(told.find("the first wish") < told.find("the second wish"), "{told}");
        assert_eq!(told.matches("the first wish").count(), 1);
        assert_eq!(cage.pending().await, 0);
    })
    .await;
}

#[tokio::test]
async fn answers_a_question_in_the_middle_of_the_turn() {
    let ask = "cage-send info_request --request-id r-1 --description 'which colour?'";
    let work = "until ls ~/.cage/inbox/*.json; do sleep 0.1; done";
    let turns = [
        Turn::bash(ask, "Ask"),
        Turn::bash(work, "Work on something else"),
        Turn::bash("cat ~/.cage/cursor/inbox.cursor 2>/dev/null | wc -l", "Look"),
        Turn::bash(COMPLETE, "Report"),
        Turn::say("Done."),
    ];
    in_cage("sup-answer", Script::new(turns), async |cage| {
        cage.launch("Paint it.", &[]).await;
        cage.expect("info_request").await;
        // The hook behind the first tool is over by then.
        cage.api.wait_for_turns(2).await;
        let answer = ["--request-id", "r-1", "--content", "a dark blue"];
        let send = ["cage-send", "info_response", "--mailbox", "inbox"];
        let _ = cage.exec(&[&send[..], &answer].concat()).finish().await.exits_with(0);
        cage.expect("task_complete").await;
        let requests = cage.api.requests();
        assert!(requests[2].mentions("a dark blue"), "{:?}", requests[2].told());
        assert!(!requests[1].mentions("a dark blue"));
        assert_eq!(requests[3].tool_results().last(), Some(&"0"), "it was consumed before the model went on");
        cage.wait_for_state("waiting").await;
        assert_eq!((cage.pending().await, cage.session().await["turns"].as_u64()), (0, Some(1)));
    })
    .await;
}

#[tokio::test]
async fn reminds_an_agent_that_ends_silently_and_reports_it() {
    in_cage("sup-silent", Script::new([Turn::say("I am done."), Turn::say("Really.")]), async |cage| {
        cage.launch("Work.", &[]).await;
        let error = cage.expect_error("agent_ended_silently").await;
        assert!(
            error["recoverable"] == true
                && error["message"].as_str().is_some_and(|it| it.ends_with("Really."))
        );
        assert!(cage.model_was_told("no `task_complete` was sent"));
        assert_eq!(cage.conversations().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn resumes_a_killed_agent_in_the_same_conversation() {
    let turns = [
        Turn::bash("cage-send progress_update --status begun; sleep 1000", "Work"),
        Turn::bash(COMPLETE, "Report"),
        Turn::say("Done."),
    ];
    in_cage("sup-killed", Script::new(turns), async |cage| {
        cage.launch("Work for long.", &[]).await;
        cage.expect("progress_update").await;
        let pid = cage.session().await["pid"].to_string();
        let _ = cage.exec(&["kill", "-KILL", &pid]).finish().await.exits_with(0);
        let killed = Instant::now();
        let error = cage.expect_error("agent_crashed").await;
        assert!(killed.elapsed() < CRASH_REPORT_MAX, "it took {:?}", killed.elapsed());
        assert!(error["message"].as_str().is_some_and(|it| it.contains("signal 9")), "{error}");
        assert_eq!(cage.wait_for_state("crashed").await["turn_open"], true);
        cage.revise("try it again").await;
        cage.expect("task_complete").await;
        assert!(cage.model_was_told("Work for long.") && cage.model_was_told("try it again"));
        assert_eq!(cage.conversations().len(), 1);
        cage.stop().await;
        assert_eq!(cage.sh("pgrep -c sleep").await.trim(), "1", "only the container's own is left");
    })
    .await;
}

#[tokio::test]
async fn reports_an_api_that_fails_and_goes_on_when_it_is_back() {
    // The CLI itself gives up at the third of these.
    let overloaded = [Turn::status(529), Turn::status(529), Turn::status(529)];
    let back = [Turn::bash(COMPLETE, "Report"), Turn::say("Done.")];
    in_cage("sup-overloaded", Script::new(overloaded.into_iter().chain(back)), async |cage| {
        cage.launch("Work.", &["--retry-after", "0"]).await;
        assert_eq!(cage.expect_api_crash().await["recoverable"], true);
        cage.expect("task_complete").await;
    })
    .await;
}

#[tokio::test]
async fn goes_on_after_an_api_that_failed_with_500() {
    let turns = [Turn::status(500), Turn::status(500), Turn::bash(COMPLETE, "Report"), Turn::say("Done.")];
    in_cage("sup-500", Script::new(turns), async |cage| {
        // It would try for three minutes before it gives up.
        let settings = json!({ "env": { "CLAUDE_CODE_MAX_RETRIES": "1" } }).to_string();
        let write = cage.exec(&["sh", "-c", "mkdir .claude; cat > .claude/settings.json"]).stdin(settings);
        let _ = write.finish().await.exits_with(0);
        cage.launch("Work.", &["--retry-after", "0"]).await;
        let error = cage.expect_api_crash().await;
        assert!(error["message"].as_str().is_some_and(|it| it.contains("500")), "{error}");
        cage.expect("task_complete").await;
        assert_eq!(cage.conversations().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn gives_up_on_an_api_that_answers_garbage_and_waits_for_the_host() {
    in_cage("sup-garbage", Script::new([]).then_forever(Turn::garbage()), async |cage| {
        cage.launch("Work.", &["--retry-after", "0"]).await;
        for _ in 0..2 {
            let error = cage.expect_api_crash().await;
            assert!(error["message"].as_str().is_some_and(|it| it.contains("malformed response")), "{error}");
        }
        cage.wait_for_state("crashed").await;
    })
    .await;
}

#[tokio::test]
async fn ends_an_agent_whose_api_hangs() {
    in_cage("sup-hang", Script::new([]).then_forever(Turn::hang()), async |cage| {
        cage.launch("Work.", &[]).await;
        cage.api.wait_for_turns(1).await;
        assert_eq!(cage.session().await["state"], "working");
        cage.stop().await;
        let session = cage.session().await;
        assert_eq!((&session["state"], &session["turn_open"]), (&json!("idle"), &json!(true)));
        assert_eq!(cage.sh("pgrep -c claude || true").await.trim(), "0");
    })
    .await;
}

#[tokio::test]
async fn goes_on_after_the_supervisor_was_killed_and_repeats_nothing() {
    let turns = [
        Turn::bash("cage-send progress_update --status begun; sleep 1000", "Work"),
        Turn::bash(COMPLETE, "Report"),
        Turn::say("Done."),
    ];
    in_cage("sup-restart", Script::new(turns), async |cage| {
        cage.launch("Work for long.", &[]).await;
        cage.expect("progress_update").await;
        let pid = cage.session().await["supervisor_pid"].to_string();
        let _ = cage.exec(&["kill", "-KILL", &pid]).finish().await.exits_with(0);
        let _ = cage.supervisor().expect("it was launched").await;
        cage.relaunch(&[]);
        cage.expect("task_complete").await;
        cage.wait_for_state("waiting").await;
        assert!(cage.model_was_told("Work for long.") && cage.model_was_told("You were interrupted"));
        assert_eq!(cage.conversations().len(), 1);
        assert_eq!(cage.sh("ls ~/.cage/outbox | wc -l").await.trim(), "2");
    })
    .await;
}

#[tokio::test]
async fn waits_longer_in_the_shell_than_claude_code_would_by_itself() {
    let turns = [
        Turn::bash("cage-poll --timeout 130 --no-going-idle; echo after it", "Wait as older prompts say"),
        Turn::bash(COMPLETE, "Report"),
        Turn::say("Done."),
    ];
    in_cage("sup-shell", Script::new(turns), async |cage| {
        cage.launch("Work.", &[]).await;
        cage.api.wait_for_turns(1).await;
        let begun = Instant::now();
        cage.api.wait_for_turns(2).await;
        assert!(begun.elapsed() > Duration::from_secs(125), "it was cut off after {:?}", begun.elapsed());
        assert!(cage.model_was_told("POLL_TIMEOUT") && cage.model_was_told("after it"));
        cage.expect("task_complete").await;
    })
    .await;
}

#[tokio::test]
async fn runs_no_hook_of_a_repository_and_shows_its_shell_no_credential() {
    let turns =
        [Turn::bash(format!("echo \"key: <$ANTHROPIC_API_KEY>\"; {COMPLETE}"), "Look"), Turn::say("Done.")];
    in_cage("sup-hostile", Script::new(turns), async |cage| {
        let hook =
            json!({ "matcher": "*", "hooks": [{ "type": "command", "command": "touch /tmp/hooked" }] });
        let events = ["SessionStart", "PostToolUse", "Stop"].map(|event| (event.to_owned(), json!([hook])));
        let hooks = Value::Object(events.into_iter().collect());
        let env = json!({ "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB": "1" });
        let settings = json!({ "hooks": hooks, "env": env }).to_string();
        let write = cage.exec(&["sh", "-c", "mkdir .claude; cat > .claude/settings.json"]).stdin(settings);
        let _ = write.finish().await.exits_with(0);
        cage.launch("Work.", &[]).await;
        cage.expect("task_complete").await;
        cage.wait_for_state("waiting").await;
        assert!(cage.model_was_told("key: <>"), "{:?}", cage.api.requests());
        assert_eq!(cage.sh("ls /tmp/hooked 2>/dev/null | wc -l").await.trim(), "0");
    })
    .await;
}

#[tokio::test]
async fn records_a_turn_with_a_background_task_as_paused() {
    let sleep = json!({ "command": "sleep 3", "description": "Wait", "run_in_background": true });
    let turns = [Turn::tool("Bash", sleep), Turn::bash(COMPLETE, "Report"), Turn::say("Done.")];
    in_cage("sup-background", Script::new(turns).then_forever(Turn::say("It has ended.")), async |cage| {
        cage.launch("Work.", &[]).await;
        cage.expect("task_complete").await;
        let paused = "until grep -q '\"paused\"' ~/.cage/sessions/*-*.json; do sleep 0.1; done";
        cage.sh(paused).await;
        cage.wait_for_state("waiting").await;
    })
    .await;
}

#[tokio::test]
async fn goes_on_at_the_end_of_its_turn_more_than_twenty_times_in_a_row() {
    // Two of these fit into what a hook may say at once: the tool's own brings the first two, and each end of the
    // turn two more. Claude Code would override the ninth in a row if it were not told otherwise.
    let wish = "cage-send task_revision --mailbox inbox --instructions";
    let wishes = format!("for i in $(seq 44); do {wish} \"wish $i. $(printf %03650d 0)\" >/dev/null; done");
    let turns = [Turn::bash(wishes, "Wish")].into_iter().chain((0..21).map(|_| Turn::say("And now?")));
    let end = [Turn::bash(COMPLETE, "Report"), Turn::say("Done.")];
    in_cage("sup-twenty", Script::new(turns.chain(end)), async |cage| {
        cage.launch("Work.", &[]).await;
        cage.expect("task_complete").await;
        assert_eq!(cage.wait_for_state("waiting").await["turns"], 1, "all of it was one run of the agent");
        let told = cage.api.requests().last().expect("the CLI asked").told().concat();
        for number in 1..=44 {
            assert_eq!(told.matches(&format!("wish {number}. ")).count(), 1, "wish {number}");
        }
        assert_eq!(cage.pending().await, 0);
    })
    .await;
}

#[tokio::test]
async fn reports_that_the_hooks_do_not_run() {
    in_cage("sup-nohooks", Script::new([Turn::bash(COMPLETE, "Report"), Turn::say("Done.")]), async |cage| {
        let remove = ["exec", "--user", "root", &cage.container(), "rm", "-r", "/etc/claude-code"];
        let _ = docker(remove).await.exits_with(0);
        cage.launch("Work.", &[]).await;
        cage.expect("task_complete").await;
        cage.expect_error("hooks_not_running").await;
    })
    .await;
}

#[tokio::test]
async fn finds_its_own_image_in_order() {
    in_cage("sup-check", Script::new([]), async |cage| {
        let finished = cage.exec(&["cage-poll", "hook", "check"]).finish().await.exits_with(0);
        assert!(finished.stdout().starts_with("hooks: ok"), "{}", finished.stdout());
    })
    .await;
}
