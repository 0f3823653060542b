//! A limit of a cage's disk, on an engine that holds it and on engines that cannot.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::fs::File;
use std::process::Command;

use cage_host::message::TaskRevision;
use cage_host::{Cage, CageError, CageSpec, EngineError, Error, Host, Network, Select, Suggestion};
use support::engine::{Disk, PrivateEngine};
use support::numbers::{container, docker};
use support::{feed, image};

/// What a cage may write beside its image, in bytes.
const SHARE_BYTES: u64 = 100 << 20;

/// Writes until it cannot, and then tries to report; says how both went, and how much it wrote.
const FILL: &str = "head -c 400000000 /dev/zero > ~/filler; echo $?
cage-send progress_update --status x; echo $?; stat -c %s ~/filler";

/// Asks `docker` at an engine and returns the lines of both outputs.
fn ask(engine: &PrivateEngine, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(["--host", engine.endpoint()]).args(arguments).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn spec(name: &str, disk_bytes: u64) -> CageSpec {
    CageSpec::empty(name).image(image()).network(Network::None).disk_bytes(disk_bytes)
}

/// One engine behind the other: each takes 2 GB of memory for its disk.
#[tokio::test]
async fn limits_the_disk_of_each_cage_or_says_that_the_engine_cannot() {
    rejects_a_limit_on_a_disk_that_was_not_mounted_for_it().await;
    holds_each_cage_to_its_share_of_the_disk().await;
}

async fn holds_each_cage_to_its_share_of_the_disk() {
    let Some(engine) = PrivateEngine::start_on(Disk::Btrfs).await else { return };
    let host = Host::connect_to(engine.endpoint()).await.unwrap();
    let size = ask(&engine, &["image", "inspect", "--format", "{{.Size}}", &image()]);
    let disk_bytes = size[0].parse::<u64>().unwrap() + SHARE_BYTES;
    let cage = host.create(spec("share", disk_bytes)).await.unwrap();

    stops_its_agent_and_says_so(&engine, &host, &cage).await;
    goes_on_when_there_is_room_again(&engine, &cage).await;
    gives_its_limit_to_a_copy(&engine, &host, &cage, disk_bytes).await;
    leaves_nothing_of_a_project_that_is_too_large(&host, disk_bytes).await;
    rejects_less_than_the_image_takes(&host).await;

    cage.destroy().await.unwrap();
    assert!(host.list().await.unwrap().is_empty());
    engine.stop().await;
}

async fn stops_its_agent_and_says_so(engine: &PrivateEngine, host: &Host, cage: &Cage) {
    let said = ask(engine, &["exec", &container(cage), "sh", "-c", FILL]);
    assert!(said.iter().any(|line| line.contains("uota exceeded")), "{said:?}");
    let numbers: Vec<u64> = said.iter().filter_map(|line| line.parse().ok()).collect();
    let [1, 74, written] = numbers[..] else { unreachable!("{said:?}") };
    assert!(written < 2 * SHARE_BYTES, "{said:?}");
    assert!(engine.free_bytes() > 2 * SHARE_BYTES, "the others have room");

    let error = cage.inbox().send(TaskRevision::new("more")).await.unwrap_err();
    assert!(matches!(error, Error::Cage(CageError::DiskFull { .. })), "{error}");
    let diagnosis = cage.diagnose().await.unwrap();
    assert_eq!(diagnosis.suggestion, Suggestion::FreeDisk, "{diagnosis}");
    let other = host.create(CageSpec::empty("other").image(image()).network(Network::None)).await.unwrap();
    other.inbox().send(TaskRevision::new("more")).await.unwrap();
    other.destroy().await.unwrap();
}

async fn goes_on_when_there_is_room_again(engine: &PrivateEngine, cage: &Cage) {
    docker(Some(engine.endpoint()), &["exec", &container(cage), "sh", "-c", "rm ~/filler"]);
    cage.inbox().send(TaskRevision::new("more")).await.unwrap();
    assert_eq!(cage.inbox().list(Select::all()).await.unwrap().entries.len(), 1);
    assert_ne!(cage.diagnose().await.unwrap().suggestion, Suggestion::FreeDisk);
}

async fn gives_its_limit_to_a_copy(engine: &PrivateEngine, host: &Host, cage: &Cage, disk_bytes: u64) {
    let fork = host.fork(cage, "copy").await.unwrap();
    let limit = r#"{{index .HostConfig.StorageOpt "size"}}"#;
    assert_eq!(ask(engine, &["inspect", "--format", limit, &container(&fork)]), [disk_bytes.to_string()]);
    fork.destroy().await.unwrap();
}

async fn leaves_nothing_of_a_project_that_is_too_large(host: &Host, disk_bytes: u64) {
    let project = tempfile::tempdir().unwrap();
    File::create(project.path().join("large")).unwrap().set_len(2 * SHARE_BYTES).unwrap();
    let large = CageSpec::from_dir("large", project.path()).image(image()).disk_bytes(disk_bytes);
    let error = host.create(large).await.unwrap_err();
    insta::assert_snapshot!(error, @"the cage's disk is full, cannot copy the project; free space, then try again");
    assert_eq!(host.list().await.unwrap().len(), 1);
}

async fn rejects_less_than_the_image_takes(host: &Host) {
    let error = host.create(spec("small", SHARE_BYTES)).await.unwrap_err();
    insta::assert_snapshot!(error, @"invalid disk limit: the image counts too on this engine, and alone takes more; allow more");
    assert_eq!(host.list().await.unwrap().len(), 1);
}

/// The engine itself refuses, in its own words.
async fn rejects_a_limit_on_a_disk_that_was_not_mounted_for_it() {
    let Some(engine) = PrivateEngine::start_empty_on(Disk::Xfs).await else { return };
    feed("docker", &["--host", engine.endpoint(), "import", "-", "tiny"], &"\0".repeat(1024));
    let host = Host::connect_to(engine.endpoint()).await.unwrap();
    let error = host.create(spec("limited", SHARE_BYTES).image("tiny")).await.unwrap_err();
    assert!(matches!(error, Error::Engine(EngineError::Unsupported { .. })), "{error}");
    insta::assert_snapshot!(error, @"the engine cannot give a cage a limit of its disk: --storage-opt is supported only for overlay over xfs with 'pquota' mount option; leave it out, or use another engine");
    assert!(host.list().await.unwrap().is_empty());
    engine.stop().await;
}
