//! The interactive agent: the real Claude Code with its own screen, in tmux, in a container, driven by the library.

#[path = "../../cage-host/examples/interactive.rs"]
#[allow(dead_code, reason = "its main function is the program's")]
mod example;

use std::time::Duration;

use cage_host::message::TaskRevision;
use cage_host::{
    Agent, AgentRun, Cage, CageError, CageSpec, Error, Host, Interactive, InteractiveAgent, InteractiveError,
    RequestError, Result, Task, TerminalSize, Turn,
};
use cage_tests::docker::{docker, gateway, in_docker};
use cage_tests::places;
use cage_tests::scripted_api::{Script, ScriptedApi, Turn as Scripted};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longer than anything here takes; a test that runs into it has failed.
const DEADLINE: Duration = Duration::from_secs(120);

/// A text with everything that a shell, tmux, JSON or a terminal could trip over.
const AWKWARD: &str = "it's \"2 of 5\" $(not) `x` \\ #{pid}; 🦀 é\n\n\tline two\n!ls & see @RE";

/// A key that is none.
const KEY: &str = "sk-ant-made-up-0123456789";

/// A cage, and the script that its agent talks to.
struct Scene {
    cage: Cage,
    api: ScriptedApi,
}

impl Scene {
    async fn new(name: &str, script: Script) -> Self {
        let host = Host::connect().await.expect("the engine answers");
        let api = ScriptedApi::start(gateway().await, script).await.expect("a free port");
        let cage = host.create(CageSpec::empty(name).image(places::image())).await.expect("a cage");
        Self { cage, api }
    }

    fn interactive(&self) -> Interactive {
        self.cage.interactive()
    }

    fn agent(&self) -> InteractiveAgent {
        InteractiveAgent::new().env("ANTHROPIC_BASE_URL", self.api.base_url())
    }

    async fn start(&self) {
        self.interactive().start(&self.agent().env("ANTHROPIC_API_KEY", KEY)).await.expect("an input box");
    }

    async fn prompt(&self, text: &str) -> Result<Turn> {
        self.interactive().prompt(text, DEADLINE).await
    }

    /// Types a prompt and expects what the agent says at last.
    async fn hears(&self, text: &str, answer: &str) {
        let turn = self.prompt(text).await.expect("a turn");
        assert_eq!(turn.last_message(), answer);
    }

    /// Runs a command in the cage as its agent would.
    async fn run(&self, command: &str) -> String {
        let container = format!("isolated-dev-{}", self.cage.name());
        let finished = docker(["exec", &container, "sh", "-c", command]).await.exits_with(0);
        finished.stdout().to_owned()
    }

    /// Presses keys as a person at the agent's screen would.
    async fn press(&self, keys: &str) {
        self.run(&format!("tmux send-keys -t cage:agent {keys}")).await;
    }

    /// Waits until the model has been asked so often.
    async fn asked(&self, times: usize) {
        timeout(DEADLINE, self.api.wait_for_turns(times)).await.expect("the agent asks the model");
    }

    async fn destroy(self) {
        self.cage.destroy().await.expect("a removed cage");
    }
}

#[expect(clippy::panic, reason = "a panic is how a test fails")]
fn interactive_error<T: std::fmt::Debug>(result: Result<T>) -> InteractiveError {
    match result.expect_err("an error") {
        Error::Cage(CageError::Interactive(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn starts_once_and_gives_back_what_the_agent_said_to_each_prompt() {
    in_docker("interactive", async |name| {
        let script = Script::new(
            ["First.", "Second, it's \u{1b}[31mred.", "Third.", "Revised.", "Fourth."].map(Scripted::say),
        );
        let scene = Scene::new(name, script).await;
        scene.start().await;
        scene.hears(AWKWARD, "First.").await;
        scene.start().await;
        scene.hears("the second prompt", "Second, it's \\u{1b}[31mred.").await;
        let requests = scene.api.requests();
        let told = AWKWARD.replace('\t', "    ");
        assert!(requests[0].mentions(&told), "{:?}", requests[0].told());
        assert_eq!(
            requests[1].session_id(),
            requests[0].session_id(),
            "a second start begins no second agent"
        );
        let shown = scene.interactive().screen().await.expect("a screen");
        assert!(shown.contains("the second prompt") && !shown.contains('\u{1b}'), "{shown}");

        // What is in the inbox at the end of a turn belongs to it.
        scene.cage.inbox().send(TaskRevision::new("one more thing")).await.expect("a revision");
        scene.hears("the third prompt", "Revised.").await;
        assert!(scene.api.requests()[3].mentions("one more thing"));

        let environment = scene
            .run("tmux show-environment -t cage; tmux show-environment -g; tmux list-windows -t cage")
            .await;
        assert!(!environment.contains(KEY) && environment.contains("shell"), "{environment}");
        let interactive = scene.interactive();
        interactive.stop().await.expect("an end");
        assert_eq!(interactive_error(scene.prompt("anybody?").await), InteractiveError::NotStarted);
        interactive.stop().await.expect("no end without an agent");

        // A second start finds a home in which everything has been answered.
        scene.start().await;
        scene.hears("the fourth prompt", "Fourth.").await;
        scene.destroy().await;
    })
    .await;
}

#[tokio::test]
async fn answers_the_dialogs_of_a_first_start_and_lets_a_person_attach() {
    in_docker("interactive-attach", async |name| {
        let scene =
            Scene::new(name, Script::new(["From the example.", "Typed by hand."].map(Scripted::say))).await;
        scene.run("echo '{\"hasCompletedOnboarding\": false}' > ~/.claude.json").await;
        let options = example::Options {
            name: name.to_owned(),
            timeout: DEADLINE.as_secs(),
            prompts: vec!["hello".to_owned()],
        };
        let mut printed = Vec::new();
        let agent = scene.agent().env("ANTHROPIC_AUTH_TOKEN", "made-up");
        example::run(&options, agent, |line| printed.push(line)).await.expect("a turn");
        assert!(printed.len() == 1 && printed[0].ends_with("s] From the example."), "{printed:?}");
        let answered = scene.run("cat ~/.claude.json ~/.claude/settings.json").await;
        for setting in ["\"hasCompletedOnboarding\": true", "\"theme\":", "skipDangerousModePermissionPrompt"]
        {
            assert!(answered.contains(setting), "no {setting} in {answered}");
        }

        for (columns, rows) in [(100, 30), (90, 25)] {
            let mut person = Person::attach(&scene, columns, rows);
            person.sees("bypass permissions on").await;
            assert_eq!(scene.size().await, format!("{columns} {}", rows - 1), "tmux has a line of its own");
            person.resize(columns + 7, rows + 3);
            scene.has_size(columns + 7, rows + 2).await;
            if columns == 100 {
                person.types("hi there\r").await;
                person.sees("Typed by hand.").await;
            }
            person.types("\u{2}d").await;
            person.leaves().await;
        }
        scene.interactive().stop().await.expect("an end");
        let mut person = Person::attach(&scene, 80, 24);
        let error = person.ends().await.expect_err("no session");
        assert!(
            matches!(error, Error::Cage(CageError::Interactive(InteractiveError::NotStarted))),
            "{error}"
        );
        scene.destroy().await;
    })
    .await;
}

#[tokio::test]
async fn tells_a_busy_agent_from_one_that_was_interrupted_failed_or_died() {
    in_docker("interactive-trouble", async |name| {
        let script =
            Script::new([Scripted::hang(), Scripted::status(400), Scripted::hang(), Scripted::say("Back.")]);
        let scene = Scene::new(name, script).await;
        scene.start().await;

        let interactive = scene.interactive();
        let hanging = tokio::spawn(async move { interactive.prompt("the first", DEADLINE).await });
        scene.asked(1).await;
        assert_eq!(interactive_error(scene.prompt("in between").await), InteractiveError::Busy);
        let short = Duration::from_millis(1);
        let out_of_time = interactive_error(scene.interactive().prompt("too short", short).await);
        assert_eq!(out_of_time, InteractiveError::TurnTimedOut { after: short });
        scene.press("Escape").await;
        assert_eq!(interactive_error(hanging.await.expect("no panic")), InteractiveError::Interrupted);

        // The agent puts an interrupted prompt back into its box.
        let text = "the first".to_owned();
        assert_eq!(interactive_error(scene.prompt("over it").await), InteractiveError::Draft { text });
        scene.press("C-u").await;
        let failed = interactive_error(scene.prompt("the second").await);
        assert!(
            matches!(&failed, InteractiveError::TurnFailed { reason } if reason.contains("400")),
            "{failed}"
        );

        let interactive = scene.interactive();
        let hanging = tokio::spawn(async move { interactive.prompt("the third", DEADLINE).await });
        scene.asked(3).await;
        scene.run("pkill -KILL -x claude").await;
        let ended = interactive_error(hanging.await.expect("no panic"));
        assert!(matches!(&ended, InteractiveError::Ended { .. }), "{ended}");
        let ended = interactive_error(scene.prompt("anybody?").await);
        assert!(matches!(&ended, InteractiveError::Ended { .. }), "{ended}");
        scene.start().await;
        scene.hears("the fourth", "Back.").await;
        scene.destroy().await;
    })
    .await;
}

#[tokio::test]
async fn does_not_start_beside_another_agent_nor_type_into_a_sign_in() {
    in_docker("interactive-refused", async |name| {
        let scene = Scene::new(name, Script::new([])).await;
        assert_eq!(interactive_error(scene.interactive().screen().await), InteractiveError::NotStarted);
        scene.cage.launch(Task::new("sleep").agent(sleeper())).await.expect("an agent");
        let refused = scene.interactive().start(&InteractiveAgent::new()).await;
        assert!(matches!(refused, Err(Error::Request(RequestError::AgentRunning { .. }))), "{refused:?}");
        scene.run("pkill -KILL -x cage-poll").await;
        let unsigned = scene.interactive().start(&InteractiveAgent::new()).await;
        assert_eq!(interactive_error(unsigned), InteractiveError::SignIn);
        assert_eq!(interactive_error(scene.prompt("hello").await), InteractiveError::SignIn);

        // It asks to sign in and so it runs: nothing is launched beside it until it has ended.
        let task = || Task::new("sleep").agent(sleeper());
        let refused = [scene.cage.launch(task()).await, ends(scene.cage.run(task()).await).await];
        for refused in refused {
            assert!(matches!(refused, Err(Error::Request(RequestError::AgentRunning { .. }))), "{refused:?}");
        }
        let beside = scene.run("cage-poll supervise --timeout 0 -- true 2>&1 || echo refused").await;
        assert!(beside.contains("refused"), "{beside}");
        scene.run("pkill -KILL -x claude").await;
        scene.cage.launch(task()).await.expect("an agent where the interactive one has ended");
        scene.destroy().await;
    })
    .await;
}

/// An agent without a screen that does nothing for a minute.
fn sleeper() -> Agent {
    Agent::Command(["sh", "-c", "exec sleep 60"].map(str::to_owned).into())
}

/// Waits for the end of an agent in the foreground, if it was started.
async fn ends(run: Result<AgentRun>) -> Result<()> {
    run?.finish().await
}

/// Somebody at a terminal that is attached to the agent's session.
struct Person {
    keyboard: DuplexStream,
    screen: DuplexStream,
    size: watch::Sender<TerminalSize>,
    attached: tokio::task::JoinHandle<Result<()>>,
}

impl Person {
    fn attach(scene: &Scene, columns: u16, rows: u16) -> Self {
        let (keyboard, input) = tokio::io::duplex(1024);
        let (screen, output) = tokio::io::duplex(1024 * 1024);
        let (size, sizes) = watch::channel(TerminalSize { columns, rows });
        let interactive = scene.interactive();
        let attached =
            tokio::spawn(async move { interactive.attach("xterm-ghostty", sizes, input, output).await });
        Self { keyboard, screen, size, attached }
    }

    async fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).await.expect("a terminal that listens");
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.size.send_replace(TerminalSize { columns, rows });
    }

    /// Reads until a text has been drawn; what tmux draws between its words may be more than a blank.
    async fn sees(&mut self, text: &str) {
        let mut shown = String::new();
        let words: Vec<&str> = text.split(' ').collect();
        let looking = async {
            let mut bytes = vec![0; 64 * 1024];
            while !words.iter().all(|word| shown.contains(word)) {
                let read = self.screen.read(&mut bytes).await.expect("a terminal");
                assert!(read > 0, "the terminal ended");
                shown.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        };
        let seen = timeout(DEADLINE, looking).await;
        assert!(seen.is_ok(), "no {text:?} in {shown:?}");
    }

    async fn ends(&mut self) -> Result<()> {
        timeout(DEADLINE, &mut self.attached).await.expect("an end").expect("no panic")
    }

    async fn leaves(mut self) {
        self.ends().await.expect("a quiet end");
    }
}

impl Scene {
    /// The size of the agent's window.
    async fn size(&self) -> String {
        let size = self.run("tmux display-message -p -t cage:agent '#{window_width} #{window_height}'").await;
        size.trim().to_owned()
    }

    async fn has_size(&self, columns: u16, rows: u16) {
        let wanted = format!("{columns} {rows}");
        let looking = async { while self.size().await != wanted {} };
        timeout(DEADLINE, looking).await.expect("a window of the new size");
    }
}
