//! Images made of cages.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use bollard::models::{ContainerConfig, ImageSummary};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, InspectContainerOptions, ListImagesOptionsBuilder,
    RemoveImageOptionsBuilder,
};
use tokio::time::timeout;

use super::archive::written_since;
use super::client::Engine;
use super::container::NANO_CPUS_PER_CPU;
use super::error::Blame;
use super::state::listed_time;
use crate::backend::CageId;
use crate::cage::{CageName, Origin, Snapshot, Unfinished, labels};
use crate::error::{EngineError, RequestError, Result};

/// What the images of snapshots are called; the tag is the snapshot's name.
const REPOSITORY: &str = "cage-snapshot";

/// What Podman puts before names without a registry: the first for images that are made through this API, the second
/// for those that are loaded.
const PODMANS_PREFIXES: [&str; 2] = ["docker.io/library/", "localhost/"];

/// What Podman calls the runtime of every container.
const ANY_RUNTIME: &str = "oci";

const LOOK: &str = "look at the snapshot";

const COMMIT: &str = "make the snapshot";

/// Longest time for making an image: it copies all that was written in the container.
const COMMIT_DEADLINE: Duration = Duration::from_secs(1_800);

impl Engine {
    /// Returns what a container was created with.
    pub(crate) async fn origin(&self, id: &CageId) -> Result<Origin> {
        let call = self.docker.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let container = self.call("look at the container", call).await?;
        let folders = self.folder_record(id).await?.folders();
        let written_since = written_since(&container).first();
        let config = container.config.unwrap_or_default();
        let host = container.host_config.unwrap_or_default();
        let mut labels: BTreeMap<_, _> = config.labels.unwrap_or_default().into_iter().collect();
        let image = self.image_of(container.image.unwrap_or_default(), config.image).await?;
        let pair =
            |variable: String| variable.split_once('=').map(|(name, value)| (name.into(), value.into()));
        let limit = |value: Option<i64>| value.filter(|value| *value > 0);
        Ok(Origin {
            cage: labels.remove(labels::NAME).unwrap_or_default(),
            image,
            memory_bytes: limit(host.memory).map(i64::cast_unsigned),
            cpus: limit(host.nano_cpus).map(processors),
            pids: limit(host.pids_limit).and_then(|pids| pids.try_into().ok()),
            disk_bytes: host.storage_opt.and_then(|options| options.get("size")?.parse().ok()),
            runtime: host.runtime.filter(|runtime| !runtime.is_empty() && runtime != ANY_RUNTIME),
            network_open: host.network_mode.as_deref() != Some("none"),
            env: config.env.unwrap_or_default().into_iter().filter_map(pair).collect(),
            labels,
            written_since,
            folders,
        })
    }

    /// Returns the name of an image if that is still what it was when the container was created, else its id.
    async fn image_of(&self, id: String, name: Option<String>) -> Result<String> {
        let Some(name) = name else { return Ok(id) };
        match self.try_call("look at the image", self.docker.inspect_image(&name)).await? {
            Ok(image) if image.id.as_ref() == Some(&id) => Ok(name),
            _ => Ok(id),
        }
    }

    /// Makes an image of a container that does nothing, with the labels of the container.
    pub(crate) async fn commit(&self, id: &CageId, name: &CageName) -> Result<()> {
        // Podman takes no label from here, so that all but this one come from the container.
        let labels = HashMap::from([(labels::NAME.to_owned(), name.to_string())]);
        let options = CommitContainerOptionsBuilder::new()
            .container(id.as_str())
            .repo(REPOSITORY)
            .tag(name.as_str())
            .pause(false)
            .build();
        let config = ContainerConfig { labels: Some(labels), ..ContainerConfig::default() };
        // It takes longer than other calls may.
        let docker = self.docker.clone().with_timeout(COMMIT_DEADLINE);
        let committed = timeout(COMMIT_DEADLINE, docker.commit_container(options, config)).await;
        let late = |_| EngineError::TimedOut { operation: COMMIT, after: COMMIT_DEADLINE };
        committed.map_err(late)?.map_err(|error| Blame::from(error).into_error(COMMIT))?;
        Ok(())
    }

    /// Lists the snapshots.
    pub(crate) async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let images = self.snapshot_images(false).await?;
        Ok(images.into_iter().flat_map(|image| named(&image)).collect())
    }

    /// Returns what the cage of a snapshot was created with, and the snapshot's image.
    pub(crate) async fn snapshot_origin(&self, name: &CageName) -> Result<(Origin, String)> {
        let image = reference(name);
        let missing = || RequestError::NoSuchSnapshot { name: name.to_string() };
        let found = match self.try_call(LOOK, self.docker.inspect_image(&image)).await? {
            Ok(found) => found,
            Err(Blame::NotFound) => return Err(missing().into()),
            Err(blame) => return Err(blame.into_error(LOOK)),
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        let origin = labels.get(labels::ORIGIN).and_then(|text| serde_json::from_str(text).ok());
        Ok((origin.ok_or_else(missing)?, image))
    }

    /// Removes a snapshot; one that is gone already is no error.
    pub(crate) async fn remove_snapshot(&self, name: &CageName) -> Result<()> {
        // Forced: only the name is taken away from an image that a running cage still uses.
        self.remove_image(&reference(name), true).await
    }

    /// Returns the image of a snapshot that a container was made of, if it was.
    pub(crate) async fn snapshot_below(&self, id: &CageId) -> Result<Option<String>> {
        const OPERATION: &str = "look at the container";
        let call = self.docker.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let container = match self.try_call(OPERATION, call).await? {
            Ok(container) => container,
            Err(Blame::NotFound) => return Ok(None),
            Err(blame) => return Err(blame.into_error(OPERATION)),
        };
        // A container has the labels of its image.
        let labels = container.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(container.image.filter(|_| is_snapshot(&labels)))
    }

    /// Removes the image of a snapshot that has lost its name and its last cage.
    pub(crate) async fn remove_unused_image(&self, image: &str) -> Result<()> {
        let found = match self.try_call(LOOK, self.docker.inspect_image(image)).await? {
            Ok(found) => found,
            Err(Blame::NotFound) => return Ok(()),
            Err(blame) => return Err(blame.into_error(LOOK)),
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        let named = found.repo_tags.is_some_and(|tags| !tags.is_empty());
        if named || !is_snapshot(&labels) { Ok(()) } else { self.remove_image(image, false).await }
    }

    /// Removes the images of snapshots that never got their names, or lost them to a later one.
    pub(crate) async fn remove_abandoned_images(&self) -> Result<()> {
        for image in self.snapshot_images(true).await? {
            let creator = image.labels.get(labels::CREATOR).cloned().unwrap_or_default();
            let age = SystemTime::now().duration_since(listed_time(image.created)).unwrap_or_default();
            if (Unfinished { creator, age }).is_abandoned() {
                self.remove_image(&image.id, false).await?;
            }
        }
        Ok(())
    }

    async fn remove_image(&self, image: &str, force: bool) -> Result<()> {
        const OPERATION: &str = "remove the snapshot";
        let options = RemoveImageOptionsBuilder::new().force(force).build();
        let removed = self.try_call(OPERATION, self.docker.remove_image(image, Some(options), None)).await?;
        match removed {
            // A conflict means that a cage uses an image that has no name any more; it goes with the last of them.
            Ok(_) | Err(Blame::NotFound | Blame::Conflict) => Ok(()),
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }

    async fn snapshot_images(&self, dangling: bool) -> Result<Vec<ImageSummary>> {
        let role = format!("{}={}", labels::ROLE, labels::SNAPSHOT_ROLE);
        let filters = HashMap::from([("label", vec![role]), ("dangling", vec![dangling.to_string()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        self.call("list the snapshots", self.docker.list_images(Some(options))).await
    }
}

fn is_snapshot(labels: &HashMap<String, String>) -> bool {
    labels.get(labels::ROLE).is_some_and(|role| role == labels::SNAPSHOT_ROLE)
}

fn reference(name: &CageName) -> String {
    format!("{REPOSITORY}:{name}")
}

/// Returns an image once for each name of a snapshot that it has.
fn named(image: &ImageSummary) -> Vec<Snapshot> {
    let origin = image.labels.get(labels::ORIGIN);
    let origin: Option<Origin> = origin.and_then(|text| serde_json::from_str(text).ok());
    let names = image.repo_tags.iter().filter_map(|tag| snapshot_name(tag));
    let snapshot = |name| Snapshot {
        name,
        cage: origin.as_ref().map(|origin| origin.cage.clone()).unwrap_or_default(),
        created: listed_time(image.created),
        bytes: image.size.try_into().unwrap_or_default(),
    };
    names.map(snapshot).collect()
}

fn snapshot_name(tag: &str) -> Option<CageName> {
    let tag = PODMANS_PREFIXES.iter().find_map(|prefix| tag.strip_prefix(prefix)).unwrap_or(tag);
    let name = tag.strip_prefix(REPOSITORY)?.strip_prefix(':')?;
    CageName::new(name).ok()
}

#[expect(clippy::cast_precision_loss, reason = "a limit has far fewer digits than that")]
fn processors(nano_cpus: i64) -> f64 {
    nano_cpus as f64 / NANO_CPUS_PER_CPU as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_names_that_either_engine_gives_to_snapshots() {
        for tag in ["cage-snapshot:a", "docker.io/library/cage-snapshot:a", "localhost/cage-snapshot:a"] {
            assert_eq!(snapshot_name(tag).unwrap().as_str(), "a");
        }
    }

    #[test]
    fn rejects_the_names_of_other_images() {
        for tag in
            ["cage:a", "cage-snapshots:a", "registry/cage-snapshot:a", "cage-snapshot", "<none>:<none>"]
        {
            assert_eq!(snapshot_name(tag), None, "{tag}");
        }
    }
}
