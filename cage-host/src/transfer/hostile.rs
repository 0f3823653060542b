//! Hostile archives, read and exported next to a canary that must not change.
//!
//! Each case stands for what a cage could send when its `tar` was asked for `good.txt` and `dir/ok.txt`. Both may
//! arrive; nothing else may, and every attempt has to be reported.

mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tar::EntryType;

use self::corpus::{Expect, SMALL, WANTED, corpus, evil};
use super::changes::{Change, ChangeKind, Changes, Inner};
use super::export::{ExportOptions, export};
use super::exported::Memory;
use super::fingerprint::Fingerprinter;
use super::receive::{Limits, receive};
use super::refused::Refused;
use super::safe_path::SafePath;
use super::spool::Spool;
use crate::cage::CageName;

/// Longest time for one archive, from its first byte to its last exported file.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Most memory of a process that reads any of them, in KiB.
const MAX_MEMORY_KIB: u64 = 64 * 1024;

/// Size of one flood, in bytes: twice the memory that may be used.
const FLOOD_BYTES: u64 = 128 << 20;

/// Entries of one flood, all to be refused.
const FLOOD_ENTRIES: usize = 100_000;

/// Asks a process of tests to print its memory, and what stands before the number.
const MEASURE: &str = "CAGE_MEASURE_MEMORY";
const PEAK: &str = "peak-kib:";

/// What an archive tries to write outside of everything.
const OUTSIDE: &str = "/tmp/cage-canary-evil";

/// Fewest archives of the corpus.
const MIN_ARCHIVES: usize = 60;

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
        assert!(!Path::new(OUTSIDE).exists(), "{case}: wrote {OUTSIDE}");
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
    Changes {
        inner: Arc::new(Inner {
            cage,
            folder: "project".to_owned(),
            dir,
            list,
            changed_here: Vec::new(),
            protected: Vec::new(),
            refused: Refused::default(),
            spool,
            fingerprints: Fingerprinter::default(),
        }),
    }
}

fn added(path: &SafePath, content: super::spool::Span) -> Change {
    Change {
        path: path.clone(),
        kind: ChangeKind::Added,
        executable: true,
        content: Some(content),
        hold: None,
        before: None,
        both_changed: false,
        moved: None,
    }
}

#[tokio::test]
async fn survives_every_hostile_archive_and_reports_each_attempt() {
    assert!(corpus().len() >= MIN_ARCHIVES, "{}", corpus().len());
    for (case, archive, expect) in corpus() {
        let begun = Instant::now();
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
        export(
            &changes(scene.target(), list, spool),
            &scene.target(),
            ExportOptions::default(),
            &Memory::of_a_test(),
        )
        .await
        .unwrap();
        scene.assert_canary_lives(case);
        let exported = snapshot(&scene.target());
        if expect != Expect::Error {
            assert_eq!(exported.len(), 1, "{case}: {exported:?}");
            assert_eq!(exported[&scene.target().join("good.txt")], (0o100_755, b"good".to_vec()), "{case}");
        }
        assert!(begun.elapsed() < MAX_TIME, "{case}: took {:?}", begun.elapsed());
    }
    report_peak();
}

/// Archives larger than the memory that may be used; they are made while they are read.
#[test]
fn survives_floods() {
    let header = |kind, size| evil().sized(kind, b"x", b"", size, b"").0;
    let zeros =
        |kind| Box::new(io::Cursor::new(header(kind, FLOOD_BYTES)).chain(io::repeat(0).take(FLOOD_BYTES)));
    let entries: Arc<[u8]> = evil().file(b"not-asked-for").0.repeat(FLOOD_ENTRIES / 100).into();
    let entries = (0..100).fold(Box::new(io::empty()) as Box<dyn Read>, |before, _| {
        Box::new(before.chain(io::Cursor::new(Arc::clone(&entries))))
    });
    let floods: [(&str, Box<dyn Read>); 5] = [
        ("long name", zeros(EntryType::GNULongName)),
        ("long link", zeros(EntryType::GNULongLink)),
        ("extended header", zeros(EntryType::XHeader)),
        ("file that was not asked for", zeros(EntryType::Regular)),
        ("entries", entries),
    ];
    for (case, archive) in floods {
        let begun = Instant::now();
        let received = receive(archive, &wanted(), Limits::default(), &mut Spool::new().unwrap());
        assert!(received.is_err() || received.unwrap().files.is_empty(), "{case}");
        assert!(begun.elapsed() < MAX_TIME, "{case}: took {:?}", begun.elapsed());
    }
    report_peak();
}

/// Runs both tests above in a process that does nothing else.
fn run_alone(mut command: Command) -> Output {
    command.args(["transfer::hostile::survives_", "--nocapture", "--test-threads=1"]).env(MEASURE, "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// Memory is counted per process.
#[test]
fn reads_every_hostile_archive_within_64_mib() {
    let output = run_alone(Command::new(std::env::current_exe().unwrap()));
    let printed = String::from_utf8(output.stdout).unwrap();
    let peaks: Vec<u64> = printed
        .split(PEAK)
        .skip(1)
        .map(|rest| rest.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(peaks.len(), 2, "{printed}");
    assert!(peaks.iter().all(|kib| *kib < MAX_MEMORY_KIB), "{peaks:?} KiB");
}

/// The only program that is started is the one that reads them.
#[test]
fn executes_nothing_of_any_hostile_archive() {
    if Command::new("strace").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("CAGE_REQUIRE_DOCKER").is_none(),
            "this test cannot be skipped here: no `strace`"
        );
        eprintln!("SKIPPED: no `strace`");
        return;
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--trace=execve,execveat", "--output"]).arg(log.path());
    strace.arg(std::env::current_exe().unwrap());
    run_alone(strace);
    let log = fs::read_to_string(log.path()).unwrap();
    assert_eq!(log.matches("exec").count(), 1, "{log}");
}

/// Prints the largest memory that this process has had, if it was started to measure that.
fn report_peak() {
    if std::env::var_os(MEASURE).is_some() {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        println!("{PEAK}{}", status.split("VmHWM:").nth(1).unwrap().split_whitespace().next().unwrap());
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

/// By its path and why, each in the form in which it is shown to people.
#[test]
fn names_every_attempt() {
    let mut lines = String::new();
    for (case, archive, _) in corpus() {
        match receive(&archive[..], &wanted(), SMALL, &mut Spool::new().unwrap()) {
            Ok(received) => {
                for refused in received.refused.shown() {
                    writeln!(lines, "{case} | {} | {}", refused.path, refused.reason).unwrap();
                }
            }
            Err(error) => writeln!(lines, "{case} | {}", error.to_string().lines().next().unwrap()).unwrap(),
        }
    }
    insta::assert_snapshot!(lines, @r"
    absolute path | /tmp/cage-canary-evil | the path is absolute
    parent path | ../canary/evil | the path holds a `.`, a `..` or an empty component
    parent path behind a folder | dir/../../canary/evil | the path holds a `.`, a `..` or an empty component
    dot path | ./good.txt | the path holds a `.`, a `..` or an empty component
    empty path |  | the path is empty
    only dots | .. | the path holds a `.`, a `..` or an empty component
    doubled slash | dir//ok.txt | the path holds a `.`, a `..` or an empty component
    trailing slash | dir/ok.txt/ | the path holds a `.`, a `..` or an empty component
    backslash path | ..\canary\evil | it was not asked for
    escape sequence | \u{1b}[2Jevil | it was not asked for
    bytes that are no text | ��� | it was not asked for
    line feed | a\nb | it was not asked for
    not asked for | other.txt | it was not asked for
    git hook | .git/hooks/post-checkout | it was not asked for
    long name that leaves | ../../evil | the path holds a `.`, a `..` or an empty component
    long name without end | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… | the path or a part of it is too long
    long name with a NUL inside | good.txt\u{0}/../../evil | the path holds a NUL
    two long names | ../two | the path holds a `.`, a `..` or an empty component
    symbolic link out | dir/ok.txt | it is no regular file but a symbolic link
    symbolic link up | dir/ok.txt | it is no regular file but a symbolic link
    hard link out | dir/ok.txt | it is no regular file but a hard link
    hard link to a wanted file | dir/ok.txt | it is no regular file but a hard link
    FIFO | dir/ok.txt | it is no regular file but a FIFO
    character device | dir/ok.txt | it is no regular file but a device
    block device | dir/ok.txt | it is no regular file but a device
    folder for a file | dir/ok.txt | it is no regular file but a folder
    sparse file | dir/ok.txt | it is no regular file but something unknown
    contiguous file | dir/ok.txt | it is no regular file but something unknown
    long link name | dir/ok.txt | it is no regular file but an extension
    unknown kind | dir/ok.txt | it is no regular file but something unknown
    link first, then a file through it | dir | it is no regular file but a symbolic link
    extended header that renames | x | it is no regular file but an extension
    global header that renames | x | it is no regular file but an extension
    same file twice | good.txt | it came twice
    file over the limit | dir/ok.txt | it has 1001 bytes, at most 1000 are taken
    size without content | the cage gave an answer that makes no sense to read files of the project: unexpected end of file
    enormous size | the cage gave an answer that makes no sense to read files of the project: unexpected EOF during skip
    long name of enormous size | the cage gave an answer that makes no sense to read files of the project: unexpected EOF during skip
    wrong checksum | the cage gave an answer that makes no sense to read files of the project: numeric field was not a number: 9006145 when getting cksum for good.txt
    cut in the middle of a file | the cage gave an answer that makes no sense to read files of the project: unexpected end of file
    no archive at all | the cage gave an answer that makes no sense to read files of the project: numeric field was not a number: f /
    more bytes than the limit | the cage sent more than the limit of 2147483648 bytes while the host wanted to read files of the project
    drive letter | C:\evil | it was not asked for
    percent-coded parent | %2e%2e/canary/evil | it was not asked for
    look-alike dots | ․․/canary/evil | it was not asked for
    home of the shell | ~/evil | it was not asked for
    variable of the shell | $HOME/evil | it was not asked for
    option | --checkpoint-action=exec=evil | it was not asked for
    current folder | . | the path holds a `.`, a `..` or an empty component
    root | / | the path is absolute
    wanted folder itself | dir | it was not asked for
    dot behind a folder | dir/./ok.txt | the path holds a `.`, a `..` or an empty component
    other case | GOOD.TXT | it was not asked for
    trailing blank | good.txt  | it was not asked for
    reversed text | \u{202e}txt.doog | it was not asked for
    link out before the file | good.txt | it is no regular file but a symbolic link
    hard link before the file | good.txt | it is no regular file but a hard link
    FIFO before the file | good.txt | it is no regular file but a FIFO
    folder before the file | good.txt | it is no regular file but a folder
    ");
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
        let report =
            export(&changes(scene.target(), list, spool), &scene.target(), options, &Memory::of_a_test())
                .await
                .unwrap();
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
