//! The programs for the other architecture, run by an emulator of its processor on this machine's kernel.
//!
//! What they do is the same code; what can differ is the linking, the system calls, and how the emulator passes them
//! on.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cage_proto::mailbox::Mailbox;
use cage_tests::cage_dir::{TestDir, printed};
use cage_tests::docker::{docker, in_docker};
use cage_tests::places::{programs, root};
use cage_tests::run::Run;

/// Bytes of one program, as on the other architecture.
const PROGRAM_BYTES_MAX: u64 = 1_600_000;

/// Where ELF says for which machine a file is, and the number of this one.
const ELF_MACHINE: usize = 18;
const AARCH64: u8 = 183;

fn program(name: &str) -> PathBuf {
    let program = programs().join("arm64").join(name);
    assert!(program.is_file(), "{} is missing; `make binaries-arm64` builds it", program.display());
    program
}

fn emulated(cage: &TestDir, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("qemu-aarch64");
    command.arg(program(name)).args(cage.arguments(arguments)).stdin(Stdio::null());
    command
}

fn run(cage: &TestDir, name: &str, arguments: &[&str]) -> Output {
    let output = emulated(cage, name, arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// Reads for which machine a program is.
fn machine(program: &Path) -> u8 {
    let mut head = [0; ELF_MACHINE + 1];
    fs::File::open(program).unwrap().read_exact(&mut head).unwrap();
    head[ELF_MACHINE]
}

#[test]
fn each_program_is_for_that_machine_and_small() {
    for name in ["cage-send", "cage-poll"] {
        assert_eq!(machine(&program(name)), AARCH64, "{name}");
        let bytes = fs::metadata(program(name)).unwrap().len();
        assert!(bytes <= PROGRAM_BYTES_MAX, "{name} has {bytes} bytes");
    }
}

#[test]
fn sends_and_reads_in_turn_with_the_native_programs() {
    let cage = TestDir::new();
    run(&cage, "cage-send", &["progress_update", "--status", "emulated"]);
    assert!(cage.send("native").status.success());
    run(&cage, "cage-send", &["progress_update", "--status", "emulated again"]);
    assert_eq!(cage.statuses(), ["emulated", "native", "emulated again"]);
    assert_eq!(cage.leftovers(), Vec::<String>::new());
    let next = run(&cage, "cage-poll", &["--mailbox", "outbox", "--timeout", "0"]);
    assert_eq!(printed(&next), ["emulated"]);
    assert_eq!(printed(&cage.run("cage-poll", &["--mailbox", "outbox", "--timeout", "0"])), ["native"]);
    let rest = run(&cage, "cage-poll", &["--mailbox", "outbox", "--all"]);
    assert_eq!(printed(&rest), ["emulated again"]);
}

#[test]
fn follows_by_events_and_not_by_its_schedule() {
    let cage = TestDir::new();
    fs::create_dir_all(cage.folder(Mailbox::Outbox)).unwrap();
    // The schedule looks again after ten minutes, so whatever comes before comes by an event.
    let follow = ["--follow", "--mailbox", "outbox", "--heartbeat", "1", "--schedule", "600:7200"];
    let mut follower = emulated(&cage, "cage-poll", &follow).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    // It is listening once it says that it is alive.
    while !next()["heartbeat"].is_string() {}
    for status in ["one", "two", "three"] {
        assert!(cage.send(status).status.success());
    }
    let (mut seen, mut quiet_beats) = (Vec::new(), 0);
    // What is lost never comes, but the beats of the follower do.
    while seen.len() < 3 && quiet_beats < 10 {
        let line = next();
        quiet_beats = if line["heartbeat"].is_string() { quiet_beats + 1 } else { 0 };
        seen.extend(line["message"]["payload"]["status"].as_str().map(str::to_owned));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert_eq!(seen, ["one", "two", "three"]);
}

#[tokio::test]
async fn the_dockerfile_takes_the_programs_of_the_architecture_that_is_built_for() {
    // The older builder names none, and gets those of the machine.
    let own = std::env::consts::ARCH == "aarch64";
    for (architecture, is_aarch64) in [("", own), ("arm64", true)] {
        in_docker("architecture", async |name| {
            let context = context_of_the_copies();
            let (tag, argument) = (format!("cage-test-{name}"), format!("TARGETARCH={architecture}"));
            let folder = context.path().to_str().unwrap();
            let build = ["build", "--quiet", "--force-rm", "--tag", &tag, "--build-arg", &argument, folder];
            let _ = docker(build).await.exits_with(0);
            // Taken out by the emulator's host: an image from nothing has no command of its own.
            let take = format!(
                "id=$(docker create {tag} none) && docker cp $id:/usr/local/bin/cage-poll . ; docker rm $id"
            );
            let _ = Run::new("sh").args(["-ec", &take]).folder(context.path()).finish().await.exits_with(0);
            let _ = docker(["image", "rm", &tag]).await.exits_with(0);
            assert_eq!(machine(&context.path().join("cage-poll")) == AARCH64, is_aarch64, "{argument}");
        })
        .await;
    }
}

/// A folder in which the lines of the Dockerfile that copy from `dist` make an image from nothing.
fn context_of_the_copies() -> tempfile::TempDir {
    let context = tempfile::tempdir().unwrap();
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let lines = dockerfile.lines().filter(|line| *line == "ARG TARGETARCH" || line.starts_with("COPY dist/"));
    let lines: Vec<_> = lines.collect();
    fs::write(context.path().join("Dockerfile"), format!("FROM scratch\n{}\n", lines.join("\n"))).unwrap();
    let copy =
        Command::new("cp").arg("-r").arg(programs()).arg(context.path().join("dist")).status().unwrap();
    assert!(copy.success());
    context
}
