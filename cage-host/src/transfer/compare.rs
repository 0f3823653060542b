//! What differs between a folder of the host and a cage's project, as far as listings tell.

use std::collections::BTreeMap;

use super::agent_run::{is_agent_run, is_git_folder};
use super::changes::{ChangeKind, Hold};
use super::listing::Listed;
use super::receive::MAX_FILE_BYTES;
use super::safe_path::SafePath;
use super::walk::{FileStat, Node};

/// A difference, before any content has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) path: SafePath,
    pub(super) kind: ChangeKind,
    /// The file in the cage; zeros for what is no file there.
    pub(super) stat: FileStat,
    pub(super) hold: Option<Hold>,
}

impl Difference {
    /// Says whether the content decides what this is, or is needed to bring it home.
    pub(super) fn needs_content(&self) -> bool {
        let readable = matches!(self.hold, None | Some(Hold::AgentRun));
        readable && matches!(self.kind, ChangeKind::Added | ChangeKind::Modified)
    }
}

/// Compares two trees by path, kind, size, time and mode.
///
/// A file with the size and the time it was sent with counts as unchanged. One that `ignored` names and the host does
/// not have is no part of the project. Empty folders do not count, as in git.
pub(super) fn compare(
    host: &BTreeMap<SafePath, Node>,
    cage: &BTreeMap<SafePath, Listed>,
    mut ignored: impl FnMut(&SafePath) -> bool,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (path, listed) in cage {
        let before = host.get(path);
        if let Some(difference) = compare_one(path, before, listed)
            && (before.is_some() || !ignored(path))
        {
            differences.push(difference);
        }
    }
    let gone = host.iter().filter(|(path, node)| {
        matches!(node, Node::File(_) | Node::Link(_))
            && cage.get(*path).is_none_or(|listed| listed.node == Node::Folder)
    });
    differences.extend(gone.map(|(path, _)| difference(path, ChangeKind::Deleted, FileStat::NONE, None)));
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    differences
}

fn compare_one(path: &SafePath, before: Option<&Node>, listed: &Listed) -> Option<Difference> {
    let kind = if before.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
    match (&listed.node, before) {
        (Node::Folder, _) => None,
        (Node::File(now), Some(Node::File(sent))) => compare_files(path, *sent, *now, listed.touched),
        (Node::File(now), None) => Some(difference(path, kind, *now, None)),
        (Node::File(now), Some(_)) => Some(difference(path, kind, *now, Some(Hold::Replaces))),
        (Node::Link(now), Some(Node::Link(sent))) if now == sent => None,
        (Node::Link(_), _) => Some(difference(path, kind, FileStat::NONE, Some(Hold::Link))),
        (Node::Special, _) => Some(difference(path, kind, FileStat::NONE, Some(Hold::Special))),
    }
}

fn compare_files(path: &SafePath, sent: FileStat, now: FileStat, touched: bool) -> Option<Difference> {
    let same_content = (sent.size, sent.mtime) == (now.size, now.mtime) && !touched;
    match (same_content, sent.executable == now.executable) {
        (true, true) => None,
        (true, false) => Some(difference(path, ChangeKind::ModeChanged, now, None)),
        (false, _) => Some(difference(path, ChangeKind::Modified, now, None)),
    }
}

fn difference(path: &SafePath, kind: ChangeKind, stat: FileStat, hold: Option<Hold>) -> Difference {
    let hold = hold.or_else(|| self::hold(path, stat.size));
    Difference { path: path.clone(), kind, stat, hold }
}

/// Says why a file of this path and size, in bytes, is not taken just like that.
pub(super) fn hold(path: &SafePath, size: u64) -> Option<Hold> {
    if is_git_folder(path) {
        Some(Hold::GitFolder)
    } else if size > MAX_FILE_BYTES {
        Some(Hold::TooLarge { bytes: size })
    } else {
        is_agent_run(path).then_some(Hold::AgentRun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: FileStat = FileStat { size: 3, mtime: 100, executable: false };

    fn path(text: &str) -> SafePath {
        SafePath::new(text.as_bytes()).unwrap()
    }

    fn host(nodes: &[(&str, Node)]) -> BTreeMap<SafePath, Node> {
        nodes.iter().map(|(name, node)| (path(name), node.clone())).collect()
    }

    fn cage(nodes: &[(&str, Node)]) -> BTreeMap<SafePath, Listed> {
        nodes.iter().map(|(name, node)| (path(name), Listed { node: node.clone(), touched: false })).collect()
    }

    /// Compares and writes each difference as one word of path, kind and hold.
    fn words(before: &[(&str, Node)], after: &BTreeMap<SafePath, Listed>) -> Vec<String> {
        let differences = compare(&host(before), after, |path| path.as_bytes().starts_with(b"ignored"));
        let word = |d: &Difference| {
            let hold = d.hold.map(|hold| format!(" {hold:?}")).unwrap_or_default();
            format!("{} {:?}{hold}", d.path.as_path().display(), d.kind)
        };
        differences.iter().map(word).collect()
    }

    #[test]
    fn finds_no_difference_between_a_tree_and_its_copy() {
        let tree = [("a", Node::File(STAT)), ("d", Node::Folder), ("l", Node::Link("a".into()))];
        assert_eq!(words(&tree, &cage(&tree)), Vec::<String>::new());
    }

    #[test]
    fn finds_what_was_added_deleted_and_changed() {
        let before = [
            ("kept", Node::File(STAT)),
            ("gone", Node::File(STAT)),
            ("mode", Node::File(STAT)),
            ("size", Node::File(STAT)),
        ];
        let after = [
            ("kept", Node::File(STAT)),
            ("mode", Node::File(FileStat { executable: true, ..STAT })),
            ("new", Node::File(STAT)),
            ("size", Node::File(FileStat { size: 4, ..STAT })),
        ];
        assert_eq!(
            words(&before, &cage(&after)),
            ["gone Deleted", "mode ModeChanged", "new Added", "size Modified"]
        );
    }

    #[test]
    fn looks_into_a_file_whose_time_has_a_fraction_of_a_second() {
        let mut after = cage(&[("a", Node::File(STAT))]);
        after.get_mut(&path("a")).unwrap().touched = true;
        assert_eq!(words(&[("a", Node::File(STAT))], &after), ["a Modified"]);
    }

    #[test]
    fn holds_back_whatever_is_no_plain_file_and_what_tools_run() {
        let after = [
            ("link", Node::Link("/etc/passwd".into())),
            ("pipe", Node::Special),
            (".envrc", Node::File(STAT)),
            ("huge", Node::File(FileStat { size: MAX_FILE_BYTES + 1, ..STAT })),
        ];
        let huge = format!("huge Added TooLarge {{ bytes: {} }}", MAX_FILE_BYTES + 1);
        assert_eq!(
            words(&[], &cage(&after)),
            [".envrc Added AgentRun", &huge, "link Added Link", "pipe Added Special"]
        );
    }

    #[test]
    fn sees_a_file_that_became_a_folder_and_a_folder_that_became_a_file() {
        let before = [("x", Node::File(STAT)), ("y", Node::Folder)];
        let after = [("x", Node::Folder), ("x/a", Node::File(STAT)), ("y", Node::File(STAT))];
        assert_eq!(words(&before, &cage(&after)), ["x Deleted", "x/a Added", "y Modified Replaces"]);
    }

    #[test]
    fn leaves_out_what_is_ignored_unless_the_host_has_it() {
        let before = [("ignored-but-sent", Node::File(STAT))];
        let after =
            [("ignored-but-sent", Node::File(FileStat { size: 9, ..STAT })), ("ignored", Node::File(STAT))];
        assert_eq!(words(&before, &cage(&after)), ["ignored-but-sent Modified"]);
    }
}
