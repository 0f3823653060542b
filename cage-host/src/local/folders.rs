//! Cages as folders: create, find, list, remove.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::fs;
use tokio::task::spawn_blocking;

use super::notes::{self, CREATED};
use super::processes;
use crate::backend::{CageId, Found, Layout};
use crate::cage::{
    CONTAINER_PREFIX, CageName, CageState, PlannedCage, Sent, Source, Unfinished, creator, labels,
};
use crate::error::{CageError, IoContext as _, RequestError, Result};

/// What stands where a container has the name of its image.
const IMAGE: &str = "embedded";

/// The file that marks a cage as stopped.
const STOPPED: &str = "stopped";

/// The file that marks a cage as unfinished.
const UNFINISHED: &str = "unfinished";

/// The files that stand for labels of a container, each with its label. A copy of the cage needs them too.
const LABELS: [(&str, &str); 3] = [
    ("auth-mode", labels::AUTH_MODE),
    ("host-since", labels::HOST_SINCE),
    ("project-dir", labels::PROJECT_DIR),
];

/// The file that holds a cage's id.
const ID: &str = "id";

/// How often a cage's folder is removed again because something appeared in it meanwhile.
const REMOVAL_ROUNDS: u32 = 10;

/// Where the embedded backend keeps its cages and finds the programs.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    root: PathBuf,
    programs: PathBuf,
}

impl EmbeddedConfig {
    /// Keeps cages below `root`, which is created when needed, and takes `cage-send` and `cage-poll` from the folder
    /// `programs`.
    pub fn new(root: impl Into<PathBuf>, programs: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), programs: programs.into() }
    }
}

/// The folder that holds the cages of one embedded backend.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    root: PathBuf,
    pub(super) programs: PathBuf,
}

impl Folders {
    /// Opens the folder, making it when it is missing.
    pub(crate) fn open(config: &EmbeddedConfig) -> Result<Self> {
        std::fs::create_dir_all(&config.root).context("create the folder", &config.root)?;
        let root = config.root.canonicalize().context("open the folder", &config.root)?;
        let programs = config.programs.canonicalize().context("find the programs in", &config.programs)?;
        for path in [&root, &programs] {
            // Both end up on command lines and in variables of child processes, which are text here.
            if path.to_str().is_none() {
                let reason = format!("`{}` is not UTF-8", path.display());
                return Err(RequestError::Invalid { what: "folder", reason }.into());
            }
        }
        Ok(Self { root, programs })
    }

    /// Looks whether a name is taken; it is decided only by [`Folders::create`].
    pub(crate) async fn check_free(&self, name: &CageName) -> Result<()> {
        match fs::symlink_metadata(self.root.join(name.container())).await {
            Ok(_) => Err(RequestError::NameTaken { name: name.to_string() }.into()),
            Err(_) => Ok(()),
        }
    }

    /// Refuses a repository, which would be cloned on this machine: there is no isolation here.
    pub(crate) fn check_abilities(plan: &PlannedCage) -> Result<()> {
        if !matches!(plan.source, Source::Git(_)) {
            return Ok(());
        }
        let reason = "the embedded backend would clone it on this machine, without isolation; use a container, or clone it \
                      yourself and use `CageSpec::from_dir`";
        Err(RequestError::Invalid { what: "repository", reason: reason.to_owned() }.into())
    }

    pub(crate) async fn create(&self, plan: &PlannedCage) -> Result<CageId> {
        let name = &plan.name;
        let folder = self.root.join(name.container());
        match fs::create_dir(&folder).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RequestError::NameTaken { name: name.to_string() }.into());
            }
            made => made.context("create the folder", &folder)?,
        }
        let id = CageId::new(format!("{}.{}", name.container(), unique()));
        let filled = self.fill(&folder, &id, &plan.labels).await;
        if filled.is_err() {
            // The error that is already there says more than one about cleaning up.
            let _ = fs::remove_dir_all(&folder).await;
        }
        filled.map(|()| id)
    }

    /// Makes what is in a cage's folder; the mark comes first and the id last.
    async fn fill(&self, folder: &Path, id: &CageId, labels: &BTreeMap<String, String>) -> Result<()> {
        mark(folder).await?;
        let path = folder.join(CREATED);
        let folders = labels.get(labels::FOLDERS).map(String::as_str).unwrap_or_default();
        fs::write(&path, folders).await.context("write", &path)?;
        for (file, label) in LABELS {
            let Some(value) = labels.get(label) else { continue };
            let path = folder.join(file);
            fs::write(&path, value).await.context("write", &path)?;
        }
        for part in ["project", ".cage/outbox", ".cage/inbox", ".cage/cursor"] {
            let path = folder.join("home").join(part);
            fs::create_dir_all(&path).await.context("create the folder", &path)?;
        }
        let path = folder.join(ID);
        fs::write(&path, id.as_str()).await.context("write", &path)
    }

    /// Takes the mark of an unfinished creation away.
    pub(crate) async fn finish(&self, id: &CageId) -> Result<()> {
        let path = self.folder(id).join(UNFINISHED);
        fs::remove_file(&path).await.context("remove", &path)
    }

    /// Ends every program of a cage, and lets none be started.
    pub(crate) async fn stop(&self, id: &CageId) -> Result<()> {
        let folder = self.existing(id, "stop the cage").await?;
        let path = folder.join(STOPPED);
        fs::write(&path, "").await.context("write", &path)?;
        processes::end_all(&self.layout(id).cage_dir()).await
    }

    /// Lets programs be started again.
    pub(crate) async fn start(&self, id: &CageId) -> Result<()> {
        let path = self.existing(id, "start the cage").await?.join(STOPPED);
        match fs::remove_file(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.context("remove", &path),
        }
    }

    /// Returns what a container would have as labels, and is needed to create another cage like it.
    pub(crate) async fn labels(&self, id: &CageId) -> Result<BTreeMap<String, String>> {
        let folder = self.existing(id, "look at the cage").await?;
        let mut found = BTreeMap::new();
        for (file, label) in LABELS {
            let path = folder.join(file);
            match fs::read_to_string(&path).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                value => drop(found.insert(label.to_owned(), value.context("read", &path)?)),
            }
        }
        Ok(found)
    }

    /// Returns what was copied into a cage; nothing is known where that cannot be read.
    pub(crate) async fn sent(&self, id: &CageId) -> Sent {
        let mut labels = self.labels(id).await.unwrap_or_default();
        let folders = fs::read_to_string(self.folder(id).join(CREATED)).await;
        labels.insert(labels::FOLDERS.to_owned(), folders.unwrap_or_default());
        Sent::from_labels(|label| labels.get(label).map(String::as_str))
    }

    pub(crate) async fn state(&self, id: &CageId) -> Result<CageState> {
        let folder = self.existing(id, "look at the cage").await?;
        Ok(if is_stopped(&folder) { CageState::Stopped } else { CageState::Running })
    }

    /// Returns an error unless programs can be run in a cage; one that is being removed has no id any more.
    pub(super) fn check_running(&self, id: &CageId, operation: &'static str) -> Result<()> {
        let folder = self.folder(id);
        let there = std::fs::read_to_string(folder.join(ID)).is_ok_and(|found| found == id.as_str());
        match (there, is_stopped(&folder)) {
            (false, _) => Err(CageError::Gone { operation }.into()),
            (true, true) => Err(CageError::NotRunning { operation }.into()),
            (true, false) => Ok(()),
        }
    }

    /// Returns the folder of a cage that was not removed, nor replaced by a later one of its name.
    pub(super) async fn existing(&self, id: &CageId, operation: &'static str) -> Result<PathBuf> {
        let folder = self.folder(id);
        let same = read_id(&folder).await.is_some_and(|found| found == *id);
        if same { Ok(folder) } else { Err(CageError::Gone { operation }.into()) }
    }

    pub(crate) async fn remove(&self, id: &CageId) -> Result<()> {
        let folder = self.folder(id);
        if read_id(&folder).await.is_some_and(|found| found != *id) {
            // The name belongs to a later cage by now.
            return Ok(());
        }
        // From here on it counts as unfinished: a program that is killed now leaves only a part of it. On a full disk
        // there may be no room for the mark, and that must not keep the cage.
        let _ = mark(&folder).await;
        // Without an id nothing new is started in it, so that a follower does not come back in the middle of this.
        let _ = fs::remove_file(folder.join(ID)).await;
        let mut rounds = REMOVAL_ROUNDS;
        loop {
            processes::end_all(&self.layout(id).cage_dir()).await?;
            rounds -= 1;
            match fs::remove_dir_all(&folder).await {
                // What was started just before, or dies slowly, has made another file.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && rounds > 0 => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                removed => return removed.context("remove", &folder),
            }
        }
    }

    pub(crate) async fn list(&self, name: Option<&CageName>, sizes: bool) -> Result<Vec<Found>> {
        let mut entries = fs::read_dir(&self.root).await.context("list", &self.root)?;
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await.context("list", &self.root)? {
            let file_name = entry.file_name();
            let Some(cage) = file_name.to_str().and_then(|name| name.strip_prefix(CONTAINER_PREFIX)) else {
                continue;
            };
            let Ok(cage) = CageName::new(cage) else { continue };
            if name.is_none_or(|name| *name == cage) {
                let (id, unfinished) = look_at(&entry.path()).await;
                let state = if is_stopped(&entry.path()) { CageState::Stopped } else { CageState::Running };
                let created = created(&id, &entry.path());
                let bytes = if sizes { Some(size(entry.path()).await) } else { None };
                let image = IMAGE.to_owned();
                let folders = notes::read(&entry.path()).await;
                found.push(Found {
                    id,
                    name: cage,
                    image,
                    state,
                    created,
                    bytes,
                    unfinished,
                    pauses: None,
                    folders,
                });
            }
        }
        Ok(found)
    }

    /// Returns the folder of a cage: its id is the folder's name, a dot and what makes it unique.
    fn folder(&self, id: &CageId) -> PathBuf {
        let name = id.as_str().split_once('.').map_or(id.as_str(), |(name, _)| name);
        self.root.join(name)
    }

    pub(crate) fn layout(&self, id: &CageId) -> Layout {
        Layout::at(self.folder(id).join("home").to_string_lossy().into_owned())
    }
}

/// Marks a cage as unfinished, by this program.
async fn mark(folder: &Path) -> Result<()> {
    let path = folder.join(UNFINISHED);
    fs::write(&path, creator()).await.context("write", &path)
}

/// Returns the id in a cage's folder. One that is not its own counts as missing: it would name another folder.
async fn read_id(folder: &Path) -> Option<CageId> {
    let id = fs::read_to_string(folder.join(ID)).await.ok()?;
    let (name, _) = id.split_once('.')?;
    (folder.file_name() == Some(name.as_ref())).then(|| CageId::new(id))
}

/// Returns a cage's id, and that it is not finished if it is not. Without an id it is a part of one.
async fn look_at(folder: &Path) -> (CageId, Option<Unfinished>) {
    let creator = fs::read_to_string(folder.join(UNFINISHED)).await;
    let id = read_id(folder).await;
    if let (Some(id), Err(_)) = (&id, &creator) {
        return (id.clone(), None);
    }
    let changed = fs::metadata(folder).await.and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok()).unwrap_or_default();
    let name = || CageId::new(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
    (id.unwrap_or_else(name), Some(Unfinished { creator: creator.unwrap_or_default(), age }))
}

fn is_stopped(folder: &Path) -> bool {
    folder.join(STOPPED).exists()
}

/// Returns when a cage was created: its id begins with the time. A part of one has the time of its last change.
fn created(id: &CageId, folder: &Path) -> SystemTime {
    let nanos = id.as_str().split_once('.').and_then(|(_, unique)| unique.split_once('-'));
    match nanos.and_then(|(nanos, _)| u64::from_str_radix(nanos, 16).ok()) {
        Some(nanos) => UNIX_EPOCH + Duration::from_nanos(nanos),
        None => folder.metadata().and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH),
    }
}

/// Adds up the files of a folder, as far as they can be looked at.
async fn size(folder: PathBuf) -> u64 {
    let size = spawn_blocking(move || {
        let mut folders = vec![folder];
        let mut bytes = 0;
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                bytes += metadata.len();
                folders.extend(metadata.is_dir().then(|| entry.path()));
            }
        }
        bytes
    });
    size.await.unwrap_or_default()
}

/// Returns text that no earlier cage of the same name has in its id.
fn unique() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", now.as_nanos(), std::process::id())
}
