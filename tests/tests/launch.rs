//! Launches of the real Claude Code through `cage-host`: watched in the foreground, through a gateway, and resumed.

use std::time::Duration;

use cage_host::{Cage, CageSpec, Credential, Host, Task};
use cage_tests::docker::{docker, gateway, in_docker};
use cage_tests::places;
use cage_tests::scripted_api::{Script, ScriptedApi, Turn};
use serde_json::Value;

/// Longer than a turn takes, a cold start of Claude Code on a busy machine included.
const TURN_DEADLINE: Duration = Duration::from_secs(120);

const TASK: &str = "Count to one.";
const MORE: &str = "Now count to two.";

fn turns(summary: &str) -> [Turn; 2] {
    let report = format!("cage-send task_complete --summary '{summary}' --exit-code 0");
    [Turn::bash(report, "Report"), Turn::say(format!("I said: {summary}."))]
}

/// Runs a task in the foreground and returns the events of its stream.
async fn watch(cage: &Cage, task: Task) -> Vec<Value> {
    let mut run = cage.run(task).await.expect("an agent");
    let mut events = Vec::new();
    while let Some(line) = tokio::time::timeout(TURN_DEADLINE, run.next_line()).await.expect("a line in time")
    {
        events.push(serde_json::from_str(&line.expect("a line")).expect("each line is JSON"));
    }
    run.finish().await.expect("an end as planned");
    events
}

fn last_words(events: &[Value]) -> &str {
    let result = events.iter().rfind(|event| event["type"] == "result").expect("a result");
    result["result"].as_str().expect("its words")
}

#[tokio::test]
async fn watches_an_agent_behind_a_gateway_and_resumes_its_conversation() {
    in_docker("launch-gateway", async |name| {
        let script = Script::new(turns("one").into_iter().chain(turns("two")));
        let api = ScriptedApi::start(gateway().await, script).await.expect("a free port");
        let host = Host::connect().await.expect("the engine answers");
        let cage = host.create(CageSpec::empty(name).image(places::image())).await.expect("a cage");
        let sign_in = |task: Task| task.credential(Credential::gateway(api.base_url()));

        let first = watch(&cage, sign_in(Task::new(TASK))).await;
        assert_eq!(last_words(&first), "I said: one.");
        let second = watch(&cage, sign_in(Task::resume_with(MORE))).await;
        assert_eq!(last_words(&second), "I said: two.");
        assert!(second.iter().all(|event| event["result"] != "I said: one."), "the stream begins anew");

        let requests = api.requests();
        assert_eq!(requests.len(), 4);
        assert_eq!(requests[0].session_id(), requests[3].session_id());
        assert!(requests[3].mentions(TASK) && requests[3].mentions(MORE), "{:#?}", requests[3].told());
        cage.destroy().await.expect("a removed cage");
    })
    .await;
}

/// The key is in the agent's environment, so that the API gets it, and in nothing that Claude Code writes.
#[tokio::test]
async fn writes_no_key_into_any_file_of_the_cage() {
    in_docker("launch-key", async |name| {
        let key = format!("sk-made-up-{name}");
        let api = ScriptedApi::start(gateway().await, Script::new(turns("one"))).await.expect("a free port");
        let host = Host::connect().await.expect("the engine answers");
        let cage = host.create(CageSpec::empty(name).image(places::image())).await.expect("a cage");
        let task =
            Task::new(TASK).credential(Credential::api_key(&key)).env("ANTHROPIC_BASE_URL", api.base_url());
        let events = watch(&cage, task).await;
        assert_eq!(last_words(&events), "I said: one.");
        assert!(!serde_json::to_string(&events).expect("JSON").contains(&key), "it is in the stream");
        let container = format!("isolated-dev-{name}");
        // All that it can write to. No process is looked at: this command line itself holds the pattern.
        let search = ["exec", &container, "grep", "-rl", &key, "/home", "/tmp"];
        assert_eq!(docker(search).await.exits_with(1).stdout(), "");
        cage.destroy().await.expect("a removed cage");
    })
    .await;
}
