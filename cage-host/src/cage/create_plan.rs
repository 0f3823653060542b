//! What a creation would do, without doing it.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::fill::with_advice;
use super::folder_name::PROJECT;
use super::name::CageName;
use super::spec::{Network, PlannedCage, Source};
use crate::backend::Backend;
use crate::error::{EngineError, Result};
use crate::sanitize::sanitize_path;
use crate::transfer::{Arrival, survey};

/// What [`Host::create`](crate::Host::create) would do with a spec, as [`Host::plan`](crate::Host::plan) found out.
///
/// It is made without making anything, and it holds nothing back: what is planned may be taken by another program a
/// moment later, and a file may change. `Display` shows it on a few lines.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CreatePlan {
    /// The cage's name.
    pub name: CageName,
    /// What the container would be called.
    pub container: String,
    /// The image, which is there; on the embedded backend the name alone, since nothing is made from it.
    pub image: String,
    /// The repository that would be cloned inside the cage; it has not been asked for.
    pub repository: Option<String>,
    /// What would be copied, the project first.
    pub copies: Vec<PlannedCopy>,
    /// What the cage could reach of the network.
    pub network: Network,
    /// The limit of the memory, in bytes.
    pub memory_bytes: u64,
    /// The limit of the processor time, in processors.
    pub cpus: f64,
    /// The limit of processes and threads.
    pub pids: u32,
    /// The limit of what is written to the disk, in bytes.
    pub disk_bytes: Option<u64>,
    /// The runtime, if another than the engine's default is asked for.
    pub runtime: Option<String>,
}

/// A folder of the host that would be copied into a cage.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedCopy {
    /// Its place in the cage's home, `project` for the project itself.
    pub place: String,
    /// The folder of the host.
    pub dir: PathBuf,
    /// What would be sent.
    pub arrival: Arrival,
}

/// Finds out what a creation would do.
pub(crate) async fn plan(backend: &Backend, plan: PlannedCage) -> Result<CreatePlan> {
    backend.check(&plan).await?;
    let mut wanted = Vec::new();
    let mut repository = None;
    match &plan.source {
        Source::Empty => {}
        Source::Dir(dir) => wanted.push((PROJECT.to_owned(), dir.clone())),
        Source::Git(source) => repository = Some(source.url.clone()),
    }
    wanted.extend(plan.folders.iter().map(|(name, dir)| (name.to_string(), dir.clone())));
    let copies = spawn_blocking(move || wanted.into_iter().map(look_at).collect::<Result<Vec<_>>>());
    let lost = |error: tokio::task::JoinError| EngineError::Lost {
        operation: "look at the folders",
        reason: error.to_string(),
    };
    let copies = copies.await.map_err(lost)??;
    Ok(CreatePlan {
        container: plan.name.container(),
        name: plan.name,
        image: plan.image,
        repository,
        copies,
        network: plan.network,
        memory_bytes: plan.resources.memory_bytes,
        cpus: plan.resources.cpus,
        pids: plan.resources.pids,
        disk_bytes: plan.resources.disk_bytes,
        runtime: plan.runtime,
    })
}

fn look_at((place, dir): (String, PathBuf)) -> Result<PlannedCopy> {
    let arrival = survey(&dir).map_err(with_advice)?;
    Ok(PlannedCopy { place, dir, arrival })
}

impl fmt::Display for CreatePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cage {} as container {} from image {}", self.name, self.container, self.image)?;
        if let Some(url) = &self.repository {
            writeln!(f, "  project: cloned inside from {url}")?;
        }
        for copy in &self.copies {
            write!(f, "{copy}")?;
        }
        let network = match self.network {
            Network::Open => "open",
            Network::None => "none",
        };
        write!(
            f,
            "  limits: {} bytes of memory, {} processors, {} processes",
            self.memory_bytes, self.cpus, self.pids
        )?;
        if let Some(bytes) = self.disk_bytes {
            write!(f, ", {bytes} bytes of disk")?;
        }
        write!(f, "; network: {network}")?;
        if let Some(runtime) = &self.runtime {
            write!(f, "; runtime: {runtime}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for PlannedCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arrival { files, bytes, left_out } = &self.arrival;
        writeln!(f, "  {}: {files} files, {bytes} bytes from {}", self.place, shown(&self.dir))?;
        for path in left_out {
            writeln!(f, "    left out: {}, which is no file", shown(path))?;
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    sanitize_path(path)
}
