//! What an agent did, brought home.

use std::path::Path;

use super::handle::Cage;
use crate::error::{RequestError, Result};
use crate::transfer::{
    self, Base, Changes, DiffOptions, Export, ExportOptions, Patches, Push, PushOptions, Tidied, TidyOptions,
};

impl Cage {
    /// Compares the project in the cage with a folder of the host, usually the one that it was created from.
    ///
    /// `.gitignore` files of both sides are respected, as data: a file that only the cage has and either side ignores
    /// is no part of the project. No git runs. Only what differs is read out of the cage.
    ///
    /// Environments, installed packages and caches are protected, and what the folder's `.cageprotect` files name, in
    /// the syntax and with the reach of `.gitignore` files: see [`Changes::protected`].
    ///
    /// What the host changed since the cage was created from it is no change of the cage: see [`Changes::changed_here`]
    /// and [`Hold::BothChanged`](crate::Hold::BothChanged). Which is which tells the commit that the creation, or the
    /// last push, left in the cage; it is read only where the host's files have changed, or are not those that were
    /// sent. An extra folder has no such commit, and one that is salvaged cannot be asked: there both count as having
    /// changed what the host changed.
    ///
    /// # Errors
    /// - [`RequestError::Project`] when the folder cannot be read, [`IoError`](crate::IoError) when something in it
    ///   cannot, or the disk for temporary files is full.
    /// - [`CageError`](crate::CageError) when the cage is gone, answers nonsense, or sends more than the limits allow.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn diff(&self, dir: impl AsRef<Path>) -> Result<Changes> {
        self.diff_with(dir, DiffOptions::default()).await
    }

    /// Compares like [`Cage::diff`], with more looked at.
    ///
    /// # Errors
    /// Like [`Cage::diff`].
    pub async fn diff_with(&self, dir: impl AsRef<Path>, options: DiffOptions) -> Result<Changes> {
        Box::pin(transfer::diff(&self.place, dir.as_ref(), options, &self.memory())).await
    }

    /// Writes changes into a folder, adding and replacing files but deleting none, and nothing that is held back.
    ///
    /// What is written is what [`Cage::diff`] read. A file that the host changed, too, since the cage was created, the
    /// last push or the last export of it, or that it changed since the diff, is left as it is and reported as a
    /// conflict; one that the host alone changed is left without a word. A missing folder is created, and removed again
    /// on failure. A
    /// `.gitignore` that is replaced is kept beside the new one.
    ///
    /// What was exported is remembered where the cursors are: see [`Host::with_cursors`](crate::Host::with_cursors).
    /// Where it is not known any more, a file that was exported and then changed in the cage counts as changed by both.
    ///
    /// # Errors
    /// - [`RequestError::ForeignChanges`] when the changes come from another cage.
    /// - [`RequestError::Invalid`] when a path was chosen at which nothing differs, or a `.cageprotect` is too large.
    /// - [`IoError`](crate::IoError) when something cannot be written. A full disk shows before the first file is
    ///   replaced, and leaves the folder as it was. After any failure each file is either the old or the new one, and
    ///   the export can be repeated.
    pub async fn export(&self, dir: impl AsRef<Path>, changes: &Changes) -> Result<Export> {
        self.export_with(dir, changes, ExportOptions::default()).await
    }

    /// Writes changes into a folder like [`Cage::export`], with more allowed.
    ///
    /// # Errors
    /// Like [`Cage::export`].
    pub async fn export_with(
        &self,
        dir: impl AsRef<Path>,
        changes: &Changes,
        options: ExportOptions,
    ) -> Result<Export> {
        if *changes.cage() != self.place.name {
            let (from, asked) = (changes.cage().to_string(), self.place.name.to_string());
            return Err(RequestError::ForeignChanges { from, asked }.into());
        }
        transfer::export(changes, dir.as_ref(), options, &self.memory()).await
    }

    /// Reads the commits that the agent made behind a base, with all that is needed to judge them and to take them
    /// over.
    ///
    /// git runs inside the cage only, and what it prints is believed no more than a listing: paths, modes, sizes and
    /// texts pass the checks of an export.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] when the cage does not have the base.
    /// - [`CageError`](crate::CageError) when the cage is gone or has no git, answers nonsense, or has more than 1,000
    ///   commits, 100,000 changed files or 1 GiB of contents in them.
    /// - [`IoError`](crate::IoError) when the disk for temporary files is full.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn patches(&self, base: Base) -> Result<Patches> {
        transfer::read_patches(&self.place, &base).await
    }

    /// Brings into the cage what changed in a folder of the host since the cage was created from it, or since the last
    /// push. What the cage changed too is left as it is there and reported as a conflict.
    ///
    /// Files that `.gitignore` or a protection names stay outside, and so do links. Nothing is deleted. In the cage the
    /// files lie in the working tree, not committed.
    ///
    /// # Errors
    /// - Like [`Cage::diff`], which comes first.
    /// - [`IoError`](crate::IoError) when a file of the host cannot be read.
    /// - [`CageError`](crate::CageError) when the cage is stopped, or its disk is full; some files may then have been
    ///   written, and the push can be repeated.
    pub async fn push(&self, dir: impl AsRef<Path>) -> Result<Push> {
        self.push_with(dir, &PushOptions::default()).await
    }

    /// Brings in files like [`Cage::push`], chosen ones or with more allowed.
    ///
    /// # Errors
    /// Like [`Cage::push`], and [`RequestError::Invalid`] when a path was chosen at which nothing differs.
    pub async fn push_with(&self, dir: impl AsRef<Path>, options: &PushOptions) -> Result<Push> {
        transfer::push(&self.place, dir.as_ref(), options, &self.memory()).await
    }

    /// Removes caches from the project in the cage: `__pycache__`, `.pytest_cache`, `.mypy_cache`, `.ruff_cache`,
    /// `.hypothesis`, `.parcel-cache`, `.turbo` and `node_modules/.cache`, and with
    /// [`TidyOptions::builds`] what Cargo built.
    ///
    /// # Errors
    /// - [`CageError`](crate::CageError) when the cage is stopped or gone, or a folder cannot be removed.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn tidy(&self, options: TidyOptions) -> Result<Tidied> {
        transfer::tidy(&self.place, options).await
    }
}
