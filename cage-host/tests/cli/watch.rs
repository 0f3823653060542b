//! The dashboard on a real terminal, tmux's.

use std::fs;
use std::time::Instant;

use crate::desk::{Desk, program};
use crate::terminal::{PATIENCE, Terminal};

#[test]
fn shows_a_cage_and_its_messages_sends_a_revision_stops_it_and_gives_the_terminal_back() {
    let Some(desk) = Desk::with_cage("watch") else { return };
    let name = desk.name();
    desk.agent(&["cage-send", "progress_update", "--status", "reading\u{1b}[2J the code"]);
    let script = format!(
        "stty -a >before; {} watch; code=$?; stty -a >after; echo ended $code; cat",
        program().display()
    );
    let terminal = Terminal::run(&desk, &script);
    let listed = |screen: &str| screen.lines().any(|line| line.starts_with(name) && line.contains("idle"));
    // Before the cages are listed there is none that a key could be about.
    let screen = terminal.until(|screen| screen.contains(" cages, "));
    assert!(screen.contains("q quit"), "{screen}");
    // Other cages may stand above this one.
    let deadline = Instant::now() + PATIENCE;
    while !chosen(&terminal, name, listed) {
        assert!(Instant::now() < deadline, "{name} cannot be chosen:\n{}", terminal.screen());
        terminal.press("Down");
    }
    terminal.press("m");
    terminal.until(|screen| screen.contains("messages of") && screen.contains("reading\\u{1b}[2J the code"));
    terminal.press("q");
    terminal.until(listed);
    terminal.tmux(&["send-keys", "-t", "watch", "-l", "ronly in English"]);
    terminal.until(|screen| screen.contains("only in English"));
    terminal.press("Enter");
    terminal.until(|screen| screen.contains("sent to"));
    assert!(desk.agent(&["sh", "-c", "cat ~/.cage/inbox/*.json"]).contains("only in English"));
    terminal.press("s");
    terminal.press("y");
    terminal.until(|screen| screen.contains("is stopped"));
    terminal.press("q");
    let screen = terminal.until(|screen| screen.contains("ended 0"));
    assert!(!screen.contains("PROGRESS"), "the dashboard is gone:\n{screen}");
    assert_eq!(
        terminal.tmux(&["display-message", "-p", "-t", "watch", "#{alternate_on} #{cursor_flag}"]),
        "0 1\n"
    );
    let modes = |file: &str| fs::read_to_string(desk.path("project").join(file)).unwrap();
    assert_eq!(modes("after"), modes("before"));
}

/// Says whether the cage is the chosen one: of what asks about it, nothing is done.
fn chosen(terminal: &Terminal, name: &str, listed: impl Fn(&str) -> bool) -> bool {
    terminal.press("s");
    let screen = terminal.until(|screen| screen.contains("its files stay"));
    terminal.press("n");
    terminal.until(|screen| !screen.contains("its files stay"));
    screen.contains(&format!("stop {name}?")) && listed(&terminal.until(&listed))
}

#[test]
fn rejects_what_is_no_terminal() {
    let desk = Desk::bare("no-terminal");
    let ran = desk.run(&["watch"]).ends_with(64);
    insta::assert_snapshot!(ran.stderr, @r"
    cage: watch is for a terminal; for programs there is: cage list --json
      next: cage help COMMAND lists the options
    ");
}
