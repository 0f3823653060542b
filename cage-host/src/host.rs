//! The machine that cages run on.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use crate::backend::{Backend, Found};
use crate::cage::{self, Cage, CageName, CageSpec, CageState, CreatePlan, Creation, Place};
use crate::docker::Engine;
use crate::error::{RequestError, Result};
use crate::image::ImageSpec;
use crate::local::{EmbeddedConfig, Folders};
use crate::mailbox::{CursorStore, MemoryCursors};
use crate::transfer::Arrival;

/// A connection to where cages run: a Docker engine, or plain folders of this machine.
///
/// Clones share the connection.
#[derive(Debug, Clone)]
pub struct Host {
    backend: Backend,
    /// How many creations are under way, cleaning up included.
    creating: watch::Sender<usize>,
    cursors: Arc<dyn CursorStore>,
}

/// A cage as [`Host::list`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CageSummary {
    /// Its name.
    pub name: CageName,
    /// The image that it was created from.
    pub image: String,
    /// What its container does.
    pub state: CageState,
    /// Whether programs can be run in it now.
    pub running: bool,
    /// When it was created, by the clock of its engine, to the second.
    pub created: SystemTime,
    /// What it takes on the disk beyond its image, in bytes; only [`Host::list_with_sizes`] looks.
    pub bytes: Option<u64>,
    /// Whether its creation came to an end; if not, it is under way, or [`Host::gc`] removes it.
    pub finished: bool,
}

impl Host {
    /// Connects to the Docker engine that `DOCKER_HOST` names (`unix://` or `tcp://`), or to the local socket, and
    /// agrees with it on an API version.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`](crate::EngineError::Unreachable) when nothing answers there.
    pub async fn connect() -> Result<Self> {
        Ok(Self::new(Backend::Docker(Engine::connect().await?)))
    }

    /// Connects to the Docker engine at an endpoint, for example `unix:///run/user/1000/docker.sock` or
    /// `tcp://127.0.0.1:2375`.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`](crate::EngineError::Unreachable) when nothing answers there.
    pub async fn connect_to(endpoint: &str) -> Result<Self> {
        Ok(Self::new(Backend::Docker(Engine::connect_to(endpoint).await?)))
    }

    /// Uses plain folders and child processes of this machine instead of containers: **no isolation**, for tests and
    /// for a first look.
    ///
    /// # Errors
    /// [`IoError`](crate::IoError) when the folders cannot be opened or made.
    pub fn embedded(config: &EmbeddedConfig) -> Result<Self> {
        Ok(Self::new(Backend::Embedded(Folders::open(config)?)))
    }

    fn new(backend: Backend) -> Self {
        Self { backend, creating: watch::Sender::new(0), cursors: Arc::new(MemoryCursors::default()) }
    }

    /// Remembers in `store` how far outboxes have been read, instead of in memory alone.
    #[must_use]
    pub fn with_cursors(mut self, store: impl CursorStore + 'static) -> Self {
        self.cursors = Arc::new(store);
        self
    }

    /// Builds an image.
    ///
    /// # Errors
    /// - [`IoError`](crate::IoError) when the context cannot be read.
    /// - [`EngineError`](crate::EngineError) when the engine or a step of the build fails.
    /// - [`RequestError::Invalid`] on the embedded backend, which has no images.
    pub async fn build_image(&self, spec: ImageSpec) -> Result<()> {
        match &self.backend {
            Backend::Docker(engine) => engine.build_image(spec).await,
            Backend::Embedded(_) => {
                let reason =
                    "the embedded backend runs programs of this machine and has no images".to_owned();
                Err(RequestError::Invalid { what: "image", reason }.into())
            }
        }
    }

    /// Creates a cage and commits its project inside as the baseline.
    ///
    /// A creation that fails leaves nothing. One that is given up, by dropping the future, is undone in the
    /// background; [`Host::settled`] waits for that.
    ///
    /// # Errors
    /// - [`RequestError`] for a name that is taken or breaks the rules, a project folder that cannot be used, or a
    ///   value outside its limits.
    /// - [`EngineError`](crate::EngineError) when the image or the runtime is missing, a limit is not supported, the
    ///   disk is full or the engine fails.
    /// - [`CageError`](crate::CageError) when unpacking, cloning or committing fails inside.
    /// - [`IoError`](crate::IoError) when a file of the project or of an extra folder cannot be read.
    pub async fn create(&self, spec: CageSpec) -> Result<Cage> {
        self.start_create(spec).finish().await
    }

    /// Begins to create a cage and returns at once; the [`Creation`] tells what it is at and has the cage in the end.
    ///
    /// It needs a Tokio runtime to be called in. What goes wrong, [`Creation::finish`] says.
    pub fn start_create(&self, spec: CageSpec) -> Creation {
        let running = Creating::enter(&self.creating);
        cage::start_create(self.backend.clone(), spec, Arc::clone(&self.cursors), running)
    }

    /// Finds out what creating a cage would do, without making anything: whether the name is free, the image and the
    /// runtime are there and the limits possible, and what would be copied, each file opened once.
    ///
    /// A repository is not asked for. The embedded backend has no images, runtimes or limits to look at.
    ///
    /// ```no_run
    /// # async fn story() -> cage_host::Result<()> {
    /// use cage_host::{CageSpec, Host};
    ///
    /// let host = Host::connect().await?;
    /// let spec = CageSpec::from_dir("demo", ".");
    /// print!("{}", host.plan(&spec).await?);
    /// let cage = host.create(spec).await?;
    /// # drop(cage);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The one that [`Host::create`] would return first, as far as it can be known before.
    pub async fn plan(&self, spec: &CageSpec) -> Result<CreatePlan> {
        cage::plan(&self.backend, spec.clone().plan()?).await
    }

    /// Waits until no creation is under way and whatever was given up has been removed. Call it before the runtime
    /// ends.
    pub async fn settled(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.creating.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Finds a cage by its name.
    ///
    /// # Errors
    /// [`RequestError::NoSuchCage`] when there is none, [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn cage(&self, name: &str) -> Result<Cage> {
        let name = CageName::new(name).map_err(RequestError::from)?;
        let found = self.backend.list(Some(&name), false).await?.into_iter();
        // While a name is being taken there can be a second one for a moment, which gives way.
        let found = found.min_by_key(|found| found.unfinished.is_some());
        let found = found.ok_or_else(|| RequestError::NoSuchCage { name: name.to_string() })?;
        let place = Place::new(name, found.id, self.backend.clone());
        Ok(Cage::new(place, Arrival::default(), Arc::clone(&self.cursors)))
    }

    /// Lists every cage of ours, also those that another program or an earlier run created, by name.
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn list(&self) -> Result<Vec<CageSummary>> {
        Ok(summaries(self.backend.list(None, false).await?))
    }

    /// Lists every cage like [`Host::list`], with what each takes on the disk.
    ///
    /// Every file of every cage is looked at for it.
    ///
    /// # Errors
    /// Like [`Host::list`].
    pub async fn list_with_sizes(&self) -> Result<Vec<CageSummary>> {
        Ok(summaries(self.backend.list(None, true).await?))
    }

    /// Removes what host programs left behind that were killed while they created a cage, and returns its names.
    ///
    /// A cage whose creation came to an end is never removed, whatever state it is in, nor one that a program is still
    /// creating. When that program ran on another machine, or in a container of its own, nobody can see from here
    /// whether it still lives; what it left is removed once it is an hour old.
    ///
    /// ```no_run
    /// # async fn story() -> cage_host::Result<()> {
    /// let host = cage_host::Host::connect().await?;
    /// for name in host.gc().await? {
    ///     println!("removed {name}, whose creation was never finished");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) or [`IoError`](crate::IoError) when something cannot be listed or removed;
    /// call it again for the rest.
    pub async fn gc(&self) -> Result<Vec<CageName>> {
        let mut removed = Vec::new();
        for found in self.backend.list(None, false).await? {
            if found.unfinished.is_some_and(|unfinished| unfinished.is_abandoned()) {
                self.backend.remove(&found.id).await?;
                removed.push(found.name);
            }
        }
        removed.sort();
        Ok(removed)
    }
}

fn summaries(found: Vec<Found>) -> Vec<CageSummary> {
    let mut cages: Vec<_> = found.into_iter().map(CageSummary::from).collect();
    cages.sort_by(|a, b| a.name.cmp(&b.name));
    cages
}

impl From<Found> for CageSummary {
    fn from(found: Found) -> Self {
        Self {
            name: found.name,
            image: found.image,
            running: found.state == CageState::Running,
            state: found.state,
            created: found.created,
            bytes: found.bytes,
            finished: found.unfinished.is_none(),
        }
    }
}

/// Counts one creation while it exists.
#[derive(Debug)]
struct Creating(watch::Sender<usize>);

impl Creating {
    fn enter(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Creating {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
