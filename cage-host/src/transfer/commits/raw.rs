//! What `git diff-tree --stdin -r -z` prints: commits, and the files that each changed.

use super::super::changes::{ChangeKind, Hold};
use super::super::refused::Refused;
use super::super::safe_path::SafePath;
use super::id::ObjectId;

/// Most commits that are read at once.
pub(super) const MAX_COMMITS: usize = 1_000;

/// Most changed files in all commits together.
pub(super) const MAX_FILES: usize = 100_000;

/// Modes of git's trees.
const MODE_NONE: u32 = 0;
const MODE_PLAIN: u32 = 0o100_644;
const MODE_GROUP_WRITABLE: u32 = 0o100_664;
const MODE_EXECUTABLE: u32 = 0o100_755;
const MODE_LINK: u32 = 0o120_000;
const MODE_SUBMODULE: u32 = 0o160_000;

/// A commit and what it claims to change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawCommit {
    pub(super) id: ObjectId,
    pub(super) files: Vec<RawFile>,
    pub(super) refused: Refused,
}

/// One changed file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawFile {
    pub(super) path: SafePath,
    pub(super) kind: ChangeKind,
    pub(super) executable: bool,
    pub(super) hold: Option<Hold>,
    pub(super) was: Was,
    pub(super) old: Option<ObjectId>,
    pub(super) new: Option<ObjectId>,
}

/// What stood at a path before a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Was {
    #[default]
    Nothing,
    Plain,
    Executable,
    /// A link or a submodule.
    Other,
}

impl Was {
    fn of(mode: u32) -> Self {
        match mode {
            MODE_NONE => Self::Nothing,
            MODE_PLAIN | MODE_GROUP_WRITABLE => Self::Plain,
            MODE_EXECUTABLE => Self::Executable,
            _ => Self::Other,
        }
    }

    fn is_file(self) -> bool {
        matches!(self, Self::Plain | Self::Executable)
    }
}

/// Why output is not what `git diff-tree` prints, or too much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RawError {
    #[error("a commit has no name")]
    NoCommit,
    #[error("a changed file has no sensible modes and names")]
    NoHeader,
    #[error("a changed file has no path")]
    NoPath,
    #[error("too many commits")]
    TooManyCommits,
    #[error("too many changed files")]
    TooManyFiles,
}

/// Parses the whole output.
pub(super) fn parse(output: &[u8]) -> Result<Vec<RawCommit>, RawError> {
    let mut commits: Vec<RawCommit> = Vec::new();
    let mut files = 0;
    let mut fields = output.split(|&byte| byte == 0);
    while let Some(field) = fields.next() {
        if let Some(header) = field.strip_prefix(b":") {
            let commit = commits.last_mut().ok_or(RawError::NoCommit)?;
            let path = fields.next().ok_or(RawError::NoPath)?;
            files += 1;
            if files > MAX_FILES {
                return Err(RawError::TooManyFiles);
            }
            let header = parse_header(header).ok_or(RawError::NoHeader)?;
            match SafePath::new(path) {
                Ok(path) => commit.files.push(file(path, header)),
                Err(error) => commit.refused.add(path, error),
            }
        } else if !field.is_empty() {
            let id = ObjectId::new(field).ok_or(RawError::NoCommit)?;
            if commits.len() == MAX_COMMITS {
                return Err(RawError::TooManyCommits);
            }
            commits.push(RawCommit { id, files: Vec::new(), refused: Refused::default() });
        }
    }
    Ok(commits)
}

struct Header {
    old_mode: u32,
    new_mode: u32,
    old: ObjectId,
    new: ObjectId,
}

/// Parses `old mode, new mode, old name, new name, letter`.
fn parse_header(header: &[u8]) -> Option<Header> {
    let mut parts = header.split(|&byte| byte == b' ');
    let mode = |part: Option<&[u8]>| u32::from_str_radix(std::str::from_utf8(part?).ok()?, 8).ok();
    let header = Header {
        old_mode: mode(parts.next())?,
        new_mode: mode(parts.next())?,
        old: ObjectId::new(parts.next()?)?,
        new: ObjectId::new(parts.next()?)?,
    };
    parts.next().filter(|letter| !letter.is_empty())?;
    parts.next().is_none().then_some(header)
}

fn file(path: SafePath, header: Header) -> RawFile {
    let was = Was::of(header.old_mode);
    let hold = match header.new_mode {
        MODE_NONE | MODE_PLAIN | MODE_GROUP_WRITABLE | MODE_EXECUTABLE => None,
        MODE_LINK => Some(Hold::Link),
        MODE_SUBMODULE => Some(Hold::Submodule),
        _ => Some(Hold::Special),
    };
    let kind = match (header.new_mode, was.is_file()) {
        (MODE_NONE, _) => ChangeKind::Deleted,
        (_, true) if header.old == header.new => ChangeKind::ModeChanged,
        (_, true) => ChangeKind::Modified,
        (_, false) => ChangeKind::Added,
    };
    let object = |id: ObjectId| Some(id).filter(|id| !id.is_null());
    RawFile {
        path,
        kind,
        executable: header.new_mode == MODE_EXECUTABLE,
        was,
        old: object(header.old).filter(|_| was.is_file()),
        new: object(header.new).filter(|_| hold.is_none()),
        hold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";
    const NULL: &str = "0000000000000000000000000000000000000000";

    fn output(files: &[(&str, &str, &str, &str, &str)]) -> Vec<u8> {
        let mut output = format!("{ONE}\0").into_bytes();
        for (old_mode, new_mode, old, new, path) in files {
            output.extend(format!(":{old_mode} {new_mode} {old} {new} X\0{path}\0").bytes());
        }
        output
    }

    fn words(files: &[(&str, &str, &str, &str, &str)]) -> Vec<String> {
        let commits = parse(&output(files)).unwrap();
        let word =
            |file: &RawFile| format!("{} {} {:?}", file.kind, file.path.as_path().display(), file.hold);
        commits[0].files.iter().map(word).collect()
    }

    #[test]
    fn accepts_every_way_to_change_a_file() {
        let words = words(&[
            ("000000", "100644", NULL, TWO, "added"),
            ("100644", "100755", ONE, TWO, "modified"),
            ("100644", "100755", ONE, ONE, "mode"),
            ("100644", "000000", ONE, NULL, "deleted"),
            ("120000", "100644", ONE, TWO, "was-link"),
        ]);
        assert_eq!(
            words,
            ["A added None", "M modified None", "m mode None", "D deleted None", "A was-link None"]
        );
    }

    #[test]
    fn holds_back_links_submodules_and_modes_that_no_file_has() {
        let words = words(&[
            ("000000", "120000", NULL, ONE, "link"),
            ("000000", "160000", NULL, ONE, "sub"),
            ("000000", "104755", NULL, ONE, "setuid"),
            ("000000", "040000", NULL, ONE, "tree"),
        ]);
        assert_eq!(
            words,
            ["A link Some(Link)", "A sub Some(Submodule)", "A setuid Some(Special)", "A tree Some(Special)"]
        );
    }

    #[test]
    fn takes_a_path_that_looks_like_a_header_or_a_commit_for_a_path() {
        assert_eq!(words(&[("000000", "100644", NULL, ONE, ":100644")]), ["A :100644 None"]);
        assert_eq!(words(&[("000000", "100644", NULL, ONE, TWO)]), [format!("A {TWO} None")]);
    }

    #[test]
    fn refuses_paths_that_leave_the_tree_and_names_them() {
        for path in ["../evil", "/etc/passwd", "a/../../b", "a//b", ""] {
            let commits = parse(&output(&[("000000", "100644", NULL, ONE, path)])).unwrap();
            assert_eq!((commits[0].files.len(), commits[0].refused.shown().len()), (0, 1), "{path}");
        }
    }

    #[test]
    fn rejects_what_makes_no_sense() {
        let cases: [(&[u8], RawError); 5] = [
            (b"HEAD\0", RawError::NoCommit),
            (b":100644 100644 a b M\0x\0", RawError::NoCommit),
            (&output(&[("x", "100644", ONE, TWO, "a")]), RawError::NoHeader),
            (&output(&[("100644", "100644", "HEAD", TWO, "a")]), RawError::NoHeader),
            (format!("{ONE}\0:100644 100644 {ONE} {TWO} M").leak().as_bytes(), RawError::NoPath),
        ];
        for (output, error) in cases {
            assert_eq!(parse(output), Err(error), "{}", output.escape_ascii());
        }
        assert_eq!(
            parse(format!("{ONE}\0").repeat(MAX_COMMITS + 1).as_bytes()),
            Err(RawError::TooManyCommits)
        );
    }

    proptest::proptest! {
        #[test]
        fn takes_any_bytes_and_yields_only_paths_below_the_project(bytes: Vec<u8>, path: Vec<u8>) {
            let mut output = output(&[]);
            output.extend(format!(":000000 100644 {NULL} {ONE} A\0").bytes());
            output.extend(path);
            output.push(0);
            output.extend(bytes);
            for file in parse(&output).into_iter().flatten().flat_map(|commit| commit.files) {
                let plain = file.path.as_path().components().all(|part| matches!(part, std::path::Component::Normal(_)));
                proptest::prop_assert!(plain, "{file:?}");
            }
        }
    }
}
