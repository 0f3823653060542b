//! The report on an engine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::process::Command;

use cage_host::{Finding, Host, Product, Report, Subject, Verdict};
use support::silence::SilentEngine;
use support::{Stage, example};

fn finding(report: &Report, subject: Subject) -> &Finding {
    report
        .findings
        .iter()
        .find(|finding| finding.subject == subject)
        .unwrap_or_else(|| panic!("{subject}:\n{report}"))
}

/// Asks the engine in its own template language.
fn info(template: &str) -> String {
    let output = Command::new("docker").args(["info", "--format", template]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn reports_what_the_engine_itself_says() {
    let Some(stage) = Stage::docker().await else { return };
    let report = stage.host.doctor().await;
    let engine = report.engine.clone().unwrap();
    assert_eq!(engine.product, Product::Docker);
    assert_eq!(engine.version, info("{{.ServerVersion}}"));
    assert_eq!(engine.storage_driver, info("{{.Driver}}"));
    assert_eq!(engine.storage_folder, info("{{.DockerRootDir}}"));
    assert_eq!(engine.cgroup_version, info("{{.CgroupVersion}}"));
    assert_eq!(engine.cgroup_driver, info("{{.CgroupDriver}}"));
    assert_eq!(engine.seccomp, info("{{.SecurityOptions}}").contains("name=seccomp"));
    assert_eq!(engine.rootless, info("{{.SecurityOptions}}").contains("name=rootless"));
    for subject in [Subject::Endpoint, Subject::Engine, Subject::Runtime, Subject::KnownFlaws, Subject::Image]
    {
        finding(&report, subject);
    }
    assert!(
        report.findings.iter().all(|found| found.verdict == Verdict::Good || found.advice.is_some()),
        "{report}"
    );
}

/// The example, as a user would run it.
#[tokio::test]
async fn says_it_to_people_and_to_programs() {
    let Some(stage) = Stage::docker().await else { return };
    let report = stage.host.doctor().await;
    let (people, programs) =
        (Command::new(example("doctor")).output(), Command::new(example("doctor")).arg("--json").output());
    let (people, programs) = (people.unwrap(), programs.unwrap());
    assert_eq!(people.status.success(), report.verdict() != Verdict::Bad);
    assert!(String::from_utf8(people.stdout).unwrap().lines().count() >= report.findings.len());
    let json: serde_json::Value = serde_json::from_slice(&programs.stdout).unwrap();
    assert_eq!(json["engine"]["product"], "docker");
    assert_eq!(json["findings"][0]["subject"], "endpoint");
}

#[tokio::test]
async fn finds_an_engine_that_is_not_there() {
    let output =
        Command::new(example("doctor")).env("DOCKER_HOST", "unix:///no/such/socket").output().unwrap();
    assert!(!output.status.success());
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
    good     endpoint         unix:///no/such/socket, named by DOCKER_HOST
    bad      engine           no Docker engine answers at unix:///no/such/socket (Socket not found: /no/such/socket)
                              → start Docker or set DOCKER_HOST
    ");
}

#[tokio::test]
async fn finds_an_engine_that_stopped_answering() {
    let Some(_stage) = Stage::docker().await else { return };
    let engine = SilentEngine::start();
    let host = Host::connect_to(&engine.address()).await.unwrap();
    engine.silence_after(1);
    let (report, ()) = tokio::join!(host.doctor(), async {
        engine.is_silent().await;
        tokio::time::pause();
    });
    let found = finding(&report, Subject::Engine);
    assert_eq!((found.verdict, report.engine.is_none()), (Verdict::Bad, true), "{report}");
    assert!(found.found.contains("did not answer within 60 s"), "{report}");
}

#[tokio::test]
async fn warns_that_the_embedded_backend_isolates_nothing() {
    let report = Stage::embedded().host.doctor().await;
    assert_eq!(report.verdict(), Verdict::Warning);
    assert!(report.to_string().contains("not isolated"), "{report}");
}
