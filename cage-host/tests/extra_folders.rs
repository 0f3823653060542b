//! Folders beside the project: known to whoever finds the cage, added and removed later, copied along, and never named
//! by an agent.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use cage_host::{Cage, CageSpec, DiffOptions, Error, ExtraFolder, RequestError};
use support::{Stage, image, write_tree};
use tempfile::TempDir;

on_both_backends! {
    finds_a_cage_with_the_folders_that_it_was_created_with => found_again;
    adds_a_folder_that_is_compared_and_exported_like_any_other => added;
    removes_folders_and_takes_them_back => removed;
    copies_what_is_known_of_the_folders_along => forked;
    shows_the_files_of_a_folder_that_the_agent_deleted_or_replaced_as_deleted => deleted;
    rejects_a_place_that_is_taken_or_none_and_a_folder_that_is_not_there => refused;
    leaves_nothing_of_an_addition_that_fails_or_is_given_up => undone;
}

/// Two folders of the host.
fn folders() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write_tree(root.path(), &[("docs/a.md", "a"), ("docs/sub/b.md", "b"), ("data/x", "x")]);
    root
}

async fn cage(stage: &Stage, story: &str, root: &Path) -> Cage {
    let spec = CageSpec::empty(stage.name(story)).image(image()).folder("docs", root.join("docs"));
    stage.host.create(spec).await.unwrap()
}

/// What another program knows of the folders of a cage, which must be what the listing says.
async fn known(stage: &Stage, cage: &Cage) -> Vec<(String, String)> {
    let found = stage.host.cage(cage.name().as_str()).await.unwrap().folders().await.unwrap();
    let listed = stage.host.list().await.unwrap();
    let listed = listed.into_iter().find(|listed| listed.name == *cage.name()).unwrap();
    assert_eq!(listed.folders, found);
    let shown = |ExtraFolder { place, dir, .. }: ExtraFolder| {
        let dir = dir.unwrap();
        assert!(dir.is_absolute(), "{}", dir.display());
        (place, dir.file_name().unwrap().to_str().unwrap().to_owned())
    };
    found.into_iter().map(shown).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(place, dir)| (place.to_owned(), dir.to_owned())).collect()
}

/// Everything in the home of a cage but what belongs to the image, hidden things too.
fn home(stage: &Stage, cage: &Cage) -> String {
    let list = r#"cd "${CAGE_DIR-$HOME/.cage}/.." && find . -mindepth 1 -maxdepth 1 \( -name '.adding*' -o ! -name '.*' \) | sort"#;
    stage.agent(cage, &["sh", "-c", list])
}

/// The volumes that hold notes about a cage.
fn volumes(stage: &Stage, id: &str) -> usize {
    if stage.is_embedded() {
        return 0;
    }
    let filter = format!("label=dev.cage.cage={id}");
    let output =
        Command::new("docker").args(["volume", "ls", "--quiet", "--filter", &filter]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().count()
}

/// The id of a cage's container.
fn id(stage: &Stage, cage: &Cage) -> String {
    if stage.is_embedded() {
        return String::new();
    }
    let container = format!("isolated-dev-{}", cage.name());
    let output =
        Command::new("docker").args(["inspect", "--format", "{{.Id}}", &container]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn found_again(stage: Stage) {
    let root = folders();
    let cage = cage(&stage, "known", root.path()).await;
    // Whatever an agent writes in its home, it names no folder of the host.
    stage.agent(&cage, &["sh", "-c", r#"cd "${CAGE_DIR-$HOME/.cage}/.."; mkdir evil; rm -r docs"#]);
    assert_eq!(known(&stage, &cage).await, pairs(&[("docs", "docs")]));
    cage.destroy().await.unwrap();
}

async fn added(stage: Stage) {
    let root = folders();
    let cage = cage(&stage, "added", root.path()).await;
    let found = stage.host.cage(cage.name().as_str()).await.unwrap();
    let data = root.path().join("data");
    let arrival = found.add_folder("input", &data).await.unwrap();
    assert_eq!((arrival.files, arrival.bytes), (1, 1));
    assert_eq!(known(&stage, &cage).await, pairs(&[("docs", "docs"), ("input", "data")]));
    assert_eq!(home(&stage, &cage), "./docs\n./input\n./project\n");

    let options = || DiffOptions::default().folder("input");
    assert!(cage.diff_with(&data, options()).await.unwrap().is_empty());
    stage.agent(
        &cage,
        &["sh", "-c", r#"cd "${CAGE_DIR-$HOME/.cage}/../input"; echo more >> x; echo new > y"#],
    );
    let changes = cage.diff_with(&data, options()).await.unwrap();
    assert_eq!((changes.to_string().as_str(), changes.folder()), ("M x\nA y\n", "input"));
    cage.export(&data, &changes).await.unwrap();
    assert_eq!(fs::read_to_string(data.join("y")).unwrap(), "new\n");
    let id = id(&stage, &cage);
    assert_eq!(volumes(&stage, &id), usize::from(!stage.is_embedded()));
    cage.destroy().await.unwrap();
    assert_eq!(volumes(&stage, &id), 0);
}

async fn removed(stage: Stage) {
    let root = folders();
    let cage = cage(&stage, "removed", root.path()).await;
    cage.add_folder("input", root.path().join("data")).await.unwrap();
    // An agent can make a folder read-only, and put a link into it.
    let lock = r#"cd "${CAGE_DIR-$HOME/.cage}/.."; ln -s ../../project docs/sub/link; touch project/kept; chmod -R a-w docs; chmod 0 docs/sub"#;
    stage.agent(&cage, &["sh", "-c", lock]);
    for place in ["docs", "input"] {
        cage.remove_folder(place).await.unwrap();
    }
    assert_eq!(home(&stage, &cage), "./project\n");
    assert_eq!(known(&stage, &cage).await, []);
    assert_eq!(stage.agent(&cage, &["sh", "-c", r#"ls "${CAGE_DIR-$HOME/.cage}/../project""#]), "kept\n");
    assert!(root.path().join("docs/a.md").exists(), "the host's folder stays");

    cage.add_folder("docs", root.path().join("data")).await.unwrap();
    assert_eq!(known(&stage, &cage).await, pairs(&[("docs", "data")]));
    cage.remove_folder("docs").await.unwrap();
    assert_eq!(known(&stage, &cage).await, []);
    let again =
        cage.remove_folder("docs").await.unwrap_err().to_string().replace(cage.name().as_str(), "NAME");
    assert_eq!(again, "the cage `NAME` has no extra folder `docs`; it was never added or has been removed");
    let project = cage.remove_folder("project").await.unwrap_err();
    assert_eq!(
        project.to_string(),
        "invalid folder: `project` is the project itself; destroy the cage to remove it"
    );
    cage.destroy().await.unwrap();
}

async fn forked(stage: Stage) {
    let root = folders();
    let cage = cage(&stage, "origin", root.path()).await;
    cage.add_folder("input", root.path().join("data")).await.unwrap();
    cage.add_folder("other", root.path().join("data")).await.unwrap();
    cage.remove_folder("docs").await.unwrap();
    let mut copies = vec![stage.host.fork(&cage, &stage.name("fork")).await.unwrap()];
    if !stage.is_embedded() {
        let name = stage.name("snapshot");
        stage.host.snapshot(&cage, &name).await.unwrap();
        copies.push(stage.host.fork_snapshot(&name, &stage.name("copy")).await.unwrap());
        stage.host.remove_snapshot(&name).await.unwrap();
    }
    cage.destroy().await.unwrap();
    for copy in copies {
        assert_eq!(known(&stage, &copy).await, pairs(&[("input", "data"), ("other", "data")]));
        copy.remove_folder("input").await.unwrap();
        assert_eq!(known(&stage, &copy).await, pairs(&[("other", "data")]));
        assert_eq!(home(&stage, &copy), "./other\n./project\n");
        copy.destroy().await.unwrap();
    }
}

async fn deleted(stage: Stage) {
    let root = folders();
    let cage = cage(&stage, "deleted", root.path()).await;
    cage.add_folder("data", root.path().join("data")).await.unwrap();
    let work = r#"cd "${CAGE_DIR-$HOME/.cage}/.."; rm -rf docs data; ln -s /etc data; echo x > project/new"#;
    stage.agent(&cage, &["sh", "-c", work]);
    let changes = async |folder| {
        let dir = root.path().join(folder);
        cage.diff_with(dir, DiffOptions::default().folder(folder)).await
    };
    assert_eq!(changes("docs").await.unwrap().to_string(), "D a.md\nD sub/b.md\n");
    let data = changes("data").await.unwrap();
    assert_eq!(data.to_string(), "D x\n");
    cage.export(root.path().join("data"), &data).await.unwrap();
    assert!(root.path().join("data/x").exists(), "deleted without being asked to");
    fs::create_dir(root.path().join("never")).unwrap();
    let error = changes("never").await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NoSuchFolder { .. })), "{error}");
    assert_eq!(known(&stage, &cage).await, pairs(&[("data", "data"), ("docs", "docs")]));
    cage.remove_folder("docs").await.unwrap();
    let error = changes("docs").await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NoSuchFolder { .. })), "{error}");
    stage.agent(&cage, &["sh", "-c", r#"rm -rf "${CAGE_DIR-$HOME/.cage}/../project""#]);
    assert!(cage.diff(root.path().join("never")).await.unwrap().is_empty());
    cage.destroy().await.unwrap();
}

async fn refused(stage: Stage) {
    let root = folders();
    let cage = cage(&stage, "refused", root.path()).await;
    stage.agent(&cage, &["sh", "-c", r#"cd "${CAGE_DIR-$HOME/.cage}/.."; mkdir mine; ln -s /nowhere link"#]);
    let before = home(&stage, &cage);
    let dir = root.path().join("data");
    for taken in ["docs", "mine", "link"] {
        let error = cage.add_folder(taken, &dir).await.unwrap_err();
        assert!(matches!(error, Error::Request(RequestError::FolderExists { .. })), "{taken}: {error}");
    }
    for name in ["project", "../evil", ".cage", ""] {
        let error = cage.add_folder(name, &dir).await.unwrap_err();
        assert!(matches!(error, Error::Request(RequestError::Invalid { .. })), "{name}: {error}");
    }
    let error = cage.add_folder("none", root.path().join("none")).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::Project { .. })), "{error}");
    let error = cage.remove_folder("mine").await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NoSuchFolder { .. })), "{error}");
    assert_eq!((known(&stage, &cage).await, home(&stage, &cage)), (pairs(&[("docs", "docs")]), before));
    cage.destroy().await.unwrap();
}

async fn undone(stage: Stage) {
    let root = folders();
    let cage = cage(&stage, "undone", root.path()).await;
    let large = root.path().join("large");
    fs::create_dir(&large).unwrap();
    support::slow_project(&large);
    let staged = async {
        while !home(&stage, &cage).contains(".adding") {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        added = cage.add_folder("large", &large) => drop(added.unwrap()),
        () = staged => {}
    }
    stage.host.settled().await;
    assert_eq!(home(&stage, &cage), "./docs\n./project\n");
    assert_eq!(
        (known(&stage, &cage).await, volumes(&stage, &id(&stage, &cage))),
        (pairs(&[("docs", "docs")]), 0)
    );

    let broken = root.path().join("broken");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("a"), "a").unwrap();
    let stopped = stage.host.cage(cage.name().as_str()).await.unwrap();
    stopped.stop(std::time::Duration::ZERO).await.unwrap();
    let error = stopped.add_folder("broken", &broken).await.unwrap_err();
    assert!(matches!(error, Error::Cage(_)), "{error}");
    stopped.start().await.unwrap();
    assert_eq!(home(&stage, &cage), "./docs\n./project\n");
    assert_eq!(
        (known(&stage, &cage).await, volumes(&stage, &id(&stage, &cage))),
        (pairs(&[("docs", "docs")]), 0)
    );
    cage.add_folder("broken", &broken).await.unwrap();
    cage.destroy().await.unwrap();
}

/// A volume is all that stays of a cage that somebody else removed, or of a program that was killed while it added a
/// folder.
#[tokio::test]
async fn collects_notes_of_cages_that_others_removed_and_of_additions_that_nobody_finishes() {
    let Some(stage) = Stage::docker().await else { return };
    let root = folders();
    let cage = cage(&stage, "collected", root.path()).await;
    let id = id(&stage, &cage);
    cage.add_folder("input", root.path().join("data")).await.unwrap();
    let half = format!("cage-adding-folder-{id}-half");
    let mut create = Command::new("docker");
    create.args([
        "volume",
        "create",
        "--label",
        "dev.cage.managed=true",
        "--label",
        "dev.cage.role=adding-folder",
    ]);
    create.args(["--label", &format!("dev.cage.cage={id}"), "--label", "dev.cage.folder=half"]);
    let ended = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let space = fs::read_link("/proc/self/ns/pid").unwrap();
    // No process has started at the tick 1.
    let creator = format!("{} {} {} 1", ended.trim(), space.display(), std::process::id());
    assert!(
        create
            .args(["--label", &format!("dev.cage.creator={creator}"), &half])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(known(&stage, &cage).await, pairs(&[("docs", "docs"), ("input", "data")]));
    assert_eq!(volumes(&stage, &id), 2);
    stage.host.gc().await.unwrap();
    assert_eq!(volumes(&stage, &id), 1);
    assert_eq!(known(&stage, &cage).await, pairs(&[("docs", "docs"), ("input", "data")]));
    Command::new("docker")
        .args(["rm", "--force", &format!("isolated-dev-{}", cage.name())])
        .output()
        .unwrap();
    stage.host.gc().await.unwrap();
    assert_eq!(volumes(&stage, &id), 0);
}
