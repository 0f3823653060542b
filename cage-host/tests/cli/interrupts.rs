//! Ctrl-C in the middle of each long command.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, Ran, containers_of, docker};
use crate::support::{image, slow_project};

/// Far above what anything here takes.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Waits until something is seen.
#[track_caller]
fn until(what: &str, seen: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !seen() {
        assert!(begun.elapsed() < PATIENCE, "{what} is not seen");
        std::thread::yield_now();
    }
}

fn press_ctrl_c(desk: &Desk, child: Child) -> Ran {
    kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    desk.ran("after Ctrl-C".to_owned(), child.wait_with_output().unwrap())
}

#[test]
fn leaves_no_cage_of_a_creation_that_was_given_up() {
    let Some(desk) = Desk::with_engine("create-int") else { return };
    slow_project(&desk.path("project"));
    let child = desk.start(&["create", "--dir", ".", "--name", desk.name(), "--image", &image()]);
    until("the cage", || !desk.containers().is_empty());
    let ran = press_ctrl_c(&desk, child).ends_with(130);
    assert!(ran.stderr.ends_with("cage: interrupted\n"), "{}", ran.stderr);
    assert_eq!(desk.containers(), "");
}

#[test]
fn leaves_no_follower_in_the_cage_of_an_outbox_that_was_waited_for() {
    let Some(desk) = Desk::with_cage("outbox-int") else { return };
    let followers = || desk.agent(&["ps", "-eo", "args"]).matches("cage-poll").count();
    let child = desk.start(&["outbox", desk.name(), "--poll"]);
    until("the follower", || followers() > 0);
    press_ctrl_c(&desk, child).ends_with(130);
    until("the follower's end", || followers() == 0);
}

/// Fills the project of a cage with files that take a while to be read.
fn slow_cage(desk: &Desk) {
    let large = "for n in 1 2 3 4; do head -c 200000000 /dev/zero > large$n; done";
    desk.agent(&["sh", "-c", large]);
}

/// Starts a command that keeps what it reads in temporary files, and waits until it has begun to.
fn start_reading(desk: &Desk, arguments: &[&str]) -> Child {
    let temporary = desk.path("temporary");
    std::fs::create_dir_all(&temporary).unwrap();
    let child = desk.command(arguments).env("TMPDIR", &temporary).spawn().unwrap();
    let open = format!("/proc/{}/fd", child.id());
    until("a temporary file that grows", || {
        let files = std::fs::read_dir(&open).into_iter().flatten().flatten().map(|file| file.path());
        let mut kept =
            files.filter(|file| std::fs::read_link(file).is_ok_and(|to| to.starts_with(&temporary)));
        kept.any(|file| file.metadata().is_ok_and(|found| found.len() > 0))
    });
    child
}

/// What lies in a folder.
fn names(folder: &std::path::Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn leaves_nothing_of_a_diff_and_an_export_that_were_given_up() {
    let Some(desk) = Desk::with_cage("export-int") else { return };
    slow_cage(&desk);
    let readers =
        || desk.agent(&["ps", "-eo", "args"]).lines().filter(|line| line.starts_with("tar ")).count();
    for command in [&["diff", desk.name()][..], &["export", desk.name(), "--yes"]] {
        let child = start_reading(&desk, command);
        press_ctrl_c(&desk, child).ends_with(130);
        until("the reader's end", || readers() == 0);
        assert_eq!(names(&desk.path("project")), ["README.md", "greet"]);
        assert!(names(&desk.path("temporary")).is_empty());
    }
}

#[test]
fn leaves_a_stopped_cage_as_it_is_when_its_salvage_is_given_up() {
    let Some(desk) = Desk::with_cage("salvage-int") else { return };
    slow_cage(&desk);
    desk.run(&["stop", desk.name(), "--grace", "0"]).succeeds();
    let child = start_reading(&desk, &["salvage", desk.name(), "--yes"]);
    press_ctrl_c(&desk, child).ends_with(130);
    assert_eq!(names(&desk.path("project")), ["README.md", "greet"]);
    assert!(names(&desk.path("temporary")).is_empty());
    assert_eq!(desk.json("state", &["start", desk.name()])["status"], "running");
}

#[test]
fn leaves_no_snapshot_that_was_given_up_and_the_cage_running() {
    let Some(desk) = Desk::with_cage("snapshot-int") else { return };
    slow_cage(&desk);
    let id = docker(&["inspect", "--format", "{{.Id}}", &desk.container()]);
    let pauses = format!("label=dev.cage.pauses={}", id.trim());
    let helpers = || docker(&["ps", "--all", "--quiet", "--filter", &pauses]);
    let child = desk.start(&["snapshot", desk.name(), desk.name()]);
    until("the helper", || !helpers().is_empty());
    press_ctrl_c(&desk, child).ends_with(130);
    assert_eq!(helpers(), "");
    assert_eq!(docker(&["images", "--quiet", &format!("cage-snapshot:{}", desk.name())]), "");
    assert_eq!(desk.agent(&["echo", "it goes on"]), "it goes on\n");
}

#[test]
fn leaves_no_step_and_no_cage_when_a_dockerfile_is_given_up() {
    let Some(desk) = Desk::with_engine("dockerfile-int") else { return };
    let file = desk.path("Dockerfile");
    std::fs::write(&file, format!("FROM {}\nRUN sleep 600 && echo {}\n", image(), desk.name())).unwrap();
    let steps = || docker(&["ps", "--no-trunc", "--format", "{{.Command}}"]).matches(desk.name()).count();
    let child = desk.start(&["create", "--name", desk.name(), "--dockerfile", file.to_str().unwrap()]);
    until("the step", || steps() > 0);
    let ran = press_ctrl_c(&desk, child).ends_with(130);
    until("the step's end", || steps() == 0);
    let tag = ran.stderr.split_whitespace().find(|word| word.starts_with("cage-dockerfile:")).unwrap();
    assert_eq!((desk.containers().as_str(), docker(&["images", "--quiet", tag]).as_str()), ("", ""));
}

#[test]
fn leaves_no_cage_of_a_fork_that_was_given_up_and_the_first_one_running() {
    let Some(desk) = Desk::with_cage("fork-int") else { return };
    desk.agent(&["sh", "-c", "head -c 600000000 /dev/zero > large"]);
    let copy = format!("{}-copy", desk.name());
    let child = desk.start(&["fork", desk.name(), &copy]);
    until("the copy", || !containers_of(&copy).is_empty());
    press_ctrl_c(&desk, child).ends_with(130);
    assert_eq!(containers_of(&copy), "");
    assert_eq!(desk.agent(&["echo", "it goes on"]), "it goes on\n");
}

#[test]
fn leaves_no_step_of_a_build_running_and_no_image() {
    let Some(desk) = Desk::with_engine("build-int") else { return };
    let context = desk.path("context");
    std::fs::create_dir(&context).unwrap();
    // Its name stands on the command line of the step, by which it is found among the steps of others.
    let step = format!("FROM {}\nRUN sleep 600 && echo {}\n", image(), desk.name());
    std::fs::write(context.join("Dockerfile"), step).unwrap();
    let steps = || docker(&["ps", "--no-trunc", "--format", "{{.Command}}"]).matches(desk.name()).count();
    let tag = format!("cage:{}", desk.name());
    let child = desk.start(&["build-image", context.to_str().unwrap(), "--tag", &tag]);
    until("the step", || steps() > 0);
    press_ctrl_c(&desk, child).ends_with(130);
    until("the step's end", || steps() == 0);
    assert_eq!(docker(&["images", "--quiet", &tag]), "");
}

#[test]
fn leaves_no_program_in_the_cage_of_a_log_that_was_followed() {
    let Some(desk) = Desk::with_cage("logs-int") else { return };
    desk.agent(&["sh", "-c", "echo first > ~/.cage/claude-stream.log"]);
    let programs = || desk.agent(&["ps", "-eo", "args"]).matches("tail ").count();
    let child = desk.start(&["logs", desk.name(), "--follow"]);
    until("the follower", || programs() > 0);
    press_ctrl_c(&desk, child).ends_with(130);
    until("the follower's end", || programs() == 0);
}
