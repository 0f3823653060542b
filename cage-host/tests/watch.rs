//! Watching an agent: what it does, why, and what it prints, on both backends. A shell script plays the agent; the
//! runtime around it is the real one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::time::Duration;

use cage_host::message::InfoResponse;
use cage_host::{
    Activity, Agent, Cage, CageError, Error, Evidence, LogEvent, LogFollower, Status, Suggestion, Task,
};
use support::Stage;
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

on_both_backends! {
    follows_an_agent_from_its_question_to_its_end => life;
    sees_a_crash_and_what_to_do => crash;
    sees_that_the_supervisor_was_killed => killed;
    reads_the_end_of_a_log_and_what_is_added => log;
    follows_a_log_that_is_replaced => replaced;
    reads_hostile_accounts_of_a_cage_without_harm => hostile;
}

async fn launch(cage: &Cage, script: &str) {
    let agent = Agent::Command(["sh", "-c", script].map(str::to_owned).to_vec());
    cage.launch(Task::new("work").agent(agent)).await.unwrap();
}

/// Waits until a cage does something.
async fn until(cage: &Cage, wanted: impl Fn(&Activity) -> bool) -> Status {
    let seen = async {
        loop {
            let status = cage.status().await.unwrap();
            if wanted(&status.activity) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, seen).await.expect("it never does that")
}

async fn next(log: &mut LogFollower) -> String {
    timeout(PATIENCE, log.next()).await.expect("no event in time").unwrap().unwrap().to_string()
}

/// Runs a shell script in the message folder.
fn in_cage_dir(stage: &Stage, cage: &Cage, script: &str) -> String {
    stage.agent(cage, &["sh", "-c", &format!(r#"cd "${{CAGE_DIR:-$HOME/.cage}}" && {script}"#)])
}

/// A script that goes on writing into the log, in the background, until a file is there: a follower begins at the end
/// of the log, wherever that is when it connects.
fn until_there(file: &str) -> String {
    let script = format!("while [ ! -e {file} ]; do echo ready >> claude-stream.log; sleep 0.1; done");
    format!("{{ sh -c '{script}' >/dev/null 2>&1 & }}")
}

async fn life(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("life").await;
    assert_eq!(cage.status().await.unwrap().activity.to_string(), "idle: no agent was launched");
    assert_eq!(cage.diagnose().await.unwrap().suggestion, Suggestion::Launch);
    let ask = "cage-send info_request --request-id r1 --description 'which colour?' --wait 60 > answer";
    launch(&cage, &format!("{ask}; cage-send task_complete --summary done --exit-code 3")).await;
    let status = until(&cage, |activity| matches!(activity, Activity::WaitingForAnswer(_))).await;
    let Activity::WaitingForAnswer(request) = status.activity else { unreachable!() };
    assert_eq!(cage.diagnose().await.unwrap().suggestion, Suggestion::Answer("r1".into()));
    let blue = |_| async { Ok(InfoResponse::to("").with_content("blue")) };
    cage.inbox().answer_with(&request, blue).await.unwrap();
    let status = until(&cage, |activity| matches!(activity, Activity::Complete { .. })).await;
    assert!(
        matches!(status.activity, Activity::Complete { exit_code: 3, listening: true, .. }),
        "{status:?}"
    );
    assert_eq!(cage.usage().await.unwrap().turns, 1);
    let other = stage.host.cage(cage.name().as_str()).await.unwrap();
    cage.destroy().await.unwrap();
    let diagnosis = other.diagnose().await.unwrap();
    assert_eq!((diagnosis.status.activity, diagnosis.suggestion), (Activity::Gone, Suggestion::CreateAgain));
}

async fn crash(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("crash").await;
    launch(&cage, "echo last words; exit 7").await;
    until(&cage, |activity| matches!(activity, Activity::Crashed { .. })).await;
    let diagnosis = cage.diagnose().await.unwrap();
    let Activity::Crashed { reason, listening: true } = &diagnosis.status.activity else {
        panic!("{diagnosis}")
    };
    assert!(reason.contains("exit code 7"), "{diagnosis}");
    assert_eq!(diagnosis.suggestion, Suggestion::SendRevision);
    let evidence = &diagnosis.evidence;
    assert!(evidence.contains(&Evidence::Supervisor { running: true }), "{diagnosis}");
    assert!(evidence.contains(&Evidence::LastEvent(LogEvent::Raw("last words".into()))), "{diagnosis}");
    assert!(
        evidence.iter().any(|evidence| matches!(evidence, Evidence::Disk { free_bytes: 1.. })),
        "{diagnosis}"
    );
    assert!(
        evidence
            .iter()
            .any(|evidence| matches!(evidence, Evidence::LastMessage { kind, .. } if kind == "error"))
    );
    cage.destroy().await.unwrap();
}

async fn killed(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("killed").await;
    launch(&cage, "echo working; exec sleep 600").await;
    until(&cage, |activity| matches!(activity, Activity::Working)).await;
    let kill = r#"kill -9 "$(sed -n 's/.*"supervisor_pid": \([0-9]*\).*/\1/p' session.json)""#;
    in_cage_dir(&stage, &cage, kill);
    let status = until(&cage, |activity| matches!(activity, Activity::Crashed { .. })).await;
    assert!(matches!(status.activity, Activity::Crashed { listening: false, .. }), "{status:?}");
    assert_eq!(cage.diagnose().await.unwrap().suggestion, Suggestion::Launch);
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn says_that_a_cage_is_stopped_or_paused_and_how_it_goes_on() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("still").await;
    launch(&cage, "cage-send progress_update --status begun; exec sleep 600").await;
    until(&cage, |activity| *activity == Activity::Working).await;
    cage.pause().await.unwrap();
    assert_eq!(cage.status().await.unwrap().activity, Activity::Paused);
    insta::assert_snapshot!(cage.diagnose().await.unwrap(), @"
    paused
    - the cage is stopped or paused, cannot look at the agent's status; start it again, or salvage what is in it
    start the cage
    ");
    cage.start().await.unwrap();
    let status = until(&cage, |activity| *activity == Activity::Working).await;
    assert_eq!(status.last_progress.as_deref(), Some("begun"), "it goes on where it was");

    cage.stop(Duration::ZERO).await.unwrap();
    assert_eq!(cage.status().await.unwrap(), cage.diagnose().await.unwrap().status);
    insta::assert_snapshot!(cage.diagnose().await.unwrap(), @"
    stopped
    - the cage is stopped or paused, cannot look at the agent's status; start it again, or salvage what is in it
    start the cage
    ");
    assert_eq!(cage.usage().await.unwrap().turns, 0, "nobody can tell");
    let error = timeout(PATIENCE, cage.follow_status().next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Cage(CageError::NotRunning { .. })), "{error}");
    cage.start().await.unwrap();
    let status = until(&cage, |activity| matches!(activity, Activity::Crashed { .. })).await;
    insta::assert_snapshot!(status.activity, @"crashed: the supervisor ended without a word");
    assert_eq!(cage.diagnose().await.unwrap().suggestion, Suggestion::Launch);
    cage.destroy().await.unwrap();
}

const TOLD: &str =
    r#"{"type":"assistant","message":{"model":"m","content":[{"type":"text","text":"I look around."}]}}"#;
const USES: &str = r#"{"type":"assistant","message":{"model":"m","content":[{"type":"tool_use","id":"t","name":"Bash","input":{}}]}}"#;

async fn log(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("log").await;
    assert_eq!(cage.log().tail(10).await.unwrap(), []);
    launch(&cage, &format!("echo '{TOLD}'; while [ ! -e go ]; do sleep 0.1; done; echo '{USES}'; sleep 600"))
        .await;
    until(&cage, |activity| matches!(activity, Activity::Working)).await;
    assert_eq!(cage.log().tail(10).await.unwrap(), [LogEvent::Text("I look around.".into())]);
    let mut log = cage.log().follow();
    in_cage_dir(&stage, &cage, &until_there("../project/go"));
    assert_eq!(next(&mut log).await, "ready");
    in_cage_dir(&stage, &cage, "touch ../project/go");
    let mut seen = next(&mut log).await;
    while seen == "ready" {
        seen = next(&mut log).await;
    }
    assert_eq!(seen, "uses Bash: {}");
    assert_eq!(cage.log().tail(1).await.unwrap().len(), 1);
    assert!(cage.log().tail(1_000_000).await.is_err());
    drop(log);
    cage.destroy().await.unwrap();
}

async fn replaced(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("replaced").await;
    in_cage_dir(&stage, &cage, "echo before > claude-stream.log");
    let mut log = cage.log().follow();
    in_cage_dir(&stage, &cage, &until_there("claude-stream.log.1"));
    assert_eq!(next(&mut log).await, "ready");
    in_cage_dir(&stage, &cage, "echo one >> claude-stream.log; mv claude-stream.log claude-stream.log.1");
    in_cage_dir(&stage, &cage, "echo two >> claude-stream.log.1; echo three >> claude-stream.log");
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let event = timeout(PATIENCE, log.next()).await;
        let event = event.unwrap_or_else(|_| panic!("nothing behind {seen:?}")).unwrap().unwrap().to_string();
        seen.extend(Some(event).filter(|event| event != "ready"));
    }
    assert_eq!(seen, ["one", "two", "three"], "nothing lost, nothing twice");
    drop(log);
    cage.destroy().await.unwrap();
}

const HOSTILE: &str = r#"mkfifo session.json claude-stream.log
ln -s /etc/passwd task.md
mkdir sessions; touch "sessions/$(printf 'x\033[2J\n|/')"
touch "outbox/$(printf '2020\n--checkpoint-action=exec=touch owned\nZ.json')""#;

async fn hostile(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("hostile").await;
    in_cage_dir(&stage, &cage, HOSTILE);
    assert!(!matches!(cage.status().await.unwrap().activity, Activity::Working), "it cannot work");
    cage.diagnose().await.unwrap();
    let left = in_cage_dir(&stage, &cage, "ls -A . outbox | grep -x owned || true");
    assert_eq!(left, "", "nothing was run");
    assert_eq!(cage.log().tail(10).await.unwrap(), []);
    let error = timeout(PATIENCE, cage.log().follow().next()).await.unwrap().unwrap().unwrap_err();
    insta::allow_duplicates! {
        insta::assert_snapshot!(error, @"could not follow the agent's log in the cage: exit code 66");
    }
    for account in [r#"{"state":"working""#, "[]", r#"{"agent":1}"#] {
        in_cage_dir(&stage, &cage, &format!("rm session.json; printf '%s' '{account}' > session.json"));
        assert!(matches!(cage.status().await.unwrap().activity, Activity::Unknown { .. }), "{account}");
    }
    cage.destroy().await.unwrap();
}
