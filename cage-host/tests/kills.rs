//! A host program that is killed at each step of what it asks of the engine, and what cleaning up makes of the rest.
//!
//! The program is this test program itself, started for one deed. `CAGE_SOAK=1` takes every step of the longer deeds.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command as BlockingCommand;

use cage_host::{Cage, CageSpec, CageState, EmbeddedConfig, Error, Host, RequestError};
use support::cut::killed_at;
use support::{Stage, image, write_tree};
use tokio::process::Command;

/// Tell the program what to do, with which cage, and with which new name or folder.
const DEED: &str = "CAGE_TEST_DEED";
const NAME: &str = "CAGE_TEST_NAME";
const OTHER: &str = "CAGE_TEST_OTHER";

/// Far more steps than any deed has.
const MOST_STEPS: usize = 200;

#[tokio::test]
#[ignore = "it is the program that the other tests start and kill"]
async fn the_program_that_is_killed() {
    let [deed, name, other] = [DEED, NAME, OTHER].map(|variable| env::var(variable).unwrap());
    if deed == "export" {
        return export(&name, &other).await;
    }
    let host = Host::connect().await.unwrap();
    let cage = async || host.cage(&name).await.unwrap();
    match deed.as_str() {
        "create" => drop(host.create(CageSpec::from_dir(&name, other).image(image())).await.unwrap()),
        "destroy" => cage().await.destroy().await.unwrap(),
        "snapshot" => drop(host.snapshot(&cage().await, &other).await.unwrap()),
        "add-folder" => drop(cage().await.add_folder("docs", other).await.unwrap()),
        "fork" => drop(host.fork(&cage().await, &other).await.unwrap()),
        unknown => panic!("no deed: {unknown}"),
    }
}

/// Exports what is in the embedded cage below the folder `cages`.
async fn export(cages: &str, target: &str) {
    let cage = Host::embedded(&EmbeddedConfig::new(cages, cages)).unwrap().cage("demo").await.unwrap();
    let changes = cage.diff(target).await.unwrap();
    cage.export(target, &changes).await.unwrap();
}

fn program(deed: &str, name: &str, other: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["the_program_that_is_killed", "--exact", "--ignored"]);
    command.env(DEED, deed).env(NAME, name).env(OTHER, other);
    command
}

/// Every step, or every third one of a deed with many.
fn stride(short: bool) -> usize {
    if short || env::var("CAGE_SOAK").as_deref() == Ok("1") { 1 } else { 3 }
}

/// What Docker has under a cage's or a snapshot's name, whatever the library says.
fn in_docker(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for kind in [&["container", "ls", "--all"][..], &["image", "ls"], &["volume", "ls"], &["network", "ls"]] {
        let filter = format!("label=dev.cage.name={name}");
        let listed =
            BlockingCommand::new("docker").args(kind).args(["--quiet", "--filter", &filter]).output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        found.extend(listed.lines().map(|id| format!("{} {id}", kind[0])));
    }
    found
}

/// Checks that a cage is there as a whole, if it is there at all, and removes it.
async fn all_or_nothing(stage: &Stage, name: &str, file: &str) -> bool {
    let Ok(cage) = stage.host.cage(name).await else {
        assert_eq!(in_docker(name), Vec::<String>::new());
        return false;
    };
    assert_eq!(stage.agent(&cage, &["cat", file]), "content");
    assert!(stage.agent(&cage, &["git", "log", "--format=%s"]).starts_with("baseline"));
    cage.destroy().await.unwrap();
    assert_eq!(in_docker(name), Vec::<String>::new());
    true
}

#[tokio::test]
async fn leaves_a_whole_cage_or_nothing_wherever_its_creator_is_killed() {
    let Some(stage) = Stage::docker().await else { return };
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("file", "content"), ("other/file", "x")]);
    let name = stage.name("create");
    let mut whole = 0;
    for step in 1..MOST_STEPS {
        let killed = killed_at(step, &mut program("create", &name, project.path().to_str().unwrap())).await;
        stage.host.gc().await.unwrap();
        let there = all_or_nothing(&stage, &name, "file").await;
        whole += usize::from(there);
        if !killed {
            assert!(there && step > 10, "created in {step} steps");
            assert!(whole <= 2, "whole {whole} times, but only the last step makes it so");
            return;
        }
    }
    panic!("it never ends");
}

async fn cage_with_a_file(stage: &Stage, story: &str) -> Cage {
    let cage = stage.empty_cage(story).await;
    stage.agent(&cage, &["sh", "-c", "printf content > file"]);
    cage
}

#[tokio::test]
async fn can_destroy_a_cage_wherever_an_earlier_try_was_killed() {
    let Some(stage) = Stage::docker().await else { return };
    for step in 1..MOST_STEPS {
        let name = cage_with_a_file(&stage, "destroy").await.name().to_string();
        let killed = killed_at(step, &mut program("destroy", &name, "")).await;
        all_or_nothing(&stage, &name, "file").await;
        if !killed {
            return assert!(step > 4, "destroyed in {step} steps");
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn leaves_a_whole_fork_or_nothing_wherever_its_maker_is_killed() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = cage_with_a_file(&stage, "origin").await;
    let name = stage.name("fork");
    for step in (1..MOST_STEPS).step_by(stride(false)) {
        let killed = killed_at(step, &mut program("fork", cage.name().as_str(), &name)).await;
        stage.host.gc().await.unwrap();
        let there = all_or_nothing(&stage, &name, "file").await;
        assert_eq!(cage.state().await.unwrap(), CageState::Running, "the origin is held at step {step}");
        if !killed {
            assert!(there && step > 15, "forked in {step} steps");
            return cage.destroy().await.unwrap();
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn leaves_a_whole_snapshot_or_nothing_wherever_its_maker_is_killed() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = cage_with_a_file(&stage, "snapped").await;
    let name = stage.name("snapshot");
    for step in (1..MOST_STEPS).step_by(stride(false)) {
        let killed = killed_at(step, &mut program("snapshot", cage.name().as_str(), &name)).await;
        stage.host.gc().await.unwrap();
        assert_eq!(cage.state().await.unwrap(), CageState::Running, "the origin is held at step {step}");
        let there = in_docker(&name);
        if !there.is_empty() {
            let fork = stage.host.fork_snapshot(&name, &stage.name("check")).await.unwrap();
            assert_eq!(stage.agent(&fork, &["cat", "file"]), "content");
            fork.destroy().await.unwrap();
            stage.host.remove_snapshot(&name).await.unwrap();
        }
        assert_eq!(in_docker(&name), Vec::<String>::new());
        assert_eq!(helpers(&cage), "", "left at step {step}");
        if !killed {
            assert!(!there.is_empty() && step > 20, "made in {step} steps");
            return cage.destroy().await.unwrap();
        }
    }
    panic!("it never ends");
}

/// The containers that were made to copy a cage.
fn helpers(cage: &Cage) -> String {
    let list =
        "docker ps --all --quiet --filter label=dev.cage.pauses=$(docker inspect --format '{{.Id}}' $1)";
    let container = format!("isolated-dev-{}", cage.name());
    let listed = BlockingCommand::new("sh").args(["-c", list, "sh", &container]).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout).unwrap()
}

/// What is in the home of a cage, hidden copies too, and how many notes there are about its folders.
fn home_and_notes(stage: &Stage, cage: &Cage) -> (String, usize) {
    let list = "cd && find docs .adding-* -type f 2>/dev/null | sort | xargs -r cat; ls -d docs .adding-* 2>/dev/null; true";
    let filter = r#"label=dev.cage.cage=$(docker inspect --format '{{.Id}}' "$1")"#;
    let notes = format!("docker volume ls --quiet --filter {filter}");
    let container = format!("isolated-dev-{}", cage.name());
    let notes = BlockingCommand::new("sh").args(["-c", &notes, "sh", &container]).output().unwrap();
    assert!(notes.status.success(), "{notes:?}");
    let notes = String::from_utf8(notes.stdout).unwrap().lines().count();
    (stage.agent(cage, &["sh", "-c", list]), notes)
}

/// Checks that the folder is there as a whole if it counts, and that there is nothing of it otherwise.
async fn folder_or_nothing(stage: &Stage, cage: &Cage, step: usize) -> bool {
    let counts = !cage.folders().await.unwrap().is_empty();
    let expected = if counts { ("content, and more\ndocs\n", 1) } else { ("", 0) };
    let (home, notes) = home_and_notes(stage, cage);
    assert_eq!((home.as_str(), notes), expected, "at step {step}");
    counts
}

#[tokio::test]
async fn leaves_a_whole_folder_or_nothing_wherever_the_program_that_adds_it_is_killed() {
    let Some(stage) = Stage::docker().await else { return };
    let root = tempfile::tempdir().unwrap();
    write_tree(root.path(), &[("docs/a", "content, "), ("docs/deep/b", "and more\n")]);
    let dir = root.path().join("docs");
    let cage = stage.empty_cage("folder").await;
    // Each step once with a clean-up after it, and once with a repeat.
    for (step, again) in (1..MOST_STEPS).flat_map(|step| [(step, false), (step, true)]) {
        let mut program = program("add-folder", cage.name().as_str(), dir.to_str().unwrap());
        let killed = killed_at(step, &mut program).await;
        if !cage.folders().await.unwrap().is_empty() {
            let home = home_and_notes(&stage, &cage).0;
            assert!(home.ends_with("\ndocs\n"), "half a folder counts at step {step}: {home}");
        }
        if !again {
            stage.host.gc().await.unwrap();
        } else if let Err(error) = cage.add_folder("docs", &dir).await {
            assert!(matches!(error, Error::Request(RequestError::FolderExists { .. })), "{step}: {error}");
        }
        let there = folder_or_nothing(&stage, &cage, step).await;
        assert!(there || !again, "the repeat came to nothing at step {step}");
        if there {
            cage.remove_folder("docs").await.unwrap();
        }
        if !killed && again {
            assert!(there && step > 20, "added in {step} steps");
            return cage.destroy().await.unwrap();
        }
    }
    panic!("it never ends");
}

/// The calls by which an export changes a folder, and those that write contents.
const CHANGING_CALLS: [&str; 8] =
    ["renameat", "mkdirat", "openat", "fchmod", "copy_file_range", "write", "sendfile", "unlinkat"];

/// Calls of one name after which a program that is still alive is left to end: it is past its export by then.
const MOST_CALLS: usize = 120;

/// Runs an export that is killed at the `nth` of its calls of a name; says whether it was.
fn export_killed_at(call: &str, nth: usize, cages: &Path, target: &Path) -> bool {
    let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
    let mut command = BlockingCommand::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject]).arg(env::current_exe().unwrap());
    command.args(["the_program_that_is_killed", "--exact", "--ignored"]);
    let output = command.env(DEED, "export").env(NAME, cages).env(OTHER, target).output().unwrap();
    assert!(output.status.success() || output.status.signal() == Some(9), "{call} {nth}: {output:?}");
    !output.status.success()
}

#[tokio::test]
async fn exports_each_file_as_a_whole_and_leaves_nothing_after_a_repeat_wherever_it_is_killed() {
    let stage = Stage::embedded();
    let new = "new".repeat(30_000);
    let cage = stage.host.create(CageSpec::empty("demo")).await.unwrap();
    let inside = stage.home(&cage).join("project");
    write_tree(&inside, &[("a", &new), ("deep/er/b", &new), ("run", "new")]);
    let cages = inside.ancestors().nth(3).unwrap();
    let mut in_the_middle = 0;
    for call in CHANGING_CALLS {
        for nth in
            (1..MOST_CALLS).step_by(if call == "openat" || call == "write" { stride(false) } else { 1 })
        {
            let target = tempfile::tempdir().unwrap();
            write_tree(target.path(), &[("a", "old"), ("kept", "kept")]);
            if !export_killed_at(call, nth, cages, target.path()) {
                break;
            }
            let read = |path: &str| fs::read_to_string(target.path().join(path)).unwrap_or_default();
            let [a, b] = ["a", "deep/er/b"].map(read);
            assert!(a == "old" || a == new, "{call} {nth}: half of a file");
            assert!(b.is_empty() || b == new, "{call} {nth}: half of a file");
            in_the_middle += usize::from(files(target.path()) != ["a", "kept"]);
            let changes = cage.diff(target.path()).await.unwrap();
            cage.export(target.path(), &changes).await.unwrap();
            assert_eq!(files(target.path()), ["a", "deep/er/b", "kept", "run"], "{call} {nth}");
        }
    }
    assert!(in_the_middle > 5, "only {in_the_middle} were killed in the middle of the export");
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<String> {
    let listed = BlockingCommand::new("find").arg(folder).args(["-type", "f", "-printf", "%P\\n"]).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    let mut files: Vec<_> = listed.lines().map(str::to_owned).collect();
    files.sort();
    files
}
