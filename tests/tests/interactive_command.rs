//! `cage attach` and `cage prompt`: the program at a terminal of its own, with the real Claude Code in a container.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cage_host::{Cage, CageSpec, Host};
use cage_tests::docker::{docker, gateway, in_docker};
use cage_tests::places;
use cage_tests::run::{Finished, Run};
use cage_tests::scripted_api::{Script, ScriptedApi, Turn};
use cage_tests::skip::skip;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

/// Longer than anything here takes; a test that runs into it has failed.
const DEADLINE: Duration = Duration::from_secs(120);

/// The interpreter for which the distribution packages the validator.
const PYTHON: &str = "/usr/bin/python3";

/// Building the program where `make test` has not done so.
const BUILD_DEADLINE: Duration = Duration::from_secs(900);

/// Somebody who types commands, beside a cage and the script that its agent talks to.
struct Desk {
    folder: TempDir,
    program: PathBuf,
    cage: Cage,
    api: ScriptedApi,
}

impl Desk {
    async fn new(name: &str, script: Script) -> Self {
        let program = program().await;
        let host = Host::connect().await.expect("the engine answers");
        let api = ScriptedApi::start(gateway().await, script).await.expect("a free port");
        let cage = host.create(CageSpec::empty(name).image(places::image())).await.expect("a cage");
        Self { folder: tempfile::tempdir().expect("a folder"), program, cage, api }
    }

    /// A command with an environment that signs in through the script.
    fn run(&self, program: &Path, arguments: &[&str]) -> Run {
        let run = Run::new(program).args(arguments).folder(&self.folder).deadline(DEADLINE);
        let run =
            run.env("ANTHROPIC_BASE_URL", self.api.base_url()).env("XDG_STATE_HOME", self.folder.path());
        run.env("TRUSTY_CAGE", "").env("TMUX", "")
    }

    async fn cage(&self, arguments: &[&str]) -> Finished {
        self.run(&self.program, arguments).finish().await
    }

    fn name(&self) -> &str {
        self.cage.name().as_str()
    }
}

/// A terminal on this machine, played by tmux.
struct HostTerminal<'a> {
    desk: &'a Desk,
    socket: PathBuf,
}

impl<'a> HostTerminal<'a> {
    /// Opens one of 100 columns and 30 lines in which a command runs.
    async fn open(desk: &'a Desk, command: &str) -> Self {
        let terminal = Self { desk, socket: desk.folder.path().join("tmux") };
        let _ =
            terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", command]).await;
        terminal
    }

    async fn tmux(&self, arguments: &[&str]) -> Finished {
        let socket = self.socket.to_str().expect("a plain path");
        self.desk
            .run("tmux".as_ref(), &[&["-u", "-S", socket], arguments].concat())
            .finish()
            .await
            .exits_with(0)
    }

    async fn types(&self, keys: &[&str]) {
        let _ = self.tmux(&[&["send-keys"], keys].concat()).await;
    }

    async fn shows(&self, text: &str) -> String {
        let looking = async {
            loop {
                let shown = self.tmux(&["capture-pane", "-p"]).await;
                if shown.stdout().contains(text) {
                    return shown.stdout().to_owned();
                }
            }
        };
        match timeout(DEADLINE, looking).await {
            Ok(shown) => shown,
            Err(_) => self.tmux(&["capture-pane", "-p"]).await.stdout().to_owned() + "\nNEVER CAME: " + text,
        }
    }
}

/// Builds the program as `make test` does, which then has done so.
async fn program() -> PathBuf {
    let arguments =
        ["build", "--quiet", "--locked", "--workspace", "--features", "cage-host/cli", "--bin", "cage"];
    let cargo = Run::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments);
    let _ = cargo
        .args(["--manifest-path"])
        .args([places::root().join("Cargo.toml")])
        .deadline(BUILD_DEADLINE)
        .finish()
        .await
        .exits_with(0);
    let test = std::env::current_exe().expect("this test's own program");
    let folder = test.ancestors().nth(2).expect("the folder of the programs");
    folder.join("cage")
}

#[tokio::test]
async fn prompts_the_agent_and_attaches_a_terminal_to_it() {
    if !Run::new("sh").args(["-c", "tmux -V"]).finish().await.succeeded() {
        return skip("prompts_the_agent_and_attaches_a_terminal_to_it", "tmux is missing");
    }
    in_docker("interactive-command", async |name| {
        let script =
            Script::new([Turn::say("It says\u{1b}[2J hello."), Turn::say("Typed by hand."), Turn::hang()]);
        let desk = Desk::new(name, script).await;
        let told = desk.cage(&["prompt", name, "it's \"me\"", "--json"]).await.exits_with(0);
        let answer: Value = serde_json::from_str(told.stdout()).expect("JSON");
        assert_eq!(answer["last_message"], "It says\\u{1b}[2J hello.");
        keeps_schema(&desk, &answer).await;
        assert!(desk.api.requests()[0].mentions("it's \"me\""));

        let program = desk.program.display();
        let command = format!("'{program}' attach {name}; echo ended $?; stty -a; sleep 1000");
        let terminal = HostTerminal::open(&desk, &command).await;
        let shown = terminal.shows("bypass permissions on").await;
        assert!(shown.contains("it's \"me\""), "{shown}");
        let _ = terminal.tmux(&["resize-window", "-x", "90", "-y", "25"]).await;
        has_size(&desk, "90 24").await;
        terminal.types(&["-l", "hi there"]).await;
        terminal.types(&["Enter"]).await;
        let shown = terminal.shows("Typed by hand.").await;
        assert!(shown.contains("Typed by hand."), "{shown}");
        terminal.types(&["C-b", "d"]).await;
        let shown = terminal.shows("icanon").await;
        assert!(shown.contains("ended 0") && shown.contains("detached; the agent goes on"), "{shown}");
        assert!(
            !shown.contains("-icanon") && !shown.contains("-echo "),
            "the terminal is as before: {shown}"
        );
        let _ = terminal.tmux(&["kill-server"]).await;

        complains(
            &desk,
            &["prompt", name, "hang", "--timeout", "10"],
            "has not ended after 10 s and goes on",
        )
        .await;
        complains(&desk, &["prompt", name, "a\u{7}b"], r"it holds the control character \u{7}").await;
        complains(&desk, &["attach", name], "attach needs a terminal").await;
        let _ = desk.cage(&["prompt", name]).await.exits_with(64);
        assert_eq!(desk.name(), name);
        desk.cage.destroy().await.expect("a removed cage");
    })
    .await;
}

async fn complains(desk: &Desk, arguments: &[&str], about: &str) {
    let complaint = desk.cage(arguments).await.exits_with(1);
    assert!(complaint.stderr().contains(about), "no {about:?} in {complaint}");
}

/// Waits until the agent's window in the cage has a size.
async fn has_size(desk: &Desk, wanted: &str) {
    let container = format!("isolated-dev-{}", desk.name());
    let ask = [
        "exec",
        &container,
        "tmux",
        "display-message",
        "-p",
        "-t",
        "cage:agent",
        "#{window_width} #{window_height}",
    ];
    let looking = async { while docker(ask).await.exits_with(0).stdout().trim() != wanted {} };
    timeout(DEADLINE, looking).await.expect("a window of the new size");
}

/// Asserts that an answer keeps its schema, by the validator of the other schemas, and that another answer does not.
async fn keeps_schema(desk: &Desk, answer: &Value) {
    let mut short = answer.clone();
    short.as_object_mut().expect("an object").remove("session_id");
    let case = |value: &Value| serde_json::json!({ "schema": "prompt.json", "text": value.to_string() });
    let cases = format!("{}\n{}\n", case(answer), case(&short));
    let script = places::root().join("tests/scripts/validate.py");
    let arguments = [script, places::root().join("docs/schema/cli")];
    let validator = Run::new(PYTHON).args(arguments).folder(&desk.folder).stdin(cases);
    let verdicts = validator.deadline(DEADLINE).finish().await.exits_with(0);
    assert_eq!(verdicts.stdout(), "true\nfalse\n", "{answer}");
}
