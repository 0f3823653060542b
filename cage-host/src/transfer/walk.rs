//! Reading a project folder on the host.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::protect::is_own_file;
use super::safe_path::SafePath;
use crate::error::{IoContext as _, Result};

/// What lies at a path of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    File(FileStat),
    Folder,
    /// A symbolic link, with what it points to.
    Link(PathBuf),
    /// A socket, a FIFO or a device.
    Special,
}

/// What tells a changed file from an unchanged one without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStat {
    pub(crate) size: u64,
    /// Seconds since the epoch; tar headers keep no finer time.
    pub(crate) mtime: i64,
    pub(crate) executable: bool,
}

impl FileStat {
    /// Stands for what is no file.
    pub(crate) const NONE: Self = Self { size: 0, mtime: 0, executable: false };

    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), mtime: metadata.mtime(), executable: metadata.mode() & 0o100 != 0 }
    }
}

/// Calls `visit` for everything below `root` that belongs to the project, each folder before what is in it.
///
/// Links are not followed. `.git` is left out, what earlier exports kept or left behind, and what `.gitignore` files of
/// the folder itself exclude; rules from outside (a user's global excludes, parent folders) do not count, so that the
/// outcome depends on the folder alone. What vanishes during the walk is passed over.
pub(crate) fn walk(root: &Path, mut visit: impl FnMut(SafePath, Node) -> Result<()>) -> Result<()> {
    let walker = WalkBuilder::new(root)
        .standard_filters(false)
        .git_ignore(true)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|entry| {
            let name = entry.file_name();
            name != ".git" && !is_own_file(&name.to_string_lossy())
        })
        .build();
    for entry in walker {
        let entry = match entry {
            Ok(entry) if entry.depth() == 0 => continue,
            Ok(entry) => entry,
            Err(error) if is_vanished(&error) => continue,
            Err(error) => return Err(walk_error(root, &error)),
        };
        let path = entry.path();
        let name = SafePath::new(below(root, path))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
            .context("take", path)?;
        match node_at(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            node => visit(name, node.context("look at", path)?)?,
        }
    }
    Ok(())
}

/// Returns what the walker appended to the root, without taking the paths apart.
fn below<'a>(root: &Path, path: &'a Path) -> &'a [u8] {
    let path = path.as_os_str().as_bytes();
    let rest = path.strip_prefix(root.as_os_str().as_bytes()).unwrap_or(path);
    rest.strip_prefix(b"/").unwrap_or(rest)
}

fn node_at(path: &Path) -> io::Result<Node> {
    let metadata = path.symlink_metadata()?;
    let kind = metadata.file_type();
    Ok(if kind.is_file() {
        Node::File(FileStat::of(&metadata))
    } else if kind.is_dir() {
        Node::Folder
    } else if kind.is_symlink() {
        Node::Link(path.read_link()?)
    } else {
        Node::Special
    })
}

fn is_vanished(error: &ignore::Error) -> bool {
    error.depth() != Some(0) && error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn walk_error(root: &Path, error: &ignore::Error) -> crate::Error {
    let path = match error {
        ignore::Error::WithPath { path, .. } => path.clone(),
        ignore::Error::WithDepth { err, .. } => match &**err {
            ignore::Error::WithPath { path, .. } => path.clone(),
            _ => root.to_owned(),
        },
        _ => root.to_owned(),
    };
    // The walker's own text repeats the path; the system's error behind it does not.
    let source = match error.io_error().map(|error| (error.raw_os_error(), error.kind())) {
        Some((Some(code), _)) => io::Error::from_raw_os_error(code),
        Some((None, kind)) => kind.into(),
        None => io::Error::other(error.to_string()),
    };
    crate::error::IoError { operation: "read", path, source }.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(root: &Path) -> BTreeMap<String, Node> {
        let mut found = BTreeMap::new();
        walk(root, |path, node| {
            found.insert(path.as_path().to_string_lossy().into_owned(), node);
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn leaves_out_git_and_what_gitignore_excludes_at_every_level() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [".git", "build", "src/out"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join(".git/config"), "x").unwrap();
        fs::write(dir.path().join(".gitignore"), "/build\n*.log\n").unwrap();
        fs::write(dir.path().join("src/.gitignore"), "out/\n").unwrap();
        for file in ["a.rs", "a.log", "build/x", "src/out/y", "src/b.rs", ".hidden"] {
            fs::write(dir.path().join(file), "x").unwrap();
        }
        let found: Vec<_> = names(dir.path()).into_keys().collect();
        assert_eq!(found, [".gitignore", ".hidden", "a.rs", "src", "src/.gitignore", "src/b.rs"]);
    }

    #[test]
    fn sees_links_and_special_files_as_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/etc", dir.path().join("link")).unwrap();
        std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let found = names(dir.path());
        assert_eq!(found["link"], Node::Link("/etc".into()));
        assert_eq!(found["socket"], Node::Special);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn reports_a_folder_that_is_not_there() {
        let error = walk(Path::new("/no/such"), |_, _| Ok(())).unwrap_err();
        insta::assert_snapshot!(error, @"cannot read `/no/such`: entity not found");
    }
}
