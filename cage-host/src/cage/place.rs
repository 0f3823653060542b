//! A cage seen from within this crate: where it is and how to run something there.

use crate::backend::{Backend, CageId, Exec, Layout, Running};
use crate::cage::CageName;
use crate::error::Result;

/// One cage of one backend.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) name: CageName,
    pub(crate) id: CageId,
    pub(crate) layout: Layout,
    backend: Backend,
}

impl Place {
    pub(crate) fn new(name: CageName, id: CageId, backend: Backend) -> Self {
        let layout = backend.layout(&id);
        Self { name, id, layout, backend }
    }

    pub(crate) async fn exec(&self, exec: Exec) -> Result<Running> {
        self.backend.exec(&self.id, exec).await
    }

    pub(crate) async fn exec_detached(&self, exec: Exec) -> Result<()> {
        self.backend.exec_detached(&self.id, exec).await
    }

    pub(crate) async fn start(&self) -> Result<()> {
        self.backend.start(&self.id).await
    }

    pub(crate) async fn remove(&self) -> Result<()> {
        self.backend.remove(&self.id).await
    }
}
