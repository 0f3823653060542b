//! What a user gets to read when something is wrong, from the example program as a process of its own: one sentence
//! that says what and what to do, a failure, and nothing left behind.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use cage_host::{CageSpec, EmbeddedConfig, Host};
use rustix::process::Signal;
use support::delegate::{Delegate, Phase};
use support::{Stage, image, programs, skip, slow_project, write_tree};

/// A user without any right of its own.
const NOBODY: u32 = 65_534;

/// A credential that is none, and an address where nothing answers: the agent starts and tries again and again.
const CREDENTIAL: [(&str, &str); 2] =
    [("ANTHROPIC_API_KEY", "sk-made-up-0123456789"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")];

#[tokio::test]
async fn says_that_docker_is_not_running() {
    let delegate = Delegate::new("dead");
    let socket = delegate.root().join("engine.sock");
    // The socket's file stays when its listener goes, as after a crash of the engine.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let complaint = delegate.env("DOCKER_HOST", &format!("unix://{}", socket.display())).complaint().await;
    insta::assert_snapshot!(complaint, @"delegate: no Docker engine answers at unix://ROOT/engine.sock (Connection refused (os error 111)); start Docker or set DOCKER_HOST");
}

#[tokio::test]
async fn says_that_the_image_is_missing() {
    let Some(stage) = Stage::docker().await else { return };
    let delegate = Delegate::in_docker(&stage, "image").args(&["--image", "cage-test-no-such-image:1"]);
    insta::assert_snapshot!(delegate.complaint().await, @"delegate: the image `cage-test-no-such-image:1` does not exist; run `make image`, or name another image");
    assert!(!stage.has(delegate.name()).await);
}

#[tokio::test]
async fn says_that_the_name_is_taken_and_leaves_its_owner_alone() {
    let Some(stage) = Stage::docker().await else { return };
    let delegate = Delegate::in_docker(&stage, "taken");
    let owner = stage.host.create(CageSpec::empty(delegate.name()).image(image())).await.unwrap();
    insta::assert_snapshot!(delegate.complaint().await, @"delegate: a cage named `NAME` exists already; choose another name or destroy that one first");
    assert!(stage.has(delegate.name()).await);
    owner.destroy().await.unwrap();
}

#[tokio::test]
async fn says_that_the_name_of_an_embedded_cage_is_taken() {
    let delegate = Delegate::embedded("taken");
    let host = Host::embedded(&EmbeddedConfig::new(delegate.cages(), programs())).unwrap();
    let owner = host.create(CageSpec::empty(delegate.name())).await.unwrap();
    insta::assert_snapshot!(delegate.complaint().await, @"delegate: a cage named `NAME` exists already; choose another name or destroy that one first");
    assert_eq!(host.list().await.unwrap().len(), 1);
    owner.destroy().await.unwrap();
}

#[tokio::test]
async fn says_that_the_project_is_missing_or_a_file() {
    let missing = Delegate::embedded("project").project_at("nowhere");
    insta::assert_snapshot!(missing.complaint().await, @"delegate: cannot use the project folder `ROOT/nowhere`: No such file or directory (os error 2); name a folder that exists and is readable");
    missing.assert_no_cage();
    let file = Delegate::embedded("project").project_at("file");
    fs::write(file.project(), "x").unwrap();
    insta::assert_snapshot!(file.complaint().await, @"delegate: cannot use the project folder `ROOT/file`: Not a directory (os error 20); name a folder that exists and is readable");
    file.assert_no_cage();
}

#[tokio::test]
async fn says_that_the_project_is_unreadable() {
    let delegate = Delegate::embedded("locked").run_by(NOBODY);
    fs::set_permissions(delegate.project(), fs::Permissions::from_mode(0o0)).unwrap();
    insta::assert_snapshot!(delegate.complaint().await, @"delegate: cannot use the project folder `ROOT/project`: Permission denied (os error 13); name a folder that exists and is readable");
    delegate.assert_no_cage();
}

#[tokio::test]
async fn says_which_file_of_the_project_is_unreadable() {
    let delegate = Delegate::embedded("locked-file").run_by(NOBODY);
    let secret = delegate.project().join("secret");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o0)).unwrap();
    insta::assert_snapshot!(delegate.complaint().await, @"delegate: cannot read `ROOT/project/secret`: Permission denied (os error 13); make it readable, or name it in `.gitignore` to leave it out");
    delegate.assert_no_cage();
}

#[tokio::test]
async fn says_that_there_is_no_credential() {
    let delegate = Delegate::embedded("credential");
    let embedded = delegate.complaint().await;
    insta::assert_snapshot!(embedded, @"delegate: no credential for the agent; set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, or ANTHROPIC_BASE_URL for a gateway that needs none");
    delegate.assert_no_cage();

    let Some(stage) = Stage::docker().await else { return };
    let delegate = Delegate::in_docker(&stage, "credential");
    assert_eq!(delegate.complaint().await, embedded);
    assert!(!stage.has(delegate.name()).await);
}

#[tokio::test]
async fn gives_up_a_creation_on_either_signal_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let delegate = Delegate::embedded("signal");
        slow_project(delegate.project());
        let complaint = delegate.signalled(Phase::Creating, signal).await;
        insta::allow_duplicates! { insta::assert_snapshot!(complaint, @"delegate: interrupted; the cage was removed with everything in it, run this again to start anew"); }
        delegate.assert_no_cage();

        let Some(stage) = Stage::docker().await else { continue };
        let delegate = Delegate::in_docker(&stage, "signal");
        slow_project(delegate.project());
        assert_eq!(delegate.signalled(Phase::Creating, signal).await, complaint);
        assert!(!stage.has(delegate.name()).await);
    }
}

#[tokio::test]
async fn removes_the_cage_when_a_signal_comes_while_the_agent_works() {
    let Some(stage) = Stage::docker().await else { return };
    for signal in [Signal::INT, Signal::TERM] {
        let [key, gateway] = CREDENTIAL;
        let delegate = Delegate::in_docker(&stage, "work").env(key.0, key.1).env(gateway.0, gateway.1);
        let complaint = delegate.signalled(Phase::Working, signal).await;
        insta::allow_duplicates! { insta::assert_snapshot!(complaint, @"delegate: interrupted; the cage was removed with everything in it, run this again to start anew"); }
        assert!(!stage.has(delegate.name()).await);
    }
}

/// The project needs more room than there is, so unpacking fails.
#[tokio::test]
async fn says_that_the_disk_is_full_when_the_project_does_not_fit() {
    if !may_mount() {
        return;
    }
    let delegate = Delegate::embedded("full").on_tmpfs("size=1m");
    write_tree(delegate.project(), &[("large", &"x".repeat(4 << 20))]);
    insta::assert_snapshot!(delegate.complaint().await, @"delegate: the cage's disk is full, cannot copy the project; free space, then try again");
    delegate.assert_no_cage();
}

/// The project fits, what git makes of it does not, or not even the folders do: each step of creating runs into it.
/// Of one such step git tells only that it failed.
#[tokio::test]
async fn leaves_nothing_wherever_the_disk_becomes_full() {
    if !may_mount() {
        return;
    }
    for inodes in (2..60).step_by(3) {
        let delegate = Delegate::embedded("inodes").on_tmpfs(&format!("nr_inodes={inodes}"));
        write_tree(delegate.project(), &[("a", "x"), ("b/c", "y")]);
        let complaint = delegate.complaint().await;
        let full = ["disk is full", "No space left on device", "could not copy the project"];
        // With room for everything the story goes on to its next obstacle.
        let told = full.iter().any(|words| complaint.contains(words)) || complaint.contains("no credential");
        assert!(told, "{inodes} inodes: {complaint}");
        delegate.assert_no_cage();
    }
}

/// Mounting is for root; CI is.
fn may_mount() -> bool {
    rustix::process::geteuid().is_root() || skip::<()>("a small disk can be mounted by root only").is_some()
}
