//! Stopping, pausing and starting cages.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::time::{Duration, SystemTime};

use cage_host::{Agent, Cage, CageError, CageState, CageSummary, DEFAULT_GRACE, Error, Task};
use support::Stage;

on_both_backends! {
    keeps_the_files_of_a_stopped_cage_and_runs_nothing_in_it => stopped;
    lets_the_agent_write_its_last_state => graceful;
    ends_everything_at_once_without_grace => abrupt;
    destroys_a_stopped_cage => destroyed;
    says_so_when_a_cage_is_gone => gone;
    adds_up_what_a_cage_holds => sized;
}

async fn listed(stage: &Stage, cage: &Cage) -> CageSummary {
    let cages = stage.host.list().await.unwrap();
    cages.into_iter().find(|listed| listed.name == *cage.name()).unwrap()
}

async fn stopped(stage: Stage) {
    let cage = stage.empty_cage("stopped").await;
    let summary = listed(&stage, &cage).await;
    assert_eq!((summary.state, summary.running), (CageState::Running, true));
    let age = SystemTime::now().duration_since(summary.created).unwrap_or_default();
    assert!(age < Duration::from_secs(600), "{summary:?}");

    cage.stop(DEFAULT_GRACE).await.unwrap();
    cage.stop(DEFAULT_GRACE).await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Stopped);
    let summary = listed(&stage, &cage).await;
    assert_eq!((summary.state, summary.running, summary.finished), (CageState::Stopped, false, true));
    let folder = tempfile::tempdir().unwrap();
    let error = cage.diff(folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::Cage(CageError::NotRunning { .. })), "{error}");

    cage.start().await.unwrap();
    cage.start().await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Running);
    assert!(cage.diff(folder.path()).await.unwrap().is_empty());
    cage.destroy().await.unwrap();
}

/// Launches an agent that would work for an hour, and says so in its outbox when it is at work.
async fn launch_slow(cage: &Cage) {
    let script = "cage-send progress_update --status begun; sleep 3600".to_owned();
    let agent = Agent::Command(vec!["sh".to_owned(), "-c".to_owned(), script]);
    let mut outbox = cage.outbox().follow().await.unwrap();
    cage.launch(Task::new("take your time").agent(agent)).await.unwrap();
    outbox.next().await.unwrap().unwrap().ack().await.unwrap();
}

async fn last_state(stage: &Stage, cage: &Cage) -> String {
    cage.start().await.unwrap();
    let read = r#"cat "${CAGE_DIR-$HOME/.cage}/session.json""#;
    stage.agent(cage, &["sh", "-c", read])
}

async fn graceful(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("graceful").await;
    launch_slow(&cage).await;
    cage.stop(DEFAULT_GRACE).await.unwrap();
    let told = last_state(&stage, &cage).await;
    assert!(told.contains("stopped by a signal"), "{told}");
    cage.destroy().await.unwrap();
}

async fn abrupt(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("abrupt").await;
    launch_slow(&cage).await;
    cage.stop(Duration::ZERO).await.unwrap();
    let told = last_state(&stage, &cage).await;
    assert!(!told.contains("stopped by a signal"), "{told}");
    cage.destroy().await.unwrap();
}

async fn destroyed(stage: Stage) {
    let cage = stage.empty_cage("destroyed").await;
    cage.stop(Duration::ZERO).await.unwrap();
    let name = cage.name().to_string();
    cage.destroy().await.unwrap();
    assert!(!stage.has(&name).await);
}

async fn gone(stage: Stage) {
    let cage = stage.empty_cage("gone").await;
    stage.host.cage(cage.name().as_str()).await.unwrap().destroy().await.unwrap();
    let calls = [cage.stop(DEFAULT_GRACE).await, cage.start().await, cage.state().await.map(drop)];
    for outcome in calls {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Cage(CageError::Gone { .. })), "{error}");
    }
}

async fn sized(stage: Stage) {
    let cage = stage.empty_cage("sized").await;
    stage.agent(&cage, &["sh", "-c", r#"head -c 5000000 /dev/zero > "${CAGE_DIR-$HOME/.cage}/large""#]);
    assert_eq!(listed(&stage, &cage).await.bytes, None);
    let cages = stage.host.list_with_sizes().await.unwrap();
    let bytes = cages.iter().find(|listed| listed.name == *cage.name()).unwrap().bytes.unwrap();
    assert!((5_000_000..10_000_000).contains(&bytes), "{bytes}");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn holds_a_paused_cage_and_lets_it_go_on() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("paused").await;
    cage.pause().await.unwrap();
    cage.pause().await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Paused);
    assert_eq!(listed(&stage, &cage).await.state, CageState::Paused);
    cage.start().await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Running);
    cage.pause().await.unwrap();
    cage.stop(DEFAULT_GRACE).await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Stopped);
    insta::assert_snapshot!(cage.pause().await.unwrap_err(), @"the cage is stopped or paused, cannot pause the container; start it again, or salvage what is in it");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn rejects_what_a_plain_folder_cannot_do_and_a_grace_without_end() {
    let stage = Stage::embedded();
    let cage = stage.empty_cage("plain").await;
    insta::assert_snapshot!(cage.pause().await.unwrap_err(), @"invalid use of the embedded backend: it runs plain processes, which it cannot hold; stop the cage instead");
    insta::assert_snapshot!(cage.stop(Duration::from_secs(601)).await.unwrap_err(), @"invalid grace: at most 600 s are allowed");
}
