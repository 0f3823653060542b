//! The two programs work in any image: they ask for a kernel, and for nothing else.
//!
//! Each image here is made with the two lines that the README shows, on a root that has no C library, and in one case
//! nothing at all. The containers have no network and cannot write but to the message folder.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails here fails its test, with a line number"
)]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};

/// What the README tells people to add to their Dockerfile.
const SNIPPET: &str = "COPY dist/cage-send dist/cage-poll /usr/local/bin/\nENV CAGE_DIR=/cage\n";

/// Prints BusyBox, one static program that is the shell and every command.
///
/// Run inside a container, so that nothing is installed on the machine.
const PRINT_BUSYBOX: &str =
    "exec 3>&1 >&2 && apt-get update -q && apt-get install -q -y busybox-static && cat /bin/busybox >&3";

/// Makes that one program every command of a root.
const INSTALL_BUSYBOX: &str = "\
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
";

/// How each image is built: from what the build's folder holds, and with no container left when that fails.
const BUILD: &str = "build --quiet --force-rm --network none --label dev.cage.test --tag";

/// How each container runs: nothing but the message folder can be written, by a user that the image does not know.
const CONFINEMENT: &str = "--init --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
    --user 1000:1000 --tmpfs /cage:uid=1000,mode=0700";

/// Longer than any Docker call here takes, in seconds. Fetching BusyBox begins with Debian's package lists.
const DOCKER_SECONDS_MAX: &str = "300";

#[test]
fn sends_and_reads_in_an_empty_image() {
    let Some(container) = start("scratch", Root::Empty) else { return };
    let sent = container.exec(&["cage-send", "progress_update", "--status", "hi"]);
    assert!(sent.starts_with("Sent progress_update -> /cage/outbox/"), "{sent}");
    assert_says_once(&container.exec(&["cage-poll", "--mailbox", "outbox", "--all"]), "hi");
    assert_eq!(container.exec(&["cage-poll", "--mailbox", "outbox", "--all"]), "", "the cursor has moved");
}

#[test]
fn sends_and_reads_through_a_busybox_shell() {
    let Some(container) = start("busybox", Root::BusyBox) else { return };
    container.exec(&["sh", "-c", r#"cage-send progress_update --status "it's 2 of 5""#]);
    assert_says_once(&container.exec(&["sh", "-c", "cage-poll --mailbox outbox --all | cat"]), "it's 2 of 5");
}

#[test]
fn follows_in_an_empty_image() {
    let Some(container) = start("follow", Root::Empty) else { return };
    container.exec(&["cage-send", "progress_update", "--status", "pushed"]);
    let line = container.first_log_line_with("\"message\"");
    assert!(line.contains(r#""status":"pushed""#), "{line}");
}

#[test]
fn the_readme_shows_the_lines_proven_here() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(SNIPPET), "README.md does not hold these lines:\n{SNIPPET}");
}

fn assert_says_once(polled: &str, status: &str) {
    let messages: Vec<serde_json::Value> =
        polled.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<_> = messages.iter().map(|message| &message["payload"]["status"]).collect();
    assert_eq!(said, [status]);
}

/// Builds an image from a root and the README's lines, and starts a container that follows its own outbox.
///
/// Returns nothing where there is no Docker and none is required.
fn start(name: &str, root: Root) -> Option<Container> {
    if !docker_answers() {
        assert!(
            env::var_os("CAGE_REQUIRE_DOCKER").is_none(),
            "a Docker engine is required, and none answers"
        );
        eprintln!("SKIPPED {name}: no Docker engine answers");
        return None;
    }
    let image = Image::build(&format!("cage-test-any-image-{name}-{}", process::id()), root);
    Some(Container::start(image))
}

/// What the programs are put into.
#[derive(Clone, Copy)]
enum Root {
    /// Nothing at all, not even a shell.
    Empty,
    /// What small images have.
    BusyBox,
}

impl Root {
    /// Puts what the root needs into the build's folder, and returns the lines of the Dockerfile that make it.
    fn prepare(self, context: &Path) -> &'static str {
        match self {
            Self::Empty => "",
            Self::BusyBox => {
                fetch_busybox(&context.join("busybox"));
                INSTALL_BUSYBOX
            }
        }
    }
}

struct Image {
    tag: String,
}

impl Image {
    fn build(tag: &str, root: Root) -> Self {
        let context = tempfile::tempdir().unwrap();
        for program in ["cage-send", "cage-poll"] {
            copy_program(program, &context.path().join("dist"));
        }
        let dockerfile = format!("FROM scratch\n{}{SNIPPET}", root.prepare(context.path()));
        fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
        // Made first, so that a failing build leaves nothing either.
        let image = Self { tag: tag.to_owned() };
        let folder = context.path().to_str().unwrap();
        docker(&BUILD.split_whitespace().chain([tag, folder]).collect::<Vec<_>>());
        image
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        run_docker(&["image", "rm", "--force", &self.tag]);
    }
}

/// A running container, which goes before its image does.
struct Container {
    image: Image,
}

impl Container {
    fn start(image: Image) -> Self {
        let container = Self { image };
        let name = container.name();
        let run = format!("run --detach --name {name} --label dev.cage.test {CONFINEMENT} {name}");
        let follow = "cage-poll --follow --mailbox outbox --consumer watcher";
        docker(&run.split_whitespace().chain(follow.split_whitespace()).collect::<Vec<_>>());
        container
    }

    /// The container is called as its image is.
    fn name(&self) -> &str {
        &self.image.tag
    }

    fn exec(&self, command: &[&str]) -> String {
        docker(&[&["exec", self.name()], command].concat())
    }

    /// Reads what the container's own program prints until a line holds `wanted`.
    fn first_log_line_with(&self, wanted: &str) -> String {
        let mut logs =
            docker_command(&["logs", "--follow", self.name()]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(logs.stdout.take().unwrap()).lines();
        let found = lines.map_while(Result::ok).find(|line| line.contains(wanted));
        // This ends the deadline's program; `docker logs` ends with the container.
        logs.kill().unwrap();
        logs.wait().unwrap();
        found.unwrap_or_else(|| panic!("the log ended without a line that holds {wanted}"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        run_docker(&["rm", "--force", "--volumes", self.name()]);
    }
}

fn copy_program(program: &str, folder: &Path) {
    let built = env::var_os("CAGE_BIN_DIR").map_or_else(|| root().join("dist"), PathBuf::from).join(program);
    fs::create_dir_all(folder).unwrap();
    fs::copy(&built, folder.join(program))
        .unwrap_or_else(|error| panic!("{}: {error}; `make binaries` builds it", built.display()));
}

fn fetch_busybox(file: &Path) {
    let run = ["run", "--rm", "--network", "host", "debian:bookworm-slim", "sh", "-c", PRINT_BUSYBOX];
    let output = run_docker(&run);
    assert!(output.status.success(), "no BusyBox: {}", String::from_utf8_lossy(&output.stderr));
    fs::write(file, output.stdout).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn docker_answers() -> bool {
    Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success())
}

/// Runs a Docker command that has to succeed, and returns what it printed.
fn docker(arguments: &[&str]) -> String {
    let output = run_docker(arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {}\n{printed}\n{errors}", output.status);
    printed
}

fn run_docker(arguments: &[&str]) -> Output {
    docker_command(arguments).output().unwrap()
}

/// A Docker command with a deadline: a stuck engine never answers.
fn docker_command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new("timeout");
    command.arg(DOCKER_SECONDS_MAX).arg("docker").args(arguments).stdin(Stdio::null());
    command
}
