//! What exports wrote into folders of the host, remembered there.
//!
//! An export changes the host's files as their owner does. Only what it wrote tells the two apart at the next one. It
//! is kept beside the cursors, and goes with the cage. Where it is missing or makes no sense, a file that was exported
//! counts as changed by the host: at worst a conflict is reported that is none.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::safe_path::SafePath;
use super::version::{Content, Hash, Version};
use crate::cage::Place;
use crate::mailbox::CursorStore;

/// Most files that are remembered of one folder, some 3 MB; of more, those of the latest export.
const MAX_FILES: usize = 50_000;

/// What the text begins with.
const HEADER: &str = "exported 1 ";

/// One program changes what is remembered at a time; two programs at once may lose what one of them wrote.
static CHANGING: Mutex<()> = Mutex::new(());

/// Remembers for one cage.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    store: Arc<dyn CursorStore>,
    prefix: String,
}

/// What is remembered of one folder of the host and one of a cage.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Exported {
    /// When the host's folder was copied into a cage that was there already, in nanoseconds since 1970.
    pub(super) since: Option<i64>,
    files: HashMap<Hash, Version>,
}

impl Memory {
    pub(crate) fn new(store: Arc<dyn CursorStore>, place: &Place) -> Self {
        Self { store, prefix: place.cursor_prefix() }
    }

    /// Remembers for the tests of this crate, which have no cage.
    #[cfg(test)]
    pub(super) fn of_a_test() -> Self {
        Self { store: Arc::new(crate::mailbox::MemoryCursors::default()), prefix: "demo.1.".to_owned() }
    }

    /// Returns what is remembered; nothing where it cannot be read.
    pub(super) fn load(&self, folder: &str, dir: &Path) -> Exported {
        let text = self.store.load(&self.key(folder, dir));
        text.ok().flatten().map(|text| Exported::parse(&text)).unwrap_or_default()
    }

    /// Changes what is remembered. That it cannot be kept is no failure of what was done.
    pub(super) fn change(&self, folder: &str, dir: &Path, change: impl FnOnce(&mut Exported)) {
        let _alone = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.load(folder, dir);
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            let _ = self.store.save(&self.key(folder, dir), &after.to_text());
        }
    }

    /// Remembers that a folder is copied into the cage now, and nothing of an earlier one at this place.
    pub(crate) fn folder_added(&self, folder: &str, dir: &Path, since: i64) {
        self.change(folder, dir, |exported| {
            *exported = Exported { since: Some(since), files: HashMap::new() };
        });
    }

    fn key(&self, folder: &str, dir: &Path) -> String {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let dir = Hash::of_bytes(dir.as_os_str().as_bytes()).to_hex();
        format!("{}exported.{folder}.{dir}", self.prefix)
    }
}

impl Exported {
    pub(super) fn get(&self, path: &SafePath) -> Option<Version> {
        self.files.get(&key(path)).copied()
    }

    /// Notes what was written, deleted or changed in mode alone; of the last the content is not known.
    pub(super) fn note(&mut self, written: Vec<(SafePath, Version)>) {
        let earlier = std::mem::take(&mut self.files);
        for (path, mut version) in written.into_iter().take(MAX_FILES) {
            let key = key(&path);
            if let (Content::Unknown, Some(before)) = (version.content, earlier.get(&key)) {
                version.content = before.content;
            }
            self.files.insert(key, version);
        }
        for (key, version) in earlier {
            if self.files.len() < MAX_FILES {
                self.files.entry(key).or_insert(version);
            }
        }
    }

    pub(super) fn forget<'a>(&mut self, paths: impl Iterator<Item = &'a SafePath>) {
        for path in paths {
            self.files.remove(&key(path));
        }
    }

    fn to_text(&self) -> String {
        let since = self.since.map(|since| since.to_string()).unwrap_or_default();
        let mut lines: Vec<_> = self.files.iter().map(|(key, version)| line(*key, *version)).collect();
        lines.sort();
        format!("{HEADER}{since}\n{}", lines.concat())
    }

    /// Reads text; a line that makes no sense is passed over.
    fn parse(text: &str) -> Self {
        let Some((since, lines)) = text.strip_prefix(HEADER).and_then(|rest| rest.split_once('\n')) else {
            return Self::default();
        };
        Self {
            since: since.parse().ok(),
            files: lines.lines().filter_map(parse_line).take(MAX_FILES).collect(),
        }
    }
}

/// What stands for a path: as long as any other, and readable by nobody.
fn key(path: &SafePath) -> Hash {
    Hash::of_bytes(path.as_bytes())
}

fn line(key: Hash, version: Version) -> String {
    let content = match version.content {
        Content::Nothing => "-".to_owned(),
        Content::Of(hash) => hash.to_hex(),
        Content::Unknown => "?".to_owned(),
    };
    format!("{} {content} {}\n", key.to_hex(), if version.executable { "x" } else { "-" })
}

fn parse_line(line: &str) -> Option<(Hash, Version)> {
    let mut words = line.split(' ');
    let key = Hash::from_hex(words.next()?)?;
    let content = match words.next()? {
        "-" => Content::Nothing,
        "?" => Content::Unknown,
        hash => Content::Of(Hash::from_hex(hash)?),
    };
    let executable = match words.next()? {
        "x" => true,
        "-" => false,
        _ => return None,
    };
    Some((key, Version { content, executable }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SafePath {
        SafePath::new(text.as_bytes()).unwrap()
    }

    fn of(text: &str, executable: bool) -> Version {
        Version { content: Content::Of(Hash::of_bytes(text.as_bytes())), executable }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut exported = Exported { since: Some(17), files: HashMap::new() };
        exported.note(vec![(path("a"), of("1", true)), (path("gone"), Version::NOTHING)]);
        assert_eq!(Exported::parse(&exported.to_text()), exported);
        assert_eq!(exported.get(&path("gone")), Some(Version::NOTHING));
        assert_eq!(exported.get(&path("b")), None);
        assert_eq!(Exported::parse(&Exported::default().to_text()), Exported::default());
    }

    #[test]
    fn takes_what_is_broken_as_missing() {
        let mut exported = Exported::default();
        exported.note(vec![(path("a"), of("1", true)), (path("b"), of("2", false))]);
        let text = exported.to_text();
        let cut = Exported::parse(&text[..text.len() - 3]);
        assert_eq!(cut.files.len(), 1);
        for nonsense in
            ["", "\0", "exported 2 \n", "exported 1 ", &text.replace(' ', "  "), "exported 1 x\n\u{e9}"]
        {
            assert_eq!(Exported::parse(nonsense), Exported::default(), "{nonsense}");
        }
    }

    #[test]
    fn keeps_the_content_of_a_file_whose_mode_was_set_and_forgets_what_it_is_told_to() {
        let mut exported = Exported::default();
        exported.note(vec![(path("a"), of("1", false))]);
        let mode = Version { content: Content::Unknown, executable: true };
        exported.note(vec![(path("a"), mode), (path("b"), mode)]);
        assert_eq!((exported.get(&path("a")), exported.get(&path("b"))), (Some(of("1", true)), Some(mode)));
        exported.forget([path("a")].iter());
        assert_eq!((exported.get(&path("a")), exported.files.len()), (None, 1));
    }

    #[test]
    fn remembers_the_latest_of_too_many_files() {
        let many = |from: usize| {
            (from..from + MAX_FILES).map(|n| (path(&n.to_string()), Version::NOTHING)).collect()
        };
        let mut exported = Exported::default();
        exported.note(many(0));
        exported.note(many(10));
        assert_eq!(exported.files.len(), MAX_FILES);
        assert_eq!((exported.get(&path("9")), exported.get(&path("10"))), (None, Some(Version::NOTHING)));
    }
}
