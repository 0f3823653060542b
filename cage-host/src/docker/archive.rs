//! Folders of a container as archives, which the engine makes whether the container runs or not.

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, InspectContainerOptions};
use cage_proto::message::Timestamp;
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::client::{CALL_DEADLINE, Engine};
use super::error::Blame;
use crate::backend::{Archive, Birth, CageId, WrittenSince};
use crate::cage::{Sent, labels};
use crate::error::{EngineError, Error, Result};

const ARCHIVE: &str = "read the cage's files";

impl Engine {
    /// Opens a folder of a container as an archive; `None` when the container has no such folder.
    pub(crate) async fn archive(&self, id: &CageId, path: &str) -> Result<Option<Archive>> {
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut chunks = self.docker.download_from_container(id.as_str(), Some(options)).boxed();
        let late = || Error::from(EngineError::TimedOut { operation: ARCHIVE, after: CALL_DEADLINE });
        let first = match timeout(CALL_DEADLINE, chunks.next()).await.map_err(|_| late())? {
            Some(Err(error)) => match Blame::from(error) {
                // The container is there if it can still be looked at; then it is the folder that is not.
                Blame::NotFound => return self.container_state(id).await.map(|_| None),
                blame => return Err(blame.into_error(ARCHIVE)),
            },
            first => first,
        };
        let rest = futures_util::stream::iter(first).chain(chunks);
        Ok(Some(rest.map(|chunk| chunk.map_err(|error| Blame::from(error).into_error(ARCHIVE))).boxed()))
    }

    /// Returns what is known of a container's beginning.
    pub(crate) async fn birth(&self, id: &CageId) -> Result<Birth> {
        let call = self.docker.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let container = self.call("look at the container", call).await?;
        let labels = container.config.as_ref().and_then(|config| config.labels.as_ref());
        let sent = Sent::from_labels(|label| labels?.get(label).map(String::as_str));
        Ok(Birth { written: written_since(&container), sent })
    }
}

pub(super) fn written_since(container: &ContainerInspectResponse) -> WrittenSince {
    // Without a time that makes sense every file is looked into.
    let created = container.created.as_ref().and_then(|created| created.parse::<Timestamp>().ok());
    let created = created.map_or(0, |created| created.instant().timestamp());
    let labels = container.config.as_ref().and_then(|config| config.labels.as_ref());
    let copied = labels.and_then(|labels| labels.get(labels::WRITTEN_SINCE)?.parse().ok());
    WrittenSince { created, copied }
}
