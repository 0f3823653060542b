//! What a cage is created from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cage_proto::env::{IdSource as _, System};

use super::creator::creator;
use super::labels;
use super::name::CageName;
use super::resources::Resources;
use super::task::is_credential;
use crate::error::RequestError;

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
    source: Source,
    image: String,
    resources: Resources,
    network: Network,
    env: Vec<(String, String)>,
    labels: BTreeMap<String, String>,
}

/// What the project in a new cage begins as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Empty,
    Dir(PathBuf),
}

/// A [`CageSpec`] that has passed every check.
#[derive(Debug, Clone)]
pub(crate) struct PlannedCage {
    pub(crate) name: CageName,
    pub(crate) source: Source,
    pub(crate) image: String,
    pub(crate) resources: Resources,
    pub(crate) network: Network,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl CageSpec {
    /// Asks for a cage with a copy of a folder as its project, without what its `.gitignore` files exclude and
    /// without `.git`.
    pub fn from_dir(name: impl Into<String>, dir: impl AsRef<Path>) -> Self {
        Self::new(name.into(), Source::Dir(dir.as_ref().to_owned()))
    }

    /// Asks for a cage with an empty project.
    pub fn empty(name: impl Into<String>) -> Self {
        Self::new(name.into(), Source::Empty)
    }

    fn new(name: String, source: Source) -> Self {
        Self {
            name,
            source,
            image: DEFAULT_IMAGE.to_owned(),
            resources: Resources::default(),
            network: Network::default(),
            env: Vec::new(),
            labels: BTreeMap::new(),
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

    /// Checks everything that can be checked without an engine.
    pub(crate) fn plan(self) -> Result<PlannedCage, RequestError> {
        let name = CageName::new(self.name)?;
        if let Source::Dir(dir) = &self.source {
            check_readable(dir)?;
        }
        if self.image.is_empty() || self.image.starts_with('-') {
            return Err(invalid("image", format!("{:?} is no image name", self.image)));
        }
        if let Some((what, reason)) = self.resources.problem() {
            return Err(RequestError::Invalid { what, reason });
        }
        for (name, _) in &self.env {
            check_variable(name)?;
        }
        let mut labels = self.labels;
        if let Some(label) = labels.keys().find(|label| label.starts_with(labels::PREFIX)) {
            return Err(invalid(
                "label",
                format!("{label:?} begins with `{}`, which is reserved", labels::PREFIX),
            ));
        }
        labels.insert(labels::MANAGED.to_owned(), "true".to_owned());
        labels.insert(labels::NAME.to_owned(), name.to_string());
        labels.insert(labels::VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        labels.insert(labels::CREATOR.to_owned(), creator());
        labels.insert(labels::CREATION.to_owned(), System.next_id().to_string());
        let Self { source, image, resources, network, env, .. } = self;
        Ok(PlannedCage { name, source, image, resources, network, env, labels })
    }
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

fn check_readable(dir: &Path) -> Result<(), RequestError> {
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
        ] {
            assert!(matches!(spec.plan(), Err(RequestError::Invalid { .. })));
        }
    }

    #[test]
    fn rejects_a_label_in_the_reserved_space() {
        assert!(CageSpec::empty("demo").label("dev.cage.name", "other").plan().is_err());
    }
}
