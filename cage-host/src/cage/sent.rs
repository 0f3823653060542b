//! Which folders of the host were copied into a cage, and when: what changed there since is the host's own work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::extra_folder::from_label;
use super::folder_name::PROJECT;
use super::labels;

/// The labels that tell it, beside the one with the extra folders.
const SENT_LABELS: [&str; 2] = [labels::HOST_SINCE, labels::PROJECT_DIR];

/// The folders of the host that a cage was created from, or the first one that it was copied from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// By the clock of the host, before anything was packed, in nanoseconds since 1970.
    at: Option<i64>,
    /// By their places in the cage's home.
    dirs: BTreeMap<String, PathBuf>,
}

impl Sent {
    /// Returns the labels of a cage that is created now, with a folder as its project if there is one.
    pub(crate) fn labels_of(project: Option<&Path>) -> [(String, String); 2] {
        let dir = project.and_then(|dir| dir.canonicalize().ok()).unwrap_or_default();
        let dir = dir.to_str().unwrap_or_default();
        [(labels::HOST_SINCE.to_owned(), now().to_string()), (labels::PROJECT_DIR.to_owned(), dir.to_owned())]
    }

    /// Returns the labels of a copy of the cage that has these labels: it began when that one did.
    pub(crate) fn labels_of_copy(of: &BTreeMap<String, String>) -> [(String, String); 2] {
        // Always there: an image's own would be believed.
        SENT_LABELS.map(|label| (label.to_owned(), of.get(label).cloned().unwrap_or_default()))
    }

    /// Reads labels; what is missing or makes no sense is not known.
    pub(crate) fn from_labels<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Self {
        let folders = label(labels::FOLDERS).map(from_label).unwrap_or_default().into_iter();
        let mut dirs: BTreeMap<_, _> =
            folders.filter_map(|folder| Some((folder.place, folder.dir?))).collect();
        let project = label(labels::PROJECT_DIR).map(PathBuf::from).filter(|dir| dir.is_absolute());
        dirs.extend(project.map(|dir| (PROJECT.to_owned(), dir)));
        Self { at: label(labels::HOST_SINCE).and_then(|at| at.parse().ok()), dirs }
    }

    /// Returns since when a change in a folder of the host is none that was sent as the folder at this place; `None`
    /// when that is not known, also because another folder was sent.
    pub(crate) fn since(&self, place: &str, dir: &Path) -> Option<i64> {
        let dir = dir.canonicalize().ok()?;
        self.at.filter(|_| self.dirs.get(place) == Some(&dir))
    }
}

/// Returns the time by the clock of the host, in nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &[(String, String)]) -> Sent {
        Sent::from_labels(|label| {
            labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str())
        })
    }

    #[test]
    fn knows_the_time_for_the_folders_that_were_sent_and_for_no_other() {
        let (sent, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = sent.path().canonicalize().unwrap();
        let folders = format!(r#"[{{"place":"docs","dir":"{}"}}]"#, dir.display());
        let mut labels = Sent::labels_of(Some(sent.path())).to_vec();
        labels.push((labels::FOLDERS.to_owned(), folders));
        let known = read(&labels);
        assert_eq!(known.since(PROJECT, sent.path()), labels[0].1.parse().ok());
        assert_eq!(known.since("docs", sent.path()), known.at);
        assert_eq!(known.since("data", sent.path()), None);
        assert_eq!(known.since(PROJECT, other.path()), None);
        assert_eq!(read(&Sent::labels_of(None)).since(PROJECT, sent.path()), None, "nothing was sent");
    }

    #[test]
    fn begins_a_copy_when_the_first_of_the_cages_began() {
        let dir = tempfile::tempdir().unwrap();
        let labels = Sent::labels_of(Some(dir.path()));
        assert_eq!(read(&Sent::labels_of_copy(&labels.clone().into())), read(&labels));
        assert_eq!(read(&Sent::labels_of_copy(&BTreeMap::new())), Sent::default());
    }
}
