//! Trees that an agent makes to stop, fill or mislead the host, in a real container: each is answered in bounded time,
//! every refusal is reported by a path that is safe to show, and a canary tree beside the target does not change.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cage_host::{Base, Cage, CageSpec, Changes, Export, ExportOptions, Host};
use support::{Stage, image, write_tree};
use tempfile::TempDir;
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Most memory of a program that compares and exports any of these trees, in KiB.
const MAX_MEMORY_KIB: u64 = 64 * 1024;

/// Most memory for as many files as a listing may nearly have, all of them new, in KiB: each is known by its path as
/// long as it is compared, exported and reported.
const MAX_MEMORY_OF_MANY_KIB: u64 = 192 * 1024;

/// Tell the program that is measured which cage to read, and into which folder.
const NAME: &str = "CAGE_TEST_NAME";
const TARGET: &str = "CAGE_TEST_TARGET";

/// What stands before what it measured.
const MEASURED: &str = "measured: ";

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
        let exporting = self.cage.export_with(self.root.path().join("target"), changes, everything());
        timeout(PATIENCE, exporting).await.expect("the export hangs").unwrap()
    }

    /// Lets the agent go on with something while the cage is read.
    fn meanwhile(&self, work: &str) {
        let container = format!("isolated-dev-{}", self.cage.name());
        let work = format!("cd ~/project && {work}");
        let mut started = Command::new("docker");
        assert!(started.args(["exec", "-d", &container, "sh", "-c", &work]).status().unwrap().success());
    }

    /// Has a program of its own compare and export it, which must neither hang nor take much memory.
    async fn is_bounded(&self, tree: &str, limit_kib: u64) {
        let mut program = tokio::process::Command::new(std::env::current_exe().unwrap());
        program.args(["the_program_that_is_measured", "--exact", "--ignored", "--nocapture"]);
        program.env(NAME, self.cage.name().as_str()).env(TARGET, self.root.path().join("target"));
        let output = program.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(PATIENCE, output).await;
        assert!(output.is_ok(), "{tree}: it hangs");
        let output = output.unwrap().unwrap();
        assert!(output.status.success(), "{tree}: {output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let measured = printed.split_once(MEASURED).unwrap().1.lines().next().unwrap();
        println!("{tree}: {measured}");
        let kib: u64 = measured.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
        assert!(kib < limit_kib, "{tree}: {measured}");
    }

    /// Removes the cage and sees that nothing beside the target changed.
    async fn end(self) {
        self.cage.destroy().await.unwrap();
        assert_eq!(snapshot(&self.root.path().join("canary")), self.canary, "the canary changed");
        assert_eq!(fs::read_dir(self.root.path()).unwrap().count(), 2, "something lies beside the target");
        drop(self.stage);
    }
}

/// Options that hold as little back as possible.
fn everything() -> ExportOptions {
    ExportOptions::default().delete(true).agent_run(true).overwrite(true)
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
    scene.meanwhile(
        "while :; do rm -rf d/1* && ln -s /etc/passwd d/10; mv d e; ln -s / d; rm d; mv e d;
        rm d/10; mkfifo d/11; rm d/11; echo x > d/12; done",
    );
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

#[tokio::test]
#[ignore = "it is the program that another test starts and measures"]
async fn the_program_that_is_measured() {
    let [name, target] = [NAME, TARGET].map(|variable| std::env::var(variable).unwrap());
    let cage = Host::connect().await.unwrap().cage(&name).await.unwrap();
    let begun = Instant::now();
    let changes = cage.diff(&target).await.unwrap();
    let compared = begun.elapsed();
    let begun = Instant::now();
    let export = cage.export_with(&target, &changes, everything()).await.unwrap();
    let exported = begun.elapsed();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.split("VmHWM:").nth(1).unwrap().split_whitespace().next().unwrap();
    let (differences, written) = (changes.len(), export.written.len());
    println!(
        "{MEASURED}{differences} differences in {compared:.2?}, {written} written in {exported:.2?}, {peak} KiB"
    );
}

/// A tree, how it is made, and what its agent does while it is read.
type Tree = (&'static str, &'static str, &'static str);

const MANY: &str = "200,000 entries";

/// Trees that would take a careless reader much time or memory.
const TREES: [Tree; 8] = [
    (MANY, "mkdir many && cd many && seq 1 200000 | xargs touch", ""),
    ("4,000 levels", r#"perl -e 'for (1..4000) { mkdir "d"; chdir "d" or die } open F, ">", "bottom"'"#, ""),
    (
        "long names",
        r#"perl -e 'for (1..14) { mkdir "x" x 250; chdir "x" x 250 or die; open F, ">", $_ . "y" x 250 for 1..100 }'"#,
        "",
    ),
    (
        "links",
        r#"perl -e 'open F, ">", "f"; for (1..5000) { symlink "/etc/passwd", "out$_"; symlink ".", "loop$_"; link "f", "hard$_" }'"#,
        "",
    ),
    (
        "odd files",
        r#"mkfifo $(seq -f pipe%g 500); truncate -s 1T sparse
        for i in $(seq 500); do printf x > "$(printf '\033[2J\033]0;%d\007' $i)"; done"#,
        "",
    ),
    (
        "names that differ in case",
        "for i in $(seq 500); do echo a > name$i; echo b > NAME$i; done; mkdir $(seq -f dir%g 500) $(seq -f DIR%g 500)",
        "",
    ),
    (
        "files that change",
        "echo x > grows; echo x > comes",
        "while :; do head -c 1000000 /dev/zero >> grows; [ $(stat -c %s grows) -lt 100000000 ] || : > grows; rm comes; echo y > comes; done",
    ),
    ("large files", "head -c 300000000 /dev/urandom > large; yes | head -c 100000000 > text", ""),
];

#[tokio::test]
async fn compares_and_exports_any_tree_without_a_hang_and_within_64_mib() {
    for (index, (tree, work, meanwhile)) in TREES.into_iter().enumerate() {
        let Some(scene) = Scene::new(&format!("bounded-{index}"), work).await else { return };
        if !meanwhile.is_empty() {
            scene.meanwhile(meanwhile);
        }
        scene.is_bounded(tree, if tree == MANY { MAX_MEMORY_OF_MANY_KIB } else { MAX_MEMORY_KIB }).await;
        scene.end().await;
    }
}
