//! Which files of the host may have changed since they were sent.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, Metadata, MetadataExt as _};

use super::beneath::{is_in_the_way, open_folder};
use super::rules::FILE_NAME;
use super::safe_path::SafePath;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// What the kernel's clock for files may be behind the one that programs see, in nanoseconds: a few of its ticks.
const CLOCK_TICKS: i64 = 20_000_000;

/// Tells by times of change, which nothing but the clock can set back.
pub(super) struct Late<'a> {
    root: &'a Dir,
    /// From when on a change is late; without it every file may have changed.
    since: Option<Since>,
    /// More may be called late than is.
    wide: bool,
    /// What is known of folders: whether it, or one that it lies in, was put there late.
    moved: HashMap<PathBuf, bool>,
}

/// A moment, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Since {
    exact: i64,
    /// For a time in whole seconds, as some file systems keep it.
    whole: i64,
}

impl Since {
    fn new(since: i64, wide: bool) -> Self {
        let exact = if wide { since.saturating_sub(CLOCK_TICKS) } else { since };
        let whole = if wide { exact - exact.rem_euclid(NANOS_PER_SECOND) } else { exact };
        Self { exact, whole }
    }

    fn is_before(self, time: i64) -> bool {
        time >= if time % NANOS_PER_SECOND == 0 { self.whole } else { self.exact }
    }
}

impl<'a> Late<'a> {
    /// Begins at a moment, in nanoseconds since 1970. With `wide` it begins early enough for every clock and every file
    /// system, so that more may be called late than is.
    pub(super) fn new(root: &'a Dir, since: Option<i64>, wide: bool) -> Self {
        let since = since.map(|since| Since::new(since, wide));
        Self { root, since, wide, moved: HashMap::new() }
    }

    /// Says whether what is at a path may have changed, or come, or gone.
    pub(super) fn may_have_changed(&mut self, path: &SafePath) -> bool {
        let Some(since) = self.since else { return true };
        let folder = path.split().0;
        match self.look_at(path) {
            Ok(metadata) => since.is_before(changed(&metadata)) || self.was_moved(folder, since),
            Err(error) if is_in_the_way(&error) => self.lost_something(folder, since),
            Err(_) => true,
        }
    }

    /// Says whether a `.gitignore` may have changed, or come, or gone, that counts for a path. That one may have gone is
    /// said only of a wide beginning: whatever is written into a folder, also by an export, looks like that.
    pub(super) fn rules_may_have_changed(&mut self, path: &SafePath) -> bool {
        let folders = path.split().0.ancestors();
        let mut rules = folders
            .filter_map(|folder| SafePath::new(folder.join(FILE_NAME).as_os_str().as_encoded_bytes()).ok());
        rules.any(|rules| (self.wide || self.look_at(&rules).is_ok()) && self.may_have_changed(&rules))
    }

    /// Says whether something can have been removed from the nearest folder that there is.
    fn lost_something(&mut self, folder: &Path, since: Since) -> bool {
        let nearest = folder.ancestors().find_map(|folder| Some((folder, self.look(folder).ok()?)));
        nearest.is_none_or(|(folder, metadata)| {
            since.is_before(changed(&metadata)) || self.was_moved(folder, since)
        })
    }

    /// Says whether a folder, or one that it lies in, was put where it is late, with files that are older.
    fn was_moved(&mut self, folder: &Path, since: Since) -> bool {
        if let Some(known) = self.moved.get(folder) {
            return *known;
        }
        // To be moved changes a folder, and not what is in it: then the two times differ.
        let late = |metadata: Metadata| {
            since.is_before(changed(&metadata)) && changed(&metadata) != modified(&metadata)
        };
        let moved = self.look(folder).map_or(true, late)
            || folder.parent().is_some_and(|parent| self.was_moved(parent, since));
        self.moved.insert(folder.to_owned(), moved);
        moved
    }

    fn look_at(&self, path: &SafePath) -> io::Result<Metadata> {
        let (folder, name) = path.split();
        open_folder(self.root, folder)?.symlink_metadata(name)
    }

    fn look(&self, folder: &Path) -> io::Result<Metadata> {
        open_folder(self.root, folder)?.dir_metadata()
    }
}

fn changed(metadata: &Metadata) -> i64 {
    nanos(metadata.ctime(), metadata.ctime_nsec())
}

fn modified(metadata: &Metadata) -> i64 {
    nanos(metadata.mtime(), metadata.mtime_nsec())
}

fn nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cap_std::ambient_authority;

    use super::*;

    /// The time of change of the youngest of some files and folders; what comes later is after it.
    fn youngest(paths: &[&Path]) -> i64 {
        let times = paths.iter().map(|path| {
            let metadata = Metadata::from_just_metadata(path.metadata().unwrap());
            changed(&metadata)
        });
        times.max().unwrap()
    }

    /// Changes something again and again until that has a later time than `before`.
    fn until_later(path: &Path, before: i64, mut change: impl FnMut()) {
        loop {
            change();
            if youngest(&[path]) > before {
                return;
            }
        }
    }

    #[test]
    fn calls_late_what_was_written_moved_or_removed_since_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["calm", "gone", "old", "other"] {
            fs::create_dir(at(folder)).unwrap();
            fs::write(at(folder).join("a"), "1").unwrap();
        }
        fs::write(at("calm/b"), "1").unwrap();
        let all = ["", "calm", "calm/a", "calm/b", "gone", "old", "old/a", "other", "other/a"].map(at);
        let since = youngest(&all.each_ref().map(PathBuf::as_path)) + 1;
        until_later(&at("calm/b"), since, || fs::write(at("calm/b"), "2").unwrap());
        until_later(&at("gone"), since, || {
            fs::write(at("gone/a"), "2").unwrap();
            fs::remove_file(at("gone/a")).unwrap();
        });
        fs::remove_dir_all(at("old")).unwrap();
        fs::rename(at("other"), at("old")).unwrap();

        let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        let mut late = Late::new(&root, Some(since), false);
        let mut is_late = |path: &str| late.may_have_changed(&SafePath::new(path.as_bytes()).unwrap());
        assert_eq!(["calm/a", "calm/new"].map(&mut is_late), [false, false]);
        assert_eq!(["calm/b", "gone/a", "old/a", "other/a"].map(&mut is_late), [true; 4]);
        let mut late = Late::new(&root, None, false);
        assert!(late.may_have_changed(&SafePath::new(b"calm/a").unwrap()));
    }

    #[test]
    fn believes_that_rules_have_gone_only_where_that_costs_a_look() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "1").unwrap();
        let since = youngest(&[dir.path()]) + 1;
        until_later(dir.path(), since, || {
            fs::write(dir.path().join("b"), "1").unwrap();
            fs::remove_file(dir.path().join("b")).unwrap();
        });
        let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        let path = SafePath::new(b"a").unwrap();
        let may_have_changed = |wide| Late::new(&root, Some(since), wide).rules_may_have_changed(&path);
        assert_eq!([true, false].map(may_have_changed), [true, false]);
        until_later(&dir.path().join(".gitignore"), since, || {
            fs::write(dir.path().join(".gitignore"), "a").unwrap();
        });
        assert!(may_have_changed(false));
    }

    #[test]
    fn begins_earlier_for_times_in_whole_seconds_where_it_costs_only_a_look() {
        let is_late = |since, wide, time| Since::new(since, wide).is_before(time);
        assert!(is_late(5_700_000_000, true, 5_000_000_000), "a file system that keeps whole seconds");
        assert!(is_late(5_010_000_000, true, 4_000_000_000));
        assert!(!is_late(5_700_000_000, true, 4_000_000_000));
        assert!(!is_late(5_700_000_000, true, 5_600_000_000));
        assert!(is_late(5_700_000_000, true, 5_690_000_000), "the kernel's clock is behind");
        assert!(!is_late(5_700_000_000, false, 5_690_000_000));
        assert!(!is_late(5_700_000_000, false, 5_000_000_000));
    }
}
