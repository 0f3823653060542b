//! The example `delegate` as a program of its own, on a desk with everything that it asks for.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use cage_host::Host;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Stage, example, image, programs};

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Mounts a small disk `$2` with the options `$1`, runs the rest and lists in `$3` what it left there.
const ON_TMPFS: &str = r#"mount -t tmpfs -o "$1" cage-test "$2" || exit 99
disk=$2 left=$3; shift 3
"$@"; code=$?
find "$disk" -mindepth 1 > "$left"
exit $code"#;

/// What the program is doing when something happens to it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    /// The cage can be seen and is not finished.
    Creating,
    /// The agent has been launched.
    Working,
}

/// One run of the program and the folders around it.
pub(crate) struct Delegate {
    root: TempDir,
    /// The folder of embedded cages.
    cages: PathBuf,
    name: String,
    /// Where its cages are seen from outside; `None` for plain folders.
    docker: Option<Host>,
    project: PathBuf,
    arguments: Vec<String>,
    env: Vec<(String, String)>,
    user: Option<u32>,
    tmpfs: Option<String>,
}

impl Delegate {
    /// Prepares a run that uses Docker, if it finds one.
    pub(crate) fn new(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let project = root.path().join("project");
        for folder in [&project, &root.path().join("answers"), &root.path().join("cages")] {
            fs::create_dir(folder).unwrap();
        }
        let (arguments, env) = (vec!["--image".to_owned(), image()], Vec::new());
        let name = name.to_owned();
        let cages = root.path().join("cages");
        Self { root, cages, name, docker: None, project, arguments, env, user: None, tmpfs: None }
    }

    /// Prepares a run in a container, whose name is told to the stage.
    pub(crate) fn in_docker(stage: &Stage, story: &str) -> Self {
        Self { docker: Some(stage.host.clone()), ..Self::new(&stage.name(story)) }
    }

    /// Prepares a run in a plain folder.
    pub(crate) fn embedded(name: &str) -> Self {
        let delegate = Self::new(&format!("demo-{name}"));
        let bin = delegate.root().join("bin");
        // Without the programs most stories here are told as well: they end before one is needed.
        if programs().is_dir() {
            std::os::unix::fs::symlink(programs(), &bin).unwrap();
        } else {
            fs::create_dir(&bin).unwrap();
        }
        let cages = delegate.cages();
        delegate.args(&["--embedded", cages.to_str().unwrap(), "--programs", bin.to_str().unwrap()])
    }

    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        if arguments[0] == "--image" {
            self.arguments.drain(..2);
        }
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Names another project, relative to the root.
    pub(crate) fn project_at(mut self, project: &str) -> Self {
        self.project = self.root().join(project);
        self
    }

    /// Runs it as another user, to whom everything on the desk is given; without programs, which may lie where that
    /// user cannot look.
    pub(crate) fn run_by(mut self, uid: u32) -> Self {
        fs::remove_file(self.root().join("bin")).ok();
        fs::create_dir_all(self.root().join("bin")).unwrap();
        fs::copy(example("delegate"), self.root().join("delegate")).unwrap();
        for path in ["", "project", "answers", "cages", "bin", "delegate"] {
            chown(self.root().join(path), Some(uid), Some(uid)).unwrap();
        }
        self.user = Some(uid);
        self
    }

    /// Puts the cages on a disk of their own with these options of `mount`.
    pub(crate) fn on_tmpfs(mut self, options: &str) -> Self {
        self.tmpfs = Some(options.to_owned());
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    /// The folder of embedded cages.
    pub(crate) fn cages(&self) -> PathBuf {
        self.cages.clone()
    }

    /// Runs it to its end, expects that it fails and leaves no output, and returns what it said.
    pub(crate) async fn complaint(&self) -> String {
        let child = self.spawn();
        self.end_of(child).await
    }

    /// Sends it a signal in a phase, expects that it fails and leaves no output, and returns what it said.
    pub(crate) async fn signalled(&self, phase: Phase, signal: Signal) -> String {
        let mut child = self.spawn();
        self.reach(phase, &mut child).await;
        kill(&child, signal);
        self.end_of(child).await
    }

    /// Starts it and ends it in a phase in a way that it cannot notice.
    pub(crate) async fn killed(&self, phase: Phase) {
        let mut child = self.spawn();
        self.reach(phase, &mut child).await;
        kill(&child, Signal::KILL);
        let status = child.wait().await.unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status:?}");
    }

    /// Starts it and waits for a phase.
    pub(crate) async fn started(&self, phase: Phase) -> Child {
        let mut child = self.spawn();
        self.reach(phase, &mut child).await;
        child
    }

    /// Ends a program that [`Delegate::started`] returned, as Ctrl-C does.
    pub(crate) async fn end(&self, child: Child) {
        kill(&child, Signal::INT);
        self.end_of(child).await;
    }

    /// Puts embedded cages where another run has them.
    pub(crate) fn cages_of(mut self, other: &Self) -> Self {
        self.cages = other.cages();
        self.arguments[3] = self.cages.to_str().unwrap().into();
        self
    }

    /// Checks that no embedded cage is left, nor a part of one.
    pub(crate) fn assert_no_cage(&self) {
        let list =
            |folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        assert_eq!(list(self.cages()), Vec::<PathBuf>::new());
        if self.tmpfs.is_some() {
            assert_eq!(fs::read_to_string(self.root().join("left")).unwrap(), "");
        }
    }

    fn spawn(&self) -> Child {
        let mut command = self.command();
        for (option, folder) in [("--answers", "answers"), ("--output", "output")] {
            command.arg(option).arg(self.root().join(folder));
        }
        command
            .args(["--name", &self.name, "--task", "make it better", "--revision", "and shorter"])
            .arg("--project")
            .arg(&self.project)
            .args(&self.arguments)
            .env_remove("ANTHROPIC_API_KEY")
            .env_remove("CLAUDE_CODE_OAUTH_TOKEN")
            .env_remove("ANTHROPIC_BASE_URL")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().unwrap()
    }

    fn command(&self) -> Command {
        if let Some(uid) = self.user {
            let mut command = Command::new(self.root().join("delegate"));
            command.uid(uid).gid(uid);
            return command;
        }
        let Some(options) = &self.tmpfs else { return Command::new(example("delegate")) };
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ON_TMPFS, "sh", options]);
        command.arg(self.cages()).arg(self.root().join("left")).arg(example("delegate"));
        command
    }

    async fn reach(&self, phase: Phase, child: &mut Child) {
        let reached = async {
            match phase {
                Phase::Creating => self.until_visible().await,
                Phase::Working => read_until(child, "launched").await,
            }
        };
        timeout(PATIENCE, reached).await.expect("the program does not get that far");
    }

    async fn until_visible(&self) {
        let id = self.cages().join(format!("isolated-dev-{}/id", self.name));
        loop {
            let seen = match &self.docker {
                Some(host) => host.list().await.unwrap().iter().any(|cage| cage.name.as_str() == self.name),
                None => id.exists(),
            };
            if seen {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn end_of(&self, child: Child) -> String {
        let output = timeout(PATIENCE, child.wait_with_output()).await.expect("no end in time").unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!self.root().join("output").exists(), "an output folder was made: {output:?}");
        self.error_text(&output)
    }

    /// What was printed on the error output, the same in every run.
    fn error_text(&self, output: &Output) -> String {
        let text = String::from_utf8(output.stderr.clone()).unwrap();
        text.trim_end().replace(self.root().to_str().unwrap(), "ROOT").replace(&self.name, "NAME")
    }
}

fn kill(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

async fn read_until(child: &mut Child, word: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("its output ended").contains(word) {}
}
