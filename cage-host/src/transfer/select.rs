//! A choice among paths.

use std::path::{Path, PathBuf};

use super::safe_path::SafePath;
use crate::error::{RequestError, Result};
use crate::sanitize::sanitize_path;

/// All paths, or those that somebody named, each with everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selection(Option<Vec<PathBuf>>);

impl Selection {
    pub(super) fn only<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self(Some(paths.into_iter().map(Into::into).collect()))
    }

    pub(super) fn takes(&self, path: &SafePath) -> bool {
        self.0.as_ref().is_none_or(|chosen| chosen.iter().any(|chosen| path.as_path().starts_with(chosen)))
    }

    /// Says whether a path was named itself, and not only a folder that it lies in.
    pub(super) fn names(&self, path: &SafePath) -> bool {
        self.0.iter().flatten().any(|chosen| chosen == path.as_path())
    }

    /// Refuses a choice that nothing answers to: it is most likely a slip of the pen.
    pub(super) fn check<'a>(&self, mut paths: impl Iterator<Item = &'a SafePath> + Clone) -> Result<()> {
        let missed = |chosen: &&PathBuf| !paths.clone().any(|path| path.as_path().starts_with(chosen));
        match self.0.iter().flatten().find(missed) {
            None => Ok(()),
            Some(missed) => Err(no_such_change(missed, paths.next().is_none())),
        }
    }
}

fn no_such_change(path: &Path, nothing: bool) -> crate::Error {
    let rest = if nothing { "; nothing at all differs" } else { "" };
    let reason = format!("nothing differs at `{}`{rest}", sanitize_path(path));
    RequestError::Invalid { what: "path", reason }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SafePath {
        SafePath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn takes_a_file_by_its_name_and_a_folder_with_all_in_it() {
        let chosen = Selection::only(["a.rs", "src"]);
        let taken = ["a.rs", "src/b.rs", "src2/c", "b"].map(|name| chosen.takes(&path(name)));
        assert_eq!(taken, [true, true, false, false]);
        assert!(Selection::default().takes(&path("anything")));
        let named = ["a.rs", "src/b.rs", "src"].map(|name| chosen.names(&path(name)));
        assert_eq!((named, Selection::default().names(&path("a"))), ([true, false, true], false));
    }

    #[test]
    fn rejects_a_choice_that_nothing_answers_to() {
        let paths = [path("a"), path("b/c")];
        Selection::only(["b"]).check(paths.iter()).unwrap();
        let error = Selection::only(["b", "typo"]).check(paths.iter()).unwrap_err();
        insta::assert_snapshot!(error, @"invalid path: nothing differs at `typo`");
    }
}
