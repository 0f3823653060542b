//! What an agent changed, found and brought home. The agent's part is played by programs in the cage's folder.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use cage_host::{CageSpec, ChangeKind, DiffOptions, Error, ExportOptions, RequestError};
use support::story::Story;
use support::{Stage, image, write_tree};

on_both_backends! {
    brings_home_what_changed_in_an_extra_folder => extra_folder;
}

#[tokio::test]
async fn finds_nothing_right_after_creation() {
    let story = Story::new(&[("a", "1"), ("src/b", "2"), (".gitignore", "*.log\n"), ("x.log", "no")]).await;
    assert_eq!(story.words().await, Vec::<String>::new());
}

#[tokio::test]
async fn finds_what_was_added_changed_deleted_and_made_executable() {
    let story = Story::new(&[("a", "1\n"), ("gone", "2"), ("run", "3"), ("touched", "4")]).await;
    write_tree(&story.inside, &[("a", "1\nmore\n"), ("new/file", "5"), ("touched", "4")]);
    fs::remove_file(story.inside.join("gone")).unwrap();
    fs::set_permissions(story.inside.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(story.words().await, ["M a", "D gone", "A new/file", "m run"]);
}

#[tokio::test]
async fn shows_a_change_as_unified_text_without_control_characters() {
    let story = Story::new(&[("a", "one\ntwo\n")]).await;
    write_tree(&story.inside, &[("a", "one\n\u{1b}[31mtwo\n")]);
    let changes = story.changes().await;
    let text = changes.unified_text(changes.iter().next().unwrap()).await.unwrap();
    assert_eq!(text, "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n one\n-two\n+\\u{1b}[31mtwo\n");
}

#[tokio::test]
async fn respects_gitignore_files_of_both_sides() {
    let story = Story::new(&[(".gitignore", "*.log\n"), ("kept.txt", "x")]).await;
    write_tree(
        &story.inside,
        &[
            (".gitignore", "*.log\n*.txt\nbuild/\n"),
            ("a.log", ""),
            ("build/out", ""),
            ("b.txt", ""),
            ("c.rs", ""),
        ],
    );
    fs::write(story.inside.join("kept.txt"), "changed").unwrap();
    assert_eq!(story.words().await, ["M .gitignore", "A c.rs", "M kept.txt"]);
}

#[tokio::test]
async fn exports_what_was_shown_even_when_the_agent_goes_on() {
    let story = Story::new(&[("a", "1")]).await;
    write_tree(&story.inside, &[("a", "shown"), ("new", "shown too")]);
    let changes = story.changes().await;
    write_tree(&story.inside, &[("a", "swapped"), ("new", "swapped")]);
    let target = tempfile::tempdir().unwrap();
    let export = story.cage.export(target.path(), &changes).await.unwrap();
    assert_eq!(export.written, ["a", "new"]);
    assert_eq!(fs::read_to_string(target.path().join("a")).unwrap(), "shown");
    assert_eq!(fs::read_to_string(target.path().join("new")).unwrap(), "shown too");
}

#[tokio::test]
async fn exports_modes_reduced_and_deletes_only_when_asked() {
    let story = Story::new(&[("run", "1"), ("gone", "2")]).await;
    write_tree(&story.inside, &[("tool", "#!/bin/sh\n")]);
    fs::set_permissions(story.inside.join("tool"), fs::Permissions::from_mode(0o6777)).unwrap();
    fs::set_permissions(story.inside.join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(story.inside.join("gone")).unwrap();
    let changes = story.changes().await;
    let mode =
        |name: &str| fs::metadata(story.project.path().join(name)).unwrap().permissions().mode() & 0o7777;

    story.cage.export(story.project.path(), &changes).await.unwrap();
    assert_eq!((mode("tool"), mode("run")), (0o755, 0o755));
    assert!(story.project.path().join("gone").exists());

    let options = ExportOptions::default().delete(true);
    let export = story.cage.export_with(story.project.path(), &changes, options).await.unwrap();
    assert_eq!(export.deleted, ["gone"]);
    assert!(!story.project.path().join("gone").exists());
    assert_eq!(story.words().await, Vec::<String>::new(), "after the export both sides are the same");
}

#[tokio::test]
async fn holds_back_what_tools_run_unless_told_otherwise() {
    let story = Story::new(&[("a", "1")]).await;
    write_tree(
        &story.inside,
        &[
            (".envrc", "evil"),
            (".vscode/tasks.json", "{}"),
            (".git/hooks/post-checkout", "evil"),
            ("sub/.git/config", "evil"),
        ],
    );
    let changes = story.changes().await;
    assert_eq!(
        changes.to_string(),
        "A .envrc (held back: tools run such a file without being asked)\nA .vscode/tasks.json (held back: tools run such a file without being asked)\n"
    );
    let target = tempfile::tempdir().unwrap();
    let export = story.cage.export(target.path(), &changes).await.unwrap();
    assert_eq!((export.written.len(), export.left_out.len()), (0, 2));
    let export = story
        .cage
        .export_with(target.path(), &changes, ExportOptions::default().agent_run(true))
        .await
        .unwrap();
    assert_eq!(export.written, [".envrc", ".vscode/tasks.json"]);
}

#[tokio::test]
async fn survives_a_hostile_tree() {
    let story = Story::new(&[("a", "1"), ("was-file", "2")]).await;
    let inside = &story.inside;
    symlink("/etc/passwd", inside.join("link")).unwrap();
    symlink("/", inside.join("root")).unwrap();
    assert!(Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap().success());
    fs::remove_file(inside.join("was-file")).unwrap();
    symlink("/etc/shadow", inside.join("was-file")).unwrap();
    write_tree(
        inside,
        &[("\u{1b}[2J", "x"), ("a\nb", "x"), ("--checkpoint-action=exec=sh", "x"), ("-rf", "x"), ("*", "x")],
    );
    let huge = fs::File::create(inside.join("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();

    let changes = story.changes().await;
    let target = tempfile::tempdir().unwrap();
    let export = story.cage.export(target.path(), &changes).await.unwrap();
    assert_eq!(export.written, ["\\u{1b}[2J", "*", "--checkpoint-action=exec=sh", "-rf", "a\\nb"]);
    let left_out: Vec<_> = export.left_out.iter().map(|refused| refused.path.as_str()).collect();
    assert_eq!(left_out, ["huge", "link", "pipe", "root", "was-file"]);
    assert!(!changes.to_string().contains('\u{1b}'));
}

#[tokio::test]
async fn removes_a_fresh_target_when_the_export_fails() {
    let story = Story::new(&[("a", "1")]).await;
    write_tree(&story.inside, &[("new", "x")]);
    let changes = story.changes().await;
    let parent = tempfile::tempdir().unwrap();
    fs::write(parent.path().join("file"), "x").unwrap();
    let target = parent.path().join("file/target");
    let error = story.cage.export(&target, &changes).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot create the folder"), "{error}");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn rejects_changes_of_another_cage() {
    let (one, other) = (Story::new(&[("a", "1")]).await, Stage::embedded());
    let second = other.host.create(CageSpec::empty("second")).await.unwrap();
    let error = second.export(one.project.path(), &one.changes().await).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "these changes were read from cage `demo`, not from `second`; export them through the cage they came from"
    );
}

#[tokio::test]
async fn exports_a_whole_project_by_comparing_with_an_empty_folder() {
    let Some(stage) = Stage::docker().await else { return };
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "1"), ("src/b", "2"), (".gitignore", "*.log\n")]);
    let cage = stage
        .host
        .create(CageSpec::from_dir(stage.name("whole"), project.path()).image(image()))
        .await
        .unwrap();
    let unchanged = cage.diff(project.path()).await.unwrap();
    let target = tempfile::tempdir().unwrap();
    let all = cage.diff(target.path()).await.unwrap();
    let export = cage.export(target.path(), &all).await.unwrap();
    cage.destroy().await.unwrap();
    assert_eq!(unchanged.len(), 0, "{unchanged}");
    assert!(all.iter().all(|change| change.kind() == ChangeKind::Added));
    assert_eq!(export.written, [".gitignore", "a", "src/b"]);
    assert_eq!(export.left_out, []);
    assert_eq!(fs::read_to_string(target.path().join("src/b")).unwrap(), "2");
}

async fn extra_folder(stage: Stage) {
    let root = tempfile::tempdir().unwrap();
    write_tree(root.path(), &[("p/a", "1"), ("docs/guide.md", "old"), ("docs/kept", "1")]);
    let docs = root.path().join("docs");
    let spec = CageSpec::from_dir(stage.name("extra"), root.path().join("p")).image(image());
    let cage = stage.host.create(spec.folder("docs", &docs)).await.unwrap();
    let work =
        "cd \"${CAGE_DIR:-$HOME/.cage}/../docs\" && printf newer > guide.md && mkdir a && printf 1 > a/page";
    stage.agent(&cage, &["sh", "-c", work]);
    let changes = cage.diff_with(&docs, DiffOptions::default().folder("docs")).await.unwrap();
    let export = cage.export(&docs, &changes).await.unwrap();
    let project = cage.diff(root.path().join("p")).await.unwrap();
    cage.destroy().await.unwrap();
    assert_eq!(changes.to_string(), "A a/page\nM guide.md\n");
    assert_eq!(export.written, ["a/page", "guide.md"]);
    assert_eq!(fs::read_to_string(docs.join("guide.md")).unwrap(), "newer");
    assert!(project.is_empty(), "{project}");
}

#[tokio::test]
async fn rejects_a_folder_that_is_no_place_in_the_home() {
    let story = Story::new(&[("a", "1")]).await;
    for place in ["../other", ".cage", "/etc"] {
        let options = DiffOptions::default().folder(place);
        let error = story.cage.diff_with(story.project.path(), options).await.unwrap_err();
        assert!(error.to_string().starts_with("invalid folder"), "{error}");
    }
    let missing = DiffOptions::default().folder("nowhere");
    let error = story.cage.diff_with(story.project.path(), missing).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NoSuchFolder { .. })), "{error}");
}
