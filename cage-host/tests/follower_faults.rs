//! Following an outbox while the cage's container goes away: nothing lost, nothing twice, and an error where there is
//! nothing to wait for.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use support::Stage;
use support::numbers::{container, docker, error, expect, send, send_meanwhile};

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
    expect(&mut follower, 1, 2).await;
    docker(None, &["stop", "--time", "0", &container(&cage)]);
    docker(None, &["start", &container(&cage)]);
    send(None, &cage, 4, 6);
    expect(&mut follower, 3, 6).await;
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
    insta::assert_snapshot!(error(&mut follower).await, @"the cage is stopped or paused, cannot follow the outbox; start its container, or destroy it and create it again");
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
