//! The machine that cages run on.

use std::time::{Duration, SystemTime};

use crate::backend::{Backend, Found};
use crate::cage::{
    self, Cage, CageName, CageSpec, CageState, Copying, CreatePlan, Creation, ExtraFolder, Place, Shared,
    Snapshot, undo_unfinished_folders,
};
use crate::docker::Engine;
use crate::doctor::{self, Report};
use crate::endpoint::Endpoint;
use crate::error::{RequestError, Result};
use crate::image::{Build, BuildEvent, ImageSpec};
use crate::local::{EmbeddedConfig, Folders};
use crate::mailbox::{CursorStore, MemoryCursors};
use crate::transfer::Arrival;
use crate::watch::{CageStatus, FleetWatch};

/// A connection to where cages run: a Docker engine, or plain folders of this machine.
///
/// Clones share the connection.
#[derive(Debug, Clone)]
pub struct Host {
    backend: Backend,
    shared: Shared,
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
    /// Its extra folders, by place.
    pub folders: Vec<ExtraFolder>,
}

impl Host {
    /// Connects to the engine that the environment means, and agrees with it on an API version.
    ///
    /// That is the one that the `docker` program would use (`DOCKER_HOST`, a context, the local socket), or else
    /// rootless Docker's or Podman's: see [`Endpoint::from_env`].
    ///
    /// # Errors
    /// - [`EngineError::Unreachable`](crate::EngineError::Unreachable) when nothing answers there within 10 seconds.
    /// - Those of [`Endpoint::from_env`] when the environment means none.
    pub async fn connect() -> Result<Self> {
        Self::connect_at(&Endpoint::from_env()?).await
    }

    /// Connects to the engine at an address: `unix:///run/user/1000/docker.sock`, `tcp://127.0.0.1:2375`,
    /// `https://build-host:2376` or `ssh://me@build-host`. The forms are those of [`Endpoint::named`].
    ///
    /// # Errors
    /// - [`EngineError::Unreachable`](crate::EngineError::Unreachable) when nothing answers there within 10 seconds.
    /// - Those of [`Endpoint::named`] when the address or its certificates cannot be used.
    pub async fn connect_to(endpoint: &str) -> Result<Self> {
        Self::connect_at(&Endpoint::named(endpoint)?).await
    }

    /// Connects to an engine whose endpoint is known.
    ///
    /// ```no_run
    /// # async fn story() -> cage_host::Result<()> {
    /// use cage_host::{Endpoint, Host};
    ///
    /// let endpoint = Endpoint::named("tcp://build-host:2376")?.with_certificates("/etc/cage/certificates")?;
    /// let host = Host::connect_at(&endpoint).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`EngineError::Unreachable`](crate::EngineError::Unreachable) when nothing answers there within 10 seconds.
    /// - [`RequestError::Certificate`] when a file of the endpoint's holds no certificate or key.
    pub async fn connect_at(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self::new(Backend::Docker(Engine::connect(endpoint).await?)))
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
        Self { backend, shared: Shared::new(MemoryCursors::default()) }
    }

    /// Remembers in `store` how far outboxes have been read, and what was exported, instead of in memory alone.
    #[must_use]
    pub fn with_cursors(mut self, store: impl CursorStore + 'static) -> Self {
        self.shared = self.shared.with_cursors(store);
        self
    }

    /// Builds an image, and returns when it exists.
    ///
    /// # Errors
    /// - [`IoError`](crate::IoError) when the context cannot be read.
    /// - [`EngineError`](crate::EngineError) when the engine or a step of the build fails.
    /// - [`RequestError::Invalid`] on the embedded backend, which has no images.
    pub async fn build_image(&self, mut spec: ImageSpec) -> Result<()> {
        let mut listener = std::mem::replace(&mut spec.listener, Box::new(|_| {}));
        let mut build = self.start_build(spec)?;
        while let Some(event) = build.next().await {
            match event? {
                BuildEvent::Done { .. } => {}
                line => listener(&line.to_string()),
            }
        }
        Ok(())
    }

    /// Starts to build an image and returns what tells of it: steps, lines, the end. Call it within a Tokio runtime.
    ///
    /// # Errors
    /// [`RequestError::Invalid`] on the embedded backend, which has no images; all else is told by [`Build::next`].
    pub fn start_build(&self, spec: ImageSpec) -> Result<Build> {
        match &self.backend {
            Backend::Docker(engine) => Ok(Build::new(engine.start_build(spec))),
            Backend::Embedded(_) => {
                let reason =
                    "the embedded backend runs programs of this machine and has no images".to_owned();
                Err(RequestError::Invalid { what: "image", reason }.into())
            }
        }
    }

    /// Examines the engine that this host uses: versions, isolation, limits, storage, the default image.
    ///
    /// What cannot be found out because the engine does not answer is a finding, too; [`doctor()`](crate::doctor())
    /// also covers an engine that cannot be connected to. It takes at most three minutes, usually milliseconds.
    pub async fn doctor(&self) -> Report {
        doctor::examine(&self.backend).await
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
        cage::start_create(self.backend.clone(), spec, self.shared.clone())
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

    /// Waits until no cage and no extra folder is being made, and whatever was given up has been removed. Call it
    /// before the runtime ends.
    pub async fn settled(&self) {
        self.shared.settled().await;
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
        Ok(Cage::new(place, Arrival::default(), self.shared.clone()))
    }

    /// Lists every cage of ours, also those that another program or an earlier run created, by name.
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn list(&self) -> Result<Vec<CageSummary>> {
        Ok(summaries(self.backend.list_with_folders(false).await?))
    }

    /// Says what every cage is doing: one list, and one program in each cage that runs, a few at a time.
    ///
    /// Each look may take as long as `deadline` from its beginning. One that fails, or hangs until then, is the error
    /// of its own cage and does not keep the others waiting. That is two requests to the engine and two more for each
    /// running cage. To be told of changes instead of asking again and again there is [`Host::watch`].
    ///
    /// ```no_run
    /// # async fn story() -> cage_host::Result<()> {
    /// use std::time::Duration;
    ///
    /// let host = cage_host::Host::connect().await?;
    /// for look in host.statuses(Duration::from_secs(10)).await? {
    ///     match look.status {
    ///         Ok(status) => println!("{}: {}", look.cage.name, status.activity),
    ///         Err(error) => println!("{}: {error}", look.cage.name),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the cages cannot be listed.
    pub async fn statuses(&self, deadline: Duration) -> Result<Vec<CageStatus>> {
        crate::watch::statuses(&self.backend, deadline).await
    }

    /// Watches all cages whose names are wanted, those of later too: which there are, and what each does. Nothing is
    /// asked while nothing changes. Call it within a Tokio runtime.
    ///
    /// The engine says when a cage starts, stops or goes, and one program in each running cage when anything changes
    /// there.
    ///
    /// ```no_run
    /// # async fn story() -> cage_host::Result<()> {
    /// use cage_host::{FleetEvent, Host};
    ///
    /// let mut watch = Host::connect().await?.watch(|_| true);
    /// while let Some(event) = watch.next().await {
    ///     match event {
    ///         FleetEvent::Cages(cages) => println!("{} cages", cages.len()),
    ///         FleetEvent::Status { name, status } => println!("{name}: {}", status?.activity),
    ///         FleetEvent::Failed(error) => return Err(error),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, wanted: impl Fn(&CageName) -> bool + Send + Sync + 'static) -> FleetWatch {
        crate::watch::watch(self.backend.clone(), Box::new(wanted))
    }

    /// Lists every cage like [`Host::list`], with what each takes on the disk.
    ///
    /// Every file of every cage is looked at for it.
    ///
    /// # Errors
    /// Like [`Host::list`].
    pub async fn list_with_sizes(&self) -> Result<Vec<CageSummary>> {
        Ok(summaries(self.backend.list_with_folders(true).await?))
    }

    /// Keeps the state of a cage under a name: its home with the project and the agent's conversation.
    ///
    /// The cage is paused meanwhile if it runs; it may also be stopped or crashed. No credential goes along: neither
    /// the file of a subscription, nor a variable that holds one. Messages do not go along either, since they belong to
    /// the one cage; nor does what was written outside of the home. A snapshot that fails or is given up leaves
    /// nothing.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// let host = cage_host::Host::connect().await?;
    /// host.snapshot(&cage, "before-the-rewrite").await?;
    /// let other = host.fork_snapshot("before-the-rewrite", "second-try").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`RequestError`] for a name that is taken or breaks the rules of cage names, and on the embedded backend,
    ///   which has no images.
    /// - [`CageError`](crate::CageError) when the cage was removed, or holds more than 64 GiB.
    /// - [`EngineError`](crate::EngineError) when the engine fails or its disk is full.
    pub async fn snapshot(&self, cage: &Cage, name: &str) -> Result<Snapshot> {
        self.copying(cage, name)?.snapshot(self.shared.begin_work()).await
    }

    /// Makes another cage of a cage, as a snapshot and [`Host::fork_snapshot`] would: with the same project and
    /// conversation, and a name, an identity and mailboxes of its own. Nothing runs in it until an agent is launched.
    ///
    /// # Errors
    /// Like [`Host::snapshot`], but the embedded backend does it too.
    pub async fn fork(&self, cage: &Cage, name: &str) -> Result<Cage> {
        self.copying(cage, name)?.fork(self.shared.clone()).await
    }

    /// Makes a cage of a snapshot, with the settings of the cage that the snapshot was made of.
    ///
    /// # Errors
    /// - [`RequestError::NoSuchSnapshot`], or [`RequestError`] for a name that is taken or breaks the rules.
    /// - [`EngineError`](crate::EngineError) when the engine fails or its disk is full.
    pub async fn fork_snapshot(&self, snapshot: &str, name: &str) -> Result<Cage> {
        let name = CageName::new(name).map_err(RequestError::from)?;
        cage::fork_snapshot(self.backend.clone(), snapshot, name, self.shared.clone()).await
    }

    /// Lists the snapshots of cages, by name. They stay when their cages are destroyed.
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the engine fails, [`RequestError::Invalid`] on the embedded backend.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let mut snapshots = self.backend.snapshots().await?;
        snapshots.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(snapshots)
    }

    /// Removes a snapshot. One that is gone already is no error. Cages that were made of it stay; one that is stopped
    /// meanwhile can be started again, but no longer copied, since Docker keeps an image for running containers alone.
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the engine fails, [`RequestError`] for a name that breaks the rules and
    /// on the embedded backend.
    pub async fn remove_snapshot(&self, name: &str) -> Result<()> {
        let name = CageName::new(name).map_err(RequestError::from)?;
        self.backend.remove_snapshot(&name).await
    }

    fn copying(&self, cage: &Cage, name: &str) -> Result<Copying> {
        let name = CageName::new(name).map_err(RequestError::from)?;
        Ok(Copying { backend: self.backend.clone(), from: cage.place().clone(), name })
    }

    /// Removes what host programs left behind that were killed while they created, forked or snapshotted a cage or
    /// added a folder to one, and returns the names of the cages among it. A cage that such a program had paused for
    /// the time of a copy goes on.
    ///
    /// A cage whose creation came to an end is never removed, whatever state it is in, nor one that a program is still
    /// creating. When that program ran on another machine, or in a container of its own, nobody can see from here
    /// whether it still lives; what it left is removed once it is an hour old. Half a folder is removed from a cage
    /// that runs.
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
                if let Some(paused) = &found.pauses {
                    // It may be gone, or not paused; it must not keep the rest from being removed.
                    let _ = self.backend.unpause(paused).await;
                }
                self.backend.remove(&found.id).await?;
                removed.push(found.name);
            }
        }
        self.backend.remove_abandoned_images().await?;
        undo_unfinished_folders(&self.backend).await?;
        self.backend.remove_lost_notes().await?;
        removed.sort();
        Ok(removed)
    }
}

pub(crate) fn summaries(found: Vec<Found>) -> Vec<CageSummary> {
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
            folders: found.folders.folders(),
        }
    }
}
