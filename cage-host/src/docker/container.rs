//! Containers of ours: create, find, list, remove.

use std::collections::HashMap;
use std::time::SystemTime;

use bollard::models::{ContainerCreateBody, ContainerSummary, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
};

use super::ability::refused_disk_limit;
use super::client::Engine;
use super::error::Blame;
use super::state::{listed_state, listed_time};
use crate::backend::{CageId, Found, USER};
use crate::cage::{CageName, FolderRecord, Network, PlannedCage, Unfinished, from_label, labels};
use crate::error::{EngineError, Error, RequestError, Result};

/// Nanoseconds of processor time a second that stand for one processor.
pub(super) const NANO_CPUS_PER_CPU: i64 = 1_000_000_000;

/// How a cage finds the host that it runs on, for a gateway to the model's API there.
const HOST_ALIAS: &str = "host.docker.internal:host-gateway";

/// What follows the name of a container until its creation is finished. Only the engine can change a container's name,
/// so an agent can make a finished cage look unfinished no more than the other way round.
const UNFINISHED_SUFFIX: &str = ".unfinished";

impl Engine {
    /// Creates a container that does nothing yet, under the name of an unfinished one. It is not started.
    pub(crate) async fn create_container(&self, plan: &PlannedCage) -> Result<CageId> {
        const OPERATION: &str = "create the container";
        self.check_free(&plan.name).await?;
        let name = format!("{}{UNFINISHED_SUFFIX}", plan.name.container());
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let call = self.docker.create_container(Some(options), self.container_config(plan));
        let error = match self.try_call(OPERATION, call).await {
            Ok(Ok(created)) => return Ok(CageId::new(created.id)),
            Ok(Err(Blame::Conflict)) => RequestError::NameTaken { name: plan.name.to_string() }.into(),
            Ok(Err(Blame::Refused(reason))) => {
                refused_disk_limit(&reason).unwrap_or_else(|| Blame::Refused(reason).into_error(OPERATION))
            }
            Ok(Err(Blame::NotFound)) => EngineError::ImageMissing { image: plan.image.clone() }.into(),
            Ok(Err(blame)) => blame.into_error(OPERATION),
            Err(error) => error,
        };
        if matches!(error, Error::Engine(EngineError::TimedOut { .. } | EngineError::Lost { .. })) {
            // The engine may have created it all the same; if it cannot be asked now, the labels tell a later run.
            let _ = self.remove_unanswered(plan).await;
        }
        Err(error)
    }

    /// Looks early whether a name is taken; it is decided only by [`Engine::finish_container`].
    pub(super) async fn check_free(&self, name: &CageName) -> Result<()> {
        const OPERATION: &str = "look for a container of that name";
        let container = name.container();
        let call = self.docker.inspect_container(&container, None::<InspectContainerOptions>);
        match self.try_call(OPERATION, call).await? {
            Ok(_) => Err(RequestError::NameTaken { name: name.to_string() }.into()),
            Err(Blame::NotFound) => Ok(()),
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }

    /// Gives a container its own name, which marks it as finished.
    pub(crate) async fn finish_container(&self, id: &CageId, name: &CageName) -> Result<()> {
        const OPERATION: &str = "name the container";
        let options = RenameContainerOptionsBuilder::new().name(&name.container()).build();
        match self.try_call(OPERATION, self.docker.rename_container(id.as_str(), options)).await? {
            Ok(()) => Ok(()),
            Err(Blame::Conflict) => Err(RequestError::NameTaken { name: name.to_string() }.into()),
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }

    async fn remove_unanswered(&self, plan: &PlannedCage) -> Result<()> {
        let Some(creation) = plan.labels.get(labels::CREATION) else { return Ok(()) };
        for container in self.list_labelled(vec![format!("{}={creation}", labels::CREATION)], false).await? {
            self.remove_container(&CageId::new(container.id.unwrap_or_default())).await?;
        }
        Ok(())
    }

    /// Removes a container with all that it wrote; one that is gone already is no error.
    pub(crate) async fn remove_container(&self, id: &CageId) -> Result<()> {
        const OPERATION: &str = "remove the container";
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.try_call(OPERATION, self.docker.remove_container(id.as_str(), Some(options))).await? {
            // A conflict means that its removal is already under way.
            Ok(()) | Err(Blame::NotFound | Blame::Conflict) => Ok(()),
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }

    /// Lists the containers of ours, running or not, or the one of a given name; each with the extra folders that it
    /// was created with, and if asked with what it takes on the disk.
    pub(crate) async fn list_containers(&self, name: Option<&CageName>, sizes: bool) -> Result<Vec<Found>> {
        let mut filter = vec![format!("{}=true", labels::MANAGED)];
        filter.extend(name.map(|name| format!("{}={name}", labels::NAME)));
        let containers = self.list_labelled(filter, sizes).await?;
        Ok(containers.into_iter().filter_map(|container| found(container, sizes)).collect())
    }

    async fn list_labelled(&self, labels: Vec<String>, sizes: bool) -> Result<Vec<ContainerSummary>> {
        let filters = HashMap::from([("label", labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).size(sizes).filters(&filters).build();
        self.call("list the containers", self.docker.list_containers(Some(options))).await
    }

    fn container_config(&self, plan: &PlannedCage) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(plan.image.clone()),
            user: Some(USER.to_owned()),
            // The main process only keeps the container alive; agents are execs, so their end is not the cage's.
            entrypoint: Some(vec!["sleep".to_owned(), "infinity".to_owned()]),
            cmd: Some(Vec::new()),
            env: Some(plan.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(plan.labels.clone().into_iter().collect()),
            host_config: Some(self.host_config(plan)),
            ..ContainerCreateBody::default()
        }
    }

    fn host_config(&self, plan: &PlannedCage) -> HostConfig {
        let resources = &plan.resources;
        let memory = i64::try_from(resources.memory_bytes).unwrap_or(i64::MAX);
        let open = plan.network == Network::Open;
        HostConfig {
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            // PID 1 must reap what an agent leaves behind.
            init: Some(true),
            pids_limit: Some(i64::from(resources.pids)),
            memory: Some(memory),
            // Equal to `memory`: no swap on top.
            memory_swap: Some(memory),
            nano_cpus: Some(resources.nano_cpus().min(self.cpus.saturating_mul(NANO_CPUS_PER_CPU))),
            network_mode: Some(if open { "default" } else { "none" }.to_owned()),
            extra_hosts: open.then(|| vec![HOST_ALIAS.to_owned()]),
            runtime: plan.runtime.clone(),
            storage_opt: resources
                .disk_bytes
                .map(|bytes| HashMap::from([("size".to_owned(), bytes.to_string())])),
            ..HostConfig::default()
        }
    }
}

fn found(container: ContainerSummary, sizes: bool) -> Option<Found> {
    let mut labels = container.labels.unwrap_or_default();
    let names = container.names.unwrap_or_default();
    let created = listed_time(container.created.unwrap_or_default());
    let unfinished = names.iter().any(|name| name.ends_with(UNFINISHED_SUFFIX)).then(|| Unfinished {
        creator: labels.remove(labels::CREATOR).unwrap_or_default(),
        // A time in the future is now.
        age: SystemTime::now().duration_since(created).unwrap_or_default(),
    });
    Some(Found {
        pauses: labels.get(labels::PAUSES).cloned().map(CageId::new),
        folders: FolderRecord {
            created: labels.get(labels::FOLDERS).map(|label| from_label(label)).unwrap_or_default(),
            notes: Vec::new(),
        },
        id: CageId::new(container.id?),
        // A container under our label with a name that breaks our rules was not made by this library.
        name: CageName::new(labels.get(labels::NAME)?.clone()).ok()?,
        image: container.image.unwrap_or_default(),
        state: listed_state(container.state),
        created,
        // The engine leaves a size of nothing out.
        bytes: sizes.then(|| container.size_rw.unwrap_or_default().try_into().unwrap_or_default()),
        unfinished,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_size_that_was_asked_for_and_left_out_for_nothing() {
        let labels = HashMap::from([(labels::NAME.to_owned(), "demo".to_owned())]);
        let container =
            ContainerSummary { id: Some("id".to_owned()), labels: Some(labels), ..Default::default() };
        let bytes =
            |size_rw, sizes| found(ContainerSummary { size_rw, ..container.clone() }, sizes).unwrap().bytes;
        assert_eq!((bytes(None, true), bytes(Some(7), true), bytes(None, false)), (Some(0), Some(7), None));
    }
}
