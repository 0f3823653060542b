//! The examples that bring home what was done in a cage, each run as a program on a cage that has been worked in.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::path::Path;
use std::process::Command;

use cage_host::{Cage, CageSpec};
use support::{Stage, example, image, skip, write_tree};
use tempfile::TempDir;

/// What the agent does: changes, a commit of them, a cache, and something that is held back.
const WORK: &str = "cd ~/project && echo two >> a.rs && mv old.md new.md && mkdir __pycache__ && echo x > __pycache__/x &&
    git add a.rs new.md old.md && git -c user.name=A -c user.email=a@b commit -qm 'Add two' && echo evil > .envrc";

/// A project in a repository, and a cage made of it in which an agent has worked.
struct Worked {
    stage: Stage,
    project: TempDir,
    cage: Cage,
}

impl Worked {
    async fn new(story: &str) -> Option<Self> {
        let stage = Stage::docker().await?;
        let project = tempfile::tempdir().unwrap();
        write_tree(project.path(), &[("a.rs", "one\n"), ("old.md", "text\n")]);
        let git = "git init -q -b main && git add . && git -c user.name=H -c user.email=h@i commit -qm host";
        let made = Command::new("sh").args(["-c", git]).current_dir(project.path()).status().unwrap();
        assert!(made.success());
        let spec = CageSpec::from_dir(stage.name(story), project.path()).image(image());
        let cage = stage.host.create(spec).await.unwrap();
        stage.agent(&cage, &["sh", "-c", WORK]);
        Some(Self { stage, project, cage })
    }

    /// Runs an example on the cage and returns what it printed, with the folder and changing names taken out.
    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.command(&example(name)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg(self.project.path()).args(["--name", self.cage.name().as_str()]);
        command
    }
}

#[tokio::test]
async fn shows_what_changed_and_exports_it() {
    let Some(worked) = Worked::new("home").await else { return };
    let shown = worked.run("diff", &["--text"]);
    let exported =
        worked.run("export", &["--mirror", "--only", "a.rs", "--only", "old.md", "--only", ".envrc"]);
    let rest = worked.run("export", &["--agent-run", "--protected"]);
    worked.cage.destroy().await.unwrap();
    insta::assert_snapshot!(shown, @r"
    A .envrc (held back: tools run such a file without being asked)
    M a.rs
    A new.md (moved from old.md)
    D old.md (moved to new.md)
    P __pycache__ (protected, 1 file differs)
    Markdown         +0 -0 in 2 files
    Rust             +1 -0 in 1 file
    other            +1 -0 in 1 file
    total            +2 -0 in 4 files
    --- /dev/null
    +++ b/.envrc
    @@ -0,0 +1 @@
    +evil
    --- a/a.rs
    +++ b/a.rs
    @@ -1 +1,2 @@
     one
    +two
    --- /dev/null
    +++ b/new.md
    @@ -0,0 +1 @@
    +text
    D old.md
    ");
    insta::assert_snapshot!(exported, @r"
    1 written (8 bytes), 1 deleted
    left out: .envrc: tools run such a file without being asked
    ");
    insta::assert_snapshot!(rest, @"3 written (12 bytes), 0 deleted");
    drop(worked.stage);
}

#[tokio::test]
async fn puts_commits_on_a_branch() {
    let Some(worked) = Worked::new("patches").await else { return };
    let shown = worked.run("patches", &["--branch", "cage/demo"]);
    worked.cage.destroy().await.unwrap();
    assert!(shown.contains("    Add two\n\n--- a/a.rs\n+++ b/a.rs\n@@ -1 +1,2 @@\n one\n+two\n"), "{shown}");
    assert!(shown.ends_with("1 commits on cage/demo\n"), "{shown}");
    drop(worked.stage);
}

#[tokio::test]
async fn pushes_what_the_host_changed_and_removes_caches() {
    let Some(worked) = Worked::new("push").await else { return };
    write_tree(worked.project.path(), &[("a.rs", "host\n"), ("more", "host")]);
    let shown = worked.run("push", &["--tidy"]);
    worked.cage.destroy().await.unwrap();
    insta::assert_snapshot!(shown, @r"
    wrote more
    conflict: a.rs: both the host and the cage changed it
    removed 1 caches
    ");
    drop(worked.stage);
}

/// Mounts a small disk at `$1`, puts a project on it, runs the rest, and shows what is on the disk afterwards.
const ON_A_SMALL_DISK: &str = r#"mount -t tmpfs -o size=96k cage-test "$1" || exit 99
cd "$1" && printf old > kept && mkdir sub && printf old > sub/a; shift
"$@"; echo "exit code $?"
find . -type f -printf '%P ' -exec cat {} ';' -printf '\n' | sort"#;

#[tokio::test]
async fn changes_nothing_on_a_disk_that_fills_half_way() {
    let Some(worked) = Worked::new("full").await else { return };
    if !rustix::process::geteuid().is_root() {
        return skip("mounting a disk needs root").unwrap_or_default();
    }
    let work = "cd ~/project && printf new > kept && mkdir -p sub fresh/deep && printf new > sub/a &&
        head -c 80000 /dev/urandom > fresh/deep/b && head -c 80000 /dev/urandom > z";
    worked.stage.agent(&worked.cage, &["sh", "-c", work]);
    let disk = tempfile::tempdir().unwrap();
    let target = disk.path().to_str().unwrap();
    let program = example("export");
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", ON_A_SMALL_DISK, "sh", target])
        .arg(&program)
        .arg(worked.project.path())
        .args(["--name", worked.cage.name().as_str(), "--output", target])
        .output()
        .unwrap();
    worked.cage.destroy().await.unwrap();
    let (shown, complaint) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(shown, "exit code 1\nkept old\nsub/a old\n", "{complaint}");
    assert!(complaint.contains("so nothing was changed (free space, then export again)"), "{complaint}");
    drop(worked.stage);
}
