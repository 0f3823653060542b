//! A Docker engine that is stopped, killed and full, under a host program that follows a cage: nothing lost, nothing
//! twice, every call bounded.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

mod support;

use cage_host::{Cage, CageError, CageSpec, CageState, EngineError, Error, Host, Network, Result, Select};
use rustix::process::Signal;
use support::engine::PrivateEngine;
use support::numbers::{docker, error, expect, send, send_meanwhile};
use support::{image, slow_project};

/// One engine for all of these: filling it with the image is what takes the time.
#[tokio::test]
async fn stands_an_engine_that_stops_dies_comes_back_and_has_no_room() {
    let Some(mut engine) = PrivateEngine::start().await else { return };
    let host = Host::connect_to(engine.endpoint()).await.unwrap();
    let spec = || CageSpec::empty("engine").image(image()).network(Network::None);
    let cage = host.create(spec()).await.unwrap();
    goes_on_with_an_engine_that_was_stopped_for_a_while(&engine, &cage).await;
    goes_on_with_an_engine_that_was_killed_and_started_again(&mut engine, &cage).await;
    leaves_nothing_when_the_engine_has_no_room(&engine, &host).await;
    leaves_nothing_when_there_is_no_room_for_a_copy(&engine, &host, &cage).await;
    gives_up_on_an_engine_that_stays_stopped(&engine, &host, &cage).await;
    tells_of_a_cage_that_an_engine_took_down_with_it_and_goes_on_after_its_start(&mut engine, &cage).await;
    goes_on_when_a_cage_is_started_soon_after_its_engine(&mut engine, &cage).await;
    cage.destroy().await.unwrap();
    assert!(host.list().await.unwrap().is_empty());
    engine.stop().await;
}

async fn goes_on_with_an_engine_that_was_stopped_for_a_while(engine: &PrivateEngine, cage: &Cage) {
    let mut follower = cage.outbox().follow().await.unwrap();
    send_meanwhile(Some(engine.endpoint()), cage, 1, 60);
    expect(&mut follower, 1, 5).await;
    engine.signal(Signal::STOP);
    engine.signal(Signal::CONT);
    expect(&mut follower, 6, 60).await;
}

async fn goes_on_with_an_engine_that_was_killed_and_started_again(engine: &mut PrivateEngine, cage: &Cage) {
    let mut follower = cage.outbox().follow().await.unwrap();
    send_meanwhile(Some(engine.endpoint()), cage, 61, 160);
    expect(&mut follower, 61, 65).await;
    engine.restart().await;
    expect(&mut follower, 66, 160).await;
    send(Some(engine.endpoint()), cage, 161, 163);
    expect(&mut follower, 161, 163).await;
}

async fn leaves_nothing_when_the_engine_has_no_room(engine: &PrivateEngine, host: &Host) {
    let project = tempfile::tempdir().unwrap();
    slow_project(project.path());
    let spec = CageSpec::from_dir("no-room", project.path()).image(image()).network(Network::None);
    insta::assert_snapshot!(host.create(spec).await.unwrap_err(), @"the cage's disk is full, cannot copy the project; free space, then try again");
    let names: Vec<_> = host.list().await.unwrap().into_iter().map(|cage| cage.name.to_string()).collect();
    assert_eq!(names, ["engine"]);
    assert!(engine.free_bytes() > 100 << 20, "the room was given back");
}

/// What the cage holds fits into the engine's disk once, but not twice.
async fn leaves_nothing_when_there_is_no_room_for_a_copy(engine: &PrivateEngine, host: &Host, cage: &Cage) {
    let before = engine.free_bytes();
    let large = (before / 10 * 6).to_string();
    let container = format!("isolated-dev-{}", cage.name());
    let script = r#"head -c "$1" /dev/urandom > ~/project/large"#;
    docker(Some(engine.endpoint()), &["exec", &container, "sh", "-c", script, "sh", &large]);
    let full = "the cage's disk is full, cannot copy the home of the cage; free space, then try again";
    assert_eq!(host.snapshot(cage, "no-room").await.unwrap_err().to_string(), full);
    assert_eq!(host.fork(cage, "no-room").await.unwrap_err().to_string(), full);
    assert!(host.snapshots().await.unwrap().is_empty());
    assert_eq!(host.list().await.unwrap().len(), 1);
    assert_eq!(cage.state().await.unwrap(), CageState::Running);
    docker(Some(engine.endpoint()), &["exec", &container, "sh", "-c", "rm ~/project/large"]);
    assert!(engine.free_bytes() > before / 10 * 9, "the room was given back");
}

/// Time passes at once here whenever nothing else happens, and a stopped engine does nothing.
async fn gives_up_on_an_engine_that_stays_stopped(engine: &PrivateEngine, host: &Host, cage: &Cage) {
    let mut follower = cage.outbox().follow().await.unwrap();
    send(Some(engine.endpoint()), cage, 164, 164);
    expect(&mut follower, 164, 164).await;
    engine.signal(Signal::STOP);
    let project = tempfile::tempdir().unwrap();
    tokio::time::pause();
    let spec = CageSpec::empty("late").image(image());
    assert_timed_out("create", host.create(spec).await);
    assert_timed_out("list", host.list().await);
    assert_timed_out("gc", host.gc().await);
    assert_timed_out("find", host.cage("engine").await);
    assert_timed_out("diff", cage.diff(project.path()).await);
    assert_timed_out("follow", Err::<(), _>(error(&mut follower).await));
    tokio::time::resume();
    engine.signal(Signal::CONT);
}

/// Here the follower is told in the end, and the next one goes on where it was.
async fn tells_of_a_cage_that_an_engine_took_down_with_it_and_goes_on_after_its_start(
    engine: &mut PrivateEngine,
    cage: &Cage,
) {
    let mut follower = cage.outbox().follow().await.unwrap();
    send(Some(engine.endpoint()), cage, 165, 167);
    expect(&mut follower, 165, 167).await;
    engine.without_live_restore();
    // The container outlives the killed engine, until the next one ends it.
    engine.restart().await;
    insta::assert_snapshot!(error(&mut follower).await, @"the cage is stopped or paused, cannot follow the outbox; start it again, or salvage what is in it");
    cage.start().await.unwrap();
    let mut follower = cage.outbox().follow().await.unwrap();
    send(Some(engine.endpoint()), cage, 168, 170);
    expect(&mut follower, 168, 170).await;
}

/// Here the same follower goes on.
async fn goes_on_when_a_cage_is_started_soon_after_its_engine(engine: &mut PrivateEngine, cage: &Cage) {
    let mut follower = cage.outbox().follow().await.unwrap();
    send_meanwhile(Some(engine.endpoint()), cage, 171, 400);
    expect(&mut follower, 171, 175).await;
    engine.end_and_start().await;
    assert_eq!(cage.state().await.unwrap(), CageState::Stopped);
    cage.start().await.unwrap();
    // The agent was ended in the middle of its work.
    let listing = cage.outbox().list(Select::all()).await.unwrap();
    let sent = u32::try_from(listing.entries.len()).unwrap();
    assert!((175..=400).contains(&sent), "{sent}");
    send(Some(engine.endpoint()), cage, sent + 1, sent + 3);
    expect(&mut follower, 176, sent + 3).await;
}

fn assert_timed_out<T: std::fmt::Debug>(call: &str, result: Result<T>) {
    match result.unwrap_err() {
        Error::Engine(EngineError::TimedOut { .. }) | Error::Cage(CageError::TimedOut { .. }) => {}
        other => panic!("{call}: {other}"),
    }
}
