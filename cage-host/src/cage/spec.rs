//! What a cage is created from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cage_proto::env::{IdSource as _, System};

use super::auth_mode::AuthMode;
use super::creator::creator;
use super::credential::is_credential;
use super::extra_folder::{ExtraFolder, to_label};
use super::folder_name::FolderName;
use super::git_repo::{CloneSource, GitRepo};
use super::labels;
use super::name::CageName;
use super::resources::Resources;
use super::sent::Sent;
use crate::error::RequestError;

/// Extra folders of one cage.
pub const MAX_FOLDERS: usize = 32;

/// The image that cages are created from unless another is named.
pub const DEFAULT_IMAGE: &str = "cage:latest";

/// What a cage can reach of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Network {
    /// Everything that the engine's default network reaches, and the host as `host.docker.internal`.
    #[default]
    Open,
    /// Nothing but itself.
    None,
}

/// A wish for a cage, built step by step and checked by [`Host::create`](crate::Host::create).
///
/// ```
/// use cage_host::{CageSpec, Network};
///
/// let spec = CageSpec::from_dir("demo", ".").memory_bytes(2 << 30).cpus(1.5).network(Network::None);
/// # drop(spec);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct CageSpec {
    name: String,
    source: Wanted,
    folders: Vec<(String, PathBuf)>,
    image: String,
    resources: Resources,
    runtime: Option<String>,
    network: Network,
    env: Vec<(String, String)>,
    labels: BTreeMap<String, String>,
    auth_mode: Option<AuthMode>,
}

/// What the project in a new cage is to begin as.
#[derive(Debug, Clone)]
enum Wanted {
    Empty,
    Dir(PathBuf),
    Git(GitRepo),
}

/// What the project in a new cage begins as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Empty,
    Dir(PathBuf),
    Git(CloneSource),
}

impl Source {
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Dir(dir) => Some(dir),
            Self::Empty | Self::Git(_) => None,
        }
    }
}

/// A [`CageSpec`] that has passed every check.
#[derive(Debug, Clone)]
pub(crate) struct PlannedCage {
    pub(crate) name: CageName,
    pub(crate) source: Source,
    pub(crate) folders: Vec<(FolderName, PathBuf)>,
    pub(crate) image: String,
    pub(crate) resources: Resources,
    pub(crate) runtime: Option<String>,
    pub(crate) network: Network,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl CageSpec {
    /// Asks for a cage with a copy of a folder as its project, without what its `.gitignore` files exclude and
    /// without `.git`.
    pub fn from_dir(name: impl Into<String>, dir: impl AsRef<Path>) -> Self {
        Self::new(name.into(), Wanted::Dir(dir.as_ref().to_owned()))
    }

    /// Asks for a cage with a clone of a repository as its project, given as an address or as a [`GitRepo`].
    ///
    /// The clone runs inside the cage, so whatever the repository holds touches nothing of the host, and the cage
    /// needs the network. The embedded backend, which would clone on this machine, refuses it.
    ///
    /// ```
    /// use cage_host::{CageSpec, GitRepo};
    ///
    /// let spec = CageSpec::from_git("demo", GitRepo::new("https://github.com/owner/repo").branch("v2"));
    /// # drop(spec);
    /// ```
    pub fn from_git(name: impl Into<String>, repo: impl Into<GitRepo>) -> Self {
        Self::new(name.into(), Wanted::Git(repo.into()))
    }

    /// Asks for a cage with an empty project.
    pub fn empty(name: impl Into<String>) -> Self {
        Self::new(name.into(), Wanted::Empty)
    }

    fn new(name: String, source: Wanted) -> Self {
        Self {
            name,
            source,
            folders: Vec::new(),
            image: DEFAULT_IMAGE.to_owned(),
            resources: Resources::default(),
            runtime: None,
            network: Network::default(),
            env: Vec::new(),
            labels: BTreeMap::new(),
            auth_mode: None,
        }
    }

    /// Uses another image than [`DEFAULT_IMAGE`].
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = image.into();
        self
    }

    /// Limits the memory, in bytes; no swap comes on top.
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.resources.memory_bytes = bytes;
        self
    }

    /// Limits the processor time, in processors; `0.5` is half of one.
    pub fn cpus(mut self, cpus: f64) -> Self {
        self.resources.cpus = cpus;
        self
    }

    /// Limits how many processes and threads can exist at once.
    pub fn pids(mut self, pids: u32) -> Self {
        self.resources.pids = pids;
        self
    }

    /// Limits what the cage can write to its disk, in bytes.
    ///
    /// Few engines can: overlay2 on XFS with project quotas, btrfs, ZFS; on the last two the image counts too. Another
    /// one refuses the creation with [`EngineError::Unsupported`](crate::EngineError::Unsupported). Where the limit is
    /// reached, writing fails in the cage, and [`Cage::diagnose`](crate::Cage::diagnose) says that its disk is full.
    /// The embedded backend has no limits at all.
    pub fn disk_bytes(mut self, bytes: u64) -> Self {
        self.resources.disk_bytes = Some(bytes);
        self
    }

    /// Runs the container with another runtime than the engine's default, for example gVisor's `runsc`. An engine that
    /// does not have it refuses the creation with
    /// [`EngineError::RuntimeMissing`](crate::EngineError::RuntimeMissing).
    pub fn runtime(mut self, runtime: impl Into<String>) -> Self {
        self.runtime = Some(runtime.into());
        self
    }

    /// Adds a copy of another folder beside the project, as `~/<place>` in the cage, `.gitignore` respected and
    /// without `.git`. At most [`MAX_FOLDERS`] of them.
    ///
    /// A place is a name of its own: 1 to [`MAX_FOLDER_NAME_BYTES`](crate::MAX_FOLDER_NAME_BYTES) ASCII letters,
    /// digits, dots, hyphens and underscores, beginning with a letter or digit; `project` is taken.
    ///
    /// ```
    /// let spec = cage_host::CageSpec::from_dir("demo", ".").folder("docs", "../docs").folder("data", "/srv/data");
    /// # drop(spec);
    /// ```
    pub fn folder(mut self, place: impl Into<String>, dir: impl AsRef<Path>) -> Self {
        self.folders.push((place.into(), dir.as_ref().to_owned()));
        self
    }

    /// Chooses what the cage can reach.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Sets an environment variable for everything in the cage. Anybody who can inspect the container reads it, so
    /// credentials are refused here: they belong to the [`Task`](crate::Task).
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds a label of the caller's own to the container.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Remembers with the cage how its agent is to sign in. Nothing is copied, and whoever launches the agent may do
    /// otherwise: see [`Cage::auth_mode`](crate::Cage::auth_mode).
    pub fn auth_mode(mut self, mode: AuthMode) -> Self {
        self.auth_mode = Some(mode);
        self
    }

    /// Checks everything that can be checked without an engine.
    pub(crate) fn plan(self) -> Result<PlannedCage, RequestError> {
        let name = CageName::new(self.name)?;
        let source = check_source(self.source, self.network)?;
        let folders = check_folders(self.folders)?;
        if self.image.is_empty() || self.image.starts_with('-') {
            return Err(invalid("image", format!("{:?} is no image name", self.image)));
        }
        if let Some((what, reason)) = self.resources.problem() {
            return Err(RequestError::Invalid { what, reason });
        }
        if let Some(runtime) = &self.runtime {
            check_runtime(runtime)?;
        }
        for (name, _) in &self.env {
            check_variable(name)?;
        }
        let mut labels = check_labels(self.labels, &name)?;
        let known: Vec<_> = folders.iter().map(|(place, dir)| ExtraFolder::of(place, dir)).collect();
        labels.insert(labels::FOLDERS.to_owned(), to_label(&known));
        labels.extend(Sent::labels_of(source.dir()));
        labels.extend(self.auth_mode.map(|mode| (labels::AUTH_MODE.to_owned(), mode.to_string())));
        let Self { image, resources, runtime, network, env, .. } = self;
        Ok(PlannedCage { name, source, folders, image, resources, runtime, network, env, labels })
    }
}

fn check_source(wanted: Wanted, network: Network) -> Result<Source, RequestError> {
    match wanted {
        Wanted::Empty => Ok(Source::Empty),
        Wanted::Dir(dir) => check_readable(&dir).map(|()| Source::Dir(dir)),
        Wanted::Git(repo) => match (repo.check()?, network) {
            (CloneSource { url, .. }, Network::None) => Err(RequestError::CloneWithoutNetwork { url }),
            (source, _) => Ok(Source::Git(source)),
        },
    }
}

fn check_folders(wanted: Vec<(String, PathBuf)>) -> Result<Vec<(FolderName, PathBuf)>, RequestError> {
    if wanted.len() > MAX_FOLDERS {
        return Err(invalid("folder", format!("at most {MAX_FOLDERS} extra folders are allowed")));
    }
    let mut folders: Vec<(FolderName, PathBuf)> = Vec::new();
    for (place, dir) in wanted {
        let name = FolderName::new(&place)?;
        if folders.iter().any(|(taken, _)| *taken == name) {
            return Err(invalid(
                "folder",
                format!("two folders are to be `{name}`; give each a name of its own"),
            ));
        }
        check_readable(&dir)?;
        folders.push((name, dir));
    }
    Ok(folders)
}

fn check_runtime(runtime: &str) -> Result<(), RequestError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if runtime.is_empty() || runtime.starts_with('-') || !runtime.bytes().all(allowed) {
        return Err(invalid(
            "runtime",
            format!("{runtime:?} is no name of a runtime; use for example `runsc`"),
        ));
    }
    Ok(())
}

/// Refuses labels of the caller's in our space and adds our own.
fn check_labels(
    mut labels: BTreeMap<String, String>,
    name: &CageName,
) -> Result<BTreeMap<String, String>, RequestError> {
    if let Some(label) = labels.keys().find(|label| label.starts_with(labels::PREFIX)) {
        return Err(invalid(
            "label",
            format!("{label:?} begins with `{}`, which is reserved", labels::PREFIX),
        ));
    }
    labels.extend([
        (labels::MANAGED.to_owned(), "true".to_owned()),
        (labels::NAME.to_owned(), name.to_string()),
        (labels::VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (labels::CREATOR.to_owned(), creator()),
        (labels::CREATION.to_owned(), System.next_id().to_string()),
    ]);
    Ok(labels)
}

/// Refuses a variable that the container's configuration would give away.
fn check_variable(name: &str) -> Result<(), RequestError> {
    if is_credential(name) {
        return Err(invalid(
            "environment variable",
            format!(
                "{name} is a credential and would be readable by inspecting the container; give it to the task"
            ),
        ));
    }
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(invalid("environment variable", format!("{name:?} is no variable name")));
    }
    Ok(())
}

pub(super) fn check_readable(dir: &Path) -> Result<(), RequestError> {
    match std::fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(error) => Err(RequestError::Project { path: dir.to_owned(), reason: error.to_string() }),
    }
}

fn invalid(what: &'static str, reason: String) -> RequestError {
    RequestError::Invalid { what, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_a_plain_wish_and_labels_it_as_ours() {
        let plan = CageSpec::empty("demo").plan().unwrap();
        assert_eq!(plan.labels[labels::MANAGED], "true");
        assert_eq!(plan.labels[labels::NAME], "demo");
        assert_eq!(plan.image, DEFAULT_IMAGE);
    }

    #[test]
    fn rejects_a_project_folder_that_does_not_exist() {
        let error = CageSpec::from_dir("demo", "/no/such/folder").plan().unwrap_err();
        insta::assert_snapshot!(error, @"cannot use the project folder `/no/such/folder`: No such file or directory (os error 2); name a folder that exists and is readable");
    }

    #[test]
    fn rejects_a_credential_in_the_containers_environment_without_showing_it() {
        let error = CageSpec::empty("demo").env("ANTHROPIC_API_KEY", "sk-secret").plan().unwrap_err();
        assert!(!error.to_string().contains("sk-secret"));
        insta::assert_snapshot!(error, @"invalid environment variable: ANTHROPIC_API_KEY is a credential and would be readable by inspecting the container; give it to the task");
    }

    #[test]
    fn rejects_limits_that_the_engine_would_refuse() {
        for spec in [
            CageSpec::empty("demo").cpus(0.0),
            CageSpec::empty("demo").cpus(f64::NAN),
            CageSpec::empty("demo").pids(0),
            CageSpec::empty("demo").memory_bytes(1),
            CageSpec::empty("demo").disk_bytes(1),
        ] {
            assert!(matches!(spec.plan(), Err(RequestError::Invalid { .. })));
        }
    }

    #[test]
    fn rejects_a_label_in_the_reserved_space() {
        assert!(CageSpec::empty("demo").label("dev.cage.name", "other").plan().is_err());
    }

    #[test]
    fn rejects_a_clone_without_a_network() {
        let spec = CageSpec::from_git("demo", "git@github.com:o/r.git").network(Network::None);
        insta::assert_snapshot!(spec.plan().unwrap_err(), @"https://github.com/o/r.git cannot be cloned into a cage without a network; open it, or clone it on the host and use `CageSpec::from_dir`");
    }

    #[test]
    fn rejects_a_runtime_that_is_no_name() {
        for runtime in ["", "-x", "a b", "a\u{1b}"] {
            assert!(CageSpec::empty("demo").runtime(runtime).plan().is_err(), "{runtime:?}");
        }
        assert!(CageSpec::empty("demo").runtime("io.containerd.runc.v2").plan().is_ok());
    }

    #[test]
    fn rejects_extra_folders_that_share_a_place_or_are_missing_or_too_many() {
        let spec = || CageSpec::empty("demo").folder("docs", ".");
        assert!(spec().folder("data", ".").plan().is_ok());
        insta::assert_snapshot!(spec().folder("docs", "..").plan().unwrap_err(), @"invalid folder: two folders are to be `docs`; give each a name of its own");
        assert!(matches!(spec().folder("b", "/no/such").plan(), Err(RequestError::Project { .. })));
        let many =
            (0..=MAX_FOLDERS).fold(CageSpec::empty("demo"), |spec, n| spec.folder(format!("f{n}"), "."));
        assert!(many.plan().is_err());
    }
}
