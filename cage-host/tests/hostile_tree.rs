//! Trees that an agent makes to stop, fill or mislead the host, in a real container: each is answered in bounded time,
//! every refusal is reported by a path that is safe to show, and a canary tree beside the target does not change.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cage_host::{Base, Cage, CageSpec, Changes, Export, ExportOptions};
use support::{Stage, image, write_tree};
use tempfile::TempDir;
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cage, and a target with a canary beside it.
struct Scene {
    stage: Stage,
    cage: Cage,
    root: TempDir,
    canary: Snapshot,
}

/// Every path of a tree with its mode, its time, and what it holds or points to.
type Snapshot = BTreeMap<PathBuf, (u32, (i64, i64), Vec<u8>)>;

fn snapshot(folder: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let content = match metadata.file_type() {
            kind if kind.is_dir() => Vec::new(),
            kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            _ => fs::read(&path).unwrap(),
        };
        let time = (metadata.mtime(), metadata.mtime_nsec());
        found.insert(path.clone(), (metadata.mode(), time, content));
        if metadata.is_dir() {
            found.extend(snapshot(&path));
        }
    }
    found
}

fn write_canary(root: &Path) -> Snapshot {
    write_tree(root, &[("canary/file", "alive"), ("canary/sub/deep", "alive"), ("canary/.envrc", "alive")]);
    symlink("file", root.join("canary/link")).unwrap();
    snapshot(&root.join("canary"))
}

impl Scene {
    /// Creates a cage and lets a shell work in its project.
    async fn new(story: &str, work: &str) -> Option<Self> {
        let stage = Stage::docker().await?;
        let root = tempfile::tempdir().unwrap();
        write_tree(root.path(), &[("target/keep", "host")]);
        let canary = write_canary(root.path());
        let spec = CageSpec::from_dir(stage.name(story), root.path().join("target")).image(image());
        let cage = stage.host.create(spec).await.unwrap();
        stage.agent(&cage, &["sh", "-c", &format!("cd ~/project && {work}")]);
        Some(Self { stage, cage, root, canary })
    }

    async fn diff(&self) -> cage_host::Result<Changes> {
        timeout(PATIENCE, self.cage.diff(self.root.path().join("target"))).await.expect("the diff hangs")
    }

    async fn export(&self, changes: &Changes) -> Export {
        let options = ExportOptions::default().delete(true).agent_run(true).overwrite(true);
        let exporting = self.cage.export_with(self.root.path().join("target"), changes, options);
        timeout(PATIENCE, exporting).await.expect("the export hangs").unwrap()
    }

    /// Removes the cage and sees that nothing beside the target changed.
    async fn end(self) {
        self.cage.destroy().await.unwrap();
        assert_eq!(snapshot(&self.root.path().join("canary")), self.canary, "the canary changed");
        assert_eq!(fs::read_dir(self.root.path()).unwrap().count(), 2, "something lies beside the target");
        drop(self.stage);
    }
}

fn left_out(export: &Export) -> Vec<&str> {
    export.left_out.iter().map(|refused| refused.path.as_str()).collect()
}

#[tokio::test]
async fn takes_only_files_of_a_tree_with_everything_else_in_it() {
    let work = r#"mkfifo pipe && ln -s /etc/passwd link && ln -s / root && ln -s ../../canary up &&
        rm keep && ln -s ../canary/file keep && mkdir -p real && ln -s real through && echo x > real/in &&
        : > '-rf' && : > '--checkpoint-action=exec=sh' && printf x > "$(printf 'a\nb')" &&
        printf x > "$(printf '\033[2J')" && ln real/in hard && truncate -s 1T sparse && chmod 6777 hard &&
        perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un("sock")) or die'"#;
    let Some(scene) = Scene::new("odd", work).await else { return };
    let changes = scene.diff().await.unwrap();
    let export = scene.export(&changes).await;
    assert_eq!(
        export.written,
        ["\\u{1b}[2J", "--checkpoint-action=exec=sh", "-rf", "a\\nb", "hard", "real/in"]
    );
    assert_eq!(left_out(&export), ["keep", "link", "pipe", "root", "sock", "sparse", "through", "up"]);
    assert!(!format!("{changes}{export:?}").contains('\u{1b}'));
    scene.end().await;
}

#[tokio::test]
async fn survives_files_that_become_links_while_they_are_read() {
    let work = "mkdir d && i=0; while [ $i -lt 200 ]; do echo $i > d/$i; i=$((i+1)); done";
    let Some(scene) = Scene::new("swap", work).await else { return };
    let swap =
        "cd ~/project; while :; do rm -rf d/1* && ln -s /etc/passwd d/10; mv d e; ln -s / d; rm d; mv e d;
        rm d/10; mkfifo d/11; rm d/11; echo x > d/12; done";
    let container = format!("isolated-dev-{}", scene.cage.name());
    let mut started = Command::new("docker");
    assert!(started.args(["exec", "-d", &container, "sh", "-c", swap]).status().unwrap().success());
    for _ in 0..5 {
        let changes = scene.diff().await.unwrap();
        let export = scene.export(&changes).await;
        for path in export.written.iter().filter(|path| path.starts_with("d/")) {
            let text = fs::read_to_string(scene.root.path().join("target").join(path)).unwrap();
            assert!(!text.contains("root:"), "{path} holds what a link pointed to");
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn answers_for_a_hundred_thousand_files() {
    let work = "mkdir many && cd many && seq 1 100000 | xargs touch";
    let Some(scene) = Scene::new("many", work).await else { return };
    let changes = scene.diff().await.unwrap();
    assert_eq!(changes.len(), 100_000);
    let one = ExportOptions::default().only(["many/7"]);
    let export = scene.cage.export_with(scene.root.path().join("target"), &changes, one).await.unwrap();
    assert_eq!(export.written, ["many/7"]);
    scene.end().await;
}

#[tokio::test]
async fn refuses_folders_that_are_nested_too_deeply_by_their_paths() {
    let work = "i=0; while [ $i -lt 400 ]; do mkdir d && cd d || exit; i=$((i+1)); done; echo x > bottom; cd ~/project && echo x > top";
    let Some(scene) = Scene::new("deep", work).await else { return };
    let changes = scene.diff().await.unwrap();
    assert_eq!(changes.to_string(), "A top\n");
    assert!(!changes.refused().is_empty());
    assert!(changes.refused().iter().all(|refused| refused.reason == "the path is nested too deeply"));
    scene.export(&changes).await;
    scene.end().await;
}

#[tokio::test]
async fn stops_reading_a_history_without_end() {
    let work = r"tree=$(git write-tree); parent=$(git rev-parse HEAD); i=0
        { while [ $i -lt 1100 ]; do echo 'commit refs/heads/main'; echo 'committer a <b> 1 +0000'; echo 'data 0';
          [ $i = 0 ] && echo from $parent; printf 'M 100644 inline f\ndata 4\n%04d\n' $i; i=$((i+1)); done; } | git fast-import --quiet";
    let Some(scene) = Scene::new("history", work).await else { return };
    let error = timeout(PATIENCE, scene.cage.patches(Base::creation())).await.unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"the cage sent more than the limit of 1000 commits while the host wanted to read the commits");
    scene.end().await;
}
