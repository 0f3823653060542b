//! Paths of a host's folder that an export leaves alone, whatever the cage has there.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;

use super::agent_run::folded;
use super::beneath::{is_in_the_way, open_beneath, open_folder};
use super::rules::{KnownFolders, MAX_RULES_BYTES, Rules};
use super::safe_path::SafePath;
use crate::error::{IoContext as _, RequestError, Result};
use crate::sanitize::sanitize;

/// Longest pattern that a caller adds, in bytes: no path is longer.
const MAX_PATTERN_BYTES: usize = 4_096;

/// The host's own file of protected paths, in any folder, in the syntax of a `.gitignore`.
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

/// Returns the topmost folder above a path that tools fill.
pub(super) fn filled_by_tools(path: &SafePath) -> Option<SafePath> {
    path.prefixes().find(|prefix| prefix != path && is_filled_by_tools(prefix))
}

fn is_filled_by_tools(folder: &SafePath) -> bool {
    FOLDERS.iter().any(|name| folder.split().1 == *name)
}

/// What is protected in one folder of the host.
#[derive(Debug, Default)]
pub(super) struct Protection {
    /// Where `.cageprotect` files lie, and its name for errors; `None` for no files.
    host: Option<(Dir, PathBuf)>,
    folders: bool,
    rules: Rules,
    /// The folders whose `.cageprotect` is among the rules, if they have one.
    read: HashSet<PathBuf>,
    known: KnownFolders,
    /// What the caller adds. No file takes any of it away.
    added: Rules,
    known_added: KnownFolders,
}

impl Protection {
    /// Protects what the `.cageprotect` files of a folder name; `folders` says whether those that tools fill are
    /// protected too.
    pub(super) fn of(root: &Dir, dir: &Path, folders: bool) -> Result<Self> {
        Self::with_patterns(root, dir, folders, &[])
    }

    /// Protects what patterns of the caller's name too.
    pub(super) fn with_patterns(root: &Dir, dir: &Path, folders: bool, patterns: &[String]) -> Result<Self> {
        let root = root.try_clone().context("open the folder", dir)?;
        let mut protection = Self { host: Some((root, dir.to_owned())), folders, ..Self::default() };
        if !patterns.is_empty() {
            let lines: Vec<_> = patterns.iter().map(|pattern| checked(pattern)).collect::<Result<_, _>>()?;
            protection.added.add(Path::new(""), lines.join("\n").as_bytes());
        }
        protection.read_rules_of(Path::new(""))?;
        Ok(protection)
    }

    /// Returns what protects a path: the path itself, or the topmost folder above it.
    pub(super) fn protecting(&mut self, path: &SafePath) -> Result<Option<SafePath>> {
        let (folder, name) = path.split();
        let name = name.to_string_lossy();
        if folded(&name) == PROTECT_FILE || is_own_file(&name) {
            return Ok(Some(path.clone()));
        }
        self.read_rules_above(folder)?;
        Ok(path.prefixes().find(|prefix| {
            let is_folder = prefix != path;
            (self.folders && is_folder && is_filled_by_tools(prefix))
                || self.rules.exclude(prefix, is_folder, &mut self.known)
                || self.added.exclude(prefix, is_folder, &mut self.known_added)
        }))
    }

    /// Reads the rules of a folder and of those that it lies in, the topmost first, so that no verdict on a folder is
    /// remembered before the rules above it are known.
    fn read_rules_above(&mut self, folder: &Path) -> Result<()> {
        if self.read.contains(folder) {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.read_rules_above(above)?;
        }
        self.read_rules_of(folder)
    }

    fn read_rules_of(&mut self, folder: &Path) -> Result<()> {
        if let Some((root, dir)) = &self.host
            && let Some(text) = read_protect_file(root, dir, folder)?
        {
            self.rules.add(folder, &text);
        }
        self.read.insert(folder.to_owned());
        Ok(())
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

fn read_protect_file(root: &Dir, dir: &Path, folder: &Path) -> Result<Option<Vec<u8>>> {
    let path = dir.join(folder).join(PROTECT_FILE);
    let opened = match open_folder(root, folder) {
        // Nothing is exported to where no folder can be.
        Err(error) if is_in_the_way(&error) => return Ok(None),
        opened => opened.context("open the folder of", &path)?,
    };
    let Ok(name) = SafePath::new(PROTECT_FILE.as_bytes()) else { return Ok(None) };
    let file = match open_beneath(&opened, &name) {
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

    /// A folder with these texts as the `.cageprotect` of these folders in it.
    fn host(rules: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (folder, text) in rules {
            let folder = dir.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(PROTECT_FILE), text).unwrap();
        }
        dir
    }

    fn protection(dir: &tempfile::TempDir, folders: bool) -> Protection {
        let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        Protection::of(&root, Path::new("/p"), folders).unwrap()
    }

    fn ask(protection: &mut Protection, path: &str) -> Option<String> {
        let found = protection.protecting(&SafePath::new(path.as_bytes()).unwrap()).unwrap();
        found.map(|path| path.as_path().display().to_string())
    }

    fn protecting(text: Option<&str>, folders: bool, path: &str) -> Option<String> {
        let dir = host(&text.map(|text| ("", text)).into_iter().collect::<Vec<_>>());
        ask(&mut protection(&dir, folders), path)
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
        Ok(protection.protecting(&SafePath::new(path.as_bytes()).unwrap())?.is_some())
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
    fn protects_what_a_caller_adds_whatever_a_file_takes_away() {
        for folder in ["", "a"] {
            let dir = host(&[(folder, "!*.pem\n")]);
            let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
            let added = ["*.pem".to_owned()];
            let mut protection = Protection::with_patterns(&root, dir.path(), false, &added).unwrap();
            assert_eq!(ask(&mut protection, "a/key.pem").as_deref(), Some("a/key.pem"), "{folder}");
        }
    }

    #[test]
    fn protects_the_file_itself_and_what_exports_keep() {
        for path in [".cageprotect", "sub/.CAGEPROTECT", ".gitignore.cage-backup", ".cage-export-1-0"] {
            assert_eq!(protecting(None, false, path).as_deref(), Some(path));
        }
    }

    #[test]
    fn protects_what_a_file_in_a_folder_names_below_that_folder() {
        let dir =
            host(&[("", "*.pem\nout/\n"), ("a", "!public.pem\n/key\n"), ("out", "!x\n"), ("a/b", "deep\n")]);
        let mut protection = protection(&dir, false);
        for (path, expected) in [
            ("a/public.pem", None),
            ("public.pem", Some("public.pem")),
            ("a/private.pem", Some("a/private.pem")),
            ("a/key", Some("a/key")),
            ("key", None),
            ("a/b/key", None),
            ("a/b/c/deep", Some("a/b/c/deep")),
            ("out/x", Some("out")),
            ("new/folder/file", None),
        ] {
            assert_eq!(ask(&mut protection, path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn follows_no_link_to_rules() {
        let dir = host(&[("real", "x\n")]);
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        assert_eq!(ask(&mut protection(&dir, false), "link/x"), None, "nothing can be exported there");
        std::fs::create_dir(dir.path().join("other")).unwrap();
        std::os::unix::fs::symlink("../real/.cageprotect", dir.path().join("other/.cageprotect")).unwrap();
        let path = SafePath::new(b"other/y").unwrap();
        assert!(protection(&dir, false).protecting(&path).is_err(), "somebody counts on these rules");
    }

    #[test]
    fn rejects_a_file_of_rules_that_is_too_large() {
        let large = "#".repeat(300_000);
        let root = |dir: &tempfile::TempDir| Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        let error = Protection::of(&root(&host(&[("", &large)])), Path::new("/p"), true).unwrap_err();
        insta::assert_snapshot!(error, @"invalid protection: `/p/.cageprotect` is larger than 262144 bytes");
        let error = protection(&host(&[("a/b", &large)]), true).protecting(&SafePath::new(b"a/b/c").unwrap());
        insta::assert_snapshot!(error.unwrap_err(), @"invalid protection: `/p/a/b/.cageprotect` is larger than 262144 bytes");
    }
}
