//! Creating from a repository, from a server of the test's own.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use cage_host::{CageError, CageSpec, CreateEvent, Error, GitRepo};
use support::git::{GitServer, silent_server};
use support::{Stage, image};

fn spec(stage: &Stage, repo: GitRepo) -> (String, CageSpec) {
    let name = stage.name("git");
    (name.clone(), CageSpec::from_git(name, repo).image(image()))
}

/// Clones and returns what the cage's git says to `log` and `status`.
async fn cloned(stage: &Stage, repo: GitRepo) -> String {
    let (_, spec) = spec(stage, repo);
    let cage = stage.host.create(spec).await.unwrap();
    let ask = "git log -1 --format='%s on %D'; git rev-parse HEAD refs/cage/baseline | uniq | wc -l; git status --short";
    let told = stage.agent(&cage, &["sh", "-c", &format!("cd ~/project; {ask}")]);
    cage.destroy().await.unwrap();
    told
}

#[tokio::test]
async fn clones_the_default_branch_a_named_one_or_a_commit() {
    let Some(stage) = Stage::docker().await else { return };
    let server = GitServer::start().await;
    let repo = || GitRepo::new(server.url("repo"));
    let first = server.git(&["rev-parse", "main~1"]);
    let told = [
        cloned(&stage, repo()).await,
        cloned(&stage, repo().branch("other")).await,
        cloned(&stage, repo().revision(first)).await,
    ];
    insta::assert_snapshot!(told.concat(), @r"
    second.txt on HEAD -> main, origin/main, origin/HEAD
    1
    other on HEAD -> other, origin/other
    1
    first.txt on HEAD -> main
    1
    ");
}

#[tokio::test]
async fn tells_how_far_the_clone_is() {
    let Some(stage) = Stage::docker().await else { return };
    let server = GitServer::start().await;
    let (_, spec) = spec(&stage, GitRepo::new(server.url("repo")));
    let mut creation = stage.host.start_create(spec);
    let mut steps = Vec::new();
    while let Some(event) = creation.next().await {
        if let CreateEvent::Cloning { step, percent: 100 } = event {
            steps.push(step);
        }
    }
    assert!(steps.contains(&"Receiving objects".to_owned()), "{steps:?}");
    creation.finish().await.unwrap().destroy().await.unwrap();
}

#[tokio::test]
async fn says_why_a_clone_failed_and_leaves_nothing() {
    let Some(stage) = Stage::docker().await else { return };
    let server = GitServer::start().await;
    for (repo, why) in [
        (GitRepo::new(server.url("none")), "access denied or repository not exported"),
        (GitRepo::new(server.url("repo")).branch("none"), "Remote branch none not found"),
        (GitRepo::new(server.url("repo")).revision("0123456789"), "0123456789"),
        (GitRepo::new("https://127.0.0.1:1/o/r"), "Failed to connect"),
    ] {
        let (name, spec) = spec(&stage, repo);
        let error = stage.host.create(spec).await.unwrap_err();
        let Error::Cage(CageError::CloneFailed { reason, .. }) = &error else { panic!("{error}") };
        assert!(reason.contains("fatal: ") && reason.contains(why), "{reason}");
        assert!(!stage.has(&name).await);
    }
}

#[tokio::test]
async fn leaves_nothing_when_given_up_while_a_server_keeps_silent() {
    let Some(stage) = Stage::docker().await else { return };
    let (url, server) = silent_server().await;
    let (name, spec) = spec(&stage, GitRepo::new(url));
    let creation = stage.host.start_create(spec);
    let (_connection, _) = server.accept().await.unwrap();
    assert!(stage.has(&name).await);
    drop(creation);
    stage.host.settled().await;
    assert!(!stage.has(&name).await);
}

#[tokio::test]
async fn refuses_to_clone_where_nothing_is_isolated() {
    let stage = Stage::embedded();
    let error = stage.host.create(CageSpec::from_git("demo", "https://127.0.0.1:1/o/r")).await.unwrap_err();
    insta::assert_snapshot!(error, @"invalid repository: the embedded backend would clone it on this machine, without isolation; use a container, or clone it yourself and use `CageSpec::from_dir`");
    assert!(!stage.has("demo").await);
}
