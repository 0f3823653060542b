//! Ctrl-C in the middle of each long command.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, Ran, docker};
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
    let followers = || docker(&["top", &desk.container(), "-eo", "pid,args"]).matches("cage-poll").count();
    let child = desk.start(&["outbox", desk.name(), "--poll"]);
    until("the follower", || followers() > 0);
    press_ctrl_c(&desk, child).ends_with(130);
    until("the follower's end", || followers() == 0);
}
