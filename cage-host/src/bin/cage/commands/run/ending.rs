//! Revise, look, export, keep or destroy.

use cage_host::message::TaskRevision;
use cage_host::{Base, BranchOptions, Changes, ExportOptions};

use super::event::Event;
use super::story::Story;
use crate::commands::diff::Difference;
use crate::commands::follow::Ended;
use crate::failure::Failure;
use crate::output::{Progress, choose, read_line};

/// What comes after a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The agent works on.
    Watch,
    Keep,
    /// The same, since an export left some of the result in it.
    KeepForConflicts,
    Destroy,
}

/// Decides what to do with the result, or before there is one.
pub(super) async fn decide(story: &Story<'_>, ended: Option<Ended>) -> Result<Next, Failure> {
    if story.asks() {
        return ask(story, ended).await;
    }
    if !story.args.yes || ended != Some(Ended::Complete(0)) {
        return Ok(Next::Keep);
    }
    Ok(match export(story).await? {
        Exported::InPart => Next::KeepForConflicts,
        Exported::Whole if story.args.keep => Next::Keep,
        Exported::Whole => Next::Destroy,
    })
}

async fn ask(story: &Story<'_>, ended: Option<Ended>) -> Result<Next, Failure> {
    let (question, choices) = match ended {
        Some(_) => ("what now?", &["revise", "look", "export", "branch", "keep", "destroy"][..]),
        None => (
            "paused, the agent works on:",
            &["watch", "revise", "look", "export", "branch", "keep", "destroy"][..],
        ),
    };
    loop {
        let done = match choose(question, choices).await? {
            Some('r') => match revise(story).await {
                Ok(true) => return Ok(Next::Watch),
                other => other.map(|_| ()),
            },
            Some('w') => return Ok(Next::Watch),
            Some('l') => look(story).await,
            Some('e') => export(story).await.map(drop),
            Some('b') => branch(story).await,
            Some('d') => return Ok(Next::Destroy),
            _ => return Ok(Next::Keep),
        };
        if let Err(failure) = done {
            // The result is still there, and there is more than one thing to do with it.
            story.screen.complain(&failure);
        }
    }
}

async fn revise(story: &Story<'_>) -> Result<bool, Failure> {
    let words = read_line("what is to be different? ").await?.unwrap_or_default();
    if words.trim().is_empty() {
        return Ok(false);
    }
    story.cage.inbox().send(TaskRevision::new(words.trim())).await?;
    story.screen.stream(&Event::Revised { cage: story.name() })?;
    Ok(true)
}

async fn look(story: &Story<'_>) -> Result<(), Failure> {
    let changes = changes(story).await?;
    story.screen.answer(&Difference::new(&changes, &story.args.target()).with_text(&changes).await?)
}

async fn branch(story: &Story<'_>) -> Result<(), Failure> {
    let patches = story.cage.patches(Base::creation()).await?;
    let options = BranchOptions::new(format!("cage/{}", story.name()));
    let branch = patches.branch(&story.args.dir, &options).await?;
    story.screen.stream(&Event::Branched { cage: story.name(), branch: branch.name, commits: branch.commits })
}

async fn changes(story: &Story<'_>) -> Result<Changes, Failure> {
    let _progress = Progress::begin(story.screen, "comparing …");
    Ok(story.cage.diff(story.args.target()).await?)
}

/// What came home.
enum Exported {
    Whole,
    /// Something was left because it was changed here, too.
    InPart,
}

async fn export(story: &Story<'_>) -> Result<Exported, Failure> {
    let (target, changes) = (story.args.target(), changes(story).await?);
    let export = story.cage.export_with(&target, &changes, ExportOptions::default()).await?;
    let left_out = export.left_out.iter().map(|refused| format!("{}: {}", refused.path, refused.reason));
    story.screen.stream(&Event::Exported {
        cage: story.name(),
        dir: target.display().to_string(),
        written: export.written.len(),
        deleted: export.deleted.len(),
        left_out: left_out.collect(),
        conflicts: export.conflicts.iter().map(ToString::to_string).collect(),
    })?;
    Ok(if export.conflicts.is_empty() { Exported::Whole } else { Exported::InPart })
}
