//! Finding what an agent changed, at a cost that follows the change and not the size of the project.
//!
//! One `find` lists the cage while the host's folder is walked. Only what the two listings disagree about is read out
//! of the cage, by one `tar`, and compared byte by byte.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::task::spawn_blocking;

use super::beneath::open_beneath;
use super::changes::{Change, ChangeKind, Changes, Hold, Inner};
use super::compare::{Difference, compare};
use super::fetch::fetch;
use super::listing::{Listed, list};
use super::receive::Received;
use super::rules::{FILE_NAME, KnownFolders, MAX_RULES_BYTES, Rules};
use super::safe_path::SafePath;
use super::spool::{Span, Spool};
use super::walk::{Node, walk};
use crate::cage::Place;
use crate::error::{EngineError, IoContext as _, RequestError, Result};

/// Most `.gitignore` files of a cage that count; each that changed is read before anything can be compared.
const MAX_RULE_FILES: usize = 1_000;

/// Size of one read when contents are compared, in bytes.
const COMPARE_BYTES: usize = 64 * 1024;

/// A folder of the host.
#[derive(Debug, Default)]
struct HostTree {
    nodes: BTreeMap<SafePath, Node>,
    /// The text of each `.gitignore`.
    rules: BTreeMap<SafePath, Vec<u8>>,
}

/// Compares a cage's project with a folder of the host.
pub(crate) async fn diff(place: &Place, dir: &Path) -> Result<Changes> {
    let dir = dir.to_owned();
    let scan_dir = dir.clone();
    let scanned = async { blocking(move || scan(&scan_dir)).await };
    let (host, mut listing) = tokio::try_join!(scanned, list(place))?;
    let spool = Spool::new().context("make a temporary file in", &std::env::temp_dir())?;

    let (cage_rules, spool) = cage_rules(place, &host, &listing.entries, spool).await?;
    let host_rules = host.as_rules();
    let mut known = (KnownFolders::default(), KnownFolders::default());
    let differences = compare(&host.nodes, &listing.entries, |path| {
        host_rules.exclude(path, false, &mut known.0) || cage_rules.exclude(path, false, &mut known.1)
    });

    let wanted = differences.iter().filter(|d| d.needs_content()).map(|d| d.path.clone()).collect();
    let (received, spool) = fetch(place, wanted, spool).await?;
    let name = place.name.clone();
    blocking(move || {
        let list = settle(differences, &received, &dir, &host.nodes, &spool)?;
        listing.refused.extend(received.refused);
        Ok(Changes { inner: Inner { cage: name, dir, list, refused: listing.refused, spool }.into() })
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(EngineError::Lost { operation: "compare", reason: error.to_string() }.into())
    })
}

fn scan(dir: &Path) -> Result<HostTree> {
    if let Err(error) = std::fs::read_dir(dir) {
        return Err(RequestError::Project { path: dir.to_owned(), reason: error.to_string() }.into());
    }
    let mut tree = HostTree::default();
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
    host: &HostTree,
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
) -> Result<Vec<Change>> {
    let root = Dir::open_ambient_dir(dir, ambient_authority()).context("open the folder", dir)?;
    let mut changes = Vec::with_capacity(differences.len());
    for difference in differences {
        let content = received.files.get(&difference.path).copied();
        let mut kind = difference.kind;
        if let Some(span) = content
            && kind == ChangeKind::Modified
            && same_content(&root, &difference.path, spool, span)
        {
            let same_mode = matches!(host.get(&difference.path), Some(Node::File(stat)) if stat.executable == difference.stat.executable);
            if same_mode {
                continue;
            }
            kind = ChangeKind::ModeChanged;
        }
        let unreadable = difference.needs_content() && content.is_none();
        changes.push(Change {
            hold: if unreadable { Some(Hold::Unreadable) } else { difference.hold },
            path: difference.path,
            kind,
            executable: difference.stat.executable,
            content: content.filter(|_| kind != ChangeKind::ModeChanged),
        });
    }
    Ok(changes)
}

/// Compares a file of the host with what came out of the cage; one that cannot be read differs.
fn same_content(root: &Dir, path: &SafePath, spool: &Spool, span: Span) -> bool {
    let Ok(file) = open_beneath(root, path) else { return false };
    let same_size = file.metadata().is_ok_and(|metadata| metadata.len() == span.len);
    same_size && same_bytes(file, spool.reader(span)).unwrap_or(false)
}

fn same_bytes(mut one: impl Read, mut other: impl Read) -> io::Result<bool> {
    let mut buffers = (vec![0; COMPARE_BYTES], vec![0; COMPARE_BYTES]);
    loop {
        let count = one.read(&mut buffers.0)?;
        if count == 0 {
            return Ok(other.read(&mut buffers.1)? == 0);
        }
        match other.read_exact(&mut buffers.1[..count]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        if buffers.0[..count] != buffers.1[..count] {
            return Ok(false);
        }
    }
}
