//! A cage's commits as a branch of a repository of the host.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::spawn_blocking;

use super::super::refused::RefusedPath;
use super::base_files::parse_tree;
use super::host_git::HostGit;
use super::id::ObjectId;
use super::patches::{Inner, Patches};
use super::sieve::{Allowance, Sieve};
use super::stream::{self, Allowed, Destination};
use crate::error::{EngineError, IoContext as _, RequestError, Result};
use crate::sanitize::{sanitize, sanitize_path};

/// Which branch commits are put on, and what may be in them.
///
/// ```
/// let options = cage_host::BranchOptions::new("cage/demo").base("main");
/// # drop(options);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct BranchOptions {
    name: String,
    base: String,
    allowed: Allowance,
}

impl BranchOptions {
    /// Names a branch that does not exist yet; it begins at `HEAD`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), base: "HEAD".to_owned(), allowed: Allowance::default() }
    }

    /// Begins at another commit of the host's repository, in any way that git can name one.
    pub fn base(mut self, base: impl Into<String>) -> Self {
        self.base = base.into();
        self
    }

    /// Takes files too that tools run without being asked: look at each of them first.
    pub fn agent_run(mut self, agent_run: bool) -> Self {
        self.allowed.agent_run = agent_run;
        self
    }

    /// Takes environments, installed packages and caches too; what a `.cageprotect` file names stays out.
    pub fn protected(mut self, protected: bool) -> Self {
        self.allowed.protected = protected;
        self
    }
}

/// A branch that was made. All paths are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Branch {
    /// Its name, without `refs/heads/`.
    pub name: String,
    /// The commit of the host that it begins at.
    pub base: String,
    /// Its newest commit.
    pub commit: String,
    /// How many commits it has on top of the base.
    pub commits: usize,
    /// Files whose first version in the cage is not the one in the base, so that what the branch shows for them is more
    /// than what the agent did. They had changes that were not committed when the cage was created, or the base is
    /// another one. The cage's word for it: a help to the reader, no proof.
    pub differs_from_base: Vec<String>,
    /// Files that were left out of the commits, and why; at most a thousand of them.
    pub left_out: Vec<RefusedPath>,
    /// How many more were left out.
    pub left_out_more: usize,
}

impl Patches {
    /// Makes a branch of a repository of the host out of the commits, touching neither its working tree nor its index.
    ///
    /// Nothing of the cage's repository comes over but contents, paths and texts that passed the checks: the host
    /// writes each commit anew, and its own git builds the objects, with no hook and no filter. Author, date and
    /// message are what the agent says; the committer is `cage`. Links, submodules and whatever is held back are left
    /// out, and so is a commit of which nothing is left. The repository can be named by any folder in its working tree:
    /// the paths of the commits are then taken to lie below that folder.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] when the folder is in no repository, the branch exists or git forbids its name, the
    ///   base is no commit, or no commit is left to put on it.
    /// - [`IoError`](crate::IoError) when git cannot be run, takes too long or fails; the branch then does not exist.
    ///
    /// ```no_run
    /// # async fn take(cage: &cage_host::Cage) -> cage_host::Result<()> {
    /// use cage_host::{Base, BranchOptions};
    ///
    /// let patches = cage.patches(Base::creation()).await?;
    /// let branch = patches.branch(".", &BranchOptions::new("cage/demo")).await?;
    /// println!("{} commits on {}", branch.commits, branch.name);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn branch(&self, repo: impl AsRef<Path>, options: &BranchOptions) -> Result<Branch> {
        let repo = repo.as_ref();
        let git = HostGit::new(repo);
        let spot = Spot::find(&git, repo, options).await?;
        let files = spot.base_files(&git).await?;
        let inner = Arc::clone(&self.inner);
        let (options, dir) = (options.clone(), repo.to_owned());
        let written = spawn_blocking(move || {
            let sieve = Sieve::new(&dir, &spot.prefix, options.allowed)?;
            write_stream(&inner, &spot, &options, sieve, &files).map(|stream| (stream, spot))
        });
        let (Written { file, mut branch }, spot) = written.await.map_err(|error| EngineError::Lost {
            operation: "write the commits",
            reason: error.to_string(),
        })??;
        git.feed(&["fast-import", "--quiet", "--date-format=raw", "--done"], file).await?;
        let made = git.ask(&["rev-parse", "--verify", "--quiet", &spot.reference]).await?;
        branch.commit = made.map(|made| sanitize(String::from_utf8_lossy(&made).trim())).unwrap_or_default();
        Ok(branch)
    }
}

/// A place for a branch in a repository of the host.
struct Spot {
    reference: String,
    base: ObjectId,
    /// What stands before every path of the cage, with its slash; empty at the top.
    prefix: Vec<u8>,
}

impl Spot {
    async fn find(git: &HostGit<'_>, repo: &Path, options: &BranchOptions) -> Result<Self> {
        let BranchOptions { name, base, .. } = options;
        let Some(prefix) = git.prefix().await? else {
            return Err(invalid("repository", format!("`{}` is in no git repository", repo.display())));
        };
        let reference = format!("refs/heads/{name}");
        if git.ask(&["check-ref-format", &reference]).await?.is_none() {
            return Err(invalid("branch", format!("git does not allow the name `{}`", sanitize(name))));
        }
        if git.ask(&["show-ref", "--verify", "--quiet", &reference]).await?.is_some() {
            let reason = format!("`{name}` exists already; choose another name, or delete it first");
            return Err(invalid("branch", reason));
        }
        match git.commit(base).await? {
            Some(base) => Ok(Self { reference, base, prefix }),
            None => Err(invalid("base", format!("`{}` is no commit of the repository", sanitize(base)))),
        }
    }

    /// Returns the name of each file's content in the base.
    async fn base_files(&self, git: &HostGit<'_>) -> Result<BTreeMap<Vec<u8>, ObjectId>> {
        let listing = git.ask(&["ls-tree", "-r", "-z", "--full-tree", self.base.as_str()]).await?;
        Ok(parse_tree(&listing.unwrap_or_default()))
    }
}

fn invalid(what: &'static str, reason: String) -> crate::Error {
    RequestError::Invalid { what, reason }.into()
}

/// A stream for `git fast-import`, and what it will make.
struct Written {
    file: std::fs::File,
    branch: Branch,
}

fn write_stream(
    inner: &Inner,
    spot: &Spot,
    options: &BranchOptions,
    mut sieve: Sieve,
    base_files: &BTreeMap<Vec<u8>, ObjectId>,
) -> Result<Written> {
    let mut commits = Vec::new();
    for patch in &inner.list {
        let files = sieve.files(patch)?;
        if !files.is_empty() {
            commits.push(Allowed { patch, files });
        }
    }
    if commits.is_empty() {
        return Err(invalid("branch", "no commit is left to put on it".to_owned()));
    }
    let branch = Branch {
        name: options.name.clone(),
        base: spot.base.to_string(),
        commit: String::new(),
        commits: commits.len(),
        differs_from_base: differing(&commits, base_files),
        left_out: sieve.left_out.shown().to_vec(),
        left_out_more: sieve.left_out.uncounted(),
    };
    Ok(Written { file: write_file(inner, spot, options, &commits)?, branch })
}

fn write_file(
    inner: &Inner,
    spot: &Spot,
    options: &BranchOptions,
    commits: &[Allowed<'_>],
) -> Result<std::fs::File> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let to = Destination { branch: &options.name, base: &spot.base, now };
    let written = || {
        let mut file = tempfile::tempfile()?;
        let mut out = BufWriter::new(&mut file);
        stream::write(&mut out, commits, &to, &inner.spool)?;
        out.flush()?;
        drop(out);
        file.rewind()?;
        Ok(file)
    };
    written().context("write a temporary file in", &std::env::temp_dir())
}

/// Lists the files whose first version in the cage is not that of the base.
fn differing(commits: &[Allowed<'_>], base_files: &BTreeMap<Vec<u8>, ObjectId>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut differing = Vec::new();
    for file in commits.iter().flat_map(|commit| &commit.files) {
        let before = file.blobs.old.as_ref();
        if seen.insert(&file.path) && before != base_files.get(file.path.as_bytes()) {
            differing.push(sanitize_path(file.path.as_path()));
        }
    }
    differing
}
