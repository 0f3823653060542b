//! Records, messages in the middle of a turn, and never failing the agent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant, SystemTime};

use cage_proto::mailbox::{ConsumerName, Mailbox};
use serde_json::{Value, json};

use crate::cage::{Cage, run};

const SESSION: &str = "e68fa882-961d-4ef2-9bf8-2f7d740de35f";

/// How long a hook may take here; measured alone it takes about a millisecond.
const HOOK_MAX: Duration = Duration::from_secs(1);

fn record(cage: &Cage, name: &str) -> Value {
    serde_json::from_slice(&fs::read(cage.dir.sessions().join(name)).unwrap()).unwrap()
}

fn stop(cage: &Cage) -> String {
    cage.hook("stop", &json!({ "session_id": SESSION, "last_assistant_message": "bye" }))
}

fn use_tool(cage: &Cage) -> String {
    cage.hook("post-tool-use", &json!({ "session_id": SESSION, "tool_name": "Bash" }))
}

#[test]
fn records_a_session_and_its_turns() {
    let cage = Cage::new();
    let start = json!({ "session_id": SESSION, "source": "startup", "transcript_path": "/t" });
    assert_eq!(cage.hook("session-start", &start), "");
    let record_name = format!("{SESSION}.json");
    assert_eq!(record(&cage, &record_name)["source"], "startup");
    stop(&cage);
    stop(&cage);
    let record = record(&cage, &record_name);
    assert_eq!(
        (&record["turn_count"], &record["last_message"], &record["status"]),
        (&json!(2), &json!("bye"), &json!("done"))
    );
    assert_eq!(record["source"], "startup");
}

#[test]
fn records_when_a_turn_begins_and_with_which_prompt() {
    let cage = Cage::new();
    let asked = json!({ "session_id": SESSION, "prompt": "it's\n2 of 5 🦀" });
    assert_eq!(
        cage.hook("user-prompt-submit", &asked),
        "",
        "what is printed here would be told to the model"
    );
    let name = format!("{SESSION}.json");
    let begun = record(&cage, &name);
    assert_eq!((&begun["status"], &begun["prompt"]), (&json!("running"), &json!("it's\n2 of 5 🦀")));
    stop(&cage);
    cage.hook("user-prompt-submit", &json!({ "session_id": SESSION, "prompt": "é".repeat(100_000) }));
    let again = record(&cage, &name);
    assert_eq!((&again["status"], &again["prompt_count"]), (&json!("running"), &json!(2)));
    assert_eq!(again["prompt"].as_str().unwrap().len(), 64 * 1024);
    assert!(again["prompted_at"].as_str() > again["stopped_at"].as_str(), "{again}");
}

#[test]
fn does_not_call_a_turn_done_that_goes_on_with_a_message() {
    let cage = Cage::new();
    cage.revise("one more thing");
    assert!(stop(&cage).contains("one more thing"));
    let name = format!("{SESSION}.json");
    assert_eq!(record(&cage, &name)["status"], "running");
    stop(&cage);
    assert_eq!(record(&cage, &name)["status"], "done");
}

#[test]
fn keeps_a_bounded_number_of_records() {
    let cage = Cage::new();
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::create_dir_all(cage.dir.sessions()).unwrap();
    let path = |index: u32| cage.dir.sessions().join(format!("00000000-0000-4000-8000-{index:012}.json"));
    for index in 0..300 {
        let file = fs::File::create(path(index)).unwrap();
        file.set_modified(long_ago + Duration::from_secs(index.into())).unwrap();
    }
    stop(&cage);
    assert_eq!(fs::read_dir(cage.dir.sessions()).unwrap().count(), 256);
    assert_eq!(record(&cage, &format!("{SESSION}.json"))["status"], "done");
    assert!(!path(44).exists() && path(45).exists(), "the ones that were changed last are kept");
}

#[test]
fn takes_a_turn_with_background_tasks_for_paused() {
    let cage = Cage::new();
    cage.hook("stop", &json!({ "session_id": SESSION, "background_tasks": [{ "id": "b1" }] }));
    let record = record(&cage, &format!("{SESSION}.json"));
    assert_eq!((&record["status"], &record["background_tasks"][0]["id"]), (&json!("paused"), &json!("b1")));
}

#[test]
fn keeps_the_input_of_a_session_that_is_no_uuid() {
    let cage = Cage::new();
    for id in ["../../etc/passwd", "", "7"] {
        cage.hook("stop", &json!({ "session_id": id }));
        assert_eq!(record(&cage, "malformed.json")["input"], json!({ "session_id": id }).to_string());
    }
    cage.hook_with("stop", b"not json");
    assert_eq!(fs::read_dir(cage.dir.sessions()).unwrap().count(), 1);
    assert!(fs::read_to_string(cage.dir.hook_log()).unwrap().contains("no UUID"));
}

#[test]
fn hides_credentials_from_the_shell() {
    let cage = Cage::new();
    let env_file = cage.path("env.sh");
    let mut command = cage.cage_poll(&["hook", "session-start"]);
    command.env("CLAUDE_ENV_FILE", &env_file);
    run(command, json!({ "session_id": SESSION }).to_string().as_bytes());
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(format!(". {}; echo \"<$ANTHROPIC_API_KEY>\"", env_file.display()));
    shell.env("ANTHROPIC_API_KEY", "made-up");
    assert_eq!(run(shell, b"").stdout, b"<>\n");
}

#[test]
fn hands_a_message_over_beside_a_tool_and_consumes_it_when_the_model_went_on() {
    let cage = Cage::new();
    assert_eq!(use_tool(&cage), "");
    cage.revise("to the left");
    let answer: Value = serde_json::from_str(&use_tool(&cage)).unwrap();
    let context = answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap();
    assert!(context.contains("to the left"), "{context}");
    assert_eq!(use_tool(&cage), "", "another tool of the same message brings it no second time");
    assert_eq!(cage.pending().len(), 1, "and proves nothing");
    cage.hook("post-tool-batch", &json!({}));
    use_tool(&cage);
    assert_eq!(cage.pending(), Vec::<String>::new());
}

#[test]
fn makes_a_message_the_next_turn_and_consumes_it_when_that_ends() {
    let cage = Cage::new();
    cage.revise("one more thing");
    let answer: Value = serde_json::from_str(&stop(&cage)).unwrap();
    assert_eq!(answer["decision"], "block");
    assert!(answer["reason"].as_str().unwrap().contains("one more thing"));
    assert_eq!(cage.pending().len(), 1);
    assert_eq!(stop(&cage), "");
    assert_eq!(cage.pending(), Vec::<String>::new());
}

#[test]
fn hands_over_again_to_the_next_agent_what_the_last_one_did_not_go_on_with() {
    let cage = Cage::new();
    cage.revise("again");
    assert!(use_tool(&cage).contains("again"));
    cage.hook("session-start", &json!({ "session_id": SESSION, "source": "compact" }));
    assert_eq!(use_tool(&cage), "", "a compaction is no new agent");
    cage.hook("session-start", &json!({ "session_id": SESSION, "source": "resume" }));
    assert!(use_tool(&cage).contains("again"));
}

#[test]
fn goes_on_with_another_session_id() {
    let cage = Cage::new();
    cage.revise("rotated");
    assert!(stop(&cage).contains("rotated"));
    let other = json!({ "session_id": "11111111-2222-4333-8444-555555555555" });
    assert_eq!(cage.hook("stop", &other), "");
    assert_eq!(cage.pending(), Vec::<String>::new());
}

#[test]
fn points_to_a_message_that_is_too_long_for_a_hook() {
    let cage = Cage::new();
    cage.revise(&"x".repeat(20_000));
    let answer = use_tool(&cage);
    assert!(answer.len() < 2_000 && answer.contains("/inbox/2"), "{answer}");
}

#[test]
fn reports_why_the_api_failed() {
    let mut cage = Cage::new();
    let input =
        json!({ "session_id": SESSION, "error": "overloaded", "last_assistant_message": "API Error: 529" });
    cage.hook("stop-failure", &input);
    let message = cage.expect_error("api_failure");
    assert_eq!(message, "the API failed with overloaded: API Error: 529");
    let record = record(&cage, &format!("{SESSION}.json"));
    assert_eq!((&record["status"], &record["error"]), (&json!("failed"), &json!(message)));
}

#[test]
fn touches_the_heartbeat_at_most_once_a_second() {
    let cage = Cage::new();
    let modified = || fs::metadata(cage.dir.heartbeat()).unwrap().modified().unwrap();
    use_tool(&cage);
    let first = modified();
    use_tool(&cage);
    assert_eq!(modified(), first);
    let long_ago = first - Duration::from_secs(5);
    fs::File::options().append(true).open(cage.dir.heartbeat()).unwrap().set_modified(long_ago).unwrap();
    use_tool(&cage);
    assert!(modified() >= first);
}

#[test]
fn does_not_wait_for_another_program_at_the_inbox() {
    let cage = Cage::new();
    cage.revise("later");
    let name = ConsumerName::of(Mailbox::Inbox);
    let mut consumer = cage_proto::mailbox::Consumer::open(&cage.dir, Mailbox::Inbox, name).unwrap();
    let turn = consumer.begin(Duration::ZERO).unwrap().unwrap();
    let begun = Instant::now();
    assert_eq!(use_tool(&cage), "");
    assert_eq!(stop(&cage), "");
    assert!(begun.elapsed() < HOOK_MAX * 2, "{:?}", begun.elapsed());
    drop(turn);
    assert!(stop(&cage).contains("later"));
}

#[test]
fn never_fails_the_agent() {
    let cage = Cage::new();
    let garbage = [vec![b'{'; 3_000_000], b"\xff\x00".to_vec(), Vec::new()];
    for event in
        ["session-start", "user-prompt-submit", "stop", "stop-failure", "post-tool-use", "post-tool-batch"]
    {
        for input in &garbage {
            assert_eq!(cage.hook_with(event, input), "", "{event}");
        }
        let nowhere = run(cage.cage_poll(&["hook", event, "--dir", "/proc/nowhere"]), b"{}");
        assert!(nowhere.status.success() && nowhere.stdout.is_empty(), "{event}: {nowhere:?}");
    }
}

#[test]
fn checks_what_is_missing_or_wrong_in_an_image() {
    let cage = Cage::new();
    let program = env!("CARGO_BIN_EXE_cage-poll");
    let settings = cage.path("settings.json");
    let check = |program: &str, agent: &str| {
        let settings = settings.to_str().unwrap();
        let args = ["hook", "check", "--program", program, "--settings", settings, "--agent", agent];
        let output = run(cage.cage_poll(&args), b"");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let fails_with = |(code, stderr): (Option<i32>, String), reason: &str| {
        assert!(code == Some(1) && stderr.contains(reason), "{code:?} {stderr}");
    };
    fails_with(check("/no/such/program", "true"), "program missing");
    fails_with(check(program, "true"), "settings missing");
    fs::write(&settings, "{\"env\":{}}").unwrap();
    fails_with(check(program, "true"), "settings wrong");
    let right = run(cage.cage_poll(&["hook", "settings", "--program", program]), b"").stdout;
    fs::write(&settings, right).unwrap();
    fails_with(check(program, "/no/such/agent"), "agent missing");
    fails_with(check(program, "true"), "hook not firing");
}

#[test]
fn finds_that_a_hook_fires() {
    let cage = Cage::new();
    let program = env!("CARGO_BIN_EXE_cage-poll");
    let settings = cage.path("settings.json");
    fs::write(&settings, run(cage.cage_poll(&["hook", "settings", "--program", program]), b"").stdout)
        .unwrap();
    // An agent that does what Claude Code does at its start, and then works on.
    let agent = cage.path("agent");
    let script = format!(
        "#!/bin/sh\nprintf '{{\"session_id\":\"%s\"}}' \"$3\" | {program} hook session-start\nsleep 1000\n"
    );
    fs::write(&agent, script).unwrap();
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
    let (settings, agent) = (settings.to_str().unwrap(), agent.to_str().unwrap());
    let args = ["hook", "check", "--program", program, "--settings", settings, "--agent", agent];
    let output = run(cage.cage_poll(&args), b"");
    assert!(output.status.success() && output.stdout.starts_with(b"hooks: ok"), "{output:?}");
}
