//! A desk with a project, a name for a cage and the program; what a test leaves is removed with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::schema;
use crate::support::{image, leftovers, skip, write_tree};

/// Variables of this process that would change what the program does.
const HIDDEN: [&str; 7] = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLICOLOR_FORCE",
    "NO_COLOR",
    "TRUSTY_CAGE",
];

/// A desk of one test.
pub(crate) struct Desk {
    root: TempDir,
    name: String,
}

/// A run of the program that has ended.
pub(crate) struct Ran {
    command: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// The same in every run.
    pub(crate) stderr: String,
}

impl Desk {
    /// Sets up a desk for stories without an engine.
    pub(crate) fn bare(story: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("c{}-{}-{story}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let root = tempfile::tempdir().unwrap();
        write_tree(
            &root.path().join("project"),
            &[("greet", "#!/bin/sh\necho hello\n"), ("README.md", "greet\n")],
        );
        Self { root, name }
    }

    /// Sets up a desk, or says loudly that there is no engine.
    pub(crate) fn with_engine(story: &str) -> Option<Self> {
        let answers = Command::new("docker").arg("version").output().is_ok_and(|done| done.status.success());
        if answers { Some(Self::bare(story)) } else { skip("no Docker engine answers") }
    }

    /// Sets up a desk with a cage.
    pub(crate) fn with_cage(story: &str) -> Option<Self> {
        let desk = Self::with_engine(story)?;
        desk.create();
        Some(desk)
    }

    /// Creates the cage of this desk.
    pub(crate) fn create(&self) {
        self.run(&["create", "--dir", ".", "--name", &self.name, "--image", &image(), "--no-attach"])
            .succeeds();
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs git in the project's folder and returns what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(arguments)
            .current_dir(self.path("project"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// The program with these arguments, in the project's folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        for variable in HIDDEN {
            command.env_remove(variable);
        }
        command
            .args(arguments)
            .env("XDG_STATE_HOME", self.path("state"))
            .current_dir(self.path("project"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// A line of shell like [`Desk::command`].
    pub(crate) fn shell(&self, line: &str) -> Command {
        let own = self.command(&[]);
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", line]).current_dir(self.path("project"));
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.finish(&mut self.command(arguments))
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs a prepared command to its end.
    pub(crate) fn finish(&self, command: &mut Command) -> Ran {
        let output = command.output().unwrap();
        self.ran(format!("{command:?}"), output)
    }

    /// Runs the program with `--json`, expects success and an answer that keeps its schema, and returns it.
    pub(crate) fn json(&self, schema: &str, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat()).succeeds();
        let answer = serde_json::from_str(&ran.stdout).unwrap();
        schema::check(schema, &answer);
        answer
    }

    /// Runs a program in the cage, as its agent would, and returns what it printed.
    pub(crate) fn agent(&self, argv: &[&str]) -> String {
        let output = Command::new("docker").args(["exec", &self.container()]).args(argv).output().unwrap();
        assert!(output.status.success(), "{argv:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn container(&self) -> String {
        format!("isolated-dev-{}", self.name)
    }

    /// Everything of this desk that the engine knows, finished or not.
    pub(crate) fn containers(&self) -> String {
        containers_of(&self.name)
    }

    pub(crate) fn ran(&self, command: String, output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let stderr = self.generalized(&text(output.stderr));
        Ran { command, status: output.status, stdout: text(output.stdout), stderr }
    }

    /// The text with what differs from run to run replaced.
    pub(crate) fn generalized(&self, text: &str) -> String {
        text.replace(self.root.path().to_str().unwrap(), "ROOT").replace(&self.name, "NAME")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Its copies bear its name and more.
        leftovers::remove_all([format!("{}*", self.name).as_str()]);
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.ends_with(0)
    }

    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        let Self { command, status, stdout, stderr } = &self;
        assert_eq!(
            status.code(),
            Some(code),
            "{command}\n--- {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        self
    }

    /// What it complained of, after the lines about its progress.
    #[track_caller]
    pub(crate) fn complaint(self) -> String {
        let at = self.stderr.find("cage: ").unwrap_or_default();
        self.ends_with(1).stderr[at..].trim_end().to_owned()
    }
}

/// Talks to the engine without the program.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The containers of a cage, finished or not.
pub(crate) fn containers_of(name: &str) -> String {
    docker(&["ps", "--all", "--quiet", "--filter", &format!("label=dev.cage.name={name}")])
}

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cage"))
}
