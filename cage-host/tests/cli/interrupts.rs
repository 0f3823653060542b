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
