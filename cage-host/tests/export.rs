//! What an export leaves alone, keeps and reports: the host's own files are never lost by it.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::fs;
use std::path::Path;

use cage_host::{DiffOptions, ExportOptions};
use support::story::Story;
use support::write_tree;

#[tokio::test]
async fn names_a_moved_file_as_moved_and_an_edited_one_not() {
    let story = Story::new(&[("old.rs", "fn main() {}\n"), ("other.rs", "1\n"), ("empty", "")]).await;
    fs::create_dir(story.inside.join("src")).unwrap();
    for (from, to) in [("old.rs", "src/new.rs"), ("other.rs", "src/edited.rs"), ("empty", "void")] {
        fs::rename(story.inside.join(from), story.inside.join(to)).unwrap();
    }
    write_tree(&story.inside, &[("src/edited.rs", "2\n")]);
    let changes = story.changes().await;
    insta::assert_snapshot!(changes, @r"
    D empty
    D old.rs (moved to src/new.rs)
    D other.rs
    A src/edited.rs
    A src/new.rs (moved from old.rs)
    A void
    ");
    let renames: Vec<_> = changes.renames().collect();
    assert_eq!(renames, [(Path::new("old.rs"), Path::new("src/new.rs"))]);
    let export = story.export(&changes, ExportOptions::default().delete(true)).await;
    assert_eq!(export.deleted, ["empty", "old.rs", "other.rs"]);
    assert_eq!(story.words().await, Vec::<String>::new());
}

#[tokio::test]
async fn counts_lines_by_language_without_what_is_ignored_or_moved() {
    let long = "a line\n".repeat(1_000);
    let story = Story::new(&[
        (".gitignore", "*.log\n"),
        ("a.rs", "one\ntwo\nthree\n"),
        ("gone.py", "1\n2\n"),
        ("moved.md", &long),
    ])
    .await;
    write_tree(&story.inside, &[("a.rs", "one\n2\nthree\nfour\n"), ("b.rs", "new\n"), ("x.log", "no\n")]);
    fs::write(story.inside.join("logo.png"), b"\x89PNG\0").unwrap();
    fs::remove_file(story.inside.join("gone.py")).unwrap();
    fs::rename(story.inside.join("moved.md"), story.inside.join("here.md")).unwrap();
    insta::assert_snapshot!(story.changes().await.statistics().await.unwrap(), @r"
    Markdown         +0 -0 in 2 files
    Python           +0 -2 in 1 file
    Rust             +3 -1 in 2 files
    other            +0 -0 in 1 file (1 not counted)
    total            +3 -3 in 6 files (1 not counted)
    ");
}

#[tokio::test]
async fn protects_environments_packages_and_caches_until_they_are_asked_for() {
    let story = Story::new(&[("a", "1"), ("venv/bin/python", "host")]).await;
    write_tree(
        &story.inside,
        &[("venv/bin/python", "cage"), ("web/node_modules/x/y.js", "1"), ("web/node_modules/z.js", "2")],
    );
    let changes = story.changes().await;
    insta::assert_snapshot!(changes, @r"
    P venv (protected, 1 file differs)
    P web/node_modules (protected, 2 files differ)
    ");
    assert!(changes.is_empty());
    story.export(&changes, ExportOptions::default().delete(true)).await;
    assert_eq!(story.read("venv/bin/python"), "host");

    let asked = DiffOptions::default().protected(true);
    let changes = story.cage.diff_with(story.project.path(), asked).await.unwrap();
    let export = story.export(&changes, ExportOptions::default()).await;
    assert_eq!(export.written, ["venv/bin/python", "web/node_modules/x/y.js", "web/node_modules/z.js"]);
}

#[tokio::test]
async fn protects_what_the_hosts_cageprotect_names_and_believes_no_other() {
    let rules = "*.pem\n/data/\n";
    let story = Story::new(&[(".cageprotect", rules), ("data/a", "host"), ("key.pem", "host")]).await;
    write_tree(&story.inside, &[(".cageprotect", "free.txt\n"), ("data/b", "cage"), ("free.txt", "cage")]);
    fs::remove_file(story.inside.join("key.pem")).unwrap();
    let changes = story.changes().await;
    insta::assert_snapshot!(changes, @r"
    A free.txt
    P .cageprotect (protected, 1 file differs)
    P data (protected, 1 file differs)
    P key.pem (protected, 1 file differs)
    ");
    let everything = ExportOptions::default().delete(true).overwrite(true).agent_run(true);
    story.export(&changes, everything).await;
    assert_eq!((story.read(".cageprotect").as_str(), story.read("key.pem").as_str()), (rules, "host"));
    assert!(!story.project.path().join("data/b").exists());
}

#[tokio::test]
async fn respects_the_cageprotect_of_another_target() {
    let story = Story::new(&[("a", "1")]).await;
    write_tree(&story.inside, &[("a", "2"), ("b", "2")]);
    let changes = story.changes().await;
    let target = tempfile::tempdir().unwrap();
    write_tree(target.path(), &[(".cageprotect", "/a\n")]);
    let export = story.cage.export(target.path(), &changes).await.unwrap();
    assert_eq!(export.written, ["b"]);
    assert_eq!(export.left_out[0].reason, "the folder's `.cageprotect` names it");
}

#[tokio::test]
async fn overwrites_nothing_that_changed_on_the_host_since_the_diff() {
    let story =
        Story::new(&[("both", "1"), ("calm", "1"), ("gone-here", "1"), ("gone-there", "1"), ("same", "1")])
            .await;
    write_tree(
        &story.inside,
        &[("both", "cage"), ("calm", "cage"), ("gone-here", "cage"), ("new", "cage"), ("same", "2")],
    );
    fs::remove_file(story.inside.join("gone-there")).unwrap();
    let changes = story.changes().await;
    write_tree(
        story.project.path(),
        &[("both", "host"), ("gone-there", "host"), ("new", "host"), ("same", "2")],
    );
    fs::remove_file(story.project.path().join("gone-here")).unwrap();

    let export = story.export(&changes, ExportOptions::default().delete(true)).await;
    let conflicts: Vec<_> = export.conflicts.iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(conflicts, @r#"
    [
        "both: the folder's file changed since the diff",
        "gone-here: the folder no longer has the file",
        "gone-there: the folder's file changed since the diff",
        "new: the folder has another file there",
    ]
    "#);
    assert_eq!((export.written, export.unchanged), (vec!["calm".to_owned()], vec!["same".to_owned()]));
    assert_eq!((story.read("both"), story.read("new")), ("host".to_owned(), "host".to_owned()));

    let export = story.export(&changes, ExportOptions::default().delete(true).overwrite(true)).await;
    assert_eq!((export.written.len(), export.deleted.len(), export.conflicts.len()), (3, 1, 0));
    assert_eq!(story.words().await, Vec::<String>::new());
}

#[tokio::test]
async fn keeps_the_hosts_gitignore_before_it_is_replaced() {
    let story = Story::new(&[(".gitignore", "mine\n"), ("sub/.gitignore", "deep\n")]).await;
    write_tree(&story.inside, &[(".gitignore", "*.tmp\n"), ("sub/.gitignore", "theirs\n")]);
    let export = story.export(&story.changes().await, ExportOptions::default()).await;
    assert_eq!(export.backups, [".gitignore.cage-backup-1", "sub/.gitignore.cage-backup-1"]);
    assert_eq!(
        (story.read(".gitignore"), story.read(".gitignore.cage-backup-1")),
        ("*.tmp\n".into(), "mine\n".into())
    );
    assert_eq!(story.words().await, Vec::<String>::new(), "a backup is no part of the project");

    write_tree(&story.inside, &[(".gitignore", "third\n")]);
    let export = story.export(&story.changes().await, ExportOptions::default()).await;
    assert_eq!(export.backups, [".gitignore.cage-backup-2"]);
}

#[tokio::test]
async fn exports_only_the_chosen_paths_and_rejects_one_that_does_not_differ() {
    let story = Story::new(&[("a", "1"), ("src/b", "1"), ("src/deep/c", "1")]).await;
    write_tree(&story.inside, &[("a", "22"), ("src/b", "22"), ("src/deep/c", "22")]);
    let changes = story.changes().await;
    let export = story.export(&changes, ExportOptions::default().only(["src"])).await;
    assert_eq!((export.written, export.bytes), (vec!["src/b".to_owned(), "src/deep/c".to_owned()], 4));
    let options = ExportOptions::default().only(["scr"]);
    let error = story.cage.export_with(story.project.path(), &changes, options).await.unwrap_err();
    insta::assert_snapshot!(error, @"invalid path: nothing differs at `scr`");
}

#[tokio::test]
async fn puts_nothing_into_a_git_folder_even_when_agent_run_files_are_asked_for() {
    let story = Story::new(&[("a", "1")]).await;
    write_tree(&story.inside, &[(".GIT/hooks/post-checkout", "evil"), ("git~1/config", "evil")]);
    let changes = story.changes().await;
    let export = story.export(&changes, ExportOptions::default().agent_run(true)).await;
    assert_eq!((export.written.len(), export.left_out.len()), (0, 2), "{export:?}");
}
