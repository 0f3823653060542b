//! What changed on the host, brought into a cage; and caches removed there.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::fs;

use cage_host::{CageSpec, PushOptions, TidyOptions};
use support::story::Story;
use support::{Stage, image, write_tree};

fn inside(story: &Story, path: &str) -> String {
    fs::read_to_string(story.inside.join(path)).unwrap_or_else(|error| format!("({error})"))
}

#[tokio::test]
async fn brings_in_what_the_host_alone_changed_and_reports_what_both_did() {
    let story = Story::new(&[("both", "1"), ("cage", "1"), ("host", "1"), ("cage-gone", "1")]).await;
    write_tree(&story.inside, &[("both", "cage"), ("cage", "cage"), ("made", "cage")]);
    fs::remove_file(story.inside.join("cage-gone")).unwrap();
    write_tree(story.project.path(), &[("both", "host"), ("host", "host"), ("new/a\nb", "host")]);

    let push = story.cage.push(story.project.path()).await.unwrap();
    assert_eq!(push.written, ["host", "new/a\\nb"]);
    let conflicts: Vec<_> = push.conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(conflicts, ["both: both the host and the cage changed it"]);
    let found = ["both", "cage", "host", "made", "new/a\nb"].map(|path| inside(&story, path));
    assert_eq!(found, ["cage", "cage", "host", "cage", "host"]);
    assert!(!story.inside.join("cage-gone").exists(), "what the agent deleted stays deleted");

    let overwrite = PushOptions::default().only(["both"]).overwrite(true);
    let push = story.cage.push_with(story.project.path(), &overwrite).await.unwrap();
    assert_eq!((push.written, inside(&story, "both")), (vec!["both".to_owned()], "host".to_owned()));
}

#[tokio::test]
async fn knows_after_a_push_what_the_cage_changed_since() {
    let story = Story::new(&[("a", "1")]).await;
    write_tree(story.project.path(), &[("a", "pushed"), ("b", "pushed")]);
    story.cage.push(story.project.path()).await.unwrap();
    write_tree(&story.inside, &[("a", "changed after it")]);
    let push = story.cage.push(story.project.path()).await.unwrap();
    assert_eq!(push, cage_host::Push::default(), "only the cage changed it");
    write_tree(story.project.path(), &[("b", "pushed again")]);
    let push = story.cage.push(story.project.path()).await.unwrap();
    assert_eq!((push.written, push.conflicts.len()), (vec!["b".to_owned()], 0));
    assert!(
        story.cage.patches(cage_host::Base::creation()).await.unwrap().is_empty(),
        "a push is no commit of the agent"
    );
}

#[tokio::test]
async fn deletes_in_the_cage_only_when_asked_and_never_what_it_changed() {
    let story = Story::new(&[("calm", "1"), ("edited", "1"), ("kept", "1")]).await;
    write_tree(&story.inside, &[("edited", "2"), ("-rf", "made by the agent")]);
    for name in ["calm", "edited"] {
        fs::remove_file(story.project.path().join(name)).unwrap();
    }
    let push = story.cage.push(story.project.path()).await.unwrap();
    assert_eq!(push, cage_host::Push::default());
    let delete = PushOptions::default().delete(true);
    let push = story.cage.push_with(story.project.path(), &delete).await.unwrap();
    assert_eq!((push.deleted, push.conflicts.len()), (vec!["calm".to_owned()], 1));
    assert!(story.inside.join("-rf").exists() && story.inside.join("edited").exists());
}

#[tokio::test]
async fn calls_every_difference_a_conflict_where_the_agent_removed_its_history() {
    let story = Story::new(&[("a", "1")]).await;
    fs::remove_dir_all(story.inside.join(".git")).unwrap();
    write_tree(story.project.path(), &[("a", "host"), ("new", "host")]);
    let push = story.cage.push(story.project.path()).await.unwrap();
    assert_eq!((push.written, push.conflicts.len()), (vec!["new".to_owned()], 1));
    assert_eq!(inside(&story, "a"), "1");
}

#[tokio::test]
async fn removes_caches_and_nothing_else() {
    let story = Story::new(&[("src/a.py", "1"), ("target/mine", "1")]).await;
    write_tree(
        &story.inside,
        &[
            ("src/__pycache__/a.pyc", "x"),
            ("web/node_modules/.cache/big", "x"),
            ("web/node_modules/lib/index.js", "kept"),
            (".pytest_cache/v/x", "x"),
            ("build/target/CACHEDIR.TAG", "x"),
            ("build/target/debug/x", "x"),
        ],
    );
    std::os::unix::fs::symlink(story.project.path(), story.inside.join(".mypy_cache")).unwrap();
    let mut tidied = story.cage.tidy(TidyOptions::default()).await.unwrap();
    tidied.folders.sort();
    assert_eq!(tidied.folders, [".pytest_cache", "src/__pycache__", "web/node_modules/.cache"]);
    assert!(tidied.bytes > 0);
    let tidied = story.cage.tidy(TidyOptions::default().builds(true)).await.unwrap();
    assert_eq!(tidied.folders, ["build/target"]);
    for kept in ["src/a.py", "target/mine", "web/node_modules/lib/index.js"] {
        assert!(story.inside.join(kept).exists(), "{kept}");
    }
    assert!(story.project.path().join("src/a.py").exists(), "a link is not followed");
    assert_eq!(story.cage.tidy(TidyOptions::default()).await.unwrap(), cage_host::Tidied::default());
}

#[tokio::test]
async fn pushes_and_tidies_in_a_container() {
    let Some(stage) = Stage::docker().await else { return };
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "1")]);
    let spec = CageSpec::from_dir(stage.name("push"), project.path()).image(image());
    let cage = stage.host.create(spec).await.unwrap();
    write_tree(project.path(), &[("a", "pushed"), ("b/c", "pushed")]);
    let push = cage.push(project.path()).await.unwrap();
    let make = "cd ~/project && mkdir -p b/__pycache__ && echo x > b/__pycache__/x && cat a b/c && id -u && stat -c %u b/c";
    let shown = stage.agent(&cage, &["sh", "-c", make]);
    let tidied = cage.tidy(TidyOptions::default()).await.unwrap();
    cage.destroy().await.unwrap();
    assert_eq!((push.written.len(), push.conflicts.len()), (2, 0));
    assert_eq!(shown, "pushedpushed1000\n1000\n");
    assert_eq!(tidied.folders, ["b/__pycache__"]);
}
