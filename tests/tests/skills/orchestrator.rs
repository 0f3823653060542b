//! The page for whoever delegates: each of its commands in two stories, one that goes well and one that does not.

use cage_tests::docker::in_docker;
use cage_tests::run::Finished;
use cage_tests::scripted_api::{Script, Turn};

use crate::page::Page;
use crate::stage::{Stage, docker, has_command};

pub(crate) const SKILL: &str = "cage-orchestrator";

/// What the agent in the cage does when all goes well: asks twice, works, is revised once.
pub(crate) fn work() -> Script {
    let ask = "cage-send info_request --wait 60 --request-id";
    Script::new([
        Turn::bash(format!("{ask} style-1 --description 'Which style?' --paths style-guide.md"), "Ask"),
        Turn::bash(format!("{ask} width-1 --description 'How long may a line be?'"), "Ask again"),
        Turn::bash(
            "sed -i 's/--help]/--help] [--shout]/' greet && cage-send task_complete --summary shouts --exit-code 0",
            "Work",
        ),
        Turn::say("Done."),
        Turn::bash(
            "echo 'It has --shout.' >> README.md && cage-send task_complete --summary documented --exit-code 0",
            "Revise",
        ),
        Turn::say("Revised."),
    ])
}

/// What it does when nothing goes well: hangs, and works only after somebody has helped it on its feet, twice.
fn trouble() -> Script {
    Script::new([
        Turn::hang(),
        Turn::bash("cage-send task_complete --summary half --exit-code 3", "Give up"),
        Turn::say("I gave up."),
        Turn::bash(
            "echo more >> README.md && cage-send task_complete --summary whole --exit-code 0",
            "Go on",
        ),
        Turn::say("Done."),
    ])
}

/// Runs the only block under a heading.
async fn run(stage: &Stage, page: &Page, heading: &str) -> Finished {
    stage.run(page.under(heading)[0]).await
}

#[tokio::test]
async fn every_command_of_the_orchestrator_does_what_its_page_says() {
    if !has_command("every_command_of_the_orchestrator") {
        return;
    }
    let page = Page::of(SKILL);
    in_docker("skill-well", async |name| goes_well(&page, &Stage::new(name, work()).await).await).await;
    in_docker("skill-ill", async |name| goes_ill(&page, &Stage::new(name, trouble()).await).await).await;
    page.was_run_to_the_last_command();
}

async fn goes_well(page: &Page, stage: &Stage) {
    begin(page, stage).await;
    let answers = page.under("5. Answer");
    let question = run(stage, page, "4. Wait").await.exits_with(4);
    assert!(question.stdout().contains("style-1: Which style?"), "{question}");
    let answer = stage.run(answers[0]).await.exits_with(0);
    assert!(answer.stdout().contains("sent style-guide.md"), "{answer}");
    let _ = run(stage, page, "4. Wait").await.exits_with(4);
    let _ = stage.run(answers[1]).await.exits_with(0);
    let _ = run(stage, page, "4. Wait").await.exits_with(0);
    assert!(stage.api.requests().last().unwrap().mentions("At most 80 characters."));
    let review = run(stage, page, "6. Review").await.exits_with(0);
    assert!(review.stdout().contains("[--shout]"), "{review}");
    let _ = run(stage, page, "7. Revise").await.exits_with(0);
    let _ = run(stage, page, "4. Wait").await.exits_with(0);
    let _ = run(stage, page, "8. Bring it home").await.exits_with(0);
    assert!(stage.file("greet").contains("[--shout]") && stage.file("README.md").contains("It has --shout."));
    end(page, stage).await;
}

/// From prerequisites to an agent at work.
async fn begin(page: &Page, stage: &Stage) {
    let [engine, exists] = page.under("1. Prerequisites")[..] else { unreachable!("two blocks") };
    let _ = stage.run(engine).await.exits_with(0);
    let _ = stage.run(exists).await.exits_with(1);
    for commands in [page.under("2. Create"), page.under("3. Launch, with a limit")].concat() {
        let _ = stage.run(commands).await.exits_with(0);
    }
}

async fn end(page: &Page, stage: &Stage) {
    let _ = run(stage, page, "9. Destroy").await.exits_with(0);
    let _ = stage.run(page.under("1. Prerequisites")[1]).await.exits_with(1);
}

async fn goes_ill(page: &Page, stage: &Stage) {
    begin(page, stage).await;
    stage.api.wait_for_turns(1).await;
    let [look, again] = page.under("When nothing comes")[..] else { unreachable!("two blocks") };
    let shown = stage.run(look).await.exits_with(0);
    assert!(shown.stdout().contains("working"), "{shown}");
    let _ = run(stage, page, "Stop at once").await.exits_with(0);
    let _ = stage.run(again).await.exits_with(0);
    let gave_up = run(stage, page, "4. Wait").await.exits_with(3);
    assert!(gave_up.stdout().contains("half (exit code 3)"), "{gave_up}");

    // What a supervisor does when nothing came for two hours, without the two hours.
    stage.api.wait_for_turns(3).await;
    docker(&["exec", &stage.container(), "pkill", "-TERM", "-x", "cage-poll"]);
    docker(&["exec", &stage.container(), "cage-send", "going_idle", "--reason", "no message came in time"]);
    let _ = run(stage, page, "4. Wait").await.exits_with(2);
    let _ = run(stage, page, "When it goes idle").await.exits_with(0);
    let _ = run(stage, page, "4. Wait").await.exits_with(0);

    docker(&["kill", &stage.container()]);
    let [look, bring] = page.under("When it crashes")[..] else { unreachable!("two blocks") };
    let seen = stage.run(look).await.exits_with(0);
    assert!(seen.stdout().contains("README.md") && seen.stdout().contains("whole"), "{seen}");
    let brought = stage.run(bring).await.exits_with(0);
    assert!(brought.stdout().contains("> more"), "{brought}");
    assert!(!stage.file("README.md").contains("more"), "the project is as it was");
    end(page, stage).await;
}
