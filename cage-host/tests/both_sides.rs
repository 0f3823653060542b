//! What the host did itself while an agent was at work is lost by no export.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use cage_host::{
    Cage, CageSpec, Changes, CursorStore, DEFAULT_GRACE, DiffOptions, Export, ExportOptions, FileCursors,
    Hold, Host, MemoryCursors, PushOptions,
};
use support::{Stage, image, write_tree};
use tempfile::TempDir;

on_both_backends! {
    leaves_what_both_changed_until_it_is_told_otherwise => both_changed;
    leaves_what_the_host_alone_changed_added_and_deleted => host_alone;
    exports_again_what_it_exported_without_a_conflict => exported_twice;
    knows_what_a_push_brought_in => pushed_between;
    calls_what_it_does_not_remember_changed_by_both => record_lost;
    compares_a_folder_that_was_never_sent_with_what_the_cage_began_with => other_folder;
    begins_a_fork_where_the_first_cage_began => forked;
    leaves_what_the_host_changed_in_an_extra_folder => extra_folder;
    leaves_what_the_host_changed_when_a_cage_is_salvaged => salvaged;
    leaves_what_the_host_changed_where_the_agent_deleted_the_project => project_gone;
}

/// A project and a cage made of it.
struct Sides {
    stage: Stage,
    project: TempDir,
    cage: Cage,
}

impl Sides {
    async fn new(stage: Stage, files: &[(&str, &str)]) -> Self {
        let project = tempfile::tempdir().unwrap();
        write_tree(project.path(), files);
        let spec = CageSpec::from_dir(stage.name("sides"), project.path()).image(image());
        let cage = stage.host.create(spec).await.unwrap();
        Self { stage, project, cage }
    }

    /// Has the agent run a script in the project.
    fn agent(&self, script: &str) {
        agent(&self.stage, &self.cage, "project", script);
    }

    fn host(&self, files: &[(&str, &str)]) {
        write_tree(self.project.path(), files);
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.project.path().join(path)).unwrap();
    }

    fn read(&self, path: &str) -> String {
        read(self.project.path(), path)
    }

    async fn changes(&self) -> Changes {
        self.cage.diff(self.project.path()).await.unwrap()
    }

    async fn export(&self, options: ExportOptions) -> Export {
        self.cage.export_with(self.project.path(), &self.changes().await, options).await.unwrap()
    }

    /// What is different, and what of it an export leaves as a conflict.
    async fn words(&self) -> (String, Vec<String>) {
        let changes = self.changes().await;
        let export = self.cage.export(self.project.path(), &changes).await.unwrap();
        (changes.to_string(), conflicts(&export))
    }
}

fn agent(stage: &Stage, cage: &Cage, folder: &str, script: &str) {
    let home = if stage.is_embedded() {
        stage.home(cage).display().to_string()
    } else {
        "/home/trustycage".to_owned()
    };
    stage.agent(cage, &["sh", "-ec", &format!("cd '{home}/{folder}'\n{script}")]);
}

fn read(dir: &Path, path: &str) -> String {
    fs::read_to_string(dir.join(path)).unwrap_or_else(|error| format!("({:?})", error.kind()))
}

fn conflicts(export: &Export) -> Vec<String> {
    export.conflicts.iter().map(ToString::to_string).collect()
}

fn here(changes: &Changes) -> Vec<String> {
    changes.changed_here().map(ToString::to_string).collect()
}

async fn both_changed(stage: Stage) {
    let sides = Sides::new(
        stage,
        &[("both", "1"), ("cage", "1"), ("gone-here", "1"), ("gone-there", "1"), ("tool", "1")],
    )
    .await;
    sides.agent("for file in both cage gone-here tool new; do echo cage > $file; done; rm gone-there");
    sides.host(&[("both", "host"), ("gone-there", "host"), ("new", "host")]);
    sides.remove("gone-here");
    fs::set_permissions(sides.project.path().join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    let changes = sides.changes().await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(changes, @r"
        M both (held back: both the host and the cage changed it)
        M cage
        A gone-here (held back: both the host and the cage changed it)
        D gone-there (held back: both the host and the cage changed it)
        M new (held back: both the host and the cage changed it)
        M tool (held back: both the host and the cage changed it)
        ");
    }
    assert_eq!(changes.iter().next().unwrap().hold(), Some(Hold::BothChanged));
    let export = sides.export(ExportOptions::default().delete(true)).await;
    assert_eq!((export.written.as_slice(), export.deleted.len()), (&["cage".to_owned()][..], 0));
    let left = ["both", "gone-here", "gone-there", "new", "tool"];
    assert_eq!(conflicts(&export), left.map(|path| format!("{path}: both the host and the cage changed it")));
    assert_eq!(left.map(|path| sides.read(path)), ["host", "(NotFound)", "host", "host", "1"]);

    let export = sides.export(ExportOptions::default().delete(true).overwrite(true)).await;
    assert_eq!((conflicts(&export).len(), export.written.len(), export.deleted.len()), (0, 4, 1));
    assert_eq!(sides.changes().await.to_string(), "");
    sides.cage.destroy().await.unwrap();
}

async fn host_alone(stage: Stage) {
    let sides =
        Sides::new(stage, &[("calm", "1"), ("edited", "1"), ("gone", "1"), ("run", "1"), ("src/gone", "1")])
            .await;
    sides.host(&[("edited", "host"), ("src/added", "host")]);
    sides.remove("gone");
    fs::remove_dir_all(sides.project.path().join("src")).unwrap();
    sides.host(&[("src/added", "host"), (".vscode/mine.json", "host")]);
    fs::set_permissions(sides.project.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let changes = sides.changes().await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(changes, @"H (6 files were changed on the host alone)");
        insta::assert_snapshot!(here(&changes).join("\n"), @r"
        D .vscode/mine.json (held back: tools run such a file without being asked)
        M edited
        A gone
        m run
        D src/added
        A src/gone
        ");
    }
    assert!(changes.is_empty());
    let options = || ExportOptions::default().delete(true).agent_run(true).overwrite(true);
    assert_eq!(sides.export(options()).await, Export::default());
    assert_eq!(["edited", "gone", "src/added"].map(|path| sides.read(path)), ["host", "(NotFound)", "host"]);

    let named = sides.export(ExportOptions::default().only(["edited"])).await;
    assert_eq!(named.left_out[0].reason, "the host alone changed it");
    assert_eq!(sides.export(options().only(["edited", "gone"])).await.written, ["edited", "gone"]);
    assert_eq!(["edited", "gone"].map(|path| sides.read(path)), ["1", "1"], "what is named is put back");

    sides.host(&[("edited", "host")]);
    sides.remove("gone");
    let push = PushOptions::default().delete(true);
    let push = sides.cage.push_with(sides.project.path(), &push).await.unwrap();
    assert_eq!(push.written, [".vscode/mine.json", "edited", "src/added"]);
    assert_eq!((push.deleted, push.conflicts.len()), (vec!["gone".to_owned(), "src/gone".to_owned()], 0));
    assert_eq!(here(&sides.changes().await), ["m run"], "a mode is not pushed");
    sides.cage.destroy().await.unwrap();
}

async fn exported_twice(stage: Stage) {
    let sides = Sides::new(stage, &[("a", "1"), ("deleted", "1"), ("run", "1"), ("taken-back", "1")]).await;
    let everything = || ExportOptions::default().delete(true);
    sides.agent("for file in a new taken-back; do echo first > $file; done; rm deleted; chmod +x run");
    let export = sides.export(everything()).await;
    assert_eq!((export.written.len(), export.deleted.len()), (4, 1), "{export:?}");

    sides.agent(
        "for file in a new deleted run; do echo second > $file; done; printf 1 > taken-back; chmod -x run",
    );
    let (words, conflicts) = sides.words().await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(words, @r"
        M a
        A deleted
        M new
        M run
        M taken-back
        ");
    }
    assert_eq!(
        (conflicts.len(), sides.read("a"), sides.read("taken-back")),
        (0, "second\n".into(), "1".into())
    );

    sides.agent("rm new; chmod +x a");
    assert_eq!(sides.export(everything()).await.deleted, ["new"]);
    sides.host(&[("a", "host"), ("deleted", "host")]);
    sides.agent("echo third > a");
    let (words, conflicts) = sides.words().await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(words, @r"
        M a (held back: both the host and the cage changed it)
        H (1 file was changed on the host alone)
        ");
    }
    assert_eq!((conflicts.len(), sides.read("a")), (1, "host".to_owned()));
    let push = sides.cage.push(sides.project.path()).await.unwrap();
    assert_eq!((push.written, push.conflicts.len()), (vec!["deleted".to_owned()], 1));
    sides.cage.destroy().await.unwrap();
}

async fn pushed_between(stage: Stage) {
    let sides = Sides::new(stage, &[("a", "1"), ("b", "1")]).await;
    sides.agent("echo exported > a");
    sides.export(ExportOptions::default()).await;
    sides.host(&[("a", "host"), ("b", "host"), ("c", "host")]);
    assert_eq!(sides.cage.push(sides.project.path()).await.unwrap().written, ["a", "b", "c"]);
    // What was exported before the push is not what both sides had last.
    sides.agent("echo exported > a");
    sides.host(&[("a", "host again")]);
    assert_eq!(sides.words().await.1, ["a: both the host and the cage changed it"]);

    sides.host(&[("a", "host")]);
    sides.agent("printf host > a; for file in a b; do echo cage >> $file; done; rm c");
    let export = sides.export(ExportOptions::default().delete(true)).await;
    assert_eq!((export.written.len(), export.deleted.len(), export.conflicts.len()), (2, 1, 0));
    assert_eq!(sides.read("a"), "hostcage\n");
    sides.cage.destroy().await.unwrap();
}

async fn record_lost(stage: Stage) {
    let sides = Sides::new(stage, &[("a", "1")]).await;
    let store = Arc::new(MemoryCursors::default());
    let host = sides.stage.host.clone().with_cursors(Store(Arc::clone(&store)));
    let cage = host.cage(sides.cage.name().as_str()).await.unwrap();
    sides.agent("echo first > a");
    cage.export(sides.project.path(), &cage.diff(sides.project.path()).await.unwrap()).await.unwrap();
    sides.agent("echo second > a");
    let known = cage.diff(sides.project.path()).await.unwrap();
    assert_eq!(known.to_string(), "M a\n");
    let unknown = sides.export(ExportOptions::default()).await;
    assert_eq!((conflicts(&unknown).len(), sides.read("a")), (1, "first\n".to_owned()));
    let insisted = sides.export(ExportOptions::default().overwrite(true)).await;
    assert_eq!((insisted.written.len(), sides.read("a")), (1, "second\n".to_owned()));
    sides.cage.destroy().await.unwrap();
}

async fn other_folder(stage: Stage) {
    let sides = Sides::new(stage, &[("a", "1"), ("b", "1"), ("c", "1")]).await;
    sides.agent("echo cage > a; echo cage > b; echo new > d");
    let other = tempfile::tempdir().unwrap();
    let export = async || {
        let changes = sides.cage.diff(other.path()).await.unwrap();
        sides.cage.export(other.path(), &changes).await.unwrap()
    };
    assert_eq!(export().await.written, ["a", "b", "c", "d"], "an empty folder lacks all of it");
    write_tree(other.path(), &[("a", "1"), ("b", "other"), ("c", "other")]);
    sides.agent("echo more >> a; echo more >> b; echo more >> d");
    let exported = export().await;
    assert_eq!(
        (exported.written.as_slice(), exported.conflicts.len()),
        (&["a".to_owned(), "d".to_owned()][..], 1)
    );
    assert_eq!(["a", "b", "c"].map(|path| read(other.path(), path)), ["cage\nmore\n", "other", "other"]);
    sides.cage.destroy().await.unwrap();
}

async fn forked(stage: Stage) {
    let sides = Sides::new(stage, &[("a", "1"), ("b", "1")]).await;
    sides.host(&[("a", "host"), ("b", "host")]);
    until_the_next_second(sides.project.path());
    let fork = sides.stage.host.fork(&sides.cage, &sides.stage.name("fork")).await.unwrap();
    agent(&sides.stage, &fork, "project", "echo cage > a");
    let changes = fork.diff(sides.project.path()).await.unwrap();
    let export = fork.export(sides.project.path(), &changes).await.unwrap();
    assert_eq!((conflicts(&export).len(), here(&changes)), (1, vec!["M b".to_owned()]));
    assert_eq!((sides.read("a"), sides.read("b")), ("host".to_owned(), "host".to_owned()));
    fork.destroy().await.unwrap();
    sides.cage.destroy().await.unwrap();
}

async fn extra_folder(stage: Stage) {
    let (docs, late) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&docs, &late] {
        write_tree(dir.path(), &[("both", "1"), ("cage", "1")]);
    }
    let spec = CageSpec::empty(stage.name("extra")).folder("docs", docs.path()).image(image());
    let cage = stage.host.create(spec).await.unwrap();
    write_tree(late.path(), &[("cage", "before it was added")]);
    cage.add_folder("late", late.path()).await.unwrap();
    for (place, dir) in [("docs", &docs), ("late", &late)] {
        let options = || DiffOptions::default().folder(place);
        agent(&stage, &cage, place, "for file in both cage; do echo cage > $file; done");
        write_tree(dir.path(), &[("both", "host"), ("mine", "host")]);
        let changes = cage.diff_with(dir.path(), options()).await.unwrap();
        let export =
            cage.export_with(dir.path(), &changes, ExportOptions::default().delete(true)).await.unwrap();
        assert_eq!(
            (export.written.as_slice(), conflicts(&export).len()),
            (&["cage".to_owned()][..], 1),
            "{changes}"
        );
        assert_eq!(["both", "mine"].map(|path| read(dir.path(), path)), ["host", "host"]);
        agent(&stage, &cage, place, "echo again > cage");
        let changes = cage.diff_with(dir.path(), options()).await.unwrap();
        assert_eq!(cage.export(dir.path(), &changes).await.unwrap().written, ["cage"]);
    }
    cage.destroy().await.unwrap();
}

async fn salvaged(stage: Stage) {
    let sides = Sides::new(stage, &[("a", "1"), ("b", "1")]).await;
    // What was sent may have been changed in the same moment as the cage was created, but not by the clock of its
    // files.
    sides.agent("echo cage > a; echo cage > b");
    sides.host(&[("a", "host")]);
    sides.cage.stop(DEFAULT_GRACE).await.unwrap();
    let salvage = sides.cage.salvage(sides.project.path()).await.unwrap();
    let export = sides.cage.export(sides.project.path(), &salvage.changes).await.unwrap();
    assert_eq!(
        (export.written, conflicts_of(&export.conflicts)),
        (vec!["b".to_owned()], vec!["a".to_owned()])
    );
    assert_eq!(sides.read("a"), "host");
    sides.cage.destroy().await.unwrap();
}

async fn project_gone(stage: Stage) {
    let sides = Sides::new(stage, &[("a", "1"), ("src/b", "1")]).await;
    sides.host(&[("a", "host")]);
    sides.agent("cd ..; rm -rf project");
    let export = sides.export(ExportOptions::default().delete(true)).await;
    assert_eq!((export.written.len(), sides.read("a")), (0, "host".to_owned()));
    sides.cage.destroy().await.unwrap();
}

fn conflicts_of(conflicts: &[cage_host::Conflict]) -> Vec<String> {
    conflicts.iter().map(|conflict| conflict.path.clone()).collect()
}

/// A store that several hosts share.
#[derive(Debug)]
struct Store<S>(Arc<S>);

impl<S: CursorStore> CursorStore for Store<S> {
    fn load(&self, key: &str) -> io::Result<Option<String>> {
        self.0.load(key)
    }

    fn save(&self, key: &str, text: &str) -> io::Result<()> {
        self.0.save(key, text)
    }

    fn forget(&self, prefix: &str) -> io::Result<()> {
        self.0.forget(prefix)
    }
}

fn remembering(stage: &Stage, folder: &Path) -> Host {
    stage.host.clone().with_cursors(FileCursors::new(folder).unwrap())
}

/// The files that are kept beside the cursors.
fn kept(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn remembers_exports_across_programs_and_forgets_them_with_the_cage() {
    let state = tempfile::tempdir().unwrap();
    let sides = Sides::new(Stage::embedded(), &[("a", "1")]).await;
    let name = sides.cage.name().to_string();
    for text in ["first", "second", "third"] {
        let cage = remembering(&sides.stage, state.path()).cage(&name).await.unwrap();
        sides.agent(&format!("echo {text} > a"));
        let changes = cage.diff(sides.project.path()).await.unwrap();
        assert_eq!(cage.export(sides.project.path(), &changes).await.unwrap().written, ["a"], "{text}");
    }
    assert_eq!(kept(state.path()).len(), 1);
    remembering(&sides.stage, state.path()).cage(&name).await.unwrap().destroy().await.unwrap();
    assert_eq!(kept(state.path()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn takes_a_broken_record_as_missing_and_exports_where_none_can_be_kept() {
    let state = tempfile::tempdir().unwrap();
    let sides = Sides::new(Stage::embedded(), &[("a", "1"), ("b", "1")]).await;
    let cage = remembering(&sides.stage, state.path()).cage(sides.cage.name().as_str()).await.unwrap();
    let export = async || {
        let changes = cage.diff(sides.project.path()).await.unwrap();
        cage.export(sides.project.path(), &changes).await.unwrap()
    };
    sides.agent("echo first > a");
    assert_eq!(export().await.written, ["a"]);
    for broken in ["", "exported 1 \nnonsense", "\u{1b}[31m"] {
        fs::write(&kept(state.path())[0], broken).unwrap();
        sides.agent("echo more >> a");
        assert_eq!(conflicts(&export().await).len(), 1, "{broken:?}");
    }
    fs::write(&kept(state.path())[0], b"\xff\xfe").unwrap();
    assert_eq!(conflicts(&export().await).len(), 1);
    fs::remove_dir_all(state.path()).unwrap();
    sides.agent("echo second > b");
    assert_eq!(export().await.written, ["b"], "that nothing can be kept is no failure");
}

#[tokio::test]
async fn leaves_the_hosts_files_beside_a_cage_that_began_empty() {
    let stage = Stage::embedded();
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("mine", "host"), ("same", "host")]);
    let cage = stage.host.create(CageSpec::empty("demo")).await.unwrap();
    agent(&stage, &cage, "project", "echo cage > new; echo cage > same");
    let changes = cage.diff(project.path()).await.unwrap();
    let export =
        cage.export_with(project.path(), &changes, ExportOptions::default().delete(true)).await.unwrap();
    assert_eq!((export.written.as_slice(), export.deleted.len()), (&["new".to_owned()][..], 0));
    assert_eq!(conflicts(&export), ["same: both the host and the cage changed it"]);
    assert_eq!(read(project.path(), "mine"), "host");
}

/// Files of the second in which a cage is created could have been changed after it.
fn until_the_next_second(project: &Path) {
    let second = || {
        let probe = tempfile::NamedTempFile::new_in(project.parent().unwrap()).unwrap();
        probe.as_file().metadata().unwrap().ctime()
    };
    let written = second();
    while second() < written + 2 {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn deletes_no_file_that_was_ignored_when_the_cage_was_created() {
    let files = [(".gitignore", "secret\n"), ("gone", "1"), ("secret", "host"), ("src/secret", "host")];
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &files);
    until_the_next_second(project.path());
    let stage = Stage::embedded();
    let cage = stage.host.create(CageSpec::from_dir("demo", project.path())).await.unwrap();
    agent(&stage, &cage, "project", "rm gone; : > .gitignore");
    let everything = || ExportOptions::default().delete(true).agent_run(true);
    for deleted in [&["gone"][..], &[]] {
        let changes = cage.diff(project.path()).await.unwrap();
        let export = cage.export_with(project.path(), &changes, everything()).await.unwrap();
        assert_eq!(export.deleted, deleted);
    }
    assert_eq!(
        ["secret", "src/secret", ".gitignore"].map(|path| read(project.path(), path)),
        ["host", "host", ""]
    );
}

/// Without its history the agent's cage cannot tell what it began with, so that whoever asks it hears of conflicts.
#[tokio::test]
async fn asks_the_cage_only_where_the_host_changed_something() {
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "1"), ("b", "1")]);
    until_the_next_second(project.path());
    let stage = Stage::embedded();
    let cage = stage.host.create(CageSpec::from_dir("demo", project.path())).await.unwrap();
    agent(&stage, &cage, "project", "rm -rf .git; echo cage > a; echo cage > b");
    assert_eq!(cage.diff(project.path()).await.unwrap().to_string(), "M a\nM b\n");
    write_tree(project.path(), &[("b", "1")]);
    let changes = cage.diff(project.path()).await.unwrap();
    assert_eq!(changes.to_string(), "M a\nM b (held back: both the host and the cage changed it)\n");
}
