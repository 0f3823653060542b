//! Who changed a file, the host or the cage: an export must not lose what the host did.
//!
//! Two versions of a file cannot tell. The third is the one that both began with, in the commit that the creation or
//! the last push left in the cage; or what an export wrote since, which the host remembers. The commit is read only
//! when some file of the host may have changed since it was sent, which its time of change (`ctime`) tells: nothing but
//! the clock can set that back.
//!
//! The commit is the cage's, so the agent can forge it. Then a file of the host's may be taken for one that it left
//! alone, and be replaced by an export: as if it had been compared with two versions only.

use std::collections::HashMap;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::task::spawn_blocking;

use super::changes::{Change, ChangeKind, Hold, Inner};
use super::commits::BaseFiles;
use super::exported::{Exported, Memory};
use super::late::Late;
use super::safe_path::SafePath;
use super::version::{Content, Version};
use crate::cage::{PROJECT, Place};
use crate::error::{EngineError, Error, IoContext as _, Result};

/// Who changed a file since both sides had the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangedBy {
    /// The cage, or nobody.
    Cage,
    Host,
    Both,
}

/// The versions of a file. `exported` is what the host remembers, later than the base.
#[derive(Debug, Clone, Copy)]
pub(super) struct Versions {
    pub(super) host: Version,
    pub(super) cage: Version,
    pub(super) exported: Option<Version>,
}

impl Versions {
    /// Compares contents, and of files that both sides have the modes.
    pub(super) fn changed_by(&self, base: Version) -> ChangedBy {
        let content = self.content_changed_by(base);
        let both = [self.host, self.cage].iter().all(|side| side.content != Content::Nothing);
        if content != ChangedBy::Cage || !both || self.host.executable == self.cage.executable {
            return content;
        }
        let exported = self.exported.map(|exported| exported.executable);
        let mode = changed_by(self.host.executable, self.cage.executable, base.executable, exported);
        // Whoever takes the cage's content takes its mode too.
        let same_content = self.host.content == self.cage.content;
        if mode == ChangedBy::Cage || same_content { mode } else { ChangedBy::Both }
    }

    /// Compares contents alone.
    pub(super) fn content_changed_by(&self, base: Version) -> ChangedBy {
        if self.host.content == Content::Unknown || self.cage.content == Content::Unknown {
            return ChangedBy::Both;
        }
        let exported = self.exported.map(|exported| exported.content);
        let exported = exported.filter(|content| *content != Content::Unknown);
        if self.host.content == self.cage.content {
            return ChangedBy::Cage;
        }
        changed_by(self.host.content, self.cage.content, base.content, exported)
    }

    /// Says whether the host has what an export wrote.
    fn is_as_exported(&self) -> bool {
        self.exported == Some(self.host)
    }
}

fn changed_by<T: PartialEq + Copy>(host: T, cage: T, base: T, exported: Option<T>) -> ChangedBy {
    // A host that took an export back has lost nothing by another one.
    if host == base || exported == Some(host) {
        ChangedBy::Cage
    } else if cage == exported.unwrap_or(base) {
        ChangedBy::Host
    } else {
        ChangedBy::Both
    }
}

/// A change whose host's file may have changed since it was sent.
struct Suspect {
    index: usize,
    path: SafePath,
    versions: Versions,
}

/// Marks the changes that both sides made, and sets those apart that the host alone made.
pub(super) async fn tell_apart(place: &Place, inner: Inner, memory: &Memory) -> Result<Inner> {
    // Nothing is run in a cage that stands still, and an extra folder has no commits.
    let has_base = place.still().is_none() && place.folder() == PROJECT;
    let since = place.sent().await?.since(&inner.folder, &inner.dir);
    let memory = memory.clone();
    let (inner, suspects) = blocking(move || {
        let exported = memory.load(&inner.folder, &inner.dir);
        let since = exported.since.or(since);
        let suspects = suspects(&inner, &exported, since, has_base)?;
        Ok((inner, suspects))
    })
    .await?;
    if suspects.is_empty() {
        return Ok(inner);
    }
    let base = if has_base { read_base(place, &suspects).await? } else { None };
    blocking(move || {
        let base = base.map(|base| base.versions()).unwrap_or_default();
        Ok(sort(inner, suspects, &base))
    })
    .await
}

/// Reads the versions that both sides began with; `None` where the agent saw to it that nobody can, for example by
/// deleting the project.
async fn read_base(place: &Place, suspects: &[Suspect]) -> Result<Option<BaseFiles>> {
    match BaseFiles::read(place, suspects.iter().map(|suspect| &suspect.path)).await {
        Err(Error::Cage(_)) => Ok(None),
        base => base.map(Some),
    }
}

fn suspects(inner: &Inner, exported: &Exported, since: Option<i64>, has_base: bool) -> Result<Vec<Suspect>> {
    let root = open(&inner.dir)?;
    let mut late = Late::new(&root, since, has_base);
    let mut suspects = Vec::new();
    for (index, change) in inner.list.iter().enumerate() {
        // An added file replaces nothing. Whether the host deleted it can be known only of a folder that was sent.
        let told = change.kind != ChangeKind::Added || (since.is_some() && has_base);
        if !told || !can_be_exported(change) || !is_late(&mut late, change) {
            continue;
        }
        let versions = versions(change, inner, &root, exported);
        if !versions.is_as_exported() {
            suspects.push(Suspect { index, path: change.path.clone(), versions });
        }
    }
    Ok(suspects)
}

fn is_late(late: &mut Late<'_>, change: &Change) -> bool {
    // What the cage lacks may be an old file that was ignored when the cage was created, and so not sent.
    let ignored_before = change.kind == ChangeKind::Deleted;
    late.may_have_changed(&change.path) || ignored_before && late.rules_may_have_changed(&change.path)
}

fn can_be_exported(change: &Change) -> bool {
    matches!(change.hold, None | Some(Hold::AgentRun))
}

/// Looks at both sides of a change.
pub(super) fn versions(change: &Change, inner: &Inner, root: &Dir, exported: &Exported) -> Versions {
    let host = Version::beneath(root, &change.path);
    let content = match (change.kind, change.content) {
        (ChangeKind::Deleted, _) => Content::Nothing,
        (ChangeKind::ModeChanged, _) => host.content,
        (_, Some(span)) => Content::read(inner.spool.reader(span)),
        (_, None) => Content::Unknown,
    };
    let cage = Version { content, executable: change.executable };
    Versions { host, cage, exported: exported.get(&change.path) }
}

fn sort(mut inner: Inner, suspects: Vec<Suspect>, base: &HashMap<SafePath, Version>) -> Inner {
    let mut by_host = vec![false; inner.list.len()];
    for Suspect { index, path, versions } in suspects {
        match versions.changed_by(base.get(&path).copied().unwrap_or(Version::NOTHING)) {
            ChangedBy::Cage => {}
            ChangedBy::Host => by_host[index] = true,
            ChangedBy::Both => inner.list[index].both_changed = true,
        }
    }
    let (mut of_host, mut of_cage) = (Vec::new(), Vec::new());
    for (change, by_host) in inner.list.into_iter().zip(by_host) {
        if by_host { of_host.push(change) } else { of_cage.push(change) }
    }
    for change in &mut of_host {
        // The other end of a move that was none.
        if let Some(other) = change.moved.take()
            && let Some(other) = of_cage.iter_mut().find(|change| change.path == other)
        {
            other.moved = None;
        }
    }
    (inner.list, inner.changed_here) = (of_cage, of_host);
    inner
}

/// Opens the folder that changes were compared with.
pub(super) fn open(dir: &Path) -> Result<Dir> {
    Dir::open_ambient_dir(dir, ambient_authority()).context("open the folder", dir)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(EngineError::Lost { operation: "compare with what was sent", reason: error.to_string() }.into())
    })
}

#[cfg(test)]
mod tests {
    use super::super::version::Hash;
    use super::*;

    /// `-` is nothing, `?` what cannot be read, anything else a content; a capital one can be executed.
    fn version(text: char) -> Version {
        let content = match text {
            '-' => Content::Nothing,
            '?' => Content::Unknown,
            text => Content::Of(Hash::of_bytes(text.to_string().to_lowercase().as_bytes())),
        };
        Version { content, executable: text.is_uppercase() }
    }

    #[test]
    fn tells_who_changed_a_file() {
        use ChangedBy::{Both, Cage, Host};
        let cases = [
            ("the cage alone", "aba ", Cage),
            ("the host alone", "baa ", Host),
            ("both", "bca ", Both),
            ("both, the same", "bba ", Cage),
            ("the host added one", "a-- ", Host),
            ("the cage added one", "-a- ", Cage),
            ("both added one", "ab- ", Both),
            ("the host deleted it", "-aa ", Host),
            ("the cage deleted it", "a-a ", Cage),
            ("the host deleted what the cage changed", "-ba ", Both),
            ("the cage deleted what the host changed", "b-a ", Both),
            ("the cage went on after an export", "bcab", Cage),
            ("the host went on after an export", "cbab", Host),
            ("both went on after an export", "cdab", Both),
            ("the host took an export back", "abab", Cage),
            ("the cage took an export back, the host not", "baab", Cage),
            ("the cage took an export back that the host changed", "caab", Both),
            ("an exported file was deleted here", "-bab", Host),
            ("an exported deletion, then the cage made it again", "-ba-", Cage),
            ("an exported deletion, then the host made it again", "b-a-", Host),
            ("only the mode was exported", "bca?", Both),
            ("the host's cannot be read", "?ba ", Both),
            ("the cage set the mode", "aAa ", Cage),
            ("the host set the mode", "Aaa ", Host),
            ("the host set the mode and the cage changed it", "Aba ", Both),
            ("the cage changed content and mode", "aBa ", Cage),
            ("an exported mode, which the cage took back", "AaaA", Cage),
        ];
        for (case, [host, cage, base, exported], expected) in cases.map(|(case, text, by)| {
            (case, <[char; 4]>::try_from(text.chars().collect::<Vec<_>>()).unwrap(), by)
        }) {
            let exported = (exported != ' ').then(|| version(exported));
            let versions = Versions { host: version(host), cage: version(cage), exported };
            assert_eq!(versions.changed_by(version(base)), expected, "{case}");
        }
    }
}
