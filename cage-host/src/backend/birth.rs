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
            Self::Embedded(folders) => Ok(Birth {
                // An archive of whole seconds would hide what was written within the first one; copies keep the
                // fractions.
                written: WrittenSince { created: 0, copied: None },
                sent: folders.sent(id).await,
            }),
        }
    }
}
