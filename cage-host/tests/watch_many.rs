//! What many cages do: in one call, and by push.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::time::Duration;

use cage_host::{
    Activity, Agent, Cage, CageError, CageName, CageSpec, CageStatus, EngineError, Error, FleetEvent,
    FleetWatch, Host, Network, Task,
};
use support::numbers::{container, docker};
use support::silence::SilentEngine;
use support::{Stage, image};
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Cages whose looks are counted.
const CAGES: usize = 4;

/// Requests to the engine for all cages together, and for each: begin a program and read what it prints.
const CALLS_FOR_ALL: usize = 2;
const CALLS_FOR_EACH: usize = 2;

on_both_backends! {
    tells_what_a_cage_does_from_its_creation_to_its_end => life;
    tells_a_cage_what_has_changed_in_it => follow;
}

/// A cage that takes little.
async fn small(stage: &Stage, story: &str) -> Cage {
    let spec = CageSpec::empty(stage.name(story)).image(image()).network(Network::None);
    stage.host.create(spec.memory_bytes(64 << 20)).await.unwrap()
}

/// Waits until an agent of this name does something.
async fn until(watch: &mut FleetWatch, name: &CageName, wanted: impl Fn(&Activity) -> bool) {
    let seen = async {
        loop {
            match watch.next().await.expect("it goes on") {
                FleetEvent::Status { name: of, status } => {
                    assert_eq!(of, *name, "nothing else is wanted");
                    if wanted(&status.unwrap().activity) {
                        return;
                    }
                }
                FleetEvent::Failed(error) => panic!("{error}"),
                _ => {}
            }
        }
    };
    timeout(PATIENCE, seen).await.expect("it is not told");
}

async fn until_gone(watch: &mut FleetWatch) {
    let gone = async {
        loop {
            if matches!(watch.next().await, Some(FleetEvent::Cages(cages)) if cages.is_empty()) {
                return;
            }
        }
    };
    timeout(PATIENCE, gone).await.expect("it is listed for ever");
}

async fn launch(cage: &Cage, script: &str) {
    let agent = Agent::Command(["sh", "-c", script].map(str::to_owned).to_vec());
    cage.launch(Task::new("work").agent(agent)).await.unwrap();
}

async fn life(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let name = stage.name("fleet");
    let wanted = name.clone();
    let mut watch = stage.host.watch(move |name| name.as_str() == wanted);
    let Some(FleetEvent::Cages(none)) = timeout(PATIENCE, watch.next()).await.unwrap() else {
        panic!("no list")
    };
    assert_eq!(none, []);
    let other = small(&stage, "other").await;
    let spec = CageSpec::empty(&name).image(image()).network(Network::None);
    let cage = stage.host.create(spec).await.unwrap();
    let name = cage.name().clone();
    until(&mut watch, &name, |activity| matches!(activity, Activity::Idle { .. })).await;
    launch(&cage, "cage-send info_request --request-id r --description what --wait 60").await;
    until(&mut watch, &name, |activity| matches!(activity, Activity::WaitingForAnswer(_))).await;
    if !stage.is_embedded() {
        cage.pause().await.unwrap();
        until(&mut watch, &name, |activity| *activity == Activity::Paused).await;
        cage.start().await.unwrap();
        until(&mut watch, &name, |activity| matches!(activity, Activity::WaitingForAnswer(_))).await;
    }
    cage.stop(Duration::ZERO).await.unwrap();
    until(&mut watch, &name, |activity| *activity == Activity::Stopped).await;
    cage.start().await.unwrap();
    until(&mut watch, &name, |activity| matches!(activity, Activity::Crashed { .. })).await;
    cage.destroy().await.unwrap();
    until_gone(&mut watch).await;
    other.destroy().await.unwrap();
}

async fn follow(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("follow").await;
    let mut statuses = cage.follow_status();
    let mut next = async || timeout(PATIENCE, statuses.next()).await.expect("no status in time").unwrap();
    assert!(matches!(next().await.unwrap().activity, Activity::Idle { .. }));
    launch(&cage, "cage-send progress_update --status 'half way'; exec sleep 600").await;
    while next().await.unwrap().last_progress.as_deref() != Some("half way") {}
    // Nobody writes down that the supervisor is gone.
    let kill = r#"cd "${CAGE_DIR:-$HOME/.cage}"; kill -9 "$(sed -n 's/.*"supervisor_pid": \([0-9]*\).*/\1/p' session.json)""#;
    stage.agent(&cage, &["sh", "-c", kill]);
    while !matches!(next().await.unwrap().activity, Activity::Crashed { .. }) {}
    cage.destroy().await.unwrap();
    let error = next().await.unwrap_err();
    assert!(matches!(error, Error::Cage(CageError::Gone { .. })), "{error}");
}

fn of<'a>(statuses: &'a [CageStatus], cage: &Cage) -> &'a CageStatus {
    statuses.iter().find(|status| status.cage.name == *cage.name()).unwrap()
}

#[tokio::test]
async fn asks_the_engine_twice_for_each_cage_and_twice_for_all() {
    let Some(stage) = Stage::docker().await else { return };
    let mut cages = Vec::new();
    for _ in 0..CAGES {
        cages.push(small(&stage, "count").await);
    }
    let engine = SilentEngine::start();
    let host = Host::connect_to(&engine.address()).await.unwrap();
    let before = engine.calls();
    let statuses = host.statuses(PATIENCE).await.unwrap();
    let calls = engine.calls() - before;
    for cage in &cages {
        let status = of(&statuses, cage).status.as_ref().unwrap();
        assert_eq!(status.activity.to_string(), "idle: no agent was launched");
    }
    // Other tests have cages as well.
    let most = CALLS_FOR_ALL + CALLS_FOR_EACH * statuses.len();
    assert!(
        (CALLS_FOR_ALL + CALLS_FOR_EACH * CAGES..=most).contains(&calls),
        "{calls} calls, {most} allowed"
    );
    for cage in cages {
        cage.destroy().await.unwrap();
    }
}

#[tokio::test]
async fn reports_a_cage_that_hangs_beside_the_others() {
    let Some(stage) = Stage::docker().await else { return };
    let names = ["stuck", "works", "stopped", "paused", "gone"];
    let [stuck, works, stopped, paused, gone] = {
        let mut cages = Vec::new();
        for name in names {
            cages.push(small(&stage, name).await);
        }
        <[Cage; 5]>::try_from(cages).unwrap()
    };
    stopped.stop(Duration::ZERO).await.unwrap();
    paused.pause().await.unwrap();
    docker(None, &["rm", "--force", &container(&gone)]);
    let engine = SilentEngine::start();
    let host = Host::connect_to(&engine.address()).await.unwrap();
    let id = docker_id(&stuck);
    engine.silence_about(&format!("/containers/{id}/exec"));
    let deadline = Duration::from_secs(5);
    let statuses = timeout(PATIENCE, host.statuses(deadline)).await.unwrap().unwrap();
    insta::assert_snapshot!(of(&statuses, &stuck).status.as_ref().unwrap_err(), @"could not look at the agent's status in the cage within 5 s");
    let does = |cage| of(&statuses, cage).status.as_ref().map_or("late", |status| status.activity.word());
    // A busy machine may be slower than the deadline with this one.
    assert!(["idle", "late"].contains(&does(&works)));
    assert_eq!([does(&stopped), does(&paused)], ["stopped", "paused"]);
    assert!(statuses.iter().all(|status| status.cage.name != *gone.name()));
    for cage in [stuck, works, stopped, paused] {
        cage.destroy().await.unwrap();
    }
}

/// What the engine calls a cage.
fn docker_id(cage: &Cage) -> String {
    let output = std::process::Command::new("docker")
        .args(["inspect", "--format", "{{.Id}}", &container(cage)])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn tells_that_it_ends_and_ends_when_the_choice_of_cages_panics() {
    let stage = Stage::embedded();
    let cage = stage.empty_cage("any").await;
    let mut watch = stage.host.watch(|_| panic!("on purpose"));
    let event = timeout(PATIENCE, watch.next()).await.expect("it waits for ever");
    let Some(FleetEvent::Failed(error)) = event else { panic!("{event:?}") };
    assert!(matches!(&error, Error::Engine(EngineError::Lost { .. })), "{error}");
    for _ in 0..2 {
        assert!(timeout(PATIENCE, watch.next()).await.expect("it waits for ever").is_none());
    }
    cage.destroy().await.unwrap();
}
