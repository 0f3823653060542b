//! Where a project is cloned from.

use std::fmt;

use url::Url;

use crate::error::RequestError;

/// Longest branch name, in bytes: what a file system takes for one name, which git makes of it.
const BRANCH_BYTES_MAX: usize = 255;

/// Digits of an abbreviated and of a whole commit id.
const REVISION_DIGITS: std::ops::RangeInclusive<usize> = 7..=64;

/// A git repository to clone, and what of it to check out.
///
/// Addresses may begin with `https://`, `http://`, `git://` or `ssh://`, or have the short form of ssh,
/// `git@github.com:owner/repo.git`. Both ssh forms become https, since there is no ssh key in a cage. A credential in
/// an address is refused and not shown.
///
/// ```
/// use cage_host::{CageSpec, GitRepo};
///
/// let newest = CageSpec::from_git("demo", "git@github.com:owner/repo.git");
/// let chosen = CageSpec::from_git("demo-2", GitRepo::new("https://github.com/owner/repo").branch("v2"));
/// # drop((newest, chosen));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct GitRepo {
    address: String,
    branch: Option<String>,
    revision: Option<String>,
}

/// A [`GitRepo`] that has passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CloneSource {
    /// An address with no credential in it.
    pub(crate) url: String,
    pub(crate) branch: Option<String>,
    pub(crate) revision: Option<String>,
}

impl GitRepo {
    /// Names a repository by its address.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), branch: None, revision: None }
    }

    /// Checks out a branch or a tag instead of the repository's default branch.
    pub fn branch(mut self, branch: impl Into<String>) -> Self {
        self.branch = Some(branch.into());
        self
    }

    /// Sets the branch back to a commit, named by 7 to 64 hexadecimal digits of its id.
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    pub(crate) fn check(self) -> Result<CloneSource, RequestError> {
        let url = cloneable(&self.address)?;
        if let Some(branch) = &self.branch {
            check_branch(branch)?;
        }
        if let Some(revision) = &self.revision {
            check_revision(revision)?;
        }
        Ok(CloneSource { url, branch: self.branch, revision: self.revision })
    }
}

impl From<&str> for GitRepo {
    fn from(address: &str) -> Self {
        Self::new(address)
    }
}

impl From<String> for GitRepo {
    fn from(address: String) -> Self {
        Self::new(address)
    }
}

impl fmt::Debug for GitRepo {
    /// Leaves the address out as long as it has not been checked for credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = cloneable(&self.address).unwrap_or_else(|_| "(refused)".to_owned());
        f.debug_struct("GitRepo")
            .field("address", &address)
            .field("branch", &self.branch)
            .field("revision", &self.revision)
            .finish()
    }
}

/// Returns the address under which a cage can clone. No error shows the address: it may hold a credential.
fn cloneable(address: &str) -> Result<String, RequestError> {
    // `Url` would quietly drop some of them.
    if address.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(refused("it holds a blank or a control character"));
    }
    let written_out = match short_ssh(address) {
        Some((host, path)) => format!("https://{host}/{}", path.trim_start_matches('/')),
        None => address.to_owned(),
    };
    let url = Url::parse(&written_out).map_err(|_| refused(NO_ADDRESS))?;
    check_credentials(&url)?;
    match url.scheme() {
        "https" | "http" | "git" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(url.into()),
        "ssh" => from_ssh(&url),
        "file" => Err(refused("a folder of this machine is given with `CageSpec::from_dir`")),
        _ => Err(refused(NO_ADDRESS)),
    }
}

const NO_ADDRESS: &str =
    "use for example https://github.com/owner/repo.git; https, http, git and ssh are understood";

/// Splits `user@host:path`, which is no URL.
fn short_ssh(address: &str) -> Option<(&str, &str)> {
    if address.contains("://") {
        return None;
    }
    let (host, path) = address.split_once(':')?;
    let (user, host) = host.split_once('@')?;
    let plain = !user.is_empty() && !host.is_empty() && !host.contains('/') && !path.is_empty();
    plain.then_some((host, path))
}

fn check_credentials(url: &Url) -> Result<(), RequestError> {
    // The user of an ssh address is an account name, that of the others is often a token.
    let user = !url.username().is_empty() && url.scheme() != "ssh";
    if user || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(refused(
            "it holds a credential, or parameters that may be one; only repositories that need no sign-in can be \
             cloned, others with git on the host and `CageSpec::from_dir`",
        ));
    }
    Ok(())
}

fn from_ssh(url: &Url) -> Result<String, RequestError> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| refused(NO_ADDRESS))?;
    if url.port().is_some_and(|port| port != 22) {
        return Err(refused("it names a port of ssh, which says nothing about https; use the https address"));
    }
    Ok(format!("https://{host}{}", url.path()))
}

fn refused(reason: &str) -> RequestError {
    RequestError::Invalid { what: "repository address", reason: reason.to_owned() }
}

/// The part of git's own rules that keeps a name from being taken for anything else.
fn check_branch(branch: &str) -> Result<(), RequestError> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let wrong = branch.is_empty()
        || branch.len() > BRANCH_BYTES_MAX
        || branch.starts_with(['-', '/'])
        || branch.contains("..")
        || branch.contains(odd);
    if wrong {
        return Err(RequestError::Invalid {
            what: "branch",
            reason: format!("{branch:?} is no branch name"),
        });
    }
    Ok(())
}

fn check_revision(revision: &str) -> Result<(), RequestError> {
    if REVISION_DIGITS.contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let reason =
        format!("{revision:?} is no commit id; use 7 to 64 hexadecimal digits, or name a branch or tag");
    Err(RequestError::Invalid { what: "revision", reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> Result<String, RequestError> {
        GitRepo::new(address).check().map(|source| source.url)
    }

    #[test]
    fn accepts_addresses_and_turns_ssh_into_https() {
        for (address, cloned) in [
            ("https://github.com/o/r.git", "https://github.com/o/r.git"),
            ("http://10.0.0.1:8080/r", "http://10.0.0.1:8080/r"),
            ("git://host/r", "git://host/r"),
            ("git@github.com:o/r.git", "https://github.com/o/r.git"),
            ("git@github.com:/o/r.git", "https://github.com/o/r.git"),
            ("ssh://git@github.com/o/r.git", "https://github.com/o/r.git"),
            ("ssh://git@github.com:22/o/r.git", "https://github.com/o/r.git"),
        ] {
            assert_eq!(url(address).as_deref(), Ok(cloned), "{address}");
        }
    }

    #[test]
    fn rejects_a_credential_without_showing_it() {
        for address in [
            "https://the-key@github.com/o/r",
            "https://user:the-key@github.com/o/r",
            "https://:the-key@github.com/o/r",
            "ssh://git:the-key@github.com/o/r",
            "https://github.com/o/r?token=the-key",
            "https://github.com/o/r#the-key",
            "git:the-key@github.com:o/r",
            "https://github.com/ the-key",
            "the-key",
        ] {
            let error = url(address).unwrap_err().to_string();
            assert!(!error.contains("the-key"), "{error}");
            let shown = format!("{:?}", GitRepo::new(address));
            assert!(!shown.contains("the-key"), "{shown}");
        }
    }

    #[test]
    fn rejects_what_is_no_address_of_a_repository() {
        insta::assert_snapshot!(url("../repo").unwrap_err(), @"invalid repository address: use for example https://github.com/owner/repo.git; https, http, git and ssh are understood");
        insta::assert_snapshot!(url("file:///srv/repo").unwrap_err(), @"invalid repository address: a folder of this machine is given with `CageSpec::from_dir`");
        insta::assert_snapshot!(url("ssh://git@host:2222/r").unwrap_err(), @"invalid repository address: it names a port of ssh, which says nothing about https; use the https address");
        for address in
            ["", "-u", "--upload-pack=x", "ext::sh -c id", "ext::id", "https://", "git:///r", "a\nb"]
        {
            assert!(url(address).is_err(), "{address:?}");
        }
    }

    #[test]
    fn rejects_branches_and_revisions_that_could_mean_something_else() {
        let repo = || GitRepo::new("https://github.com/o/r");
        for branch in ["", "-b", "a b", "a..b", "a:b", "/a", "a\u{1b}"] {
            assert!(repo().branch(branch).check().is_err(), "{branch:?}");
        }
        for revision in ["", "HEAD", "--all", "abc", "xyz1234", &"a".repeat(65)] {
            assert!(repo().revision(revision).check().is_err(), "{revision:?}");
        }
        assert!(repo().branch("feature/x-1").revision("0123abcDEF").check().is_ok());
    }
}
