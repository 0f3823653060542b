//! Additions of extra folders that nobody will finish, because the program that was at it was killed.
//!
//! Where the copy is tells how far it came. As long as it is at its hidden place, the folder is taken back; after the
//! move it is there as a whole, and stays.

use std::time::Duration;

use super::extra_folder::{FolderNote, NoteKind};
use super::lifecycle::CageState;
use super::place::Place;
use crate::backend::{Backend, Exec};
use crate::error::{Error, Result};

const UNDO: &str = "undo adding a folder";

/// Longest time for removing what was copied.
const DEADLINE: Duration = Duration::from_secs(300);

/// Prints something if there is anything at the hidden places `$1`.
const LOOK_SCRIPT: &str = "set -- $1; [ ! -e \"$1\" ] || echo there";

/// Most that [`LOOK_SCRIPT`] prints, in bytes.
const MAX_ANSWER_BYTES: usize = 16;

/// Removes the hidden places `$1`, in which `tar` may still be at work for a moment. `find` and `rm` follow no link.
const REMOVE_SCRIPT: &str = r"for _ in 1 2 3 4 5; do
    find $1 -type d ! -perm -700 -exec chmod u+rwx {} \; 2>/dev/null
    rm -rf -- $1 && exit 0
done
exit 1";

/// Returns a hidden place for the copy of a folder; `unique` is a UUID.
pub(super) fn hidden_place(unique: &str, folder: &str) -> String {
    format!(".adding-{unique}.{folder}")
}

/// Returns the pattern of the shell for all the hidden places of a folder, and of no other one.
fn hidden_places(folder: &str) -> String {
    hidden_place("????????-????-????-????-????????????", folder)
}

/// Undoes an addition, or takes note that it came to its end.
pub(super) async fn undo(place: &Place, folder: &str) -> Result<()> {
    let copied = run(place, LOOK_SCRIPT, folder).await?;
    if !copied.is_empty() {
        // Before the copy: without it, the note would look like that of a folder which is there.
        place.remove_note(NoteKind::Added, folder).await?;
        run(place, REMOVE_SCRIPT, folder).await?;
    }
    place.remove_note(NoteKind::Adding, folder).await
}

async fn run(place: &Place, script: &str, folder: &str) -> Result<Vec<u8>> {
    let exec = Exec::new(UNDO, ["sh", "-c", script, "sh", &hidden_places(folder)], DEADLINE);
    place.exec(exec.cwd(place.layout.home())).await?.collect(MAX_ANSWER_BYTES).await
}

/// Undoes the additions that nobody will finish, in all cages that run. In the others they count for nothing, and wait.
pub(crate) async fn undo_all(backend: &Backend) -> Result<()> {
    let found = backend.list_with_folders(false).await?;
    for found in
        found.into_iter().filter(|found| found.state == CageState::Running && found.unfinished.is_none())
    {
        let place = Place::new(found.name, found.id, backend.clone());
        for note in found.folders.notes.iter().filter(|note| FolderNote::is_abandoned(note)) {
            match undo(&place, &note.folder.place).await {
                // A cage in which nothing can be run any more must not keep the others from being cleaned up.
                Ok(()) | Err(Error::Cage(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cage_proto::env::{IdSource as _, System};

    use super::*;

    #[test]
    fn finds_the_hidden_places_of_one_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        let unique = System.next_id().to_string();
        for place in ["docs", "x.docs", "docs.x"] {
            std::fs::create_dir(folder.path().join(hidden_place(&unique, place))).unwrap();
        }
        let mut list = std::process::Command::new("sh");
        list.current_dir(folder.path()).args(["-c", "ls -d $1", "sh", &hidden_places("docs")]);
        let listed = String::from_utf8(list.output().unwrap().stdout).unwrap();
        assert_eq!(listed.trim_end(), hidden_place(&unique, "docs"));
    }
}
