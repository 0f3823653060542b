//! The steps that the README shows, from a created cage to a destroyed one.

use std::fs;

use cage_tests::docker::in_docker;
use cage_tests::places::root;
use cage_tests::scripted_api::{Script, Turn};

use crate::stage::{Stage, has_command};

/// The block of commands that begins by creating a cage.
fn steps() -> String {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let mut blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.starts_with("cage create")).unwrap().to_owned()
}

/// What the agent does meanwhile: works, and is revised.
fn work() -> Script {
    let complete = "cage-send task_complete --exit-code 0 --summary";
    Script::new([
        Turn::bash(format!("sed -i 's/--help]/--help] [--json]/' greet && {complete} 'has --json'"), "Work"),
        Turn::say("Done."),
        Turn::bash(format!("echo more >> README.md && {complete} documented"), "Revise"),
    ])
    .then_forever(Turn::say("Revised."))
}

#[tokio::test]
async fn the_steps_of_the_readme_bring_home_what_the_agent_did() {
    if !has_command("the_steps_of_the_readme") {
        return;
    }
    in_docker("readme", async |name| {
        let stage = Stage::new(name, work()).await;
        let shown = stage.run(&steps()).await.exits_with(0);
        for step in ["has --json", "[--json]"] {
            assert!(shown.stdout().contains(step), "{step} is missing: {shown}");
        }
        assert!(stage.file("greet").contains("[--json]"));
    })
    .await;
}
