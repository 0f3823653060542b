//! A cage's commits as mails for `git am`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::super::refused::RefusedPath;
use super::host_git::HostGit;
use super::mail;
use super::mail_file::problem;
use super::patches::{Inner, Patch, Patches};
use super::sieve::{Allowance, Sieve};
use crate::error::{CageError, EngineError, IoContext as _, Result};

const WRITE: &str = "write the commits as mails";

/// Longest time for comparing all files of one commit; after it the rest is compared coarsely.
const TEXT_DEADLINE: Duration = Duration::from_secs(5);

/// Longest mail, in bytes: it is kept in memory.
const MAX_MAIL_BYTES: usize = 512 * 1024 * 1024;

/// What may be in the mails of [`Patches::series`].
///
/// ```
/// let options = cage_host::MailOptions::default().agent_run(true);
/// # drop(options);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct MailOptions(Allowance);

impl MailOptions {
    /// Takes files too that tools run without being asked: look at each of them first.
    pub fn agent_run(mut self, agent_run: bool) -> Self {
        self.0.agent_run = agent_run;
        self
    }

    /// Takes environments, installed packages and caches too; what a `.cageprotect` file names stays out.
    pub fn protected(mut self, protected: bool) -> Self {
        self.0.protected = protected;
        self
    }
}

/// Commits that become mails one by one.
#[derive(Debug)]
pub struct Series {
    inner: Arc<Inner>,
    sieve: Sieve,
    next: usize,
}

/// A commit as a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The commit.
    pub patch: Patch,
    /// All of it in the format of an mbox, as `git am` reads it, and safe to show.
    pub text: String,
}

impl Patches {
    /// Makes mails of the commits, for `git am` in a repository of the host.
    ///
    /// Like [`Patches::branch`] it takes from the cage contents, paths and texts that passed the checks, and writes the
    /// rest itself; what is held back, links and submodules are left out. Lines of a message that git would take for a
    /// patch are indented. Contents that are no plain text, also those with a carriage return, become binary patches.
    ///
    /// `repo` is the folder that the cage's project belongs to: its `.cageprotect` files count, and where it lies below
    /// the top of a repository, the paths do. It may be in no repository.
    ///
    /// ```no_run
    /// # async fn write(cage: &cage_host::Cage) -> cage_host::Result<()> {
    /// use cage_host::{Base, MailOptions};
    ///
    /// let mut series = cage.patches(Base::creation()).await?.series(".", MailOptions::default()).await?;
    /// while let Some(mail) = series.next().await? {
    ///     print!("{}", mail.text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`IoError`](crate::IoError) when git cannot be run or the folder cannot be read,
    /// [`RequestError::Invalid`](crate::RequestError::Invalid) when one of its `.cageprotect` files is too large.
    pub async fn series(&self, repo: impl AsRef<Path>, options: MailOptions) -> Result<Series> {
        let prefix = HostGit::new(repo.as_ref()).prefix().await?.unwrap_or_default();
        let sieve = Sieve::new(repo.as_ref(), &prefix, options.0)?;
        Ok(Series { inner: Arc::clone(&self.inner), sieve, next: 0 })
    }
}

impl Series {
    /// Returns the next mail, `None` at the end. A commit of which nothing is left has none.
    ///
    /// # Errors
    /// - [`CageError::TooMuch`] when it would have more than 512 MiB.
    /// - [`RequestError::Invalid`](crate::RequestError::Invalid) when a `.cageprotect` below the folder is too large.
    /// - [`IoError`](crate::IoError) when one cannot be read, or a temporary file.
    /// - [`EngineError`] when the runtime shuts down meanwhile.
    pub async fn next(&mut self) -> Result<Option<Mail>> {
        while self.next < self.inner.list.len() {
            let (inner, index) = (Arc::clone(&self.inner), self.next);
            self.next += 1;
            let mut sieve = std::mem::take(&mut self.sieve);
            let written = spawn_blocking(move || {
                let written = write(&inner, &inner.list[index], &mut sieve);
                (written, sieve)
            });
            let lost = |error: tokio::task::JoinError| EngineError::Lost {
                operation: WRITE,
                reason: error.to_string(),
            };
            let (written, sieve) = written.await.map_err(lost)?;
            self.sieve = sieve;
            if let Some(mail) = written? {
                return Ok(Some(mail));
            }
        }
        Ok(None)
    }

    /// Returns what was left out of the mails so far, and why; at most a thousand files.
    pub fn left_out(&self) -> &[RefusedPath] {
        self.sieve.left_out.shown()
    }

    /// Returns how many files were left out beyond those in [`Series::left_out`].
    pub fn left_out_more(&self) -> usize {
        self.sieve.left_out.uncounted()
    }
}

fn write(inner: &Inner, patch: &Patch, sieve: &mut Sieve) -> Result<Option<Mail>> {
    let mut files = sieve.files(patch)?;
    files.retain(|file| {
        let problem = problem(file);
        if let Some(problem) = problem {
            sieve.leave_out(file.change, problem);
        }
        problem.is_none()
    });
    if files.is_empty() {
        return Ok(None);
    }
    let deadline = Instant::now() + TEXT_DEADLINE;
    let text = mail::write(patch, &files, &inner.spool, deadline)
        .context("read a temporary file in", &std::env::temp_dir())?;
    if text.len() > MAX_MAIL_BYTES {
        let limit = MAX_MAIL_BYTES as u64;
        return Err(CageError::TooMuch { operation: WRITE, limit, unit: "bytes" }.into());
    }
    Ok(Some(Mail { patch: patch.clone(), text }))
}
