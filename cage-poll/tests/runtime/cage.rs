//! A message folder of its own for each test, and the processes in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cage_proto::agent::{Session, State};
use cage_proto::env::{IdSource as _, System};
use cage_proto::mailbox::{CageDir, Draft, Follow, Item, Mailbox, Watch, publish};
use cage_proto::message::{Envelope, Payload, TaskRevision};
use cage_proto::schedule::Schedule;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take. Nothing here takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every agent of these tests can do: report as the tool this protocol comes from does, without our programs.
const AGENT: &str = r#"
report() {
    name=$(date -u +%Y-%m-%dT%H-%M-%S.%6NZ).json
    printf '{"id":"%s","type":"%s","timestamp":"%s","payload":%s}' \
        "$name" "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$2" > "$CAGE_DIR/outbox/.$name"
    mv "$CAGE_DIR/outbox/.$name" "$CAGE_DIR/outbox/$name"
}
progress() { report progress_update "{\"status\":\"$1\"}"; }
complete() { report task_complete "{\"summary\":\"$1\",\"exit_code\":0}"; }
instructions=$(cat)
"#;

/// The message folder of one test.
pub(crate) struct Cage {
    folder: TempDir,
    pub(crate) dir: CageDir,
    outbox: Follow,
}

impl Cage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = CageDir::new(folder.path().join(".cage"));
        let outbox = Follow::open(&dir.mailbox(Mailbox::Outbox), None, Schedule::default()).unwrap();
        fs::create_dir(dir.mailbox(Mailbox::Inbox)).unwrap();
        Self { folder, dir, outbox }
    }

    /// A path beside the message folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a message into the inbox.
    pub(crate) fn send(&self, payload: impl Into<Payload>) {
        let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload: payload.into() };
        publish(&self.dir.mailbox(Mailbox::Inbox), &draft, &System).unwrap();
    }

    pub(crate) fn revise(&self, instructions: &str) {
        self.send(TaskRevision::new(instructions));
    }

    /// `cage-poll` with the message folder of this test.
    pub(crate) fn cage_poll(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cage-poll"));
        command.args(args).env("CAGE_DIR", self.dir.path()).env("HOME", self.folder.path());
        command
    }

    /// Supervises a shell script with a first task.
    pub(crate) fn supervise(&self, flags: &[&str], script: &str) -> Supervisor {
        let task = self.path("task.md");
        if !task.exists() {
            fs::write(&task, "the task").unwrap();
        }
        let task = task.to_str().unwrap().to_owned();
        self.supervise_only(&[&["--task-file", &task], flags].concat(), script)
    }

    /// Supervises a shell script.
    pub(crate) fn supervise_only(&self, flags: &[&str], script: &str) -> Supervisor {
        let agent = self.path("agent.sh");
        fs::write(&agent, format!("{AGENT}{script}\n")).unwrap();
        let agent = agent.to_str().unwrap().to_owned();
        let args = [&["supervise"], flags, &["--", "sh", &agent]].concat();
        let mut command = self.cage_poll(&args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Supervisor { child: Some(command.spawn().unwrap()), args: format!("{args:?}") }
    }

    /// Runs a hook with an input.
    pub(crate) fn hook(&self, event: &str, input: &Value) -> String {
        self.hook_with(event, input.to_string().as_bytes())
    }

    pub(crate) fn hook_with(&self, event: &str, input: &[u8]) -> String {
        let output = run(self.cage_poll(&["hook", event]), input);
        assert!(output.status.success() && output.stderr.is_empty(), "{event}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits for the next message in the outbox.
    pub(crate) fn next(&mut self) -> Envelope {
        loop {
            match self.outbox.next(PATIENCE, None).unwrap() {
                Item::Message(name, message) => {
                    self.outbox.consume(&name).unwrap();
                    return message;
                }
                Item::Quiet => panic!("no message in the outbox within {PATIENCE:?}; {}", self.show()),
                _ => {}
            }
        }
    }

    /// Waits for the next message and expects this type.
    pub(crate) fn expect(&mut self, type_name: &str) -> Value {
        let message = self.next();
        assert_eq!(message.payload.type_name(), type_name, "{message:?}; {}", self.show());
        serde_json::to_value(&message.payload).unwrap()
    }

    /// Waits for an `error` of this kind and returns what it says.
    pub(crate) fn expect_error(&mut self, error_type: &str) -> String {
        let error = self.expect("error");
        assert_eq!(error["error_type"], error_type, "{error}");
        error["message"].as_str().unwrap().to_owned()
    }

    /// Waits for a `task_complete` and returns its summary.
    pub(crate) fn expect_complete(&mut self) -> String {
        self.expect("task_complete")["summary"].as_str().unwrap().to_owned()
    }

    pub(crate) fn session(&self) -> Session {
        Session::parse(&fs::read(self.dir.session_file()).unwrap()).unwrap()
    }

    /// Waits until the supervisor has written down a state.
    pub(crate) fn wait_for_state(&self, state: State) -> Session {
        wait_until(self.dir.path(), || {
            let session = Session::parse(&fs::read(self.dir.session_file()).ok()?).ok()?;
            (session.state == state).then_some(session)
        })
        .unwrap_or_else(|| panic!("the state is never {state:?}; {}", self.show()))
    }

    /// Waits until a file beside the message folder is there, and returns what is in it.
    pub(crate) fn wait_for_file(&self, name: &str) -> String {
        let path = self.path(name);
        wait_until(self.folder.path(), || fs::read_to_string(&path).ok().filter(|text| !text.is_empty()))
            .unwrap_or_else(|| panic!("{name} is never there; {}", self.show()))
    }

    /// The messages that are not consumed yet.
    pub(crate) fn pending(&self) -> Vec<String> {
        let output = run(self.cage_poll(&["--all", "--peek"]), b"");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.stream_log()).unwrap_or_default()
    }

    /// What a failure needs to be understood.
    fn show(&self) -> String {
        let session = fs::read_to_string(self.dir.session_file()).unwrap_or_default();
        format!("session: {session}\nlog:\n{}", self.log())
    }
}

/// A running supervisor, which is ended with its test.
pub(crate) struct Supervisor {
    child: Option<Child>,
    args: String,
}

impl Supervisor {
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Tells it to end, and waits for that.
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::TERM);
        self.wait(0)
    }

    /// Lets nobody read its stderr any more.
    pub(crate) fn close_stderr(&mut self) {
        drop(self.child.as_mut().unwrap().stderr.take());
    }

    /// Waits for its end, expects an exit code and returns what it wrote to stderr.
    pub(crate) fn wait(mut self, code: i32) -> String {
        let mut child = self.child.take().unwrap();
        let mut stderr = String::new();
        if let Some(mut pipe) = child.stderr.take() {
            // It holds the pipe as long as it lives.
            pipe.read_to_string(&mut stderr).unwrap();
        }
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{}: {status}; stderr: {stderr}", self.args);
        stderr
    }

    /// Kills it, so that it can do nothing more.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Told, not killed: it ends its agent too.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

/// Runs a program with an input.
pub(crate) fn run(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that does not read its input is no failure of the test.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Waits for something that changes with the files of a folder.
pub(crate) fn wait_until<T>(folder: &Path, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let watch = Watch::new(folder);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Some(found);
        }
        watch.wait(Duration::from_millis(200), None);
    }
    None
}

/// Tells whether a process is there, zombies included.
pub(crate) fn exists(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).exists()
}

/// Tells whether a process is there and is no zombie.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
