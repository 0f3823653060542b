//! What of a commit may be taken over.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::super::changes::{Change, Hold};
use super::super::protect::Protection;
use super::super::refused::Refused;
use super::super::safe_path::SafePath;
use super::patches::{Blobs, Patch};
use crate::error::{IoContext as _, Result};

/// What may be taken over beyond ordinary files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) agent_run: bool,
    pub(super) protected: bool,
}

/// A changed file that is taken over.
pub(super) struct AllowedFile<'a> {
    /// Its path in the repository.
    pub(super) path: SafePath,
    pub(super) change: &'a Change,
    pub(super) blobs: &'a Blobs,
}

/// Keeps back what a folder of the host is not to get.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    allowance: Allowance,
    protection: Protection,
    /// What stands before every path of the cage, with its slash; empty at the top of the repository.
    prefix: Vec<u8>,
    pub(super) left_out: Refused,
}

impl Sieve {
    /// Respects the `.cageprotect` files of a folder.
    pub(super) fn new(dir: &Path, prefix: &[u8], allowance: Allowance) -> Result<Self> {
        let root = Dir::open_ambient_dir(dir, ambient_authority()).context("open the folder", dir)?;
        let protection = Protection::of(&root, dir, false)?;
        Ok(Self { allowance, protection, prefix: prefix.to_owned(), left_out: Refused::default() })
    }

    /// Returns the files of a commit that are taken over, and notes the others.
    pub(super) fn files<'a>(&mut self, patch: &'a Patch) -> Result<Vec<AllowedFile<'a>>> {
        let files = patch.files.iter().zip(&patch.blobs);
        files.filter_map(|(change, blobs)| self.file(change, blobs).transpose()).collect()
    }

    fn file<'a>(&mut self, change: &'a Change, blobs: &'a Blobs) -> Result<Option<AllowedFile<'a>>> {
        if let Err(hold) = self.allowance.check(change) {
            self.leave_out(change, &hold.to_string());
        } else if self.protection.protecting(&change.path)?.is_some() {
            self.leave_out(change, "the folder's `.cageprotect` names it");
        } else if let Ok(path) = SafePath::new(&[&self.prefix, change.path.as_bytes()].concat()) {
            return Ok(Some(AllowedFile { path, change, blobs }));
        } else {
            self.leave_out(change, "its path in the repository is too long");
        }
        Ok(None)
    }

    /// Notes a file that is not taken over.
    pub(super) fn leave_out(&mut self, change: &Change, reason: &str) {
        self.left_out.add(change.path.as_bytes(), reason);
    }
}

impl Allowance {
    fn check(self, change: &Change) -> Result<(), Hold> {
        match change.hold {
            Some(Hold::AgentRun) if self.agent_run => Ok(()),
            Some(Hold::Protected) if self.protected => Ok(()),
            Some(hold) => Err(hold),
            None => Ok(()),
        }
    }
}
