//! The plugin in the real Claude Code: accepted, offered to the model, read by it, and followed to an exported result.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use cage_tests::docker::{docker, gateway, in_docker};
use cage_tests::places::image;
use cage_tests::run::{Finished, Run};
use cage_tests::scripted_api::{Script, ScriptedApi, Turn};
use serde_json::json;

use crate::orchestrator::{self, SKILL};
use crate::page::{Page, SKILLS, plugin};
use crate::stage::{Stage, has_command, path_with, programs_of_this_build};

/// Longer than copying a program of 235 MB, or a whole task, takes.
const DEADLINE: Duration = Duration::from_secs(180);

#[tokio::test]
async fn claude_code_accepts_the_plugin() {
    in_docker("skill-valid", async |_| {
        let mount = format!("{}:/plugin:ro", plugin().display());
        let validate = ["claude", "plugin", "validate", "--strict", "/plugin"];
        let run = ["run", "--rm", "--network", "none", "--volume", &mount, &image()];
        let _ = docker(run.into_iter().chain(validate)).await.exits_with(0);
    })
    .await;
}

#[tokio::test]
async fn claude_code_follows_the_orchestrator_to_an_exported_result() {
    if !has_command("claude_code_follows_the_orchestrator") {
        return;
    }
    in_docker("skill-plugin", async |name| {
        let stage = Stage::new(name, orchestrator::work()).await;
        let page = Page::of(SKILL);
        let steps = steps(&page);
        let turns = steps.iter().map(|step| Turn::bash(stage.named(step), "Follow the skill"));
        let skill = Turn::tool("Skill", json!({ "skill": format!("cage:{SKILL}") }));
        let script = Script::new([skill].into_iter().chain(turns).chain([Turn::say("Delegated.")]));
        let api = ScriptedApi::start(gateway().await, script).await.unwrap();
        let _ = delegate(&stage, &api).await.exits_with(0);
        assert_read_and_followed(&api, &page, steps.len());
        assert!(
            stage.file("greet").contains("[--shout]") && stage.file("README.md").contains("It has --shout.")
        );
    })
    .await;
}

/// The commands of the page in the order in which somebody follows it when all goes well.
fn steps(page: &Page) -> Vec<&str> {
    let under = |heading, at: usize| page.under(heading)[at];
    let (wait, review) = (under("4. Wait", 0), under("6. Review", 0));
    vec![
        under("1. Prerequisites", 0),
        under("1. Prerequisites", 1),
        under("2. Create", 0),
        under("2. Create", 1),
        under("3. Launch, with a limit", 0),
        wait,
        under("5. Answer", 0),
        wait,
        under("5. Answer", 1),
        wait,
        review,
        under("7. Revise", 0),
        wait,
        review,
        under("8. Bring it home", 0),
        under("9. Destroy", 0),
    ]
}

/// Runs the orchestrating Claude Code, in a home and with a path of its own.
async fn delegate(stage: &Stage, api: &ScriptedApi) -> Finished {
    let programs = stage.path("programs");
    fs::create_dir(&programs).unwrap();
    let copy = format!("docker run --rm {} cat /usr/local/bin/claude > claude && chmod +x claude", image());
    let copied = Run::new("sh").args(["-c", &copy]).folder(&programs).deadline(DEADLINE);
    let _ = copied.finish().await.exits_with(0);
    // The agent in the cage plays another script than the one that delegates to it.
    let cage = programs.join("cage");
    let inner = stage.api.base_url();
    let program = programs_of_this_build().join("cage");
    fs::write(&cage, format!("#!/bin/sh\nANTHROPIC_BASE_URL={inner} exec {} \"$@\"\n", program.display()))
        .unwrap();
    fs::set_permissions(&cage, fs::Permissions::from_mode(0o755)).unwrap();
    let plugin = plugin();
    stage
        .inside(Run::new("env"))
        .args(["claude", "-p", "--dangerously-skip-permissions", "--plugin-dir"])
        .args([&plugin])
        .env("PATH", path_with(&programs))
        .env("ANTHROPIC_BASE_URL", api.base_url())
        // Claude Code refuses root outside a sandbox; it types nothing here but the page's commands.
        .env("IS_SANDBOX", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .stdin("Let another agent add an option --shout to greet.")
        .deadline(DEADLINE)
        .finish()
        .await
}

/// Asserts that the model was offered the skills, was given the page, and saw each step end as the page says.
fn assert_read_and_followed(api: &ScriptedApi, page: &Page, steps: usize) {
    let requests = api.requests();
    for skill in SKILLS {
        let description = &Page::of(skill).front["description"];
        assert!(requests[0].mentions(description), "{skill} is not offered: {:?}", requests[0].told());
    }
    let last = requests.last().unwrap();
    assert!(last.mentions(page.text.trim()), "the page was not read: {:?}", last.told());
    let results = last.tool_results();
    assert_eq!(results.len(), 1 + steps, "{results:?}");
    let codes: Vec<_> = results.iter().filter_map(|result| result.strip_prefix("Exit code ")).collect();
    let codes: Vec<_> = codes.iter().map(|rest| rest.split_whitespace().next().unwrap()).collect();
    // The name is free; two questions.
    assert_eq!(codes, ["1", "4", "4"], "{results:?}");
    assert!(!api.overrun() && api.unplayed() == 0);
}
