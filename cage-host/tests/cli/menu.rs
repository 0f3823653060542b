//! What a person is asked, at a terminal.

use std::fs;

use crate::desk::{Desk, program};
use crate::support::image;
use crate::terminal::Terminal;
use crate::whole_way::{Api, answers, exported, sample_project};

#[test]
fn revises_looks_branches_exports_and_destroys_as_a_person_chooses() {
    let Some(desk) = Desk::with_engine("menu") else { return };
    sample_project(&desk);
    desk.git(&["init", "--quiet"]);
    desk.git(&["add", "."]);
    desk.git(&["commit", "--quiet", "--message", "begin"]);
    let api = Api::start();
    let run = format!(
        "ANTHROPIC_BASE_URL={} ANTHROPIC_API_KEY=made-up '{}' run 'Add --shout' --name {} --image {} --answers '{}'; \
         echo ended $?; cat",
        api.url,
        program().display(),
        desk.name(),
        image(),
        answers()
    );
    let terminal = Terminal::run(&desk, &run);
    let asked = |screen: &str| screen.trim_end().ends_with("[d]estroy:");
    terminal.until(|screen| screen.contains("it's tested") && asked(screen));
    terminal.line("revise");
    terminal.until(|screen| screen.contains("what is to be different?"));
    terminal.line("Show it in README.md too.");
    terminal.until(|screen| screen.contains("the README shows --shout") && asked(screen));
    terminal.line("b");
    terminal.until(|screen| screen.contains("no commit is left to put on it") && asked(screen));
    desk.agent(&["sh", "-c", "git commit --quiet --all --message 'Add --shout'"]);
    terminal.line("b");
    terminal.until(|screen| screen.contains("made the branch cage/") && asked(screen));
    let branch = format!("cage/{}", desk.name());
    assert!(desk.git(&["show", &branch]).contains("+        --shout)"));
    assert!(!exported(&desk).contains("--shout"), "the working tree is as it was");
    terminal.press("C-l");
    terminal.line("x");
    terminal.line("l");
    terminal.until(|screen| screen.contains("3 modified, 0 deleted") && asked(screen));
    terminal.line("e");
    terminal.until(|screen| screen.contains("exported 3 written") && asked(screen));
    assert!(exported(&desk).contains("--shout"));
    terminal.line("d");
    let screen = terminal.until(|screen| screen.contains("ended"));
    assert!(screen.contains("destroyed ") && screen.contains("ended 0"), "{screen}");
    assert_eq!(desk.containers(), "");
}

#[test]
fn keeps_the_cage_when_a_person_ends_the_program_at_a_question() {
    let Some(desk) = Desk::with_engine("pause") else { return };
    sample_project(&desk);
    let api = Api::start();
    let run = format!(
        "ANTHROPIC_BASE_URL={} ANTHROPIC_API_KEY=made-up '{}' run 'Add --shout' --name {} --image {}; echo ended $?; cat",
        api.url,
        program().display(),
        desk.name(),
        image()
    );
    let terminal = Terminal::run(&desk, &run);
    terminal.until(|screen| screen.contains("answer with"));
    terminal.press("C-c");
    terminal.until(|screen| screen.contains("ended 130"));
    desk.run(&["exists", desk.name()]).succeeds();
}

#[test]
fn leaves_a_file_alone_that_changed_here_while_a_person_was_asked() {
    let Some(desk) = Desk::with_cage("dirty") else { return };
    desk.agent(&["sh", "-c", "echo cage >> README.md; echo cage > new"]);
    let command = format!("'{}' export {} 2>&1; echo ended $?; cat", program().display(), desk.name());
    let terminal = Terminal::run(&desk, &command);
    terminal.until(|screen| screen.contains("[y/N]"));
    fs::write(desk.path("project/README.md"), "mine\n").unwrap();
    fs::write(desk.path("project/new"), "mine too\n").unwrap();
    terminal.line("y");
    let screen = terminal.until(|screen| screen.contains("ended"));
    let said = screen.split("[y/N]").nth(1).unwrap();
    insta::assert_snapshot!(said.trim(), @r"
    y
    conflict README.md: the folder's file changed since the diff
    conflict new: the folder has another file there
    exported 0 written, 0 deleted, in .
    next:  look at the conflicts; --overwrite replaces what changed here
    ended 1
    ");
    assert_eq!(fs::read_to_string(desk.path("project/README.md")).unwrap(), "mine\n");
    assert_eq!(fs::read_to_string(desk.path("project/new")).unwrap(), "mine too\n");
}
