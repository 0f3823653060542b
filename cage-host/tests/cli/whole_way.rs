//! The whole way, with the real Claude Code against a scripted Messages API: once as a person's one command, once as
//! the commands that an orchestrating agent types.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, docker, program};
use crate::schema;
use crate::support::image;

/// A scripted API as a program of its own, for the story of `make demo`.
pub(crate) struct Api {
    child: Child,
    pub(crate) url: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Api {
    /// Starts it where containers reach it.
    pub(crate) fn start() -> Self {
        let server = program().with_file_name("scripted-api");
        assert!(
            server.is_file(),
            "{} is missing: cargo build -p cage-tests --bin scripted-api",
            server.display()
        );
        let host = "gateway:host-gateway";
        let addresses =
            docker(&["run", "--rm", "--add-host", host, &image(), "getent", "ahostsv4", "gateway"]);
        let address = addresses.split_whitespace().next().unwrap();
        let mut child = Command::new(server)
            .arg(root().join("tests/scripts/demo.json"))
            .args(["--listen", address])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    /// Gives a command what it signs in with.
    pub(crate) fn signs_in(&self, command: &mut Command) {
        command.env("ANTHROPIC_BASE_URL", &self.url).env("ANTHROPIC_API_KEY", "made-up");
    }

    /// Whether every turn of the script was played, and none was missing.
    fn was_played_to_its_end(mut self) -> bool {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // One that was ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts the story's project on the desk.
pub(crate) fn sample_project(desk: &Desk) {
    for file in std::fs::read_dir(root().join("examples/sample-project")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), desk.path("project").join(file.file_name())).unwrap();
    }
}

pub(crate) fn answers() -> String {
    root().join("examples/answers").to_str().unwrap().to_owned()
}

pub(crate) fn exported(desk: &Desk) -> String {
    std::fs::read_to_string(desk.path("project/greet")).unwrap()
}

#[test]
fn goes_the_whole_way_in_one_command() {
    let Some(desk) = Desk::with_engine("run") else { return };
    sample_project(&desk);
    let api = Api::start();
    let image = image();
    let mut command =
        desk.command(&["run", "Add --shout", "--name", desk.name(), "--image", &image, "--yes", "--json"]);
    command.args(["--answers", &answers()]);
    api.signs_in(&mut command);
    let shown = desk.finish(&mut command).succeeds().stdout;
    let events: Vec<serde_json::Value> =
        shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        schema::check("run", event);
    }
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["created", "launched", "message", "message", "answered", "message", "exported", "destroyed"],
        "{shown}"
    );
    assert!(exported(&desk).contains("--shout"));
    assert_eq!(desk.containers(), "");
}

#[test]
fn goes_the_whole_way_as_an_orchestrating_agent_does() {
    let Some(desk) = Desk::with_engine("orchestrate") else { return };
    sample_project(&desk);
    let api = Api::start();
    let mut command = desk.command(&[]);
    let mut script = Command::new(root().join("cage-host/tests/cli/orchestrate.sh"));
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for (name, _) in command.get_envs().filter(|(_, value)| value.is_none()) {
        script.env_remove(name);
    }
    script.current_dir(command.current_dir(desk.path("project")).get_current_dir().unwrap());
    script.env("TC", program()).env("CAGE", desk.name()).env("ANSWERS", answers());
    api.signs_in(&mut script);
    let ran = desk.finish(&mut script).succeeds();
    assert!(ran.stdout.contains("greet has --shout"), "{}", ran.stdout);
    assert!(exported(&desk).contains("--shout"));
    assert!(std::fs::read_to_string(desk.path("project/README.md")).unwrap().contains("--shout"));
    assert_eq!(desk.containers(), "");
    assert!(api.was_played_to_its_end());
}

#[test]
fn leaves_nothing_of_a_run_that_nobody_can_be_asked_about() {
    let Some(desk) = Desk::with_engine("run-int") else { return };
    let api = Api::start();
    let image = image();
    let mut command =
        desk.command(&["run", "Add --shout", "--name", desk.name(), "--image", &image, "--json"]);
    api.signs_in(&mut command);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("launched") {}
    kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(desk.containers(), "");
}
