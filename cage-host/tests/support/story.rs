//! A project, a cage made of it in a plain folder, and that folder: the agent's part is played by changing it.

use std::path::PathBuf;

use cage_host::{Cage, CageSpec, Changes, Export, ExportOptions};
use tempfile::TempDir;

use super::{Stage, write_tree};

pub(crate) struct Story {
    pub(crate) project: TempDir,
    pub(crate) cage: Cage,
    /// The project as the agent sees it.
    pub(crate) inside: PathBuf,
    _stage: Stage,
}

impl Story {
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        let stage = Stage::embedded();
        let project = tempfile::tempdir().unwrap();
        write_tree(project.path(), files);
        let cage = stage.host.create(CageSpec::from_dir("demo", project.path())).await.unwrap();
        let inside = stage.home(&cage).join("project");
        Self { project, cage, inside, _stage: stage }
    }

    pub(crate) async fn changes(&self) -> Changes {
        self.cage.diff(self.project.path()).await.unwrap()
    }

    /// Each change as it is shown.
    pub(crate) async fn words(&self) -> Vec<String> {
        self.changes().await.iter().map(ToString::to_string).collect()
    }

    /// Exports into the project.
    pub(crate) async fn export(&self, changes: &Changes, options: ExportOptions) -> Export {
        self.cage.export_with(self.project.path(), changes, options).await.unwrap()
    }

    /// Reads a file of the host's project.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project.path().join(path)).unwrap()
    }
}
