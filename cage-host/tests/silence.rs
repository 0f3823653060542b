//! An engine that goes silent at each single call of each operation: every one ends with a bounded, typed error.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::pin::pin;
use std::time::Duration;

use cage_host::message::TaskRevision;
use cage_host::{
    Cage, CageError, CageSpec, EngineError, Error, Host, ImageSpec, Network, RequestError, Result, Task,
};
use support::numbers::docker;
use support::silence::SilentEngine;
use support::{Stage, image, write_tree};

/// More calls than any operation makes.
const MANY_CALLS: usize = 100;

/// Runs an operation with an engine that answers nothing, then one call, then two, until it comes to its end before
/// the silence. `between` undoes what it did.
async fn ends_wherever_the_engine_goes_silent<T: std::fmt::Debug>(
    what: &str,
    operation: impl AsyncFn(&Host) -> Result<T>,
    between: impl Fn(),
) {
    for answered in 0..MANY_CALLS {
        let engine = SilentEngine::start();
        let host = Host::connect_to(&engine.address()).await.unwrap();
        engine.silence_after(answered);
        let (outcome, silent) = run(&engine, operation(&host)).await;
        host.settled().await;
        tokio::time::resume();
        between();
        match outcome {
            Ok(_) if !silent && answered > 0 => return,
            outcome => assert_bounded(&format!("{what}, silent after {answered} calls"), outcome),
        }
    }
    panic!("{what}: it never comes to an end");
}

/// Awaits an operation, and tells whether it met with silence. From there on nothing happens any more but that time
/// passes, and that faster than usual. The clock stays stopped.
async fn run<T>(engine: &SilentEngine, operation: impl Future<Output = T>) -> (T, bool) {
    let mut operation = pin!(operation);
    tokio::select! {
        outcome = &mut operation => {
            tokio::time::pause();
            return (outcome, false);
        }
        () = engine.is_silent() => tokio::time::pause(),
    }
    // By hand: the clock does not pass over what a thread of its own is busy with.
    let time = async {
        loop {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        outcome = &mut operation => (outcome, true),
        () = time => unreachable!("time has no end"),
    }
}

fn assert_bounded<T: std::fmt::Debug>(what: &str, outcome: Result<T>) {
    match outcome {
        Err(Error::Engine(EngineError::TimedOut { .. }) | Error::Cage(CageError::TimedOut { .. })) => {}
        other => panic!("{what}: {other:?}"),
    }
}

/// A cage that was made without the silent way, and the same cage through it.
async fn cage(stage: &Stage, story: &str) -> (Cage, String) {
    let spec = CageSpec::empty(stage.name(story)).image(image()).network(Network::None);
    let cage = stage.host.create(spec).await.unwrap();
    let name = cage.name().to_string();
    (cage, name)
}

#[tokio::test]
async fn ends_a_creation() {
    let Some(stage) = Stage::docker().await else { return };
    let name = stage.name("create");
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "x")]);
    let spec = || CageSpec::from_dir(&name, project.path()).image(image()).network(Network::None);
    let remove = || {
        // A creation that was left in the middle has another name than one that came to its end.
        let container = format!("isolated-dev-{name}");
        docker(None, &["rm", "--force", &container, &format!("{container}.unfinished")]);
    };
    ends_wherever_the_engine_goes_silent("create", async |host| host.create(spec()).await, remove).await;
}

#[tokio::test]
async fn ends_whatever_is_asked_of_a_cage() {
    let Some(stage) = Stage::docker().await else { return };
    let (cage, name) = cage(&stage, "asked").await;
    let nothing = || {};
    ends_wherever_the_engine_goes_silent("list", async |host| host.list().await, nothing).await;
    ends_wherever_the_engine_goes_silent("gc", async |host| host.gc().await, nothing).await;
    ends_wherever_the_engine_goes_silent("find", async |host| host.cage(&name).await, nothing).await;
    let folder = tempfile::tempdir().unwrap();
    let diff = async |host: &Host| Box::pin(host.cage(&name).await?.diff(folder.path())).await;
    ends_wherever_the_engine_goes_silent("diff", diff, nothing).await;
    let send = async |host: &Host| host.cage(&name).await?.inbox().send(TaskRevision::new("again")).await;
    ends_wherever_the_engine_goes_silent("send", send, nothing).await;
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn ends_a_launch() {
    let Some(stage) = Stage::docker().await else { return };
    let (cage, name) = cage(&stage, "launch").await;
    // Whether an agent starts is of no interest here, but a key must be there for one to be tried.
    let task = || {
        Task::new("do").env("ANTHROPIC_API_KEY", "made-up").env("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    };
    let launch = async |host: &Host| host.cage(&name).await?.launch(task()).await;
    for answered in 0..MANY_CALLS {
        let engine = SilentEngine::start();
        let host = Host::connect_to(&engine.address()).await.unwrap();
        engine.silence_after(answered);
        let (outcome, _) = run(&engine, launch(&host)).await;
        tokio::time::resume();
        // Once the agent is started, silence only means that nobody says so; a further launch finds it at work.
        if matches!(outcome, Ok(()) | Err(Error::Request(RequestError::AgentRunning { .. }))) {
            assert!(answered > 0, "an engine that answers nothing starts nothing");
            break;
        }
        assert_bounded(&format!("launch, silent after {answered} calls"), outcome);
    }
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn ends_a_removal() {
    let Some(stage) = Stage::docker().await else { return };
    let (cage, name) = cage(&stage, "remove").await;
    let engine = SilentEngine::start();
    let through = Host::connect_to(&engine.address()).await.unwrap().cage(&name).await.unwrap();
    engine.silence_after(0);
    let (outcome, _) = run(&engine, through.destroy()).await;
    assert_bounded("destroy", outcome);
    tokio::time::resume();
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn ends_a_build() {
    let Some(stage) = Stage::docker().await else { return };
    let tag = format!("cage-test-{}:1", stage.name("silent"));
    let context = tempfile::tempdir().unwrap();
    write_tree(context.path(), &[("Dockerfile", &format!("FROM {}\nLABEL silent=1\n", image()))]);
    let build = async |host: &Host| host.build_image(ImageSpec::from_context(context.path()).tag(&tag)).await;
    let remove = || docker(None, &["rmi", "--force", &tag]);
    ends_wherever_the_engine_goes_silent("build", build, remove).await;
}
