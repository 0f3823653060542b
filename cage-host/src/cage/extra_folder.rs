//! What is known of the extra folders of a cage, without asking the cage.
//!
//! The folders that a cage is created with are in a label, which nobody can change later. What is added and removed
//! afterwards is noted beside the cage, where its agent cannot reach either: an agent that could name the folder of the
//! host which one of its own is exported to would choose `~/.ssh`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::creator::{Unfinished, creator};
use super::folder_name::FolderName;
use super::spec::MAX_FOLDERS;

/// An extra folder of a cage, as [`Cage::folders`](crate::Cage::folders) lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtraFolder {
    /// Its place in the cage's home.
    pub place: String,
    /// The folder of the host that it was copied from, on the machine that did it; `None` for a path that is no UTF-8.
    pub dir: Option<PathBuf>,
}

/// An [`ExtraFolder`] as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    place: String,
    dir: Option<String>,
}

impl ExtraFolder {
    /// Describes a copy of a folder of the host, which must exist.
    pub(crate) fn of(place: &FolderName, dir: &Path) -> Self {
        let dir = dir.canonicalize().ok().filter(|dir| dir.to_str().is_some());
        Self { place: place.to_string(), dir }
    }

    /// Checks what was read; a place that is no name, or a folder that depends on where one stands, is none.
    pub(crate) fn checked(place: &str, dir: Option<&str>) -> Option<Self> {
        let place = FolderName::new(place).ok()?.to_string();
        Some(Self { place, dir: dir.map(PathBuf::from).filter(|dir| dir.is_absolute()) })
    }

    /// The folder of the host as text.
    pub(crate) fn dir_text(&self) -> Option<&str> {
        self.dir.as_deref().and_then(Path::to_str)
    }
}

/// Folders as a list that is written and checked when it is read.
pub(crate) mod as_list {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{ExtraFolder, MAX_FOLDERS, Written};

    pub(crate) fn serialize<S: Serializer>(folders: &[ExtraFolder], to: S) -> Result<S::Ok, S::Error> {
        let written = |folder: &ExtraFolder| Written {
            place: folder.place.clone(),
            dir: folder.dir_text().map(str::to_owned),
        };
        folders.iter().map(written).collect::<Vec<_>>().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ExtraFolder>, D::Error> {
        let mut folders: Vec<ExtraFolder> = Vec::new();
        for Written { place, dir } in Vec::<Written>::deserialize(from)? {
            let folder = ExtraFolder::checked(&place, dir.as_deref());
            folders.extend(folder.filter(|new| folders.iter().all(|known| known.place != new.place)));
        }
        folders.truncate(MAX_FOLDERS);
        Ok(folders)
    }
}

/// Writes folders as the value of a label.
pub(crate) fn to_label(folders: &[ExtraFolder]) -> String {
    let mut label = Vec::new();
    // Writing text into memory does not fail.
    let _ = as_list::serialize(folders, &mut serde_json::Serializer::new(&mut label));
    String::from_utf8(label).unwrap_or_default()
}

/// Reads the value of a label; one that makes no sense names no folder.
pub(crate) fn from_label(label: &str) -> Vec<ExtraFolder> {
    as_list::deserialize(&mut serde_json::Deserializer::from_str(label)).unwrap_or_default()
}

/// What became of an extra folder after its cage was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderNote {
    pub(crate) kind: NoteKind,
    pub(crate) folder: ExtraFolder,
    /// Who wrote it, and how long ago.
    pub(crate) by: Unfinished,
}

/// Whether a note says that a folder came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// Somebody is at adding it.
    Adding,
    /// It was added.
    Added,
    /// The cage was created with it, and it was removed.
    Removed,
}

impl NoteKind {
    pub(crate) const ALL: [Self; 3] = [Self::Adding, Self::Added, Self::Removed];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Adding => "adding-folder",
            Self::Added => "added-folder",
            Self::Removed => "removed-folder",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl FolderNote {
    /// A note by this program.
    pub(crate) fn new(kind: NoteKind, folder: ExtraFolder) -> Self {
        Self { kind, folder, by: Unfinished { creator: creator(), age: Duration::ZERO } }
    }

    /// Says whether it is about a folder that nobody will finish to add.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.kind == NoteKind::Adding && self.by.is_abandoned()
    }
}

/// All that is known of the extra folders of one cage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FolderRecord {
    /// Those that it was created with.
    pub(crate) created: Vec<ExtraFolder>,
    pub(crate) notes: Vec<FolderNote>,
}

impl FolderRecord {
    /// Returns the folders that the cage has, by place. One that is still being added is none.
    pub(crate) fn folders(&self) -> Vec<ExtraFolder> {
        let original =
            self.created.iter().filter(|folder| self.note(NoteKind::Removed, &folder.place).is_none());
        // One that came back after it was removed may come from elsewhere.
        let original = original.filter(|folder| self.note(NoteKind::Added, &folder.place).is_none());
        let added = self.notes.iter().filter(|note| note.kind == NoteKind::Added);
        let added = added.filter(|note| self.note(NoteKind::Adding, &note.folder.place).is_none());
        let mut folders: Vec<_> = original.chain(added.map(|note| &note.folder)).cloned().collect();
        folders.sort_by(|a, b| a.place.cmp(&b.place));
        folders
    }

    /// Says whether the cage was created with a folder that nobody removed.
    pub(crate) fn is_original(&self, place: &str) -> bool {
        let created = self.created.iter().any(|folder| folder.place == place);
        created && self.note(NoteKind::Removed, place).is_none()
    }

    /// Returns a note about a folder.
    pub(crate) fn note(&self, kind: NoteKind, place: &str) -> Option<&FolderNote> {
        self.notes.iter().find(|note| note.kind == kind && note.folder.place == place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(place: &str, dir: &str) -> ExtraFolder {
        ExtraFolder::checked(place, Some(dir)).unwrap()
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let folders =
            vec![folder("docs", "/srv/ä \"docs\""), ExtraFolder { place: "data".into(), dir: None }];
        assert_eq!(from_label(&to_label(&folders)), folders);
        insta::assert_snapshot!(to_label(&folders), @r#"[{"place":"docs","dir":"/srv/ä \"docs\""},{"place":"data","dir":null}]"#);
    }

    #[test]
    fn rejects_names_that_are_none_repeated_or_too_many_and_folders_that_lie_anywhere() {
        for nonsense in ["", "x", "{}", r#"[{"place":1}]"#, r#"[{"place":"../.ssh","dir":"/"}]"#] {
            assert_eq!(from_label(nonsense), [], "{nonsense}");
        }
        let label = r#"[{"place":"a","dir":"../x"},{"place":"project","dir":"/x"},{"place":"a","dir":"/x"}]"#;
        assert_eq!(from_label(label), [ExtraFolder { place: "a".into(), dir: None }]);
        let many: Vec<_> = (0..100).map(|n| folder(&format!("f{n}"), "/x")).collect();
        assert_eq!(from_label(&to_label(&many)).len(), MAX_FOLDERS);
    }

    #[test]
    fn tells_what_is_there_from_what_was_created_added_and_removed() {
        let note = |kind, place| FolderNote::new(kind, folder(place, "/later"));
        let created = vec![folder("kept", "/first"), folder("gone", "/first"), folder("back", "/first")];
        let notes = vec![
            note(NoteKind::Removed, "gone"),
            note(NoteKind::Removed, "back"),
            note(NoteKind::Added, "back"),
            note(NoteKind::Added, "added"),
            note(NoteKind::Adding, "half"),
            note(NoteKind::Added, "nearly"),
            note(NoteKind::Adding, "nearly"),
        ];
        let record = FolderRecord { created, notes };
        assert_eq!(
            record.folders(),
            [folder("added", "/later"), folder("back", "/later"), folder("kept", "/first")]
        );
        assert_eq!(
            ["kept", "gone", "back", "added"].map(|place| record.is_original(place)),
            [true, false, false, false]
        );
    }
}
