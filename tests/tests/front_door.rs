//! What a newcomer reads first, held against the project: each command runs, each link leads somewhere, nothing is left
//! open.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cage_tests::cage_dir::TestDir;
use cage_tests::places::{programs, root};
use cage_tests::skip::skip;

/// The kinds of code block that the README may hold: each is proven by a test.
const PROVEN: [(&str, &str); 4] = [
    ("sh", "this file, and skills/readme.rs"),
    ("text", "transcript.rs"),
    ("rust,no_run", "the doc tests of this package"),
    ("dockerfile", "any_image.rs"),
];

/// Words that say that something is still to be done, in two halves, so that this file does not hold them.
const LEFT_OPEN: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("todo", "!(")];

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The code blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                inside = true;
                blocks.push((language.to_owned(), String::new()));
            }
            None if inside => blocks.last_mut().unwrap().1.extend([line, "\n"]),
            None => {}
        }
    }
    blocks
}

fn shell_blocks() -> Vec<String> {
    let shell = blocks(&readme()).into_iter().filter(|(language, _)| language == "sh");
    shell.map(|(_, text)| text).collect()
}

#[test]
fn the_readme_holds_no_code_that_no_test_proves() {
    for (language, text) in blocks(&readme()) {
        assert!(
            PROVEN.iter().any(|(proven, _)| *proven == language),
            "no test proves this `{language}`:\n{text}"
        );
    }
}

#[test]
fn the_readme_shows_no_command_but_ours_and_targets_of_make() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for line in shell_blocks().iter().flat_map(|block| block.lines()) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["make", target] => {
                assert!(makefile.contains(&format!("\n{target}: ")), "{line}: no such target");
            }
            ["cage-send" | "cage-poll" | "cage", ..] => {}
            _ => panic!("nothing proves the command `{line}`"),
        }
    }
}

#[test]
fn the_commands_of_the_agent_run_as_the_readme_shows_them() {
    let commands = shell_blocks().into_iter().find(|block| block.contains("cage-send")).unwrap();
    let cage = TestDir::new();
    let inward = |arguments: &[&str]| {
        let output = cage.run("cage-send", &[arguments, &["--mailbox", "inbox"]].concat());
        assert!(output.status.success(), "{output:?}");
    };
    inward(&["info_response", "--request-id", "req-1", "--content", "two spaces"]);
    inward(&["task_revision", "--instructions", "also update the README"]);
    let output = in_shell(&commands, cage.dir.path());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cage.statuses(), ["running the tests", "info_request", "task_complete"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let (answer, revision) =
        (printed.find("two spaces").unwrap(), printed.find("also update the README").unwrap());
    assert!(answer < revision, "{printed}");
}

fn in_shell(commands: &str, folder: &Path) -> Output {
    let path = path_with(&programs());
    Command::new("sh").args(["-ec", commands]).env("PATH", path).env("CAGE_DIR", folder).output().unwrap()
}

/// What `cage` says when it has understood a command line, and finds itself inside a cage, where it does nothing.
const UNDERSTOOD: &str = "this is the inside of a cage";

#[test]
fn the_command_understands_what_the_readme_shows() {
    let folder = programs_of_this_build();
    if !folder.join("cage").is_file() {
        return skip("the_command_understands_what_the_readme_shows", "the feature `cli` is not built");
    }
    let lines: Vec<_> = shell_blocks().iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
    let lines: Vec<_> = lines.iter().filter(|line| line.starts_with("cage ")).collect();
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        let mut command = Command::new("sh");
        let output =
            command.args(["-c", line]).env("PATH", path_with(&folder)).env("TRUSTY_CAGE", "1").output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        assert!(said.contains(UNDERSTOOD), "{line}: {said}");
    }
}

/// Where cargo puts the programs that it builds together with this test.
fn programs_of_this_build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

fn path_with(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn every_link_within_the_project_leads_to_a_file_and_to_a_heading_in_it() {
    let pages = tracked(&["*.md"]);
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for target in links(&text) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let here = root().join(&page);
            let file = if path.is_empty() { here } else { here.parent().unwrap().join(path) };
            assert!(file.exists(), "{page} links to {target}, which is not there");
            let there = || anchors(&fs::read_to_string(&file).unwrap());
            assert!(heading.is_empty() || there().contains(heading), "{page}: {target} has no such heading");
        }
    }
}

/// The targets of a page's links and pictures that lie within the project. What rustdoc resolves it checks itself.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let elsewhere = |target: &&str| target.contains("://") || target.contains("::");
    targets.filter(|target| !elsewhere(target)).collect()
}

/// The names that a page's headings have in links.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let headings = headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn nothing_is_left_open_in_the_tree() {
    for file in tracked(&[".", ":!*.lock", ":!fuzz/corpus"]) {
        let text = String::from_utf8_lossy(&fs::read(root().join(&file)).unwrap_or_default()).into_owned();
        for (first, second) in LEFT_OPEN {
            let word = format!("{first}{second}");
            assert!(!text.contains(&word), "{file} holds {word}");
        }
    }
}

/// The files that git knows, by their paths from the top.
fn tracked(patterns: &[&str]) -> Vec<String> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "--"];
    let output = Command::new("git").arg("-C").arg(root()).args(list).args(patterns).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Two rows as `make bench` writes them: one whole, one without the other side.
const RESULTS: &str = r#"{
    "send": {"ours": 2.5, "peer": 61, "floor": 2, "unit": "ms", "runs": 50},
    "destroy": {"ours": 0.3, "peer": null, "floor": null, "unit": "s", "runs": 5}
}"#;

#[test]
fn the_table_of_measurements_is_written_between_its_marks_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (results, page) = (folder.path().join("results.json"), folder.path().join("README.md"));
    fs::write(&results, RESULTS).unwrap();
    fs::write(&page, readme()).unwrap();
    let output =
        Command::new(root().join("scripts/readme-bench.sh")).args([&results, &page]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let written = fs::read_to_string(&page).unwrap();
    assert_eq!(around_the_table(&written), around_the_table(&readme()));
    assert!(
        written.contains("| send a message from inside the cage | 2.5 ms | 61 ms | 24.4 × |\n<!--"),
        "{written}"
    );
    assert!(!written.contains("destroy a cage"), "a row without a peer is no comparison");
}

fn around_the_table(page: &str) -> (&str, &str) {
    let (before, rest) = page.split_once("<!-- bench: begin -->").unwrap();
    (before, rest.split_once("<!-- bench: end -->").unwrap().1)
}
