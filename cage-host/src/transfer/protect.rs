//! Paths of a host's folder that an export leaves alone, whatever the cage has there.

use std::io::{self, Read as _};
use std::path::Path;

use cap_std::fs::Dir;

use super::agent_run::folded;
use super::beneath::open_beneath;
use super::rules::{KnownFolders, MAX_RULES_BYTES, Rules};
use super::safe_path::SafePath;
use crate::error::{IoContext as _, RequestError, Result};
use crate::sanitize::sanitize;

/// Longest pattern that a caller adds, in bytes: no path is longer.
const MAX_PATTERN_BYTES: usize = 4_096;

/// The host's own file of protected paths, at the top of a folder, in the syntax of a `.gitignore`.
pub(super) const PROTECT_FILE: &str = ".cageprotect";

/// Folders that tools fill and that fit one machine only: environments with absolute paths, installed packages with
/// native code, caches.
const FOLDERS: [&str; 16] = [
    "venv",
    ".venv",
    "node_modules",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".tox",
    ".nox",
    ".cache",
    ".parcel-cache",
    ".turbo",
    ".gradle",
    ".eggs",
    ".ipynb_checkpoints",
];

/// What the name of a file that an export is writing begins with.
pub(super) const TEMPORARY_PREFIX: &str = ".cage-export-";

/// What the name of a file that was kept before its replacement holds.
pub(super) const BACKUP_MARK: &str = ".cage-backup";

/// Says whether a name is one that this library gives to files beside the project's own.
pub(super) fn is_own_file(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX) || name.contains(BACKUP_MARK)
}

/// What is protected in one folder of the host.
#[derive(Debug, Default)]
pub(super) struct Protection {
    rules: Rules,
    known: KnownFolders,
    folders: bool,
}

impl Protection {
    /// Reads the `.cageprotect` of a folder; `folders` says whether those that tools fill are protected too.
    pub(super) fn of(root: &Dir, dir: &Path, folders: bool) -> Result<Self> {
        Self::with_patterns(root, dir, folders, &[])
    }

    /// Reads the `.cageprotect` of a folder and adds patterns to it.
    pub(super) fn with_patterns(root: &Dir, dir: &Path, folders: bool, patterns: &[String]) -> Result<Self> {
        let mut rules = Rules::default();
        let mut text = read_protect_file(root, dir)?.unwrap_or_default();
        for pattern in patterns {
            text.extend(format!("\n{}", checked(pattern)?).bytes());
        }
        rules.add(Path::new(""), &text);
        Ok(Self { rules, known: KnownFolders::default(), folders })
    }

    /// Protects the folders that tools fill, and nothing that somebody named.
    pub(super) fn of_folders() -> Self {
        Self { folders: true, ..Self::default() }
    }

    /// Returns what protects a path: the path itself, or the topmost folder above it.
    pub(super) fn protecting(&mut self, path: &SafePath) -> Option<SafePath> {
        let name = path.split().1.to_string_lossy();
        if folded(&name) == PROTECT_FILE || is_own_file(&name) {
            return Some(path.clone());
        }
        path.prefixes().find(|prefix| {
            let is_folder = prefix != path;
            let by_name = || FOLDERS.iter().any(|folder| prefix.split().1 == *folder);
            (self.folders && is_folder && by_name()) || self.rules.exclude(prefix, is_folder, &mut self.known)
        })
    }
}

/// Refuses what would protect less than before, or nothing.
fn checked(pattern: &str) -> Result<String, RequestError> {
    let refused = |reason: &str| {
        let reason = format!("the pattern `{}` {reason}", sanitize(pattern));
        Err(RequestError::Invalid { what: "protection", reason })
    };
    match pattern.chars().next() {
        _ if pattern.trim().is_empty() => refused("is empty"),
        _ if pattern.len() > MAX_PATTERN_BYTES => refused("is too long"),
        _ if pattern.chars().any(char::is_control) => refused("holds a control character"),
        Some('!') => refused("begins with `!`, which would take a protection away"),
        // Otherwise it would be a remark.
        Some('#') => Ok(format!("\\{pattern}")),
        _ => Ok(pattern.to_owned()),
    }
}

fn read_protect_file(root: &Dir, dir: &Path) -> Result<Option<Vec<u8>>> {
    let path = dir.join(PROTECT_FILE);
    let Ok(name) = SafePath::new(PROTECT_FILE.as_bytes()) else { return Ok(None) };
    let file = match open_beneath(root, &name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.context("read", &path)?,
    };
    let mut text = Vec::new();
    file.take(MAX_RULES_BYTES + 1).read_to_end(&mut text).context("read", &path)?;
    if text.len() as u64 > MAX_RULES_BYTES {
        // Passing over it would take away a protection that somebody counts on.
        let reason = format!("`{}` is larger than {MAX_RULES_BYTES} bytes", path.display());
        return Err(RequestError::Invalid { what: "protection", reason }.into());
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    fn protecting(text: Option<&str>, folders: bool, path: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            std::fs::write(dir.path().join(PROTECT_FILE), text).unwrap();
        }
        let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        let mut protection = Protection::of(&root, dir.path(), folders).unwrap();
        let found = protection.protecting(&SafePath::new(path.as_bytes()).unwrap());
        found.map(|path| path.as_path().display().to_string())
    }

    #[test]
    fn protects_the_topmost_folder_that_tools_fill() {
        let top = protecting(None, true, "web/node_modules/a/node_modules/b.js");
        assert_eq!(top.as_deref(), Some("web/node_modules"));
        assert_eq!(protecting(None, true, "a/__pycache__/x.pyc").as_deref(), Some("a/__pycache__"));
        assert_eq!(protecting(None, true, "venv"), None, "a file of that name is an ordinary one");
        assert_eq!(protecting(None, false, "node_modules/a.js"), None, "unless it is asked for");
    }

    #[test]
    fn protects_what_the_hosts_own_file_names() {
        let rules = Some("secrets/\n*.pem\n!public.pem\n");
        assert_eq!(protecting(rules, true, "secrets/deep/key").as_deref(), Some("secrets"));
        assert_eq!(protecting(rules, false, "a/b.pem").as_deref(), Some("a/b.pem"));
        assert_eq!(protecting(rules, true, "public.pem"), None);
        assert_eq!(protecting(rules, true, "src/main.rs"), None);
    }

    fn with_patterns(text: &str, patterns: &[&str], path: &str) -> Result<bool> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(PROTECT_FILE), text).unwrap();
        let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        let mut protection = Protection::with_patterns(&root, dir.path(), true, &patterns)?;
        Ok(protection.protecting(&SafePath::new(path.as_bytes()).unwrap()).is_some())
    }

    #[test]
    fn protects_what_a_caller_adds_beside_what_the_file_names() {
        for path in ["key.pem", "docs/a.md", "#odd"] {
            assert!(with_patterns("*.pem", &["docs/", "#odd"], path).unwrap(), "{path}");
        }
        assert!(!with_patterns("*.pem", &["docs/"], "src/a.md").unwrap());
    }

    #[test]
    fn rejects_a_pattern_that_would_protect_less_or_nothing() {
        let long = "x".repeat(5_000);
        for pattern in ["!key.pem", "", "  ", "a\n!b", long.as_str()] {
            assert!(with_patterns("*.pem", &[pattern], "x").is_err(), "{pattern:?}");
        }
        let error = with_patterns("", &["!key.pem"], "x").unwrap_err();
        insta::assert_snapshot!(error, @"invalid protection: the pattern `!key.pem` begins with `!`, which would take a protection away");
    }

    #[test]
    fn protects_the_file_itself_and_what_exports_keep() {
        for path in [".cageprotect", "sub/.CAGEPROTECT", ".gitignore.cage-backup", ".cage-export-1-0"] {
            assert_eq!(protecting(None, false, path).as_deref(), Some(path));
        }
    }

    #[test]
    fn rejects_a_file_of_rules_that_is_too_large() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(PROTECT_FILE), "#".repeat(300_000)).unwrap();
        let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        let error = Protection::of(&root, Path::new("/p"), true).unwrap_err();
        insta::assert_snapshot!(error, @"invalid protection: `/p/.cageprotect` is larger than 262144 bytes");
    }
}
