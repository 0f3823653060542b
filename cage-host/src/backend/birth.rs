//! What is known of a cage's beginning, which nothing changes later.

use super::dispatch::{Backend, CageId, WrittenSince};
use crate::cage::Sent;
use crate::error::Result;

/// When a cage began, and what was sent into it.
#[derive(Debug, Clone)]
pub(crate) struct Birth {
    pub(crate) written: WrittenSince,
    pub(crate) sent: Sent,
}

impl Backend {
    /// Returns what is known of a cage's beginning, by one look at it.
    pub(crate) async fn birth(&self, id: &CageId) -> Result<Birth> {
        match self {
            Self::Docker(engine) => engine.birth(id).await,
            Self::Embedded(folders) => {
                Ok(Birth { written: self.written_since(id).await?, sent: folders.sent(id).await })
            }
        }
    }
}
