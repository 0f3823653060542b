//! Following an outbox while the cage's container goes away: nothing lost, nothing twice, and an error where there is
//! nothing to wait for.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::time::Duration;

use support::Stage;
use support::numbers::{container, docker, error, expect, send, send_meanwhile};
use tokio::time::timeout;

/// How long a follower is watched while its container is stopped: it tries to connect several times meanwhile.
const WHILE_STOPPED: Duration = Duration::from_secs(2);

#[tokio::test]
async fn goes_on_when_a_container_that_was_paused_goes_on() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("paused").await;
    let mut follower = cage.outbox().follow().await.unwrap();
    send_meanwhile(None, &cage, 1, 60);
    expect(&mut follower, 1, 5).await;
    docker(None, &["pause", &container(&cage)]);
    docker(None, &["unpause", &container(&cage)]);
    expect(&mut follower, 6, 60).await;
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn goes_on_when_a_container_is_stopped_and_started_again() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("stopped").await;
    let mut follower = cage.outbox().follow().await.unwrap();
    send(None, &cage, 1, 3);
    expect(&mut follower, 1, 3).await;
    docker(None, &["stop", "--time", "0", &container(&cage)]);
    let meanwhile = timeout(WHILE_STOPPED, follower.next()).await;
    assert!(meanwhile.is_err(), "gave up at once: {meanwhile:?}");
    docker(None, &["start", &container(&cage)]);
    send(None, &cage, 4, 6);
    expect(&mut follower, 4, 6).await;
    docker(None, &["restart", "--time", "0", &container(&cage)]);
    send(None, &cage, 7, 9);
    expect(&mut follower, 7, 9).await;
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn says_so_when_a_container_stays_stopped() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("stays").await;
    let mut follower = cage.outbox().follow().await.unwrap();
    send(None, &cage, 1, 1);
    expect(&mut follower, 1, 1).await;
    docker(None, &["stop", "--time", "0", &container(&cage)]);
    insta::assert_snapshot!(error(&mut follower).await, @"the cage is stopped or paused, cannot follow the outbox; start it again, or salvage what is in it");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn says_at_once_when_a_container_is_removed() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.empty_cage("removed").await;
    let mut follower = cage.outbox().follow().await.unwrap();
    send(None, &cage, 1, 1);
    expect(&mut follower, 1, 1).await;
    docker(None, &["rm", "--force", &container(&cage)]);
    insta::assert_snapshot!(error(&mut follower).await, @"the cage was removed, cannot follow the outbox; create it again");
    cage.destroy().await.unwrap();
}
