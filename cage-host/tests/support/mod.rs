//! What the tests of this crate share: a stage per backend, a project, and the rule for tests that need Docker.

#![allow(dead_code, unused_macros, reason = "each test program uses a part of it")]

pub(crate) mod agent;
pub(crate) mod cut;
pub(crate) mod delegate;
pub(crate) mod engine;
pub(crate) mod git;
pub(crate) mod leftovers;
pub(crate) mod numbers;
pub(crate) mod podman;
pub(crate) mod repository;
pub(crate) mod silence;
pub(crate) mod sshd;
pub(crate) mod story;
pub(crate) mod talk;
pub(crate) mod tls;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use cage_host::{Cage, CageSpec, EmbeddedConfig, Host};

/// Where a story is played: a host, and the means to act inside its cages as an agent would.
pub(crate) struct Stage {
    pub(crate) host: Host,
    /// The folder of the cages; nothing on Docker.
    root: Option<tempfile::TempDir>,
    /// Names given out here, so that a test that fails leaves nothing in Docker.
    names: Mutex<Vec<String>>,
}

/// Runs each story on the embedded backend and, where there is one, on Docker.
macro_rules! on_both_backends {
    ($($name:ident => $story:ident;)*) => {
        mod in_docker {
            $(#[tokio::test] async fn $name() {
                if let Some(stage) = $crate::support::Stage::docker().await { super::$story(stage).await; }
            })*
        }
        mod embedded_backend {
            $(#[tokio::test] async fn $name() { super::$story($crate::support::Stage::embedded()).await; })*
        }
    };
}

impl Stage {
    /// Connects to Docker, or says loudly that the test is skipped.
    pub(crate) async fn docker() -> Option<Self> {
        match Host::connect().await {
            Ok(host) => Some(Self { host, root: None, names: Mutex::default() }),
            Err(error) => skip(&format!("no Docker: {error}")),
        }
    }

    /// Makes a folder for embedded cages.
    pub(crate) fn embedded() -> Self {
        let root = tempfile::tempdir().unwrap();
        // Stories that run no program of ours are told without them.
        let programs = if programs().is_dir() { programs() } else { root.path().to_owned() };
        let host = Host::embedded(&EmbeddedConfig::new(root.path(), programs)).unwrap();
        Self { host, root: Some(root), names: Mutex::default() }
    }

    /// Says whether the two programs are there; loudly, if not.
    pub(crate) fn has_programs(&self) -> bool {
        let there = self.root.is_none() || programs().join("cage-poll").is_file();
        there || skip::<()>("no `cage-poll`: run `make binaries` or set CAGE_BIN_DIR").is_some()
    }

    /// Returns a name that no other test and no earlier run has.
    pub(crate) fn name(&self, story: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}-{story}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.names.lock().unwrap().push(name.clone());
        name
    }

    /// Creates a cage with an empty project.
    pub(crate) async fn empty_cage(&self, story: &str) -> Cage {
        self.host.create(CageSpec::empty(self.name(story)).image(image())).await.unwrap()
    }

    /// Says whether a cage is listed.
    pub(crate) async fn has(&self, name: &str) -> bool {
        self.host.list().await.unwrap().iter().any(|cage| cage.name.as_str() == name)
    }

    /// Says whether cages are plain folders here.
    pub(crate) fn is_embedded(&self) -> bool {
        self.root.is_some()
    }

    /// The folder of embedded cages.
    pub(crate) fn root(&self) -> &Path {
        self.root.as_ref().expect("only embedded cages have a folder").path()
    }

    /// The home of an embedded cage.
    pub(crate) fn home(&self, cage: &Cage) -> PathBuf {
        let root = self.root.as_ref().expect("only an embedded cage has a folder");
        root.path().join(format!("isolated-dev-{}/home", cage.name()))
    }

    /// Runs a program in a cage without the library, as its agent would.
    pub(crate) fn run(&self, cage: &Cage, argv: &[&str]) -> Output {
        let mut command = if self.root.is_some() {
            let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap());
            let mut command = Command::new("env");
            command
                .arg(format!("PATH={path}"))
                .arg(format!("CAGE_DIR={}", self.home(cage).join(".cage").display()));
            command
        } else {
            let mut command = Command::new("docker");
            command.args(["exec", &format!("isolated-dev-{}", cage.name())]);
            command
        };
        command.args(argv).output().unwrap()
    }

    /// Copies a file into the home of a cage, whose programs may read it.
    pub(crate) fn put(&self, cage: &Cage, file: &Path, name: &str) {
        if self.root.is_some() {
            std::fs::copy(file, self.home(cage).join(name)).unwrap();
        } else {
            let content = std::fs::read_to_string(file).unwrap();
            let container = format!("isolated-dev-{}", cage.name());
            let write = "cat > ~/\"$1\"";
            feed("docker", &["exec", "--interactive", &container, "sh", "-c", write, "sh", name], &content);
        }
    }

    /// Runs a program like [`Stage::run`], expects success and returns what it printed.
    pub(crate) fn agent(&self, cage: &Cage, argv: &[&str]) -> String {
        let output = self.run(cage, argv);
        assert!(output.status.success(), "{argv:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.root.is_none() && std::thread::panicking() {
            let names = self.names.get_mut().unwrap_or_else(PoisonError::into_inner);
            leftovers::remove_all(names.iter().map(String::as_str));
        }
    }
}

/// Runs a program of the host with this on its standard input, expects success and returns what it printed.
pub(crate) fn feed(program: &str, arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let (stdin, stdout) = (std::process::Stdio::piped(), std::process::Stdio::piped());
    let mut child = Command::new(program).args(arguments).stdin(stdin).stdout(stdout).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Says loudly that a test is skipped, and fails where it must not be.
pub(crate) fn skip<T>(why: &str) -> Option<T> {
    assert!(
        std::env::var("CAGE_REQUIRE_DOCKER").as_deref() != Ok("1"),
        "this test cannot be skipped here: {why}"
    );
    eprintln!("SKIPPED: {why}");
    None
}

/// The image that tests create cages from.
pub(crate) fn image() -> String {
    std::env::var("CAGE_IMAGE").unwrap_or_else(|_| "cage:latest".to_owned())
}

/// The folder of the two programs.
pub(crate) fn programs() -> PathBuf {
    let folder = std::env::var_os("CAGE_BIN_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist"), PathBuf::from);
    folder.canonicalize().unwrap_or(folder)
}

/// The socket of the engine that these tests use: it can only be stood in front of if it is on this machine.
pub(crate) fn docker_socket() -> PathBuf {
    let address = cage_host::Endpoint::from_env().unwrap().to_string();
    PathBuf::from(address.strip_prefix("unix://").expect("these tests need an engine with a socket file"))
}

/// Writes files, making folders as needed.
pub(crate) fn write_tree(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// Large enough that a signal reaches a program while it copies it; it takes no room on the disk that it lies on.
const SLOW_PROJECT_BYTES: u64 = 1 << 30;

/// Puts something into a project that takes a while to copy.
pub(crate) fn slow_project(project: &Path) {
    std::fs::File::create(project.join("large")).unwrap().set_len(SLOW_PROJECT_BYTES).unwrap();
}

/// An example, built beside this test.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().with_file_name("examples").join(name);
    assert!(program.is_file(), "{} is missing: build the examples", program.display());
    program
}
