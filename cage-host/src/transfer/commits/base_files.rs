//! Files as they were when the cage was created, or at the last push: what both sides began with.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::fingerprint::{Fingerprint, Fingerprinter};
use super::super::receive::MAX_FILE_BYTES;
use super::super::safe_path::SafePath;
use super::super::spool::{Span, Spool};
use super::id::ObjectId;
use super::objects::{Kind, Wanted};
use super::read::{MAX_NAMES_BYTES, fetch_objects, git_exec, read_sizes};
use crate::cage::Place;
use crate::error::{IoContext as _, Result};

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
    files: HashMap<SafePath, Span>,
    spool: Spool,
}

impl BaseFiles {
    /// Reads the contents of these paths; one that is missing in the result was not there, or is no file.
    pub(crate) async fn read<'a>(place: &Place, paths: impl Iterator<Item = &'a SafePath>) -> Result<Self> {
        let output = place.exec(git_exec(place, ["sh", "-c", BASE_SCRIPT])).await?;
        let output = output.collect(MAX_NAMES_BYTES).await?;
        let (commit, entries) = output.split_at(output.iter().position(|&b| b == 0).unwrap_or(output.len()));
        let mut entries = parse_tree(entries);
        let found: Vec<(SafePath, ObjectId)> =
            paths.filter_map(|path| Some((path.clone(), entries.remove(path.as_bytes())?))).collect();

        let ids: BTreeSet<&ObjectId> = found.iter().map(|(_, id)| id).collect();
        let sizes = read_sizes(place, ids.clone()).await?;
        let small = |id: &&ObjectId| sizes.get(id).is_some_and(|size| *size <= MAX_FILE_BYTES);
        let want = |id: &ObjectId| Wanted { id: id.clone(), kind: Kind::Blob, limit: sizes[id] };
        let wanted = ids.into_iter().filter(small).map(want).collect();
        let (objects, spool) = fetch_objects(place, wanted).await?;
        let files = found.into_iter().filter_map(|(path, id)| Some((path, *objects.get(&id)?))).collect();
        Ok(Self { commit: ObjectId::new(commit), files, spool })
    }

    /// Returns the name of the commit.
    pub(crate) fn commit(&self) -> Option<&str> {
        self.commit.as_ref().map(ObjectId::as_str)
    }

    /// Returns what tells each file's content from others.
    pub(in super::super) fn fingerprints(
        &self,
        maker: &Fingerprinter,
    ) -> Result<HashMap<SafePath, Fingerprint>> {
        let one = |(path, span): (&SafePath, &Span)| {
            let content = maker.of(self.spool.reader(*span));
            Ok((path.clone(), content.context("read a temporary file in", &std::env::temp_dir())?))
        };
        self.files.iter().map(one).collect()
    }
}

/// Parses `mode kind name, tab, path` entries of `git ls-tree -z`: the name of the content at each path.
pub(super) fn parse_tree(output: &[u8]) -> BTreeMap<Vec<u8>, ObjectId> {
    let entry = |entry: &[u8]| {
        let tab = entry.iter().position(|&byte| byte == b'\t')?;
        let id = ObjectId::new(entry[..tab].rsplit(|&byte| byte == b' ').next()?)?;
        Some((entry[tab + 1..].to_vec(), id))
    };
    output.split(|&byte| byte == 0).filter_map(entry).collect()
}
