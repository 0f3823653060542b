//! Files as they were when the cage was created, or at the last push: what both sides began with.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::receive::MAX_FILE_BYTES;
use super::super::safe_path::SafePath;
use super::super::spool::{Span, Spool};
use super::super::version::{Content, Version};
use super::id::ObjectId;
use super::objects::{Kind, Wanted};
use super::read::{MAX_NAMES_BYTES, MAX_TOTAL_BYTES, fetch_objects, git_exec, read_sizes};
use crate::cage::Place;
use crate::error::Result;

/// Prints the commit that both sides began with and every file in it; nothing where there is none.
const BASE_SCRIPT: &str = r#"command -v git >/dev/null || exit 0
root() { git rev-list --first-parent --max-parents=0 HEAD -- 2>/dev/null | tail -n 1; }
for base in refs/cage/base refs/cage/baseline "$(root)"; do
  base=$(git rev-parse --verify --quiet "$base^{commit}") && break
done
[ -n "$base" ] || exit 0
printf '%s\0' "$base"
git ls-tree -r -z --full-tree "$base""#;

/// Some files of the commit that both sides began with, as the cage tells it.
#[derive(Debug)]
pub(crate) struct BaseFiles {
    commit: Option<ObjectId>,
    /// A content that is too large was not read.
    files: HashMap<SafePath, (Option<Span>, bool)>,
    spool: Spool,
}

impl BaseFiles {
    /// Reads the contents of these paths; one that is missing in the result was not there, or is no file.
    pub(crate) async fn read<'a>(place: &Place, paths: impl Iterator<Item = &'a SafePath>) -> Result<Self> {
        let output = place.exec(git_exec(place, ["sh", "-c", BASE_SCRIPT])).await?;
        let output = output.collect(MAX_NAMES_BYTES).await?;
        let (commit, entries) = output.split_at(output.iter().position(|&b| b == 0).unwrap_or(output.len()));
        let mut entries: HashMap<_, _> = entries_of_tree(entries).collect();
        let found: Vec<(SafePath, Entry)> =
            paths.filter_map(|path| Some((path.clone(), entries.remove(path.as_bytes())?))).collect();

        let ids: BTreeSet<&ObjectId> = found.iter().map(|(_, entry)| &entry.id).collect();
        let sizes = read_sizes(place, ids.clone()).await?;
        let (objects, spool) = fetch_objects(place, wanted(ids, &sizes)).await?;
        let file = |(path, entry): (_, Entry)| (path, (objects.get(&entry.id).copied(), entry.executable));
        let files = found.into_iter().map(file).collect();
        Ok(Self { commit: ObjectId::new(commit), files, spool })
    }

    /// Returns the name of the commit.
    pub(crate) fn commit(&self) -> Option<&str> {
        self.commit.as_ref().map(ObjectId::as_str)
    }

    /// Returns each file as it was. Contents are read for it.
    pub(in super::super) fn versions(&self) -> HashMap<SafePath, Version> {
        let version = |(path, (span, executable)): (&SafePath, &(Option<Span>, bool))| {
            let content = span.map_or(Content::Unknown, |span| Content::read(self.spool.reader(span)));
            (path.clone(), Version { content, executable: *executable })
        };
        self.files.iter().map(version).collect()
    }
}

/// Chooses the contents to read: none that is too large, and no more than fit within the limit of all.
fn wanted(ids: BTreeSet<&ObjectId>, sizes: &HashMap<ObjectId, u64>) -> Vec<Wanted> {
    let mut left = MAX_TOTAL_BYTES;
    let want = |id: &ObjectId| {
        let limit = sizes.get(id).copied().filter(|size| *size <= left.min(MAX_FILE_BYTES))?;
        left -= limit;
        Some(Wanted { id: id.clone(), kind: Kind::Blob, limit })
    };
    ids.into_iter().filter_map(want).collect()
}

/// What a tree has at a path.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    id: ObjectId,
    executable: bool,
}

/// Parses `mode kind name, tab, path` entries of `git ls-tree -z`: the name of the content at each path.
pub(super) fn parse_tree(output: &[u8]) -> BTreeMap<Vec<u8>, ObjectId> {
    entries_of_tree(output).map(|(path, entry)| (path, entry.id)).collect()
}

fn entries_of_tree(output: &[u8]) -> impl Iterator<Item = (Vec<u8>, Entry)> {
    let entry = |entry: &[u8]| {
        let tab = entry.iter().position(|&byte| byte == b'\t')?;
        let id = ObjectId::new(entry[..tab].rsplit(|&byte| byte == b' ').next()?)?;
        Some((entry[tab + 1..].to_vec(), Entry { id, executable: entry.starts_with(b"100755 ") }))
    };
    output.split(|&byte| byte == 0).filter_map(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_names_and_modes_of_a_tree() {
        let id = "a".repeat(40);
        let tree = format!("100644 blob {id}\ta\0100755 blob {id}\tb/c d\0nonsense\0120000 blob {id}\tl\0");
        let modes: Vec<_> =
            entries_of_tree(tree.as_bytes()).map(|(path, entry)| (path, entry.executable)).collect();
        assert_eq!(modes, [(b"a".to_vec(), false), (b"b/c d".to_vec(), true), (b"l".to_vec(), false)]);
    }

    #[test]
    fn wants_nothing_that_is_too_large_alone_or_together() {
        let ids = ["a", "b", "c"].map(|digit| ObjectId::new(digit.repeat(40).as_bytes()).unwrap());
        let sizes = ids.iter().cloned().zip([MAX_FILE_BYTES + 1, 3, MAX_FILE_BYTES]).collect();
        assert_eq!(wanted(ids.iter().collect(), &sizes).len(), 2);
    }
}
