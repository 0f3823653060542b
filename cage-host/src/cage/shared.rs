//! What all cages of one host share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::mailbox::CursorStore;

/// Where cursors are kept, and what is under way.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) cursors: Arc<dyn CursorStore>,
    /// How many pieces of work are under way that would have to be undone, cleaning up included.
    work: watch::Sender<usize>,
}

impl Shared {
    pub(crate) fn new(cursors: impl CursorStore + 'static) -> Self {
        Self { cursors: Arc::new(cursors), work: watch::Sender::new(0) }
    }

    pub(crate) fn with_cursors(self, cursors: impl CursorStore + 'static) -> Self {
        Self { cursors: Arc::new(cursors), ..self }
    }

    /// Counts one piece of work for as long as what is returned exists.
    pub(crate) fn begin_work(&self) -> Work {
        self.work.send_modify(|count| *count += 1);
        Work(self.work.clone())
    }

    /// Waits until nothing is under way.
    pub(crate) async fn settled(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.work.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// One piece of work.
#[derive(Debug)]
pub(crate) struct Work(watch::Sender<usize>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
