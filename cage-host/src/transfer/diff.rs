//! Finding what an agent changed, at a cost that follows the change and not the size of the project.
//!
//! A program in the cage lists it while the host's folder is walked. Only what the two listings disagree about is read
//! out of the cage, by the same program, and compared byte by byte.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::task::spawn_blocking;

use super::beneath::open_beneath;
use super::changes::{Change, ChangeKind, Changes, Hold, Inner, ProtectedPath};
use super::compare::{Difference, compare};
use super::exported::Memory;
use super::fetch::fetch;
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::listing::Listed;
use super::protect::Protection;
use super::reading::Reading;
use super::receive::{MAX_FILE_BYTES, Received};
use super::renames;
use super::rules::{FILE_NAME, KnownFolders, MAX_RULES_BYTES, Rules};
use super::safe_path::SafePath;
use super::spool::{Span, Spool};
use super::three_way::tell_apart;
use super::walk::{Node, walk};
use crate::cage::{FolderName, Place};
use crate::error::{EngineError, IoContext as _, RequestError, Result};
use crate::sanitize::sanitize_path;

/// Most `.gitignore` files of a cage that count; each that changed is read before anything can be compared.
const MAX_RULE_FILES: usize = 1_000;

/// What a diff looks at.
///
/// ```
/// let options = cage_host::DiffOptions::default().protected(true).folder("docs");
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct DiffOptions {
    protected: bool,
    folder: Option<String>,
    patterns: Vec<String>,
}

impl DiffOptions {
    /// Looks into environments, installed packages and caches too (`venv/`, `node_modules/`, `__pycache__/` and their
    /// like), so that they can be exported. What a `.cageprotect` names stays protected.
    pub fn protected(mut self, protected: bool) -> Self {
        self.protected = protected;
        self
    }

    /// Protects what these patterns name, beside what its `.cageprotect` files do, in the same syntax: that of a
    /// `.gitignore`. One that begins with `!` is refused.
    pub fn protect<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.patterns.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Compares an extra folder of the cage, instead of the project: one that
    /// [`CageSpec::folder`](crate::CageSpec::folder) or [`Cage::add_folder`](crate::Cage::add_folder) put at this place
    /// in the home.
    pub fn folder(mut self, place: impl Into<String>) -> Self {
        self.folder = Some(place.into());
        self
    }

    fn apply(&self, place: &Place) -> Result<Place> {
        let place = place.clone();
        match &self.folder {
            Some(folder) => Ok(place.reading_folder(&FolderName::new(folder)?)),
            None => Ok(place),
        }
    }
}

/// A folder of the host.
#[derive(Debug)]
struct HostTree {
    nodes: BTreeMap<SafePath, Node>,
    /// The text of each `.gitignore`.
    rules: BTreeMap<SafePath, Vec<u8>>,
    protection: Protection,
}

/// Compares a folder of a cage, most often its project, with one of the host.
pub(crate) async fn diff(
    place: &Place,
    dir: &Path,
    options: DiffOptions,
    memory: &Memory,
) -> Result<Changes> {
    let place = &options.apply(place)?;
    let dir = dir.to_owned();
    let scan_dir = dir.clone();
    let scanned = async { blocking(move || scan(&scan_dir, &options)).await };
    let (mut host, (mut listing, reading)) = tokio::try_join!(scanned, Reading::begin(place))?;
    let spool = Spool::new().context("make a temporary file in", &std::env::temp_dir())?;

    let (cage_rules, spool) = cage_rules(place, &mut host, &listing.entries, spool).await?;
    let host_rules = host.as_rules();
    let mut known = (KnownFolders::default(), KnownFolders::default());
    let differences = compare(&host.nodes, &listing.entries, |path| {
        host_rules.exclude(path, false, &mut known.0) || cage_rules.exclude(path, false, &mut known.1)
    });
    let (differences, protected) = take_protected(differences, &mut host.protection)?;

    let wanted = differences.iter().filter(|d| d.needs_content()).map(|d| d.path.clone()).collect();
    let (received, spool) = reading.fetch(place, wanted, spool).await?;
    let (cage, folder) = (place.name.clone(), place.folder().to_owned());
    let inner = blocking(move || {
        let fingerprints = Fingerprinter::default();
        let mut list = settle(differences, &received, &dir, &host.nodes, &spool, &fingerprints)?;
        renames::pair(&mut list, &spool, &fingerprints);
        listing.refused.extend(received.refused);
        let refused = listing.refused;
        let changed_here = Vec::new();
        Ok(Inner { cage, folder, dir, list, changed_here, protected, refused, spool, fingerprints })
    });
    let inner = Box::pin(tell_apart(place, inner.await?, memory)).await?;
    Ok(Changes { inner: inner.into() })
}

/// Takes out what is protected, and counts it by the topmost protected folder.
fn take_protected(
    differences: Vec<Difference>,
    protection: &mut Protection,
) -> Result<(Vec<Difference>, Vec<ProtectedPath>)> {
    let mut counts: BTreeMap<SafePath, u64> = BTreeMap::new();
    let mut rest = Vec::with_capacity(differences.len());
    for difference in differences {
        match protection.protecting(&difference.path)? {
            None => rest.push(difference),
            Some(top) => *counts.entry(top).or_default() += 1,
        }
    }
    let shown = |(path, files): (SafePath, u64)| ProtectedPath { path: sanitize_path(path.as_path()), files };
    Ok((rest, counts.into_iter().map(shown).collect()))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(EngineError::Lost { operation: "compare", reason: error.to_string() }.into())
    })
}

fn scan(dir: &Path, options: &DiffOptions) -> Result<HostTree> {
    if let Err(error) = std::fs::read_dir(dir) {
        return Err(RequestError::Project { path: dir.to_owned(), reason: error.to_string() }.into());
    }
    let root = Dir::open_ambient_dir(dir, ambient_authority()).context("open the folder", dir)?;
    let protection = Protection::with_patterns(&root, dir, !options.protected, &options.patterns)?;
    let mut tree = HostTree { nodes: BTreeMap::new(), rules: BTreeMap::new(), protection };
    walk(dir, |path, node| {
        if is_rules(&path) && matches!(node, Node::File(stat) if stat.size <= MAX_RULES_BYTES) {
            let file = dir.join(path.as_path());
            tree.rules.insert(path.clone(), std::fs::read(&file).context("read", &file)?);
        }
        tree.nodes.insert(path, node);
        Ok(())
    })?;
    Ok(tree)
}

impl HostTree {
    fn as_rules(&self) -> Rules {
        let mut rules = Rules::default();
        for (path, text) in &self.rules {
            rules.add(path.split().0, text);
        }
        rules
    }

    /// Returns the text of a `.gitignore` if the cage's is the one that was sent.
    fn unchanged_rules(&self, path: &SafePath, listed: &Listed) -> Option<&[u8]> {
        let same = !listed.touched && self.nodes.get(path) == Some(&listed.node);
        self.rules.get(path).filter(|_| same).map(Vec::as_slice)
    }
}

fn is_rules(path: &SafePath) -> bool {
    path.split().1 == FILE_NAME
}

/// Collects the cage's own `.gitignore` files; only those that are not the host's are read out of it.
async fn cage_rules(
    place: &Place,
    host: &mut HostTree,
    entries: &BTreeMap<SafePath, Listed>,
    spool: Spool,
) -> Result<(Rules, Spool)> {
    let host_rules = host.as_rules();
    let mut known = KnownFolders::default();
    let mut rules = Rules::default();
    let mut wanted = BTreeSet::new();
    for (path, listed) in entries.iter().filter(|(path, _)| is_rules(path)) {
        if let Some(text) = host.unchanged_rules(path, listed) {
            rules.add(path.split().0, text);
        } else if matches!(listed.node, Node::File(stat) if stat.size <= MAX_RULES_BYTES)
            && wanted.len() < MAX_RULE_FILES
            && !host_rules.exclude(path, false, &mut known)
            && host.protection.protecting(path)?.is_none()
        {
            wanted.insert(path.clone());
        }
    }
    let (received, spool) = fetch(place, wanted, spool).await?;
    for (path, span) in &received.files {
        // It can have grown since it was listed.
        if span.len <= MAX_RULES_BYTES {
            rules.add(path.split().0, &read(&spool, *span)?);
        }
    }
    Ok((rules, spool))
}

fn read(spool: &Spool, span: Span) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    spool.reader(span).read_to_end(&mut bytes).context("read a temporary file in", &std::env::temp_dir())?;
    Ok(bytes)
}

/// Decides by content what the listings could not decide.
fn settle(
    differences: Vec<Difference>,
    received: &Received,
    dir: &Path,
    host: &BTreeMap<SafePath, Node>,
    spool: &Spool,
    fingerprints: &Fingerprinter,
) -> Result<Vec<Change>> {
    let root = Dir::open_ambient_dir(dir, ambient_authority()).context("open the folder", dir)?;
    let mut changes = Vec::with_capacity(differences.len());
    for difference in differences {
        let content = received.files.get(&difference.path).copied();
        let before = match difference.kind {
            ChangeKind::Added | ChangeKind::ModeChanged => None,
            ChangeKind::Modified | ChangeKind::Deleted => {
                fingerprint_beneath(&root, &difference.path, fingerprints)
            }
        };
        let mut kind = difference.kind;
        if let Some(span) = content
            && kind == ChangeKind::Modified
            && same_content(before, spool, span, fingerprints)
        {
            let same_mode = matches!(host.get(&difference.path), Some(Node::File(stat)) if stat.executable == difference.stat.executable);
            if same_mode {
                continue;
            }
            kind = ChangeKind::ModeChanged;
        }
        changes.push(change(difference, kind, content, before));
    }
    Ok(changes)
}

fn change(
    difference: Difference,
    kind: ChangeKind,
    content: Option<Span>,
    before: Option<Fingerprint>,
) -> Change {
    let unreadable = difference.needs_content() && content.is_none();
    Change {
        hold: if unreadable { Some(Hold::Unreadable) } else { difference.hold },
        path: difference.path,
        kind,
        executable: difference.stat.executable,
        content: content.filter(|_| kind != ChangeKind::ModeChanged),
        before,
        both_changed: false,
        moved: None,
    }
}

/// Reads a file of the host; `None` for what is no file, cannot be read, or is larger than any that is exported.
pub(super) fn fingerprint_beneath(
    root: &Dir,
    path: &SafePath,
    fingerprints: &Fingerprinter,
) -> Option<Fingerprint> {
    let file = open_beneath(root, path).ok()?;
    let small = file.metadata().is_ok_and(|metadata| metadata.len() <= MAX_FILE_BYTES);
    if small { fingerprints.of(file).ok() } else { None }
}

/// Compares a file of the host with what came out of the cage; one that cannot be read differs.
pub(super) fn same_content(
    before: Option<Fingerprint>,
    spool: &Spool,
    span: Span,
    fingerprints: &Fingerprinter,
) -> bool {
    before.is_some_and(|before| {
        before.len() == span.len && fingerprints.of(spool.reader(span)).is_ok_and(|after| after == before)
    })
}
