//! Talking with an agent through the two mailboxes, on both backends. The agent's part is played with the real
//! `cage-send` and `cage-poll` in the cage.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use cage_host::{Cage, CageError, Content, Error, FileCursors, RequestError, Select, TidyOptions, sanitize};
use cage_proto::message::{Envelope, InfoRequest, Payload, TaskRevision};
use support::talk::{PATIENCE, next, report, status};
use support::{Stage, write_tree};
use tokio::time::timeout;

on_both_backends! {
    delivers_what_is_there_and_pushes_what_comes => push;
    goes_on_behind_what_was_acknowledged => resume;
    gives_each_consumer_every_message => consumers;
    reports_a_file_that_is_no_message_and_goes_on => malformed;
    starts_again_when_the_follower_dies => restart;
    leaves_no_program_behind_when_the_follower_is_dropped => no_leftover;
    ends_with_an_error_when_the_cage_is_destroyed => destroyed;
    sends_into_the_inbox => send;
    answers_a_question_with_files_and_tells_what_it_refuses => answer;
    rejects_a_message_that_is_too_large => too_large;
    talks_with_an_agent_that_deleted_its_project => without_project;
}

async fn push(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("push").await;
    report(&stage, &cage, "one");
    report(&stage, &cage, "it's \"two\" ⚙");
    let mut follower = cage.outbox().follow().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "one");
    assert_eq!(status(&next(&mut follower).await), "it's \"two\" ⚙");
    report(&stage, &cage, "three");
    assert_eq!(status(&next(&mut follower).await), "three");
    cage.destroy().await.unwrap();
}

async fn resume(mut stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cursors = tempfile::tempdir().unwrap();
    stage.host = stage.host.clone().with_cursors(FileCursors::new(cursors.path()).unwrap());
    let cage = stage.empty_cage("resume").await;
    for status in ["one", "two", "three"] {
        report(&stage, &cage, status);
    }
    let mut follower = cage.outbox().follow().await.unwrap();
    let first = next(&mut follower).await;
    let second = next(&mut follower).await;
    second.ack().await.unwrap();
    drop((follower, first));

    // Another run of the host program: only the folder of the cursors is left.
    stage.host = stage.host.clone().with_cursors(FileCursors::new(cursors.path()).unwrap());
    let cage = stage.host.cage(cage.name().as_str()).await.unwrap();
    let mut follower = cage.outbox().follow().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "one");
    assert_eq!(status(&next(&mut follower).await), "three");
    drop(follower);
    cage.destroy().await.unwrap();
    assert_eq!(std::fs::read_dir(cursors.path()).unwrap().count(), 0, "a destroyed cage leaves no cursor");
}

async fn consumers(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("consumers").await;
    report(&stage, &cage, "one");
    for consumer in ["first", "second"] {
        let mut follower = cage.outbox().consumer(consumer).follow().await.unwrap();
        let delivery = next(&mut follower).await;
        assert_eq!(status(&delivery), "one");
        delivery.ack().await.unwrap();
    }
    let error = cage.outbox().consumer("../x").follow().await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::Invalid { .. })), "{error}");
    cage.destroy().await.unwrap();
}

async fn malformed(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("malformed").await;
    let write = r#"printf '{"id":1}' > "${CAGE_DIR:-$HOME/.cage}/outbox/2020-01-01T00-00-00.000000Z.json""#;
    stage.agent(&cage, &["sh", "-c", write]);
    report(&stage, &cage, "after it");
    let mut follower = cage.outbox().follow().await.unwrap();
    let delivery = next(&mut follower).await;
    assert_eq!(delivery.name(), "2020-01-01T00-00-00.000000Z.json");
    assert!(matches!(delivery.content(), Content::Malformed(why) if why.contains("id")), "{delivery:?}");
    delivery.ack().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "after it");
    cage.destroy().await.unwrap();
}

/// Ends every `cage-poll` in the cage, found by its own command line.
const KILL_FOLLOWERS: &str = r#"for p in /proc/[0-9]*; do
  if tr '\0' '\n' < "$p/environ" 2>/dev/null | grep -qxF "HOME=$1" && tr '\0' ' ' < "$p/cmdline" 2>/dev/null | grep -q '^cage-poll --follow'; then
    kill -9 "${p#/proc/}"
  fi
done"#;

async fn restart(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("restart").await;
    report(&stage, &cage, "one");
    let mut follower = cage.outbox().follow().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "one");
    kill_followers(&stage, &cage);
    report(&stage, &cage, "two");
    assert_eq!(status(&next(&mut follower).await), "two", "neither lost nor `one` again");
    cage.destroy().await.unwrap();
}

fn kill_followers(stage: &Stage, cage: &Cage) {
    let folder = home_folder(stage, cage);
    stage.agent(cage, &["sh", "-c", KILL_FOLLOWERS, "sh", &folder]);
}

fn home_folder(stage: &Stage, cage: &Cage) -> String {
    stage.agent(cage, &["sh", "-c", r#"cd "${CAGE_DIR:-$HOME/.cage}/.." && pwd -P"#]).trim().to_owned()
}

const COUNT_FOLLOWERS: &str = r#"n=0; for p in /proc/[0-9]*; do
  if tr '\0' '\n' < "$p/environ" 2>/dev/null | grep -qxF "HOME=$1" && tr '\0' ' ' < "$p/cmdline" 2>/dev/null | grep -q -e '^cage-poll --follow' -e '^cat ' -e '^sh -c exec 3'; then
    n=$((n+1))
  fi
done; echo "$n""#;

async fn no_leftover(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("leftover").await;
    report(&stage, &cage, "one");
    let mut follower = cage.outbox().follow().await.unwrap();
    next(&mut follower).await;
    let folder = home_folder(&stage, &cage);
    let count = || stage.agent(&cage, &["sh", "-c", COUNT_FOLLOWERS, "sh", &folder]).trim().to_owned();
    assert_ne!(count(), "0");
    drop(follower);
    timeout(PATIENCE, async {
        while count() != "0" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the follower's programs outlived it");
    cage.destroy().await.unwrap();
}

async fn destroyed(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("destroyed").await;
    report(&stage, &cage, "one");
    let mut follower = cage.outbox().follow().await.unwrap();
    next(&mut follower).await;
    cage.destroy().await.unwrap();
    let error = timeout(PATIENCE, follower.next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Cage(CageError::Gone { .. })), "{error}");
    assert!(timeout(PATIENCE, follower.next()).await.unwrap().is_none());
}

fn poll(stage: &Stage, cage: &Cage) -> Envelope {
    let printed = stage.agent(cage, &["cage-poll", "--timeout", "30", "--no-going-idle"]);
    Envelope::parse(printed.as_bytes()).unwrap()
}

async fn send(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("send").await;
    let words = "it's $(not) a `shell`;\n\"quoted\" \\ ü";
    let sent = cage.inbox().send(TaskRevision::new(words)).await.unwrap();
    let got = poll(&stage, &cage);
    assert_eq!(got.id, sent.id);
    assert_eq!(got.payload, TaskRevision::new(words).into());
    cage.destroy().await.unwrap();
}

async fn answer(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("answer").await;
    let folder = tempfile::tempdir().unwrap();
    write_tree(folder.path(), &[("style.md", "two spaces")]);
    let ask = ["cage-send", "info_request", "--request-id", "r1", "--description", "style"];
    let paths = ["--paths", "style.md", "--paths", "../../etc/passwd"];
    stage.agent(&cage, &[&ask[..], &paths[..]].concat());

    let mut follower = cage.outbox().follow().await.unwrap();
    let delivery = next(&mut follower).await;
    let Some(Payload::InfoRequest(request)) = delivery.message().map(|message| message.payload.clone())
    else {
        panic!("{delivery:?}")
    };
    let answer = cage.inbox().answer(&request, folder.path()).await.unwrap();
    assert_eq!((answer.sent.len(), answer.refused.len()), (1, 1), "{answer:?}");
    let Payload::InfoResponse(response) = poll(&stage, &cage).payload else { panic!() };
    assert_eq!(response.request_id, "r1");
    assert_eq!(response.files.unwrap()[0].content, "two spaces");
    assert!(response.content.unwrap().contains("1 of 2 files sent; not sent: ../../etc/passwd"));
    cage.destroy().await.unwrap();
}

async fn too_large(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("large").await;
    let error = cage.inbox().send(TaskRevision::new("x".repeat(1024 * 1024))).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::Invalid { .. })), "{error}");
    let nothing = stage.run(&cage, &["cage-poll", "--timeout", "0", "--no-going-idle"]);
    assert_eq!(nothing.status.code(), Some(1), "nothing was stored");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn rejects_a_folder_of_answers_that_does_not_exist() {
    let stage = Stage::embedded();
    let cage = stage.empty_cage("folder").await;
    let error = cage.inbox().answer(&InfoRequest::new("r", "d"), "/no/such").await.unwrap_err();
    assert_eq!(
        sanitize(&error.to_string()),
        "cannot open the folder `/no/such`: No such file or directory (os error 2)"
    );
}

async fn without_project(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("without-project").await;
    report(&stage, &cage, "first");
    stage.agent(&cage, &["sh", "-c", r#"cd /; rm -rf "${CAGE_DIR-$HOME/.cage}/../project""#]);
    let mut follower = cage.outbox().follow().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "first");
    cage.inbox().send(TaskRevision::new("put it back")).await.unwrap();
    assert_eq!(cage.inbox().list(Select::all()).await.unwrap().entries.len(), 1);
    assert!(cage.status().await.is_ok() && cage.diagnose().await.is_ok());
    let error = cage.tidy(TidyOptions::default()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Cage(CageError::FolderMissing { folder, .. }) if folder.ends_with("/project")),
        "{error}"
    );
    cage.destroy().await.unwrap();
}
