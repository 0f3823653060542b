//! git run in a folder of the host or in the cage's, where it plays the agent.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::story::Story;

/// Runs git in a folder as somebody whose settings are none.
pub(crate) fn run_git(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=Agent", "-c", "user.email=agent@cage"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    git_fed(folder, arguments, b"")
}

pub(crate) fn git_fed(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let output = run_git(folder, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}\n{}", String::from_utf8_lossy(input));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub(crate) fn commit_all(folder: &Path, message: &str) {
    git(folder, &["add", "--all", "--force"]);
    git(folder, &["commit", "--quiet", "--allow-empty-message", "--message", message]);
}

/// A story whose project is a repository of the host with one commit.
pub(crate) async fn story_in_repository(files: &[(&str, &str)]) -> Story {
    let story = Story::new(files).await;
    git(story.project.path(), &["init", "--quiet", "--initial-branch=main"]);
    commit_all(story.project.path(), "host");
    story
}
