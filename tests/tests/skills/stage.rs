//! Where a skill's commands run: a project, a home of its own, the built `cage` first on the path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cage_tests::docker::gateway;
use cage_tests::places::root;
use cage_tests::run::{Finished, Run};
use cage_tests::scripted_api::{Script, ScriptedApi};
use cage_tests::skip::skip;
use tempfile::TempDir;

/// The name that the pages give a cage.
pub(crate) const NAME_IN_PAGES: &str = "demo";

/// Variables of this process that would change what a command does.
const HIDDEN: [&str; 5] =
    ["TRUSTY_CAGE", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CONFIG_DIR", "NO_COLOR"];

/// Longer than any command here takes; the longest waits for a whole task.
const DEADLINE: Duration = Duration::from_secs(150);

/// A project beside a folder of answers, and the script that the agent in the cage plays.
pub(crate) struct Stage {
    root: TempDir,
    name: String,
    pub(crate) api: ScriptedApi,
}

impl Stage {
    /// Sets up the stage of a test whose cage bears this name.
    pub(crate) async fn new(name: &str, script: Script) -> Self {
        let root_folder = tempfile::tempdir().unwrap();
        copy(&root().join("examples/sample-project"), &root_folder.path().join("project"));
        copy(&root().join("examples/answers"), &root_folder.path().join("answers"));
        let api = ScriptedApi::start(gateway().await, script).await.unwrap();
        Self { root: root_folder, name: name.to_owned(), api }
    }

    /// Runs a block of commands as it stands in its page, but for the name of the cage.
    pub(crate) async fn run(&self, commands: &str) -> Finished {
        let run = self.inside(Run::new("env")).args(["sh", "-ec", &self.named(commands)]);
        run.env("PATH", path_with(&programs_of_this_build())).finish().await
    }

    /// Lets `env` run something in the project, with a home of its own and what the agent signs in with.
    pub(crate) fn inside(&self, env: Run) -> Run {
        env.args(HIDDEN.iter().flat_map(|name| ["-u", name]))
            .env("HOME", self.root.path())
            .env("XDG_STATE_HOME", self.root.path().join("state"))
            .env("ANTHROPIC_BASE_URL", self.api.base_url())
            .env("ANTHROPIC_API_KEY", "made-up")
            .folder(self.root.path().join("project"))
            .deadline(DEADLINE)
    }

    /// The commands with the name of this test's cage.
    pub(crate) fn named(&self, commands: &str) -> String {
        commands.replace(NAME_IN_PAGES, &self.name)
    }

    /// A place beside the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A file of the project on this machine.
    pub(crate) fn file(&self, path: &str) -> String {
        fs::read_to_string(self.path("project").join(path)).unwrap()
    }

    /// The container of the cage.
    pub(crate) fn container(&self) -> String {
        format!("isolated-dev-{}", self.name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The cages of a page with two of them; the test's own name is looked after by the harness.
            for ending in ["-1", "-2"] {
                let container = self.container() + ending;
                let _ = Command::new("docker").args(["rm", "--force", "--volumes", &container]).output();
            }
        }
    }
}

/// Copies the files of a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Says whether `cage` was built with these tests, and loudly if it was not.
pub(crate) fn has_command(test: &str) -> bool {
    let built = programs_of_this_build().join("cage").is_file();
    if !built {
        skip(test, "the feature `cli` is not built");
    }
    built
}

/// Where cargo puts the programs that it builds together with this test.
pub(crate) fn programs_of_this_build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

/// The search path with a folder in front.
pub(crate) fn path_with(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

/// Runs a short command in a cage, or on its container, without the program under test.
pub(crate) fn docker(arguments: &[&str]) {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}
