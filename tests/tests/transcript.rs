//! The transcript in the README: what `make demo` prints of its story, word for word but for times, ids and the cage's
//! name.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cage_tests::docker::{gateway, in_docker};
use cage_tests::places::{self, root};
use cage_tests::run::Run;
use cage_tests::scripted_api::{Script, ScriptedApi};

/// Longer than the whole story takes on a busy machine.
const STORY_DEADLINE: Duration = Duration::from_secs(300);

/// How the README names the cage.
const CAGE: &str = "demo";

#[tokio::test]
async fn the_readme_shows_what_the_demo_prints() {
    in_docker("transcript", async |name| {
        let script = Script::from_file(&root().join("tests/scripts/demo.json")).unwrap();
        let api = ScriptedApi::start(gateway().await, script).await.unwrap();
        let output = tempfile::tempdir().unwrap();
        let run = Run::new(delegate())
            .args(["--name", name, "--project", "examples/sample-project", "--answers", "examples/answers"])
            .args(["--task", &of_the_demo("TASK"), "--revision", &of_the_demo("REVISION")])
            .args(["--image", &places::image(), "--output", output.path().to_str().unwrap()])
            .env("ANTHROPIC_BASE_URL", api.base_url())
            .env("ANTHROPIC_API_KEY", "made-up-by-the-test")
            .folder(root())
            .deadline(STORY_DEADLINE);
        let story = run.finish().await.exits_with(0);
        // The last line names the folder of this run.
        let printed = story.stdout().rsplit_once("delegate: ok").unwrap().0.replace(name, CAGE);
        let kept = root().join("target/transcript.txt");
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(&kept, &printed).unwrap();
        let shown = transcript();
        assert_eq!(
            without_chance(&shown),
            without_chance(&printed),
            "the new transcript is in {}",
            kept.display()
        );
    })
    .await;
}

/// The example that the demo runs, built by the same cargo as this test.
fn delegate() -> PathBuf {
    let test = env::current_exe().unwrap();
    let example = test.parent().unwrap().parent().unwrap().join("examples/delegate");
    assert!(example.is_file(), "{} is missing; `cargo build --examples` builds it", example.display());
    example
}

/// One of the texts that the demo's script sets.
fn of_the_demo(name: &str) -> String {
    let script = fs::read_to_string(root().join("scripts/demo.sh")).unwrap();
    let line = script.lines().find_map(|line| line.strip_prefix(&format!("{name}='"))).unwrap();
    line.trim_end_matches('\'').to_owned()
}

fn transcript() -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme.split("```text\n").nth(1).unwrap_or_default();
    block.split("```").next().unwrap().to_owned()
}

/// Puts a mark in the place of what differs from run to run: the seconds of a step, and the id and time of a message.
fn without_chance(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| [r#""id":""#, r#""timestamp":""#].iter().fold(without_time(line), |l, m| blank(&l, m)))
        .collect()
}

fn without_time(line: &str) -> String {
    let step = line.strip_prefix('[').and_then(|rest| rest.split_once(" s] "));
    step.map_or_else(|| line.to_owned(), |(_, what)| format!("[…] {what}"))
}

/// Blanks the string behind the first `member`.
fn blank(line: &str, member: &str) -> String {
    let Some((before, rest)) = line.split_once(member) else { return line.to_owned() };
    let value_and_rest = rest.split_once('"').unwrap();
    format!("{before}{member}…\"{}", value_and_rest.1)
}
