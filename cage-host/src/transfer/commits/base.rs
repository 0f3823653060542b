//! Behind which commit a list of patches begins.

use std::path::Path;

use super::host_git::HostGit;
use super::id::ObjectId;
use crate::error::{RequestError, Result};
use crate::sanitize::sanitize;

/// Behind which commit a list of patches begins.
///
/// ```
/// use cage_host::Base;
///
/// let all = Base::creation();
/// let later = Base::commit("0123456789012345678901234567890123456789").unwrap();
/// # drop((all, later));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    id: Option<ObjectId>,
    of_the_host: bool,
}

impl Base {
    /// Begins behind the commit that the cage's creation left.
    pub fn creation() -> Self {
        Self::default()
    }

    /// Begins behind a commit that is named as [`Patch::id`](crate::Patch::id) names it.
    ///
    /// # Errors
    /// [`RequestError::Invalid`] for anything but 40 or 64 hexadecimal digits.
    pub fn commit(id: &str) -> Result<Self> {
        let reason = || format!("`{}` is no commit's full hexadecimal name", sanitize(id));
        let id = ObjectId::new(id.as_bytes())
            .ok_or_else(|| RequestError::Invalid { what: "commit", reason: reason() })?;
        Ok(Self { id: Some(id), of_the_host: false })
    }

    /// Begins behind a revision of a repository of the host, in any way that git can name one, or else behind a commit
    /// of the cage like [`Base::commit`].
    ///
    /// A cage that was created from a folder does not have the commits of that folder's repository. Behind one of
    /// those lies all that its agent committed.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] for what is neither a revision there nor a commit's full hexadecimal name.
    /// - [`IoError`](crate::IoError) when git cannot be run or takes too long.
    pub async fn revision(repo: impl AsRef<Path>, revision: &str) -> Result<Self> {
        if let Some(id) = HostGit::new(repo.as_ref()).commit(revision).await? {
            return Ok(Self { id: Some(id), of_the_host: true });
        }
        let (shown, repo) = (sanitize(revision), repo.as_ref().display());
        let reason = format!(
            "`{shown}` is no revision of the repository at `{repo}` and no commit's full hexadecimal name"
        );
        Self::commit(revision).map_err(|_| RequestError::Invalid { what: "base", reason }.into())
    }

    /// Returns the name of the commit; empty for the one that the creation left.
    pub(super) fn id(&self) -> &str {
        self.id.as_ref().map(ObjectId::as_str).unwrap_or_default()
    }

    /// Says whether the cage may not have it.
    pub(super) fn is_of_the_host(&self) -> bool {
        self.of_the_host
    }
}
