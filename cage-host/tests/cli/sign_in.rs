//! What the agent signs in with, said once.

use std::fs;

use crate::desk::{Desk, docker};
use crate::schema;
use crate::support::image;

#[test]
fn looks_for_what_the_agent_signs_in_with() {
    let Some(desk) = Desk::with_cage("auth") else { return };
    let ran = desk.run(&["auth", desk.name(), "--auth-mode", "api_key"]).ends_with(1);
    assert!(ran.stderr.contains("ANTHROPIC_API_KEY is not set"), "{}", ran.stderr);
    let mut command = desk.command(&["auth", desk.name(), "--json"]);
    fs::create_dir(desk.path("project/.claude")).unwrap();
    fs::write(desk.path("project/.claude/.credentials.json"), r#"{"made":"up"}"#).unwrap();
    let ran = desk.finish(command.env("HOME", desk.path("project"))).succeeds();
    schema::check("auth", &serde_json::from_str(&ran.stdout).unwrap());
    assert_eq!(desk.agent(&["cat", "/home/trustycage/.claude/.credentials.json"]), r#"{"made":"up"}"#);
}

#[test]
fn remembers_how_the_agent_signs_in() {
    let Some(desk) = Desk::with_engine("remember") else { return };
    let (name, image) = (desk.name(), image());
    let create = ["create", "--name", name, "--image", &image, "--no-attach", "--auth-mode", "api_key"];
    desk.finish(desk.command(&create).env("ANTHROPIC_API_KEY", "made-up")).succeeds();
    let label = r#"{{index .Config.Labels "dev.cage.auth-mode"}}"#;
    assert_eq!(docker(&["inspect", "--format", label, &desk.container()]), "api_key\n");
    assert!(!docker(&["inspect", &desk.container()]).contains("made-up"));

    let others = ["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"];
    for command in [&["launch", name, "-p", "x"][..], &["prompt", name, "x"], &["auth", name]] {
        let mut command = desk.command(command);
        let command = command.envs(others.map(|other| (other, "http://127.0.0.1:1")));
        let complaint = desk.finish(command).complaint();
        insta::allow_duplicates! { insta::assert_snapshot!(complaint, @"
        cage: ANTHROPIC_API_KEY is not set, so the agent could not sign in that way
          next: set ANTHROPIC_API_KEY, or choose another --auth-mode
        "); }
    }
    let mut auth = desk.command(&["auth", name, "--json"]);
    let ran = desk.finish(auth.env("ANTHROPIC_API_KEY", "made-up")).succeeds();
    let answer = serde_json::from_str(&ran.stdout).unwrap();
    schema::check("auth", &answer);
    assert_eq!((&answer["auth_mode"], &answer["refreshed"]), (&"api_key".into(), &false.into()));

    let copy = format!("{name}-copy");
    desk.run(&["fork", name, &copy]).succeeds();
    let complaint = desk.run(&["launch", &copy, "-p", "x"]).complaint();
    assert!(complaint.contains("ANTHROPIC_API_KEY is not set"), "a fork remembers it too: {complaint}");
}

#[test]
fn rejects_a_remembered_mode_that_it_does_not_know() {
    let Some(desk) = Desk::with_engine("unknown-mode") else { return };
    // What a later version may have made.
    let labels =
        ["dev.cage.managed=true", &format!("dev.cage.name={}", desk.name()), "dev.cage.auth-mode=magic"];
    let labels = labels.map(|label| format!("--label={label}"));
    let (container, image) = (desk.container(), image());
    let run = [
        "run",
        "--detach",
        "--name",
        &container,
        &labels[0],
        &labels[1],
        &labels[2],
        "--entrypoint",
        "sleep",
    ];
    docker(&[&run[..], &[&image, "1000"]].concat());
    let complaint = desk.run(&["launch", desk.name(), "-p", "x"]).complaint();
    insta::assert_snapshot!(complaint, @"cage: invalid auth mode: `magic` is none of api_key, oauth_token, subscription and gateway");
}
