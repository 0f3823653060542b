//! `.gitignore` files as data: nothing is run and no file is opened here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::safe_path::SafePath;

/// Largest `.gitignore` that counts, in bytes. A larger one has no rules: a few megabytes of patterns would take
/// seconds and gigabytes to compile.
pub(super) const MAX_RULES_BYTES: u64 = 256 * 1024;

/// The name of a file with rules.
pub(super) const FILE_NAME: &str = ".gitignore";

/// Stands before every path here, so that a folder's rules have an absolute place to begin at.
const ROOT: &str = "/";

/// The `.gitignore` files of one tree.
#[derive(Debug, Default)]
pub(super) struct Rules {
    by_folder: HashMap<PathBuf, Gitignore>,
}

impl Rules {
    /// Takes the text of the `.gitignore` of a folder; lines that make no sense have no effect, as in git.
    pub(super) fn add(&mut self, folder: &Path, text: &[u8]) {
        let folder = Path::new(ROOT).join(folder);
        let mut builder = GitignoreBuilder::new(&folder);
        for line in String::from_utf8_lossy(text).lines() {
            let _ = builder.add_line(None, line);
        }
        if let Ok(rules) = builder.build() {
            self.by_folder.insert(folder, rules);
        }
    }

    /// Says whether the rules exclude a path, or a folder that it lies in.
    pub(super) fn exclude(&self, path: &SafePath, is_folder: bool, known: &mut KnownFolders) -> bool {
        if self.by_folder.is_empty() {
            return false;
        }
        let path = Path::new(ROOT).join(path.as_path());
        let folder = path.parent().unwrap_or(Path::new(ROOT));
        self.exclude_folder(folder, known) || self.verdict(&path, is_folder)
    }

    /// What git never enters cannot be taken back by a rule inside it.
    fn exclude_folder(&self, folder: &Path, known: &mut KnownFolders) -> bool {
        if let Some(&verdict) = known.0.get(folder) {
            return verdict;
        }
        let verdict = folder
            .parent()
            .is_some_and(|parent| self.exclude_folder(parent, known) || self.verdict(folder, true));
        known.0.insert(folder.to_owned(), verdict);
        verdict
    }

    /// Returns what the nearest folder with an opinion says.
    fn verdict(&self, path: &Path, is_folder: bool) -> bool {
        for folder in path.ancestors().skip(1) {
            let Some(rules) = self.by_folder.get(folder) else { continue };
            match rules.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

/// Folders that have been judged already, so that each is judged once.
#[derive(Debug, Default)]
pub(super) struct KnownFolders(HashMap<PathBuf, bool>);

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(rules: &[(&str, &str)], path: &str) -> bool {
        let mut all = Rules::default();
        for (folder, text) in rules {
            all.add(Path::new(folder), text.as_bytes());
        }
        all.exclude(&SafePath::new(path.as_bytes()).unwrap(), false, &mut KnownFolders::default())
    }

    #[test]
    fn excludes_what_git_would() {
        let rules = [("", "*.log\n/build\ntarget/\n# note\n"), ("src", "gen\n!keep.log\n")];
        for path in ["a.log", "deep/er/b.log", "build", "build/x", "x/target/y", "src/gen", "src/a/gen/z"] {
            assert!(excluded(&rules, path), "{path}");
        }
    }

    #[test]
    fn keeps_what_git_would() {
        let rules = [("", "*.log\n/build\ntarget/\n"), ("src", "!keep.log\n")];
        for path in ["a.rs", "x/build", "target", "src/keep.log", "# note"] {
            assert!(!excluded(&rules, path), "{path}");
        }
    }

    #[test]
    fn takes_nothing_back_inside_an_excluded_folder() {
        assert!(excluded(&[("", "out/\n"), ("out", "!x\n")], "out/x"));
    }

    #[test]
    fn survives_text_that_makes_no_sense() {
        for text in ["[", "\\", "**/**/**[!", "\u{0}", "{a,{b,", "!"] {
            assert!(!excluded(&[("", text)], "ordinary.rs"), "{text:?}");
        }
    }
}
