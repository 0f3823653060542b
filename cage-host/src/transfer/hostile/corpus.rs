//! Archives that no honest `tar` makes, and what must come of each.

use tar::EntryType;

use super::OUTSIDE;
use crate::transfer::receive::Limits;

pub(super) const WANTED: [&str; 2] = ["good.txt", "dir/ok.txt"];

pub(super) const SMALL: Limits = Limits { file: 1_000, total: 100_000 };

/// What reading an archive has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// `good.txt` arrives, and so many entries are refused.
    Refused(usize),
    /// Reading stops with an error.
    Error,
}

/// A builder of archives that no honest `tar` makes.
#[derive(Default)]
pub(super) struct Evil(pub(super) Vec<u8>);

impl Evil {
    pub(super) fn entry(self, kind: EntryType, name: &[u8], link: &[u8], content: &[u8]) -> Self {
        self.sized(kind, name, link, content.len() as u64, content)
    }

    /// Appends an entry whose header may lie about the size.
    pub(super) fn sized(
        mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        size: u64,
        content: &[u8],
    ) -> Self {
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

    pub(super) fn file(self, name: &[u8]) -> Self {
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

pub(super) fn evil() -> Evil {
    Evil::default()
}

/// A name, an archive, and what must come of it.
pub(super) type Case = (&'static str, Vec<u8>, Expect);

/// Every case.
pub(super) fn corpus() -> Vec<Case> {
    let mut cases = paths();
    cases.extend(kinds());
    cases.extend(lies());
    cases.extend(look_alikes());
    cases.extend(before_the_file());
    cases
}

/// Names that are nearly right, or that another system would understand.
fn look_alikes() -> Vec<Case> {
    let names: [(&str, &[u8]); 13] = [
        ("drive letter", b"C:\\evil"),
        ("percent-coded parent", b"%2e%2e/canary/evil"),
        ("look-alike dots", "\u{2024}\u{2024}/canary/evil".as_bytes()),
        ("home of the shell", b"~/evil"),
        ("variable of the shell", b"$HOME/evil"),
        ("option", b"--checkpoint-action=exec=evil"),
        ("current folder", b"."),
        ("root", b"/"),
        ("wanted folder itself", b"dir"),
        ("dot behind a folder", b"dir/./ok.txt"),
        ("other case", b"GOOD.TXT"),
        ("trailing blank", b"good.txt "),
        ("reversed text", "\u{202e}txt.doog".as_bytes()),
    ];
    names.map(|(case, name)| (case, evil().file(name).good().end(), Expect::Refused(1))).into()
}

/// Something else under the wanted name, and then the file: a careless reader would write through it.
fn before_the_file() -> Vec<Case> {
    let first = |kind, link: &[u8]| evil().entry(kind, b"good.txt", link, b"").good().end();
    let one = Expect::Refused(1);
    let mut behind_the_end = evil().good().end();
    behind_the_end.extend(evil().file(b"../canary/evil").end());
    vec![
        ("link out before the file", first(EntryType::Symlink, b"../canary/file"), one),
        ("hard link before the file", first(EntryType::Link, b"../canary/file"), one),
        ("FIFO before the file", first(EntryType::Fifo, b""), one),
        ("folder before the file", first(EntryType::Directory, b""), one),
        ("entry behind the end", behind_the_end, Expect::Refused(0)),
    ]
}

fn paths() -> Vec<Case> {
    let one = Expect::Refused(1);
    let file = |name: &[u8]| evil().file(name).good().end();
    vec![
        ("absolute path", file(OUTSIDE.as_bytes()), one),
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

fn kinds() -> Vec<Case> {
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

fn lies() -> Vec<Case> {
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
