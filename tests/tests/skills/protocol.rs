//! The page for the agent inside: made of what the programs say, so that it cannot drift.

use std::fs;
use std::process::{Command, Output};

use cage_tests::cage_dir::TestDir;
use cage_tests::places::{programs, root};

use crate::page::Page;
use crate::stage::path_with;

const SKILL: &str = "cage-protocol";

#[test]
fn the_page_of_the_protocol_says_what_each_agent_is_told() {
    let told = cage_proto::agent::instructions();
    assert!(Page::of(SKILL).text.starts_with(&told), "the page must begin with:\n{told}");
}

#[test]
fn the_page_of_the_protocol_has_the_table_of_the_protocol() {
    let protocol = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let at = protocol.find("| type | direction |").unwrap();
    let (table, _) = protocol[at..].split_once("\n\n").unwrap();
    assert!(Page::of(SKILL).text.contains(table), "the page must hold:\n{table}");
}

#[test]
fn the_commands_of_the_agent_run_as_the_page_shows_them() {
    let page = Page::of(SKILL);
    let cage = TestDir::new();
    let answer = cage.run(
        "cage-send",
        &["info_response", "--request-id", "style-2", "--content", "Spaces.", "--mailbox", "inbox"],
    );
    assert!(answer.status.success(), "{answer:?}");
    let blocks = page.under("Worked examples");
    let printed: Vec<_> = blocks.iter().map(|block| in_shell(block, &cage)).collect();
    assert_eq!(
        cage.statuses(),
        ["running the tests", "info_request", "error", "task_complete", "info_request"]
    );
    assert!(printed[1].contains("Spaces."), "{printed:?}");
    page.was_run_to_the_last_command();
}

#[test]
fn the_page_has_each_exit_code_of_the_command_that_sends() {
    let help = Command::new(programs().join("cage-send")).args(["info_request", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let page = Page::of(SKILL);
    for code in codes.lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(page.text.contains(&format!("\n| {code} | ")), "no {code}");
    }
}

fn in_shell(commands: &str, cage: &TestDir) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-ec", commands]).env("PATH", path_with(&programs())).env("CAGE_DIR", cage.dir.path());
    let Output { status, stdout, stderr } = shell.output().unwrap();
    assert!(status.success(), "{commands}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
