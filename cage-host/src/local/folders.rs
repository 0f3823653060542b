//! Cages as folders: create, find, list, remove.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;

use super::processes;
use crate::backend::{CageId, Found, Layout};
use crate::cage::{CONTAINER_PREFIX, CageName};
use crate::error::{IoContext as _, RequestError, Result};

/// What stands where a container has the name of its image.
const IMAGE: &str = "embedded";

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

    pub(crate) async fn create(&self, name: &CageName) -> Result<CageId> {
        let folder = self.root.join(name.container());
        match fs::create_dir(&folder).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RequestError::NameTaken { name: name.to_string() }.into());
            }
            made => made.context("create the folder", &folder)?,
        }
        let id = CageId::new(format!("{}.{}", name.container(), unique()));
        let filled = self.fill(&folder, &id).await;
        if filled.is_err() {
            // The error that is already there says more than one about cleaning up.
            let _ = fs::remove_dir_all(&folder).await;
        }
        filled.map(|()| id)
    }

    async fn fill(&self, folder: &Path, id: &CageId) -> Result<()> {
        for part in ["project", ".cage/outbox", ".cage/inbox", ".cage/cursor"] {
            let path = folder.join("home").join(part);
            fs::create_dir_all(&path).await.context("create the folder", &path)?;
        }
        let path = folder.join("id");
        fs::write(&path, id.as_str()).await.context("write", &path)
    }

    pub(crate) async fn remove(&self, id: &CageId) -> Result<()> {
        let folder = self.folder(id);
        if fs::read_to_string(folder.join("id")).await.is_ok_and(|found| found != id.as_str()) {
            // The name belongs to a later cage by now.
            return Ok(());
        }
        processes::end_all(&self.layout(id).cage_dir()).await?;
        match fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.context("remove", &folder),
        }
    }

    pub(crate) async fn list(&self, name: Option<&CageName>) -> Result<Vec<Found>> {
        let mut entries = fs::read_dir(&self.root).await.context("list", &self.root)?;
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await.context("list", &self.root)? {
            let file_name = entry.file_name();
            let Some(cage) = file_name.to_str().and_then(|name| name.strip_prefix(CONTAINER_PREFIX)) else {
                continue;
            };
            let Ok(cage) = CageName::new(cage) else { continue };
            let Ok(id) = fs::read_to_string(entry.path().join("id")).await else { continue };
            if name.is_none_or(|name| *name == cage) {
                found.push(Found { id: CageId::new(id), name: cage, image: IMAGE.to_owned(), running: true });
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

/// Returns text that no earlier cage of the same name has in its id.
fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", now.as_nanos(), std::process::id())
}
