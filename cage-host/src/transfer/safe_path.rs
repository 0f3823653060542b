//! Paths that stay inside a folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Longest path below a project, in bytes: what Linux allows for a whole path.
const MAX_PATH_BYTES: usize = 4_096;

/// Longest component of a path, in bytes: what every common file system allows.
const MAX_COMPONENT_BYTES: usize = 255;

/// Deepest nesting of folders; legitimate projects stay far below.
const MAX_DEPTH: usize = 128;

/// A path below some folder: relative, without `.`, `..`, empty components or NUL, of bounded length and depth.
///
/// It can hold any other byte, also a line feed: show it through [`crate::sanitize_path`]. The order is that of the
/// bytes, as in git: comparing two [`Path`]s takes them apart each time, three quarters of what a diff computed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SafePath(OsString);

/// Why bytes are no [`SafePath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("the path is empty")]
    Empty,
    #[error("the path is absolute")]
    Absolute,
    #[error("the path holds a `.`, a `..` or an empty component")]
    NotNormal,
    #[error("the path holds a NUL")]
    Nul,
    #[error("the path or a part of it is too long")]
    TooLong,
    #[error("the path is nested too deeply")]
    TooDeep,
}

impl SafePath {
    /// Checks the bytes of a path that somebody else wrote.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.is_empty() {
            return Err(PathError::Empty);
        }
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        if bytes.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        if bytes.starts_with(b"/") {
            return Err(PathError::Absolute);
        }
        let mut depth = 0;
        for component in bytes.split(|&byte| byte == b'/') {
            depth += 1;
            match component {
                b"" | b"." | b".." => return Err(PathError::NotNormal),
                long if long.len() > MAX_COMPONENT_BYTES => return Err(PathError::TooLong),
                _ => {}
            }
        }
        if depth > MAX_DEPTH {
            return Err(PathError::TooDeep);
        }
        Ok(Self(OsString::from_vec(bytes.to_vec())))
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns the components from the top down.
    pub(crate) fn components(&self) -> impl Iterator<Item = &OsStr> {
        self.as_path().iter()
    }

    /// Returns the folders that it lies in from the top down, and then itself.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = Self> {
        let mut prefix = PathBuf::new();
        self.components().map(move |component| {
            prefix.push(component);
            Self(prefix.clone().into())
        })
    }

    /// Returns the folder it lies in as a path, empty at the top, and its last component.
    pub(crate) fn split(&self) -> (&Path, &OsStr) {
        let bytes = self.as_bytes();
        let name_at = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let folder = &bytes[..name_at.saturating_sub(1)];
        (Path::new(OsStr::from_bytes(folder)), OsStr::from_bytes(&bytes[name_at..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_ordinary_and_odd_but_harmless_paths() {
        for path in ["a", "a/b.c", "..a/b..", "ä/ö", "a\nb", "-rf", " ", "a\\..\\b"] {
            assert_eq!(SafePath::new(path.as_bytes()).map(|p| p.0), Ok(OsString::from(path)), "{path:?}");
        }
        assert!(SafePath::new(b"\xff\xfe").is_ok());
    }

    #[test]
    fn splits_into_folder_and_name() {
        let split = |path: &[u8]| {
            let path = SafePath::new(path).unwrap();
            let (folder, name) = path.split();
            (folder.display().to_string(), name.display().to_string())
        };
        assert_eq!(split(b"a/bc/d"), ("a/bc".to_owned(), "d".to_owned()));
        assert_eq!(split(b"a/b"), ("a".to_owned(), "b".to_owned()));
        assert_eq!(split(b"a"), (String::new(), "a".to_owned()));
    }

    #[test]
    fn names_each_folder_on_its_way() {
        let path = SafePath::new(b"a/b/c").unwrap();
        let prefixes: Vec<_> = path.prefixes().map(|prefix| prefix.as_path().display().to_string()).collect();
        assert_eq!(prefixes, ["a", "a/b", "a/b/c"]);
    }

    #[test]
    fn rejects_whatever_could_leave_its_folder() {
        let cases: [(&[u8], PathError); 10] = [
            (b"", PathError::Empty),
            (b"/", PathError::Absolute),
            (b"/etc/passwd", PathError::Absolute),
            (b"..", PathError::NotNormal),
            (b"a/../../b", PathError::NotNormal),
            (b"./a", PathError::NotNormal),
            (b"a//b", PathError::NotNormal),
            (b"a/", PathError::NotNormal),
            (b"a/.", PathError::NotNormal),
            (b"a\0b", PathError::Nul),
        ];
        for (path, error) in cases {
            assert_eq!(SafePath::new(path), Err(error), "{}", path.escape_ascii());
        }
    }

    #[test]
    fn rejects_what_is_too_long_or_too_deep() {
        assert_eq!(SafePath::new(&[b'a'; MAX_COMPONENT_BYTES + 1]), Err(PathError::TooLong));
        assert_eq!(SafePath::new("a/".repeat(MAX_PATH_BYTES).as_bytes()), Err(PathError::TooLong));
        assert_eq!(SafePath::new(format!("{}a", "a/".repeat(MAX_DEPTH)).as_bytes()), Err(PathError::TooDeep));
    }
}
