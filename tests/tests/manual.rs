//! The manual pages and shell completions, made from the programs' command lines and installed in the image.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::fs;
use std::path::{Path, PathBuf};

use cage_proto::message::Kind;
use cage_tests::docker::{docker, in_docker};
use cage_tests::places::{self, programs};
use cage_tests::run::{Finished, Run};

const PROGRAMS: [&str; 2] = ["cage-send", "cage-poll"];

/// Each shell, and where it looks for the completions of the program `NAME`.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/NAME.bash"),
    ("zsh", "zsh/vendor-completions/_NAME"),
    ("fish", "fish/vendor_completions.d/NAME.fish"),
];

/// Asks the completion of a program, as bash does, and prints what it offers for the last of the words.
const COMPLETE: &str = r#"
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
[[ $(complete -p "$1") =~ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" "$1" "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// The folder that is copied to `/usr/share`.
fn share() -> PathBuf {
    let share = programs().join("share");
    assert!(share.is_dir(), "{} is missing; `make binaries` writes it", share.display());
    share
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> =
        fs::read_dir(share().join("man/man1")).unwrap().map(|page| page.unwrap().path()).collect();
    pages.sort();
    pages
}

async fn run(program: &str, arguments: &[&str]) -> Finished {
    Run::new(program).args(arguments).finish().await
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_type_and_every_subcommand_has_a_page() {
    let names: Vec<_> =
        pages().iter().map(|page| page.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let mut expected: Vec<_> = Kind::ALL.map(|kind| format!("cage-send-{kind}.1")).into();
    expected.extend(PROGRAMS.map(|program| format!("{program}.1")));
    expected.extend(["supervise", "hook", "instructions"].map(|command| format!("cage-poll-{command}.1")));
    for name in expected {
        assert!(names.contains(&name), "{name} is missing among {names:?}");
    }
}

#[tokio::test]
async fn the_pages_are_sound_and_show_every_flag() {
    for page in pages() {
        let _ = run("mandoc", &["-T", "lint", "-W", "error", text(&page)]).await.exits_with(0);
    }
    let page = share().join("man/man1/cage-send-info_request.1");
    let shown = run("mandoc", &["-T", "ascii", text(&page)]).await.exits_with(0);
    // A terminal shows bold by printing a character twice.
    let mut shown = shown.stdout().to_owned();
    while let Some(at) = shown.find('\u{8}') {
        shown.replace_range(at - 1..=at, "");
    }
    for part in ["--request-id", "--wait", "--mailbox", "Examples:", "74  storage error"] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
}

#[tokio::test]
async fn each_shell_takes_its_completions() {
    for (shell, file) in COMPLETIONS {
        for program in PROGRAMS {
            let file = share().join(file.replace("NAME", program));
            let _ = run(shell, &["-n", text(&file)]).await.exits_with(0);
        }
    }
}

async fn completed(words: &[&str]) -> String {
    let file = share().join(COMPLETIONS[0].1.replace("NAME", words[0]));
    let arguments = [&["-c", COMPLETE, "bash", text(&file)], words].concat();
    run("bash", &arguments).await.exits_with(0).stdout().trim().to_owned()
}

#[tokio::test]
async fn bash_completes_a_type_its_flags_and_the_name_of_a_mailbox() {
    assert_eq!(completed(&["cage-send", "prog"]).await, "progress_update");
    assert_eq!(completed(&["cage-send", "task_complete", "--exi"]).await, "--exit-code");
    assert_eq!(completed(&["cage-poll", "--mailbox", "out"]).await, "outbox");
    assert_eq!(completed(&["cage-poll", "superv"]).await, "supervise");
}

#[tokio::test]
async fn fish_completes_a_type_and_its_flags() {
    let file = share().join(COMPLETIONS[2].1.replace("NAME", "cage-send"));
    for (typed, offered) in [("cage-send prog", "progress_update\t"), ("cage-send ack --ack", "--acked-id\t")]
    {
        let complete = format!("source {}; complete --do-complete '{typed}'", file.display());
        let shown = run("fish", &["--no-config", "-c", &complete]).await.exits_with(0);
        assert!(shown.stdout().starts_with(offered), "{typed}: {shown}");
    }
}

#[tokio::test]
async fn the_image_has_them_where_its_shells_look() {
    in_docker("manual", async |_| {
        let mut wanted: Vec<_> = PROGRAMS.map(|program| format!("/usr/share/man/man1/{program}.1")).into();
        for (_, file) in COMPLETIONS {
            wanted.extend(PROGRAMS.map(|program| format!("/usr/share/{}", file.replace("NAME", program))));
        }
        let image = places::image();
        let list = ["run", "--rm", "--network", "none", &image, "ls"];
        let _ = docker(list.into_iter().chain(wanted.iter().map(String::as_str))).await.exits_with(0);
    })
    .await;
}
