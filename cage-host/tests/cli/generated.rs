//! What is made from the definition of the command line, and what holds for every command.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::desk::{Desk, program};

/// The commands as the help lists them.
fn commands(desk: &Desk) -> BTreeSet<String> {
    let help = desk.run(&["--help"]).succeeds().stdout;
    let list = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn has_help_for_every_command_with_an_example_of_its_exit_codes() {
    let desk = Desk::bare("help");
    let all = commands(&desk);
    assert!(all.len() > 10, "{all:?}");
    for command in all {
        let help = desk.run(&["help", &command]).succeeds().stdout;
        assert!(help.contains("Usage: cage") || command == "help", "{help}");
    }
    assert!(desk.run(&["--help"]).stdout.contains("outbox --poll, run: the agent went idle"));
}

#[test]
fn writes_a_manual_page_for_every_command() {
    let desk = Desk::bare("man");
    let folder = desk.path("man");
    desk.json("man", &["man", folder.to_str().unwrap()]);
    for command in commands(&desk).into_iter().filter(|command| command != "help") {
        let page = std::fs::read_to_string(folder.join(format!("cage-{command}.1"))).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{command}:\n{page}");
    }
}

#[test]
fn prints_completions_that_the_shell_accepts() {
    let desk = Desk::bare("completions");
    let script = desk.run(&["completions", "bash"]).succeeds().stdout;
    assert!(script.contains("outbox"));
    let file = desk.path("cage.bash");
    std::fs::write(&file, script).unwrap();
    assert!(Command::new("bash").arg("-n").arg(file).status().unwrap().success());
    for shell in ["elvish", "fish", "powershell", "zsh"] {
        assert!(desk.run(&["completions", shell]).succeeds().stdout.contains("outbox"), "{shell}");
    }
}

#[test]
fn rejects_what_it_does_not_understand_with_an_exit_code_of_its_own() {
    let desk = Desk::bare("usage");
    for wrong in [&["list", "--bogus"][..], &["nonsense"], &[], &["inbox", "x", "progress_update", "{}"]] {
        desk.run(wrong).ends_with(64);
    }
}

#[test]
fn refuses_the_hosts_commands_in_a_cage_and_says_how_to_report() {
    let desk = Desk::bare("inside");
    let ran = desk.finish(desk.command(&["list"]).env("TRUSTY_CAGE", "1")).ends_with(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("the host's commands are for outside"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cage-send task_complete"), "{}", ran.stderr);
    let ran = desk.finish(desk.command(&["list"]).env("USER", "trustycage"));
    ran.ends_with(1);
    desk.finish(desk.command(&["completions", "fish"]).env("TRUSTY_CAGE", "1")).succeeds();
}

#[test]
fn colours_on_a_terminal_only_and_never_with_no_color() {
    let desk = Desk::bare("colour");
    let on_a_terminal = |no_color: &str| {
        let line = format!("{} help", program().display());
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let shown = command.env("TERM", "xterm").env("NO_COLOR", no_color).stdin(Stdio::null()).output();
        String::from_utf8(shown.unwrap().stdout).unwrap()
    };
    assert!(on_a_terminal("").contains("\u{1b}["));
    assert!(!on_a_terminal("1").contains("\u{1b}["));
    assert!(!desk.run(&["help"]).stdout.contains("\u{1b}["));
}
