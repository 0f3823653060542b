//! What is left in a cage that is stopped, paused or crashed, read without running anything in it.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::time::Duration;

use cage_host::message::Payload;
use cage_host::{Cage, CageSpec, CageState, Changes, Content, Salvage};
use support::numbers::{container, docker};
use support::{Stage, image, write_tree};
use tempfile::TempDir;

on_both_backends! {
    finds_in_a_stopped_cage_what_a_diff_finds_in_a_running_one => same_changes;
    finds_every_message_and_the_end_of_the_log => messages;
    refuses_a_cage_that_runs => running;
}

/// What an agent may do to a project, in the second in which it was made.
const WORK: &str = r#"cd "${CAGE_DIR-$HOME/.cage}/../project"
printf two > same-size
rm gone
printf 'new\n' > added
ln added linked
ln untouched linked-untouched
ln -s /etc/passwd link
mkfifo pipe
mkdir -p "deep/$(printf %0200d 7)" && printf x > "deep/$(printf %0200d 7)/ö"
printf x > "$(printf 'line\nfeed')"
printf x > "$(printf '\377')"
printf 'ignored' > x.log
chmod +x script
printf secret > .envrc"#;

async fn worked(stage: &Stage, story: &str) -> (Cage, TempDir) {
    let project = tempfile::tempdir().unwrap();
    let files = [
        ("same-size", "one"),
        ("gone", "x"),
        ("untouched", "x"),
        ("script", "#!/bin/sh\n"),
        (".gitignore", "*.log\n"),
        ("deep/kept", "x"),
    ];
    write_tree(project.path(), &files);
    let spec = CageSpec::from_dir(stage.name(story), project.path()).image(image()).memory_bytes(64 << 20);
    let cage = stage.host.create(spec).await.unwrap();
    stage.agent(&cage, &["sh", "-c", WORK]);
    (cage, project)
}

/// Each change as it is shown, and with its lines.
async fn words(changes: &Changes) -> Vec<String> {
    let mut words = Vec::new();
    for change in changes {
        words.push(format!("{change}\n{}", changes.unified_text(change).await.unwrap()));
    }
    words
}

/// Checks a salvage against the diff of the running cage, and exports it.
async fn assert_same(cage: &Cage, salvage: &Salvage, diff: &Changes) {
    assert_eq!(words(&salvage.changes).await, words(diff).await);
    let target = tempfile::tempdir().unwrap();
    cage.export(target.path(), &salvage.changes).await.unwrap();
    assert_eq!(std::fs::read_to_string(target.path().join("linked")).unwrap(), "new\n");
    assert_eq!(std::fs::read_to_string(target.path().join("linked-untouched")).unwrap(), "x");
    assert!(!target.path().join("link").exists() && !target.path().join(".envrc").exists());
}

async fn same_changes(stage: Stage) {
    let (cage, project) = worked(&stage, "same").await;
    let diff = cage.diff(project.path()).await.unwrap();
    assert!(diff.len() >= 10, "{diff}");
    cage.stop(Duration::ZERO).await.unwrap();
    let salvage = cage.salvage(project.path()).await.unwrap();
    assert_eq!(salvage.state, CageState::Stopped);
    assert_same(&cage, &salvage, &diff).await;
    assert_eq!(cage.state().await.unwrap(), CageState::Stopped, "the cage stays as it was");
    cage.destroy().await.unwrap();
}

async fn messages(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("messages").await;
    let send = r#"for i in 1 2 3; do cage-send progress_update --status "$i" >/dev/null; done
cage-send --mailbox inbox task_revision --instructions more >/dev/null
cd "${CAGE_DIR-$HOME/.cage}"
printf '{' > outbox/2026-03-26T14-30-00.000123Z.json
printf '{}' > outbox/nonsense.json
ln -s /etc/passwd outbox/2026-03-26T14-30-01.000123Z.json
head -c 2000000 /dev/zero > outbox/2026-03-26T14-30-02.000123Z.json
i=0; while [ $i -lt 4000 ]; do echo "line $i of the log"; i=$((i+1)); done > claude-stream.log
printf '\033[2J' >> claude-stream.log"#;
    stage.agent(&cage, &["sh", "-c", send]);
    cage.stop(Duration::ZERO).await.unwrap();
    let salvage = cage.salvage(tempfile::tempdir().unwrap().path()).await.unwrap();
    let told: Vec<_> = salvage.outbox.iter().map(|message| tell(&message.content)).collect();
    let bad = "malformed";
    assert_eq!(told, [bad, bad, "oversize", "1", "2", "3", bad], "{:?}", salvage.outbox);
    assert!(matches!(&salvage.inbox[..], [revision] if tell(&revision.content) == "revision"));
    assert!(
        salvage.log_tail.starts_with("line ")
            && salvage.log_tail.ends_with("line 3999 of the log\n\\u{1b}[2J")
    );
    cage.destroy().await.unwrap();
}

fn tell(content: &Content) -> String {
    match content {
        Content::Message(message) => match &message.payload {
            Payload::ProgressUpdate(update) => update.status.clone(),
            Payload::TaskRevision(_) => "revision".to_owned(),
            other => format!("{other:?}"),
        },
        Content::Malformed(_) => "malformed".to_owned(),
        Content::Oversize => "oversize".to_owned(),
        other => format!("{other:?}"),
    }
}

async fn running(stage: Stage) {
    let cage = stage.empty_cage("running").await;
    let error = cage.salvage("/tmp").await.unwrap_err().to_string().replace(cage.name().as_str(), "NAME");
    assert_eq!(error, "the cage `NAME` is running; use its diff and its outbox, or stop or pause it first");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn finds_the_same_in_a_paused_a_crashed_and_a_killed_container() {
    let Some(stage) = Stage::docker().await else { return };
    let (cage, project) = worked(&stage, "crashed").await;
    let diff = cage.diff(project.path()).await.unwrap();
    cage.pause().await.unwrap();
    let salvage = cage.salvage(project.path()).await.unwrap();
    assert_eq!((salvage.state, cage.state().await.unwrap()), (CageState::Paused, CageState::Paused));
    assert_same(&cage, &salvage, &diff).await;

    cage.start().await.unwrap();
    let hog = stage.run(&cage, &["tail", "/dev/zero"]);
    assert_eq!(hog.status.code(), Some(137), "not out of memory: {hog:?}");
    docker(None, &["kill", &container(&cage)]);
    let salvage = cage.salvage(project.path()).await.unwrap();
    assert_eq!(salvage.state, CageState::Stopped);
    assert_same(&cage, &salvage, &diff).await;
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn reads_the_messages_when_the_agent_has_put_something_else_in_the_projects_place() {
    let Some(stage) = Stage::docker().await else { return };
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "x")]);
    for (index, place) in ["rm -rf project", "rm -rf project; ln -s /etc project"].iter().enumerate() {
        let spec = CageSpec::from_dir(stage.name(&format!("place-{index}")), project.path()).image(image());
        let cage = stage.host.create(spec).await.unwrap();
        stage.agent(&cage, &["sh", "-c", &format!("cage-send progress_update --status x; cd; {place}")]);
        cage.stop(Duration::ZERO).await.unwrap();
        let salvage = cage.salvage(project.path()).await.unwrap();
        assert_eq!((salvage.changes.to_string().as_str(), salvage.outbox.len()), ("D a\n", 1));
        cage.destroy().await.unwrap();
    }
}
