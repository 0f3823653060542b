//! Extra folders come and go.
//!
//! Adding one takes four steps: a note that somebody is at it, so that no other program adds the same one; the copy, to
//! a hidden place; a note that the folder is there; and the move into its own place. It counts as a folder of the cage
//! once the first note is gone, which is the last thing that happens. See
//! [`unfinished_folder`](super::unfinished_folder) for what becomes of an addition whose program is killed.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use cage_proto::env::{IdSource as _, System};
use tokio::task::spawn_blocking;

use super::background::{Caller, given_up, in_the_background};
use super::extra_folder::{ExtraFolder, FolderNote, NoteKind};
use super::fill::{FILL_DEADLINE, copy_in};
use super::folder_name::{FolderName, PROJECT};
use super::handle::Cage;
use super::place::Place;
use super::progress::Reporter;
use super::sent::now;
use super::spec::{MAX_FOLDERS, check_readable};
use super::unfinished_folder::{hidden_place, undo};
use crate::backend::Exec;
use crate::error::{CageError, Error, RequestError, Result};
use crate::transfer::{Arrival, Memory, pack};

const ADD: &str = "add the folder";
const REMOVE: &str = "remove the folder";

/// Longest time for removing a folder, and for moving one into its place.
const REMOVE_DEADLINE: Duration = Duration::from_secs(300);

/// What [`COPY_SCRIPT`] answers when something has the folder's place.
const TAKEN: i64 = 73;

/// Unpacks a folder at a hidden place `$2`, if nothing is at its own place `$1`. What an engine that died in the middle
/// of it left behind is removed; a copy may take ten minutes.
///
/// On a full disk `tar` may only say that it failed. So a failure is followed by one more write, which tells.
const COPY_SCRIPT: &str = r#"set -e
[ ! -e "$1" ] && [ ! -L "$1" ] || exit 73
find . -maxdepth 1 -name '.adding-*' -mmin +60 -exec rm -rf -- {} +
mkdir "$2"
trap 'code=$?; set +e; [ $code = 0 ] || { head -c 65536 /dev/zero > "$2/.probe"; rm -rf -- "$2"; }; exit $code' EXIT
cd "$2"
tar --extract --no-same-owner --file=-"#;

/// Removes the hidden place `$1`, in which `tar` may still be at work for a moment.
const UNDO_SCRIPT: &str = r#"for _ in 1 2 3 4 5; do rm -rf -- "$1" && exit 0; done; exit 1"#;

/// Removes the folder `$1`, also one that was made read-only. `find` and `rm` follow no link.
const REMOVE_SCRIPT: &str = r#"find "$1" -type d ! -perm -700 -exec chmod u+rwx {} \; 2> /dev/null
rm -rf -- "$1""#;

impl Cage {
    /// Lists the extra folders that the cage has now, by place: those that it was created with, those that were added,
    /// and not those that were removed.
    ///
    /// The cage itself is not asked, so that its agent has no say in what is listed, nor in where it came from. A
    /// folder that the agent deleted is still listed, and a diff says that all its files were deleted.
    ///
    /// # Errors
    /// [`CageError`] when the cage is gone, [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn folders(&self) -> Result<Vec<ExtraFolder>> {
        Ok(self.place.folder_record().await?.folders())
    }

    /// Copies another folder of the host into the cage, beside the project, while an agent may be at work there; it is
    /// then one like those of [`CageSpec::folder`](crate::CageSpec::folder), with the same rules for its place.
    ///
    /// It appears as a whole. An addition that fails, or is given up by dropping the future, leaves nothing; the latter
    /// is undone in the background, for which [`Host::settled`](crate::Host::settled) waits.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// use cage_host::DiffOptions;
    ///
    /// let arrival = cage.add_folder("docs", "../docs").await?;
    /// println!("{} files", arrival.files);
    /// let changes = cage.diff_with("../docs", DiffOptions::default().folder("docs")).await?;
    /// cage.export("../docs", &changes).await?;
    /// cage.remove_folder("docs").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`RequestError::FolderExists`] when the cage has something at that place, [`RequestError::Invalid`] for a
    ///   place that breaks the rules and for a folder beyond [`MAX_FOLDERS`].
    /// - [`RequestError::Project`] or [`RequestError::Unreadable`] for a folder or a file that cannot be read.
    /// - [`CageError`] when the cage is stopped, gone or full.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn add_folder(&self, place: &str, dir: impl AsRef<Path>) -> Result<Arrival> {
        let name = FolderName::new(place)?;
        check_readable(dir.as_ref())?;
        let adding = Adding {
            place: self.place.clone(),
            folder: ExtraFolder::of(&name, dir.as_ref()),
            staging: self.place.layout.folder(&hidden_place(&System.next_id().to_string(), place)),
            memory: self.memory(),
        };
        let dir = dir.as_ref().to_owned();
        let undo = adding.clone();
        let work = async move |mut caller: Caller| (adding.add(&dir, &mut caller).await, caller);
        let undo = async move |_| remove(&undo.place, &undo.folder.place).await;
        in_the_background(ADD, self.shared.begin_work(), work, undo).await
    }

    /// Removes an extra folder with everything in it from the cage. The host's folder stays as it is.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// for folder in cage.folders().await? {
    ///     cage.remove_folder(&folder.place).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`RequestError::NoSuchFolder`] when the cage has no such extra folder, [`RequestError::Invalid`] for the
    ///   project.
    /// - [`CageError`] when the cage is stopped or gone, or something in the folder cannot be removed; what is left of
    ///   it still counts as the folder, and removing can be repeated.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn remove_folder(&self, place: &str) -> Result<()> {
        if place == PROJECT {
            let reason = "`project` is the project itself; destroy the cage to remove it".to_owned();
            return Err(RequestError::Invalid { what: "folder", reason }.into());
        }
        remove(&self.place, place).await
    }
}

/// A folder on its way into a cage.
#[derive(Clone)]
struct Adding {
    place: Place,
    folder: ExtraFolder,
    /// The hidden place that it is copied to.
    staging: String,
    memory: Memory,
}

impl Adding {
    async fn add(&self, dir: &Path, caller: &mut Caller) -> Result<Arrival> {
        self.claim().await?;
        let since = now();
        let copied = caller.while_waiting(self.copy(dir)).await;
        let added = match copied {
            Some(Ok(arrival)) => self.settle().await.map(|()| arrival),
            Some(Err(error)) => Err(error),
            None => Err(given_up(ADD)),
        };
        if added.is_err() {
            // The error that is already there says more than one about cleaning up.
            let _ = self.exec(["sh", "-c", UNDO_SCRIPT, "sh", &self.staging]).await;
        }
        let released = self.place.remove_note(NoteKind::Adding, &self.folder.place).await;
        let arrival = added?;
        self.note_since(dir, since).await;
        released.map(|()| arrival)
    }

    /// Notes from when on a change of the host's folder is none that was copied.
    async fn note_since(&self, dir: &Path, since: i64) {
        let (memory, place, dir) = (self.memory.clone(), self.folder.place.clone(), dir.to_owned());
        // Without the note the time of the cage's creation counts, which only calls more files changed.
        let _ = spawn_blocking(move || memory.folder_added(&place, &dir, since)).await;
    }

    /// Notes that somebody adds the folder, unless it is there or somebody else does.
    async fn claim(&self) -> Result<()> {
        let record = self.place.folder_record().await?;
        let unfinished = record.note(NoteKind::Adding, &self.folder.place);
        let folders = if unfinished.is_some_and(FolderNote::is_abandoned) {
            undo(&self.place, &self.folder.place).await?;
            self.place.folder_record().await?.folders()
        } else {
            record.folders()
        };
        if folders.iter().any(|folder| folder.place == self.folder.place) {
            return Err(self.exists());
        }
        if folders.len() >= MAX_FOLDERS {
            let reason = format!("at most {MAX_FOLDERS} extra folders are allowed; remove one first");
            return Err(RequestError::Invalid { what: "folder", reason }.into());
        }
        let note = FolderNote::new(NoteKind::Adding, self.folder.clone());
        if self.place.write_note(&note).await? { Ok(()) } else { Err(self.exists()) }
    }

    async fn copy(&self, dir: &Path) -> Result<Arrival> {
        let argv = ["sh", "-c", COPY_SCRIPT, "sh", &self.target(), &self.staging];
        let exec = Exec::new(ADD, argv, FILL_DEADLINE).cwd(self.place.layout.home());
        let (mut reporter, _) = Reporter::new();
        let copying =
            pin!(copy_in(&self.place, exec, &self.folder.place, pack(dir.to_owned()), &mut reporter));
        copying.await.map_err(|error| match error {
            Error::Cage(CageError::Exited { code: TAKEN, .. }) => self.exists(),
            other => other,
        })
    }

    /// Gives the copied folder its place.
    async fn settle(&self) -> Result<()> {
        self.place.write_note(&FolderNote::new(NoteKind::Added, self.folder.clone())).await?;
        let moved = self.exec(["mv", "-T", "--", &self.staging, &self.target()]).await;
        if moved.is_err() {
            // As above.
            let _ = self.place.remove_note(NoteKind::Added, &self.folder.place).await;
        }
        moved
    }

    async fn exec<const N: usize>(&self, argv: [&str; N]) -> Result<()> {
        let exec = Exec::new(ADD, argv, REMOVE_DEADLINE).cwd(self.place.layout.home());
        self.place.exec(exec).await?.success().await
    }

    fn target(&self) -> String {
        self.place.layout.folder(&self.folder.place)
    }

    fn exists(&self) -> Error {
        let (cage, place) = (self.place.name.to_string(), self.folder.place.clone());
        RequestError::FolderExists { cage, place }.into()
    }
}

/// Removes a folder that the cage is known to have.
async fn remove(cage: &Place, place: &str) -> Result<()> {
    let record = cage.folder_record().await?;
    let Some(folder) = record.folders().into_iter().find(|folder| folder.place == place) else {
        let (cage, place) = (cage.name.to_string(), place.to_owned());
        return Err(RequestError::NoSuchFolder { cage, place }.into());
    };
    let argv = ["sh", "-c", REMOVE_SCRIPT, "sh", &cage.layout.folder(place)];
    cage.exec(Exec::new(REMOVE, argv, REMOVE_DEADLINE).cwd(cage.layout.home())).await?.success().await?;
    if record.is_original(place) {
        cage.write_note(&FolderNote::new(NoteKind::Removed, ExtraFolder { dir: None, ..folder })).await?;
    }
    cage.remove_note(NoteKind::Added, place).await
}
