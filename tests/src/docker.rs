//! Docker as a test sees it: through its own command, so that the library under test does not vouch for itself.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::process::{self, Command, Stdio};

use crate::places;
use crate::run::{Finished, Run};
use crate::skip::skip;

/// The label by which everything of one cage is found in Docker.
const NAME_LABEL: &str = "dev.cage.name";

/// Options of `docker run` for a container in which no name server answers, and says so at once. With one that is
/// silent the CLI's connections wait now and then behind a look-up of something else, for ten seconds and more.
pub const NO_NAMES: [&str; 2] = ["--dns", "127.0.0.1"];

/// What a cage could leave behind: the kinds that Docker lists by label.
const KINDS: [&[&str]; 4] =
    [&["container", "ls", "--all"], &["volume", "ls"], &["network", "ls"], &["image", "ls"]];

/// Runs a Docker command to its end.
pub async fn docker(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
    Run::new("docker").args(arguments).finish().await
}

/// Runs a test that makes one cage in Docker, and afterwards asserts that nothing of the cage is left there.
///
/// `test` gets a cage name of its own. When it panics, what it left is removed. Where no engine answers the test is
/// skipped, loudly.
///
/// # Panics
/// When something is left, or when no engine answers and `CAGE_REQUIRE_DOCKER=1` demands one.
pub async fn in_docker(story: &str, test: impl AsyncFnOnce(&str)) {
    if !engine_answers(story).await {
        return;
    }
    let footprint = Footprint { name: format!("{story}-{}", process::id()) };
    test(&footprint.name).await;
    let left = footprint.leftovers().await;
    assert!(left.is_empty(), "left in Docker after {story}:\n{}", left.join("\n"));
}

/// Returns the address of this machine by which containers on Docker's default network reach it.
///
/// # Panics
/// When Docker gives none.
pub async fn gateway() -> IpAddr {
    let image = places::image();
    let run = ["run", "--rm", "--add-host", "gateway:host-gateway", &image, "getent", "ahostsv4", "gateway"];
    let hosts = docker(run).await.exits_with(0);
    let address = hosts.stdout().split_whitespace().next();
    address.and_then(|address| address.parse().ok()).expect("getent prints an address")
}

async fn engine_answers(story: &str) -> bool {
    // Through a shell, since the command itself may be missing.
    let answers = Run::new("sh").args(["-c", "docker version"]).finish().await.succeeded();
    if !answers {
        skip(story, "no Docker engine answers");
    }
    answers
}

/// Everything in Docker that carries a cage's name.
#[derive(Debug)]
struct Footprint {
    name: String,
}

impl Footprint {
    async fn leftovers(&self) -> Vec<String> {
        let filter = format!("label={NAME_LABEL}={}", self.name);
        let mut left = Vec::new();
        for kind in KINDS {
            let listed = docker(kind.iter().copied().chain(["--quiet", "--filter", &filter])).await;
            left.extend(listed.exits_with(0).stdout().lines().map(|id| format!("{} {id}", kind[0])));
        }
        left
    }
}

impl Drop for Footprint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Only a container can be there in the middle of a test; the rest is part of it.
            let container = format!("isolated-dev-{}", self.name);
            let remove = ["rm", "--force", "--volumes", &container];
            let _ = Command::new("docker").args(remove).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}
