//! What a person changed while the agent was at work, as the command shows and keeps it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Command;

use crate::desk::{Desk, program};
use crate::schema;
use crate::support::{image, skip};
use crate::whole_way::{Api, answers, exported, sample_project};

#[test]
fn leaves_what_changed_here_and_says_so() {
    let Some(desk) = Desk::with_cage("sides") else { return };
    let name = desk.name();
    desk.agent(&["sh", "-c", "echo cage >> README.md; echo cage > new"]);
    for (file, text) in [("README.md", "mine\n"), ("greet", "mine\n"), ("notes", "mine\n")] {
        fs::write(desk.path("project").join(file), text).unwrap();
    }
    let difference = desk.json("diff", &["diff", name]);
    assert_eq!(difference["changes"][0]["held_back"], "both the host and the cage changed it");
    assert_eq!(difference["changed_here"], serde_json::json!(["greet", "notes"]));
    insta::assert_snapshot!(desk.run(&["diff", name]).succeeds().stdout, @r"
    M README.md  (held back: both the host and the cage changed it)
    A new
    2 files were changed here alone, which cage sync brings into the cage
    1 added, 1 modified, 0 deleted, 1 held back
    ");
    insta::assert_snapshot!(desk.run(&["export", name, "--yes", "--delete"]).ends_with(1).stdout, @r"
    conflict README.md: both the host and the cage changed it
    exported 1 written, 0 deleted, in .
    next:  look at the conflicts; --overwrite replaces what changed here
    ");
    assert_eq!(fs::read_to_string(desk.path("project/README.md")).unwrap(), "mine\n");
    desk.run(&["export", name, "--yes", "--delete", "--overwrite"]).succeeds();
    assert_eq!(fs::read_to_string(desk.path("project/README.md")).unwrap(), "greet\ncage\n");
    assert_eq!(fs::read_to_string(desk.path("project/greet")).unwrap(), "mine\n");
    assert_eq!(fs::read_to_string(desk.path("project/notes")).unwrap(), "mine\n");
    let said = desk.run(&["diff", name]).succeeds().stdout;
    assert!(said.starts_with(&format!("{name} has changed nothing\n2 files were")), "{said}");
    // Another run of the program remembers what was exported.
    desk.agent(&["sh", "-c", "echo more >> README.md; echo more >> new"]);
    desk.run(&["export", name, "--yes"]).succeeds();
    assert_eq!(fs::read_to_string(desk.path("project/new")).unwrap(), "cage\nmore\n");
}

#[test]
fn loses_nothing_when_it_is_killed_before_it_remembers_what_it_exported() {
    let Some(desk) = Desk::with_cage("sides-kill") else { return };
    let name = desk.name();
    if !Command::new("strace").arg("--version").output().is_ok_and(|done| done.status.success()) {
        return skip("no strace").unwrap_or_default();
    }
    desk.agent(&["sh", "-c", "echo first > new"]);
    // Nothing else is synced by an export.
    let kill = "strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=SIGKILL:when=1";
    let killed =
        desk.finish(&mut desk.shell(&format!("{kill} '{}' export {name} --yes", program().display())));
    assert!(!killed.status.success(), "{}", killed.stdout);
    let new = || fs::read_to_string(desk.path("project/new")).unwrap();
    assert_eq!(new(), "first\n", "it was killed after it wrote");
    desk.agent(&["sh", "-c", "echo second > new"]);
    let again = desk.run(&["export", name, "--yes"]).ends_with(1).stdout;
    assert!(again.contains("conflict new: both the host and the cage changed it"), "{again}");
    assert_eq!(new(), "first\n");
    desk.run(&["export", name, "--yes", "--overwrite"]).succeeds();
    desk.agent(&["sh", "-c", "echo third > new"]);
    desk.run(&["export", name, "--yes"]).succeeds();
    assert_eq!(new(), "third\n");
}

#[test]
fn keeps_a_cage_whose_result_came_home_in_part_only() {
    let Some(desk) = Desk::with_engine("sides-run") else { return };
    sample_project(&desk);
    let (api, image) = (Api::start(), image());
    let mut command =
        desk.command(&["run", "Add --shout", "--name", desk.name(), "--image", &image, "--yes", "--json"]);
    command.args(["--answers", &answers()]);
    api.signs_in(&mut command);
    let mut child = command.spawn().unwrap();
    let mut events = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        schema::check("run", &event);
        if event["event"] == "created" {
            fs::write(desk.path("project/greet"), "mine\n").unwrap();
        }
        events.push(event);
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let [.., done, last] = &events[..] else { panic!("{events:?}") };
    assert_eq!(done["conflicts"], serde_json::json!(["greet: both the host and the cage changed it"]));
    assert_eq!((last["event"].as_str(), exported(&desk)), (Some("kept"), "mine\n".to_owned()));
    desk.run(&["destroy", desk.name(), "--yes"]).succeeds();
}
