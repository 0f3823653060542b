//! What a cage offered and the host did not take.

use std::fmt::Display;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::sanitize::sanitize_path;

/// Refusals kept one by one; of more only the number is kept, so that a hostile cage cannot fill the memory.
const MAX_KEPT: usize = 1_000;

/// Bytes kept of a path; the end of a longer one says nothing more.
const MAX_PATH_BYTES: usize = 256;

/// Something that was refused, in text that is safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedPath {
    /// The path as the cage gave it, sanitized; of a long one the first 256 bytes and `…`.
    pub path: String,
    /// Why it was refused.
    pub reason: String,
}

/// A bounded list of refusals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    kept: Vec<RefusedPath>,
    uncounted: usize,
}

impl Refused {
    pub(crate) fn add(&mut self, path: &[u8], reason: impl Display) {
        if self.kept.len() < MAX_KEPT {
            let (path, more) = path.split_at(path.len().min(MAX_PATH_BYTES));
            let mut path = sanitize_path(Path::new(std::ffi::OsStr::from_bytes(path)));
            if !more.is_empty() {
                path.push('…');
            }
            self.kept.push(RefusedPath { path, reason: reason.to_string() });
        } else {
            self.uncounted += 1;
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        let room = MAX_KEPT.saturating_sub(self.kept.len());
        self.uncounted += other.uncounted + other.kept.len().saturating_sub(room);
        self.kept.extend(other.kept.into_iter().take(room));
    }

    pub(crate) fn shown(&self) -> &[RefusedPath] {
        &self.kept
    }

    /// Returns how many there were beyond those that are kept.
    pub(crate) fn uncounted(&self) -> usize {
        self.uncounted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_bounded_number_and_counts_the_rest() {
        let mut refused = Refused::default();
        for _ in 0..MAX_KEPT + 5 {
            refused.add(b"a\x1b", "because");
        }
        refused.extend(refused.clone());
        assert_eq!((refused.shown().len(), refused.uncounted()), (MAX_KEPT, MAX_KEPT + 10));
        assert_eq!(refused.shown()[0].path, "a\\u{1b}");
    }
}
