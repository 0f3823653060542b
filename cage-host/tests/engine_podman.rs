//! The whole life of a cage on Podman, through the API that it shares with Docker.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::process::Command;
use std::time::Duration;

use cage_host::message::TaskRevision;
use cage_host::{
    Cage, CageSpec, CageState, CreateEvent, EngineError, Error, Host, Network, Product, Subject, Task,
    Verdict,
};
use support::agent::{done, script};
use support::numbers::{container, docker, expect, send, send_meanwhile};
use support::podman::Podman;
use support::{image, write_tree};
use tempfile::TempDir;

/// Asks Podman about a container in Docker's template language.
fn inspect(podman: &Podman, cage: &Cage, template: &str) -> String {
    let arguments = ["--host", &podman.address(), "inspect", "--format", template, &container(cage)];
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// One service for all of these: starting it and filling it with the image is what takes the time.
#[tokio::test]
async fn runs_cages_from_their_creation_to_their_end() {
    let Some(podman) = Podman::start().await else { return };
    let host = Host::connect_to(&podman.address()).await.unwrap();
    is_examined(&host).await;
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a.txt", "hello\n"), ("sub/b.txt", "b\n")]);
    let spec = CageSpec::from_dir("podman", project.path()).image(image()).network(Network::None);
    let cage = host.create(spec.memory_bytes(256 << 20).cpus(0.5).pids(77)).await.unwrap();
    assert_eq!(cage.arrival().files, 2);

    takes_every_right_from_a_container_and_gives_it_limits(&podman, &cage);
    lets_an_agent_work_and_talk(&cage).await;
    brings_home_what_it_did(&cage, &project).await;
    takes_another_folder_and_gives_it_up(&cage).await;
    goes_on_after_a_pause_and_a_stop(&podman, &cage).await;
    copies_it(&host, &cage, &project).await;
    tells_what_is_left_of_a_stopped_one(&cage, &project).await;
    removes_what_nobody_finished(&podman, &host).await;

    cage.destroy().await.unwrap();
    assert!(host.list().await.unwrap().is_empty());
    podman.stop().await;
}

/// Whether its limits hold is decided by the machine, and it says itself that they do.
#[tokio::test]
async fn sees_that_a_service_is_not_root_and_whether_it_can_limit_anything() {
    let Some(podman) = Podman::start_without_root().await else { return };
    let host = Host::connect_to(&podman.address()).await.unwrap();
    let report = host.doctor().await;
    let engine = report.engine.clone().unwrap();
    assert_eq!((engine.product, engine.rootless, engine.user_namespaces), (Product::Podman, true, true));
    let limits = report.findings.iter().find(|finding| finding.subject == Subject::Limits).unwrap();
    assert!(engine.cgroup_version != "1" || limits.verdict == Verdict::Bad, "{report}");
    says_at_a_creation_that_nothing_is_limited(&host, limits.verdict == Verdict::Bad).await;
    podman.stop().await;
}

async fn says_at_a_creation_that_nothing_is_limited(host: &Host, unlimited: bool) {
    let mut creation = host.start_create(CageSpec::empty("unlimited").image("there-is-none"));
    let mut told = Vec::new();
    while let Some(event) = creation.next().await {
        told.push(event);
    }
    assert_eq!(
        told.iter().any(|event| matches!(event, CreateEvent::Unlimited { .. })),
        unlimited,
        "{told:?}"
    );
    assert!(matches!(creation.finish().await, Err(Error::Engine(EngineError::ImageMissing { .. }))));
}

async fn is_examined(host: &Host) {
    let report = host.doctor().await;
    let engine = report.engine.clone().unwrap();
    assert_eq!((engine.product, engine.free_bytes), (Product::Podman, None), "{report}");
    assert!(
        engine.runtime.as_ref().is_some_and(|runtime| runtime.version.starts_with(char::is_numeric)),
        "{report}"
    );
    let verdict = |subject| {
        let finding = report.findings.iter().find(|finding| finding.subject == subject);
        finding.map(|finding| finding.verdict)
    };
    assert!(verdict(Subject::Engine) <= Some(Verdict::Warning), "{report}");
    assert_eq!((engine.rootless, verdict(Subject::Image)), (false, Some(Verdict::Good)), "{report}");
}

fn takes_every_right_from_a_container_and_gives_it_limits(podman: &Podman, cage: &Cage) {
    let limits = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}";
    assert_eq!(inspect(podman, cage, limits), "268435456 268435456 500000000 77");
    let look =
        "test $(id -u) = 1000; ls /sys/class/net; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status";
    let arguments = ["--host", &podman.address(), "exec", &container(cage), "sh", "-ec", look];
    let output = Command::new("docker").args(arguments).output().unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    let none = "0000000000000000";
    let seen: Vec<_> = seen.split_whitespace().collect();
    assert_eq!(seen, ["lo", "CapEff:", none, "CapBnd:", none, "NoNewPrivs:", "1"]);
}

/// The agent waits for a word from the host, which comes while the host follows it.
async fn lets_an_agent_work_and_talk(cage: &Cage) {
    let work = "echo bye > a.txt; echo new > new.txt; rm sub/b.txt
cage-poll --timeout 60 > ../word && grep -q 'and the tests' ../word && echo $COLOUR >> new.txt
cage-send task_complete --summary \"$COLOUR\" --exit-code 0";
    cage.launch(Task::new("do it").agent(script(work)).env("COLOUR", "it's blue")).await.unwrap();
    cage.inbox().send(TaskRevision::new("and the tests")).await.unwrap();
    assert_eq!(done(cage).await, "it's blue");
}

async fn brings_home_what_it_did(cage: &Cage, project: &TempDir) {
    let changes = cage.diff(project.path()).await.unwrap();
    assert_eq!(changes.to_string(), "M a.txt\nA new.txt\nD sub/b.txt\n");
    let export = cage.export(project.path(), &changes).await.unwrap();
    assert_eq!(export.written, ["a.txt", "new.txt"]);
    assert_eq!(std::fs::read_to_string(project.path().join("new.txt")).unwrap(), "new\nit's blue\n");
}

async fn takes_another_folder_and_gives_it_up(cage: &Cage) {
    let docs = tempfile::tempdir().unwrap();
    write_tree(docs.path(), &[("page.md", "text\n")]);
    assert_eq!(cage.add_folder("docs", docs.path()).await.unwrap().files, 1);
    let again = cage.add_folder("docs", docs.path()).await.unwrap_err();
    assert!(matches!(again, Error::Request(_)), "{again}");
    assert_eq!(cage.folders().await.unwrap().len(), 1);
    cage.remove_folder("docs").await.unwrap();
    assert!(cage.folders().await.unwrap().is_empty());
}

/// The consumer has a name of its own, so that it begins with the first message: the agent's.
async fn goes_on_after_a_pause_and_a_stop(podman: &Podman, cage: &Cage) {
    let engine = podman.address();
    let engine = Some(engine.as_str());
    let mut follower = cage.outbox().consumer("numbers").follow().await.unwrap();
    follower.next().await.unwrap().unwrap().ack().await.unwrap();
    send_meanwhile(engine, cage, 1, 30);
    expect(&mut follower, 1, 5).await;
    cage.pause().await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Paused);
    cage.start().await.unwrap();
    expect(&mut follower, 6, 30).await;
    cage.stop(Duration::ZERO).await.unwrap();
    assert_eq!(cage.state().await.unwrap(), CageState::Stopped);
    cage.start().await.unwrap();
    send(engine, cage, 31, 33);
    expect(&mut follower, 31, 33).await;
}

async fn copies_it(host: &Host, cage: &Cage, project: &TempDir) {
    let diff = cage.diff(project.path()).await.unwrap().to_string();
    let fork = host.fork(cage, "fork").await.unwrap();
    assert_eq!(fork.diff(project.path()).await.unwrap().to_string(), diff);
    fork.destroy().await.unwrap();

    let snapshot = host.snapshot(cage, "kept").await.unwrap();
    assert_eq!((snapshot.name.as_str(), snapshot.cage.as_str()), ("kept", "podman"));
    let again = host.fork_snapshot("kept", "again").await.unwrap();
    assert_eq!(again.diff(project.path()).await.unwrap().to_string(), diff);
    again.destroy().await.unwrap();
    host.remove_snapshot("kept").await.unwrap();
    assert!(host.snapshots().await.unwrap().is_empty());
}

async fn tells_what_is_left_of_a_stopped_one(cage: &Cage, project: &TempDir) {
    let diff = cage.diff(project.path()).await.unwrap().to_string();
    let mut follower = cage.outbox().follow().await.unwrap();
    cage.stop(Duration::ZERO).await.unwrap();
    let salvage = cage.salvage(project.path()).await.unwrap();
    assert_eq!((salvage.state, salvage.changes.to_string()), (CageState::Stopped, diff));
    assert_eq!((salvage.outbox.len(), salvage.inbox.len()), (34, 1));
    let refused = cage.launch(Task::new("more").agent(script("true"))).await.unwrap_err();
    insta::assert_snapshot!(refused, @"the cage is stopped or paused, cannot prepare the agent's task; start it again, or salvage what is in it");
    let ended = loop {
        if let Err(error) = follower.next().await.unwrap() {
            break error;
        }
    };
    insta::assert_snapshot!(ended, @"the cage is stopped or paused, cannot follow the outbox; start it again, or salvage what is in it");
}

/// A container with our labels and the name of an unfinished one, whose creator had a number that is another's now.
async fn removes_what_nobody_finished(podman: &Podman, host: &Host) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let creator = format!("creator={} {} 1 999999999", boot.trim(), namespace.display());
    let labels = ["managed=true", "name=left", &creator];
    let labels: Vec<_> = labels.iter().map(|label| format!("--label=dev.cage.{label}")).collect();
    let mut arguments = vec!["create", "--name=isolated-dev-left.unfinished", "--network=none"];
    arguments.extend(labels.iter().map(String::as_str));
    let image = image();
    arguments.extend([image.as_str(), "true"]);
    docker(Some(&podman.address()), &arguments);
    let removed = host.gc().await.unwrap();
    assert_eq!(removed.iter().map(cage_host::CageName::as_str).collect::<Vec<_>>(), ["left"]);
}
