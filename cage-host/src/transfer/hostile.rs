//! Hostile archives, read and exported next to a canary that must not change.
//!
//! Each case stands for what a cage could send when its `tar` was asked for `good.txt` and `dir/ok.txt`. Both may
//! arrive; nothing else may, and every attempt has to be reported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tar::EntryType;

use super::changes::{Change, ChangeKind, Changes, Inner};
use super::export::{ExportOptions, export};
use super::receive::{Limits, receive};
use super::refused::Refused;
use super::safe_path::SafePath;
use super::spool::Spool;
use crate::cage::CageName;

const WANTED: [&str; 2] = ["good.txt", "dir/ok.txt"];

const SMALL: Limits = Limits { file: 1_000, total: 100_000 };

/// What reading an archive has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// `good.txt` arrives, and so many entries are refused.
    Refused(usize),
    /// Reading stops with an error.
    Error,
}

/// A builder of archives that no honest `tar` makes.
#[derive(Default)]
struct Evil(Vec<u8>);

impl Evil {
    fn entry(self, kind: EntryType, name: &[u8], link: &[u8], content: &[u8]) -> Self {
        self.sized(kind, name, link, content.len() as u64, content)
    }

    /// Appends an entry whose header may lie about the size.
    fn sized(mut self, kind: EntryType, name: &[u8], link: &[u8], size: u64, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o6777);
        let fields = header.as_old_mut();
        fields.name[..name.len()].copy_from_slice(name);
        fields.linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &[u8]) -> Self {
        self.entry(EntryType::Regular, name, b"", b"evil")
    }

    fn good(self) -> Self {
        self.entry(EntryType::Regular, b"good.txt", b"", b"good")
    }

    fn long_name(self, name: &[u8]) -> Self {
        self.entry(EntryType::GNULongName, b"././@LongLink", b"", name)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

fn evil() -> Evil {
    Evil::default()
}

/// The corpus: a name, the archive, and what must come of it.
fn corpus() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let mut cases = paths();
    cases.extend(kinds());
    cases.extend(lies());
    cases
}

fn paths() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let one = Expect::Refused(1);
    let file = |name: &[u8]| evil().file(name).good().end();
    vec![
        ("absolute path", file(b"/tmp/cage-canary-evil"), one),
        ("parent path", file(b"../canary/evil"), one),
        ("parent path behind a folder", file(b"dir/../../canary/evil"), one),
        ("dot path", file(b"./good.txt"), one),
        ("empty path", file(b""), one),
        ("only dots", file(b".."), one),
        ("doubled slash", file(b"dir//ok.txt"), one),
        ("trailing slash", file(b"dir/ok.txt/"), one),
        ("backslash path", file(b"..\\canary\\evil"), one),
        ("escape sequence", file(b"\x1b[2Jevil"), one),
        ("bytes that are no text", file(b"\xff\xfe\x80"), one),
        ("line feed", file(b"a\nb"), one),
        ("not asked for", file(b"other.txt"), one),
        ("git hook", file(b".git/hooks/post-checkout"), one),
        ("long name that leaves", evil().long_name(b"../../evil\0").file(b"good.txt").good().end(), one),
        ("long name without end", evil().long_name(&[b'a'; 5_000]).file(b"x").good().end(), one),
        (
            "long name with a NUL inside",
            evil().long_name(b"good.txt\0/../../evil\0").file(b"x").good().end(),
            one,
        ),
        ("two long names", evil().long_name(b"../one\0").long_name(b"../two\0").file(b"x").good().end(), one),
    ]
}

fn kinds() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let of = |kind, link: &[u8]| evil().entry(kind, b"dir/ok.txt", link, b"").good().end();
    let one = Expect::Refused(1);
    vec![
        ("symbolic link out", of(EntryType::Symlink, b"/etc/passwd"), one),
        ("symbolic link up", of(EntryType::Symlink, b"../../canary/file"), one),
        ("hard link out", of(EntryType::Link, b"../canary/file"), one),
        ("hard link to a wanted file", of(EntryType::Link, b"good.txt"), one),
        ("FIFO", of(EntryType::Fifo, b""), one),
        ("character device", of(EntryType::Char, b""), one),
        ("block device", of(EntryType::Block, b""), one),
        ("folder for a file", of(EntryType::Directory, b""), one),
        ("sparse file", of(EntryType::GNUSparse, b""), one),
        ("contiguous file", of(EntryType::Continuous, b""), one),
        ("long link name", of(EntryType::GNULongLink, b""), one),
        ("unknown kind", of(EntryType::new(b'?'), b""), one),
        (
            "link first, then a file through it",
            evil().entry(EntryType::Symlink, b"dir", b"../canary", b"").good().end(),
            one,
        ),
        (
            "extended header that renames",
            evil().entry(EntryType::XHeader, b"x", b"", b"22 path=../canary/evil\n").good().end(),
            one,
        ),
        (
            "global header that renames",
            evil().entry(EntryType::XGlobalHeader, b"x", b"", b"22 path=../canary/evil\n").good().end(),
            one,
        ),
    ]
}

fn lies() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let regular = EntryType::Regular;
    let mut bad_checksum = evil().good().end();
    bad_checksum[148] = b'9';
    let mut cut = evil().good().end();
    cut.truncate(514);
    let many = (0..80).fold(evil(), |archive, _| archive.entry(regular, b"a", b"", &[0; 1_000]));
    vec![
        ("same file twice", evil().good().file(b"good.txt").end(), Expect::Refused(1)),
        (
            "file over the limit",
            evil().entry(regular, b"dir/ok.txt", b"", &[0; 1_001]).good().end(),
            Expect::Refused(1),
        ),
        ("size without content", evil().sized(regular, b"good.txt", b"", 900, b"").0, Expect::Error),
        (
            "enormous size",
            evil().sized(regular, b"dir/ok.txt", b"", u64::MAX >> 1, b"").good().end(),
            Expect::Error,
        ),
        (
            "long name of enormous size",
            evil().sized(EntryType::GNULongName, b"x", b"", 1 << 40, b"a").good().end(),
            Expect::Error,
        ),
        ("wrong checksum", bad_checksum, Expect::Error),
        ("cut in the middle of a file", cut, Expect::Error),
        ("no archive at all", b"#!/bin/sh\nrm -rf /\n".repeat(64), Expect::Error),
        (
            "more bytes than the limit",
            many.entry(regular, b"b", b"", &[0; 60_000]).good().end(),
            Expect::Error,
        ),
    ]
}

/// A folder with a target and, beside it, what must not change.
struct Scene {
    root: tempfile::TempDir,
    before: BTreeMap<PathBuf, (u32, Vec<u8>)>,
}

impl Scene {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("canary/sub")).unwrap();
        fs::write(root.path().join("canary/file"), "alive").unwrap();
        fs::create_dir(root.path().join("target")).unwrap();
        let before = snapshot(&root.path().join("canary"));
        Self { root, before }
    }

    fn target(&self) -> PathBuf {
        self.root.path().join("target")
    }

    fn assert_canary_lives(&self, case: &str) {
        assert_eq!(snapshot(&self.root.path().join("canary")), self.before, "{case}: the canary changed");
        let names: BTreeSet<_> =
            fs::read_dir(self.root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(
            names,
            BTreeSet::from(["canary".into(), "target".into()]),
            "{case}: something lies beside the target"
        );
    }
}

/// Every path below a folder with its mode and its content.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.insert(path.clone(), (metadata.mode(), content));
        if metadata.is_dir() {
            found.extend(snapshot(&path));
        }
    }
    found
}

fn wanted() -> BTreeSet<SafePath> {
    WANTED.iter().map(|path| SafePath::new(path.as_bytes()).unwrap()).collect()
}

fn changes(dir: PathBuf, list: Vec<Change>, spool: Spool) -> Changes {
    let cage = CageName::new("test").unwrap();
    Changes { inner: Arc::new(Inner { cage, dir, list, refused: Refused::default(), spool }) }
}

fn added(path: &SafePath, content: super::spool::Span) -> Change {
    Change {
        path: path.clone(),
        kind: ChangeKind::Added,
        executable: true,
        content: Some(content),
        hold: None,
    }
}

#[tokio::test]
async fn survives_every_hostile_archive_and_reports_each_attempt() {
    for (case, archive, expect) in corpus() {
        let scene = Scene::new();
        let mut spool = Spool::new().unwrap();
        let received = receive(&archive[..], &wanted(), SMALL, &mut spool);
        let outcome = match &received {
            Ok(received) => Expect::Refused(received.refused.shown().len()),
            Err(_) => Expect::Error,
        };
        assert_eq!(outcome, expect, "{case}: {received:?}");
        let files = received.map(|received| received.files).unwrap_or_default();
        let list = files.iter().map(|(path, span)| added(path, *span)).collect();
        export(&changes(scene.target(), list, spool), &scene.target(), ExportOptions::default())
            .await
            .unwrap();
        scene.assert_canary_lives(case);
        let exported = snapshot(&scene.target());
        if expect != Expect::Error {
            assert_eq!(exported.len(), 1, "{case}: {exported:?}");
            assert_eq!(exported[&scene.target().join("good.txt")], (0o100_755, b"good".to_vec()), "{case}");
        }
    }
}

#[tokio::test]
async fn shows_every_refused_path_sanitized() {
    for (case, archive, _) in corpus() {
        let Ok(received) = receive(&archive[..], &wanted(), SMALL, &mut Spool::new().unwrap()) else {
            continue;
        };
        for refused in received.refused.shown() {
            assert!(!refused.path.chars().any(char::is_control), "{case}: {refused:?}");
        }
    }
}

/// What lies in a target, and how it gets there.
type Obstacle = (&'static str, fn(&Path));

/// The target's own links and odd files: exporting must neither follow nor replace them.
#[tokio::test]
async fn follows_no_link_that_lies_in_the_target() {
    let obstacles: [Obstacle; 6] = [
        ("the folder is a link out", |target| symlink("../canary", target.join("dir")).unwrap()),
        ("the folder is a link in", |target| {
            fs::create_dir(target.join("real")).unwrap();
            symlink("real", target.join("dir")).unwrap();
        }),
        ("the folder is a file", |target| fs::write(target.join("dir"), "mine").unwrap()),
        ("the file is a link out", |target| {
            fs::create_dir(target.join("dir")).unwrap();
            symlink("../../canary/file", target.join("dir/ok.txt")).unwrap();
        }),
        ("the file is a dangling link", |target| {
            fs::create_dir(target.join("dir")).unwrap();
            symlink("../../canary/new", target.join("dir/ok.txt")).unwrap();
        }),
        ("the file is a folder", |target| fs::create_dir_all(target.join("dir/ok.txt")).unwrap()),
    ];
    for (case, build) in obstacles {
        let scene = Scene::new();
        build(&scene.target());
        let before = snapshot(&scene.target());
        let mut spool = Spool::new().unwrap();
        let span = spool.append(&mut &b"evil"[..], 4).unwrap();
        let path = SafePath::new(b"dir/ok.txt").unwrap();
        let deleted = Change {
            kind: ChangeKind::Deleted,
            content: None,
            ..added(&SafePath::new(b"dir/file").unwrap(), span)
        };
        let list = vec![added(&path, span), deleted];
        let options = ExportOptions::default().delete(true);
        let report = export(&changes(scene.target(), list, spool), &scene.target(), options).await.unwrap();
        assert_eq!(
            (report.written.len(), report.deleted.len(), report.left_out.len()),
            (0, 0, 2),
            "{case}: {report:?}"
        );
        assert_eq!(snapshot(&scene.target()), before, "{case}");
        scene.assert_canary_lives(case);
    }
}

#[test]
fn opens_no_file_through_a_link() {
    let scene = Scene::new();
    symlink("../canary/file", scene.target().join("link")).unwrap();
    symlink("../canary", scene.target().join("up")).unwrap();
    let root = Dir::open_ambient_dir(scene.target(), ambient_authority()).unwrap();
    for path in ["link", "up/file"] {
        assert!(super::open_beneath(&root, &SafePath::new(path.as_bytes()).unwrap()).is_err(), "{path}");
    }
}
