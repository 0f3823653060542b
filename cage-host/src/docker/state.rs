//! What a container does: start, stop, pause, and the question.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::{ContainerStateStatusEnum, ContainerSummaryStateEnum};
use bollard::query_parameters::{
    InspectContainerOptions, StartContainerOptions, StopContainerOptionsBuilder,
};

use super::client::Engine;
use super::error::Blame;
use crate::backend::CageId;
use crate::cage::CageState;
use crate::error::{EngineError, Result};

/// Seconds between the polite signal and the kill. A container's main process only sleeps and ends at once.
const STOP_SECONDS: i32 = 2;

impl Engine {
    /// Starts a container that was created or stopped; one that runs is no error.
    pub(crate) async fn start_container(&self, id: &CageId) -> Result<()> {
        let call = self.docker.start_container(id.as_str(), None::<StartContainerOptions>);
        self.call("start the container", call).await
    }

    /// Ends every program of a container; one that is stopped is no error.
    pub(crate) async fn stop_container(&self, id: &CageId) -> Result<()> {
        let options = StopContainerOptionsBuilder::new().t(STOP_SECONDS).build();
        self.call("stop the container", self.docker.stop_container(id.as_str(), Some(options))).await
    }

    /// Holds every program of a container.
    pub(crate) async fn pause_container(&self, id: &CageId) -> Result<()> {
        const OPERATION: &str = "pause the container";
        let paused = self.try_call(OPERATION, self.docker.pause_container(id.as_str())).await?;
        paused.map_err(|blame| match blame {
            // runc's words, where an engine runs without root on cgroups version 1.
            Blame::Refused(reason) if reason.contains("cgroups not configured") => {
                let reason = "it has no cgroups to hold programs by; stop the cage instead".to_owned();
                EngineError::Refused { operation: OPERATION, reason }.into()
            }
            blame => blame.into_error(OPERATION),
        })
    }

    /// Lets the programs of a paused container go on.
    pub(crate) async fn unpause_container(&self, id: &CageId) -> Result<()> {
        const OPERATION: &str = "let the container go on";
        match self.try_call(OPERATION, self.docker.unpause_container(id.as_str())).await? {
            // Somebody else was faster.
            Ok(()) | Err(Blame::Conflict) => Ok(()),
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }

    /// Returns what a container does.
    pub(crate) async fn container_state(&self, id: &CageId) -> Result<CageState> {
        let call = self.docker.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let container = self.call("look at the container", call).await?;
        let status = container.state.and_then(|state| state.status);
        Ok(match status.unwrap_or(ContainerStateStatusEnum::EMPTY) {
            ContainerStateStatusEnum::CREATED => CageState::Created,
            ContainerStateStatusEnum::RUNNING => CageState::Running,
            ContainerStateStatusEnum::PAUSED => CageState::Paused,
            ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::REMOVING => CageState::Dead,
            _ => CageState::Stopped,
        })
    }
}

/// Returns the state that a listing gives.
pub(super) fn listed_state(state: Option<ContainerSummaryStateEnum>) -> CageState {
    match state.unwrap_or(ContainerSummaryStateEnum::EMPTY) {
        ContainerSummaryStateEnum::CREATED => CageState::Created,
        ContainerSummaryStateEnum::RUNNING => CageState::Running,
        ContainerSummaryStateEnum::PAUSED => CageState::Paused,
        ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::REMOVING => CageState::Dead,
        _ => CageState::Stopped,
    }
}

/// Returns a time of the engine's clock, given in seconds since 1970.
pub(super) fn listed_time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or_default())
}
