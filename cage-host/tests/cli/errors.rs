//! What the program says when it cannot do what it was asked to, pinned word by word.

use crate::desk::{Desk, docker};
use crate::schema;

#[test]
fn says_what_to_do_about_a_cage_that_does_not_exist() {
    let Some(desk) = Desk::with_engine("unknown") else { return };
    for command in
        [&["outbox"][..], &["diff"], &["destroy", "--yes"], &["launch", "-p", "x"], &["export", "-y"]]
    {
        let complaint = desk.run(&[command, &[desk.name()]].concat()).complaint();
        insta::allow_duplicates! { insta::assert_snapshot!(complaint, @r#"
        cage: no cage named `NAME` exists; it was never created or has been destroyed
          next: cage list shows the cages that exist
        "#); }
    }
}

#[test]
fn says_what_to_do_about_a_stopped_cage() {
    let Some(desk) = Desk::with_cage("stopped") else { return };
    docker(&["stop", "--time", "0", &desk.container()]);
    let complaint = desk.run(&["inbox", desk.name(), "ack", r#"{"acked_id":"x"}"#]).complaint();
    insta::assert_snapshot!(complaint, @r#"
    cage: the cage is stopped or paused, cannot send a message into the inbox; start it again, or salvage what is in it
      next: cage start lets it go on, cage salvage reads it as it is
    "#);
    let complaint = desk.run(&["diff", desk.name()]).complaint();
    insta::assert_snapshot!(complaint, @r#"
    cage: the cage is stopped or paused, cannot list the project; start it again, or salvage what is in it
      next: cage start lets it go on, cage salvage reads it as it is
    "#);
}

#[test]
fn says_what_to_do_about_a_name_that_is_taken() {
    let Some(desk) = Desk::with_cage("taken") else { return };
    let complaint = desk.run(&["create", "--dir", ".", "--name", desk.name()]).complaint();
    insta::assert_snapshot!(complaint, @r#"
    cage: a cage named `NAME` exists already; choose another name or destroy that one first
      next: choose another with --name, or remove that cage with: cage destroy NAME
    "#);
}

#[test]
fn says_what_to_do_without_an_engine() {
    let desk = Desk::bare("nowhere");
    let complaint = desk.finish(desk.command(&["list"]).env("DOCKER_HOST", "unix:///nowhere")).complaint();
    insta::assert_snapshot!(complaint, @r#"
    cage: no Docker engine answers at unix:///nowhere (Socket not found: /nowhere); start Docker or set DOCKER_HOST
      next: cage doctor says what was tried, and what to do
    "#);
    let ran =
        desk.finish(desk.command(&["exists", "demo"]).env("DOCKER_HOST", "unix:///nowhere")).ends_with(69);
    insta::assert_snapshot!(ran.stderr, @r#"
    cage: cannot tell whether the cage exists: no Docker engine answers at unix:///nowhere (Socket not found: /nowhere); start Docker or set DOCKER_HOST
      next: cage doctor says what was tried, and what to do
    "#);
}

#[test]
fn says_what_to_do_about_a_missing_image() {
    let Some(desk) = Desk::with_engine("image") else { return };
    let complaint = desk.run(&["create", "--name", desk.name(), "--image", "cage:no-such-tag"]).complaint();
    insta::assert_snapshot!(complaint, @r#"
    cage: the image `cage:no-such-tag` does not exist; run `make image`, or name another image
      next: cage build-image makes it
    "#);
    assert_eq!(desk.containers(), "");
}

#[test]
fn marks_the_place_in_bad_json() {
    let desk = Desk::bare("json");
    let complaint =
        desk.run(&["inbox", "demo", "task_revision", r#"{"instructions": "add it" now}"#]).complaint();
    insta::assert_snapshot!(complaint, @r#"
    cage: the payload is wrong, line 1, column 27: not JSON: expected `,` or `}`
        {"instructions": "add it" now}
                                  ^
    "#);
    let complaint = desk.run(&["inbox", "demo", "task_revision", r#"{"instruction":"add it"}"#]).complaint();
    insta::assert_snapshot!(complaint, @r#"
    cage: the payload of `task_revision` is wrong: member `payload.instructions` is missing; it must be a string
      next: for example: cage inbox NAME task_revision '{"instructions":"also update the README"}'
    "#);
}

#[test]
fn does_nothing_that_nobody_confirmed() {
    let Some(desk) = Desk::with_cage("confirm") else { return };
    desk.agent(&["sh", "-c", "echo more >> README.md"]);
    for command in ["destroy", "export"] {
        let complaint = desk.run(&[command, desk.name()]).complaint();
        insta::allow_duplicates! { insta::assert_snapshot!(complaint, @"cage: nobody is there to confirm this; add --yes to go ahead"); }
    }
    assert_eq!(std::fs::read_to_string(desk.path("project/README.md")).unwrap(), "greet\n");
    desk.run(&["exists", desk.name()]).succeeds();
}

#[test]
fn says_it_in_json_too() {
    let desk = Desk::bare("error-json");
    let ran =
        desk.finish(desk.command(&["list", "--json"]).env("DOCKER_HOST", "unix:///nowhere")).ends_with(1);
    assert_eq!(ran.stdout, "");
    let error = serde_json::from_str(&ran.stderr).unwrap();
    schema::check("error", &error);
    assert_eq!(error["error"], "engine");
}
