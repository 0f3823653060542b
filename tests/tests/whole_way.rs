//! The whole way once, with the real Claude Code: a cage, a task, a question, a result, a revision, the changes,
//! nothing left.
//!
//! The same story runs in a container and on the embedded backend. It plays the script of `make demo`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cage_host::{Cage, CageSpec, ChangeKind, EmbeddedConfig, Follower, Host, Task};
use cage_proto::message::{InfoRequest, Payload, ProgressUpdate, TaskComplete, TaskRevision};
use cage_tests::docker::{gateway, in_docker};
use cage_tests::places;
use cage_tests::run::Run;
use cage_tests::scripted_api::{Script, ScriptedApi};

const TASK: &str = "Add an option --shout to greet that prints the greeting in capital letters.";
const REVISION: &str = "Show the new option in README.md too.";

/// What the story changes in the project.
const CHANGED: [&str; 3] = ["README.md", "greet", "test.sh"];

/// Longer than any step between two messages takes, a cold start of Claude Code on a busy machine included.
const STEP_DEADLINE: Duration = Duration::from_secs(120);

/// Copying a program of 235 MB out of the image.
const COPY_DEADLINE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn goes_the_whole_way_in_a_container() {
    in_docker("whole-way", async |name| {
        let host = Host::connect().await.expect("the engine answers");
        tell(&host, name, gateway().await, &[]).await;
        assert!(host.list().await.expect("a list").iter().all(|cage| cage.name.as_str() != name));
    })
    .await;
}

#[tokio::test]
async fn goes_the_whole_way_on_the_embedded_backend() {
    // Docker is needed for its image, which holds the pinned Claude Code.
    in_docker("whole-way-embedded", async |name| {
        let (cages, programs) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        gather_programs(programs.path()).await;
        let host = Host::embedded(&EmbeddedConfig::new(cages.path(), programs.path())).expect("two folders");
        // Claude Code refuses root outside a sandbox; there is none here, which is what this backend promises.
        tell(
            &host,
            name,
            Ipv4Addr::LOCALHOST.into(),
            &[("IS_SANDBOX", "1"), ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")],
        )
        .await;
        assert_eq!(entries(cages.path()), Vec::<PathBuf>::new());
        assert_eq!(processes_that_mention(cages.path()), Vec::<String>::new());
    })
    .await;
}

/// Tells the story on `host`, with a scripted API at `address`.
async fn tell(host: &Host, name: &str, address: IpAddr, env: &[(&str, &str)]) {
    let project = places::root().join("examples/sample-project");
    let script = Script::from_file(&places::root().join("tests/scripts/demo.json")).expect("a script");
    // And the last word, which the script has no end of.
    let turns = script.len() + 1;
    let api = ScriptedApi::start(address, script).await.expect("a free port");

    let spec = CageSpec::from_dir(name, &project).image(places::image());
    let cage = host.create(spec).await.expect("a cage");
    cage.launch(task(&api, env)).await.expect("a launched agent");
    let mut outbox = cage.outbox().follow().await.expect("an outbox");
    talk(&cage, &mut outbox).await;
    tokio::time::timeout(STEP_DEADLINE, api.wait_for_turns(turns)).await.expect("the agent's last turn");
    assert_eq!(api.requests().len(), turns);
    assert_one_conversation(&api);
    bring_home(&cage, &project).await;
    drop(outbox);
    cage.destroy().await.expect("a removed cage");
}

fn task(api: &ScriptedApi, env: &[(&str, &str)]) -> Task {
    let task = Task::new(TASK).env("ANTHROPIC_BASE_URL", api.base_url()).env("ANTHROPIC_API_KEY", "made-up");
    env.iter().fold(task, |task, (name, value)| task.env(*name, *value))
}

/// Takes each message of the story and answers as the host does.
async fn talk(cage: &Cage, outbox: &mut Follower) {
    let mut progress = ProgressUpdate::new("reading the project");
    progress.detail = Some("it's a shell script with its tests".to_owned());
    assert_eq!(next(outbox).await, progress.into());

    let mut question = InfoRequest::new("style-1", "Which style do new options follow?");
    question.paths = Some(vec!["style-guide.md".to_owned()]);
    assert_eq!(next(outbox).await, question.clone().into());
    let answers = places::root().join("examples/answers");
    let answer = cage.inbox().answer(&question, answers).await.expect("an answer");
    assert_eq!((answer.sent, answer.refused), (vec!["style-guide.md".to_owned()], vec![]));

    assert_eq!(next(outbox).await, TaskComplete::new("greet has --shout, and it's tested", 0).into());
    cage.inbox().send(TaskRevision::new(REVISION)).await.expect("a revision");
    assert_eq!(next(outbox).await, TaskComplete::new("the README shows --shout", 0).into());
}

/// Waits for the next message and acknowledges it.
async fn next(outbox: &mut Follower) -> Payload {
    let delivery = tokio::time::timeout(STEP_DEADLINE, outbox.next()).await.expect("a message in time");
    let delivery = delivery.expect("an outbox that goes on").expect("a delivery");
    let message = delivery.message().cloned().ok_or_else(|| format!("{:?}", delivery.content()));
    delivery.ack().await.expect("a saved cursor");
    message.expect("a whole message").payload
}

/// Asserts that the revision reached the conversation that did the task, and what the model was told in it.
fn assert_one_conversation(api: &ScriptedApi) {
    let requests = api.requests();
    let (first, last) = (&requests[0], &requests[requests.len() - 1]);
    assert!(first.session_id().is_some(), "Claude Code names its session");
    assert_eq!(first.session_id(), last.session_id());
    assert!(!first.mentions(REVISION));
    for told in [TASK, "cage-send task_complete", "# Style guide", "HELLO, ADA!", REVISION] {
        assert!(last.mentions(told), "the model was not told {told:?}, but:\n{:#?}", last.told());
    }
    assert_eq!(last.said(), ["greet has --shout now."], "what it said before the revision is still there");
}

/// Compares, exports into a fresh folder and asserts what lies there.
async fn bring_home(cage: &Cage, project: &Path) {
    let changes = cage.diff(project).await.expect("changes");
    let found: Vec<_> = changes.iter().map(|change| (change.path().to_owned(), change.kind())).collect();
    assert_eq!(found, CHANGED.map(|path| (path.into(), ChangeKind::Modified)));

    let fresh = tempfile::tempdir().expect("a folder");
    let target = fresh.path().join("out");
    let export = cage.export(&target, &changes).await.expect("an export");
    assert_eq!(export.written, CHANGED);
    assert_eq!(entries(&target), CHANGED.map(|path| target.join(path)));
    let read = |path: &str| fs::read_to_string(target.join(path)).expect("a text file");
    assert!(read("greet").contains("        --shout) shout=yes ;;\n"), "{}", read("greet"));
    assert!(read("test.sh").contains("\nexpect 'HELLO, ADA!' --shout Ada\n"), "{}", read("test.sh"));
    assert!(
        read("README.md").contains("    $ ./greet --shout Ada\n    HELLO, ADA!\n"),
        "{}",
        read("README.md")
    );
}

/// Puts everything into one folder that the embedded backend looks for: the two programs and Claude Code.
async fn gather_programs(folder: &Path) {
    for name in ["cage-send", "cage-poll"] {
        fs::copy(places::program(name), folder.join(name)).expect("a copy");
    }
    let image = places::image();
    let copy = format!("docker run --rm {image} cat /usr/local/bin/claude > claude && chmod +x claude");
    let run = Run::new("sh").args(["-c", &copy]).folder(folder).deadline(COPY_DEADLINE);
    let _ = run.finish().await.exits_with(0);
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    entries
}

/// The command lines of all running processes that name something in `folder`.
fn processes_that_mention(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().expect("a plain path");
    let processes = fs::read_dir("/proc").expect("the processes").flatten();
    let command_lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let command_lines = command_lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    command_lines.filter(|line| line.contains(folder)).collect()
}
