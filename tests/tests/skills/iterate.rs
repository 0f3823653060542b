//! The page for whoever improves how work is delegated: two runs of one task, and their comparison.

use cage_tests::docker::in_docker;
use cage_tests::scripted_api::{Script, Turn};

use crate::page::Page;
use crate::stage::{Stage, has_command};

const SKILL: &str = "cage-iterate";

/// Two agents: the first says nothing until it is done, the second reports as its task asks for.
fn two_runs() -> Script {
    let done = "cage-send task_complete --summary done --exit-code";
    Script::new([
        Turn::bash(format!("{done} 3"), "Give up"),
        Turn::say("I gave up."),
        Turn::bash("cage-send progress_update --status 'reading greet'", "Report"),
        Turn::bash(format!("echo more >> README.md && {done} 0"), "Work"),
        Turn::say("Done."),
    ])
}

#[tokio::test]
async fn every_command_of_the_iteration_does_what_its_page_says() {
    if !has_command("every_command_of_the_iteration") {
        return;
    }
    in_docker("skill-rounds", async |name| {
        let stage = Stage::new(name, two_runs()).await;
        iterate(&Page::of(SKILL), &stage).await;
        for cage in ["demo-1", "demo-2"] {
            let _ = stage.run(&format!("cage exists {cage}")).await.exits_with(1);
        }
    })
    .await;
}

async fn iterate(page: &Page, stage: &Stage) {
    for commands in [page.under("1. Set the limits"), page.under("2. Run")[..1].to_vec()].concat() {
        let _ = stage.run(commands).await.exits_with(0);
    }
    let _ = stage.run(page.under("2. Run")[1]).await.exits_with(3);
    stage.api.wait_for_turns(2).await;
    let assessed = stage.run(page.under("3. Assess")[0]).await.exits_with(0);
    assert!(assessed.stdout().contains("messaging"), "{assessed}");
    let [again, wait, assess] = page.under("5. Run again")[..] else { unreachable!("three blocks") };
    for commands in [again, wait] {
        let _ = stage.run(commands).await.exits_with(0);
    }
    stage.api.wait_for_turns(5).await;
    let assessed = stage.run(assess).await.exits_with(0);
    assert!(assessed.stdout().contains("+more"), "{assessed}");
    let compared = stage.run(page.under("6. Compare")[0]).await.exits_with(0);
    let cost = compared.stdout().lines().find(|line| line.starts_with("cost ")).unwrap_or_default();
    assert!(compared.stdout().contains("exit code 3") && cost.contains("A is better"), "{compared}");
    let _ = stage.run(page.under("7. Go on, or stop")[0]).await.exits_with(0);
    page.was_run_to_the_last_command();
}
