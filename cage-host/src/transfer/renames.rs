//! Files that were moved: a deleted and an added one with the same content.
//!
//! Only what the host can see for itself counts: the deleted file lies on its own disk, the added one was read out of
//! the cage. Nothing is asked of the cage's git.

use std::collections::{HashMap, HashSet};

use super::changes::{Change, ChangeKind};
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::spool::Spool;

/// Marks pairs of a deleted and an added file with the same content; each file is in one pair at most.
///
/// An added file is read only when a deleted one has its size. Empty files are no evidence of anything.
pub(super) fn pair(changes: &mut [Change], spool: &Spool, fingerprints: &Fingerprinter) {
    let mut gone: HashMap<Fingerprint, Vec<usize>> = HashMap::new();
    for (index, change) in changes.iter().enumerate().rev() {
        if let (ChangeKind::Deleted, Some(before)) = (change.kind, change.before) {
            gone.entry(before).or_default().push(index);
        }
    }
    let sizes: HashSet<u64> = gone.keys().map(Fingerprint::len).collect();
    for index in 0..changes.len() {
        let change = &changes[index];
        let Some(span) = change.content.filter(|span| span.len > 0 && sizes.contains(&span.len)) else {
            continue;
        };
        if change.kind != ChangeKind::Added {
            continue;
        }
        let Ok(content) = fingerprints.of(spool.reader(span)) else { continue };
        if let Some(from) = gone.get_mut(&content).and_then(Vec::pop) {
            let to = changes[index].path.clone();
            changes[index].moved = Some(changes[from].path.clone());
            changes[from].moved = Some(to);
        }
    }
}
