//! What a command works with.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cage_host::{Cage, CageName, FileCursors, Host};
use tokio::sync::OnceCell;

use crate::failure::Failure;
use crate::output::Screen;
use crate::signals::Pause;

/// What a command works with: the screen, the host, and what to remove when it is interrupted.
#[derive(Debug)]
pub(crate) struct Context {
    screen: Screen,
    host: OnceCell<Host>,
    temporary: Mutex<Option<CageName>>,
    pause: Pause,
}

impl Context {
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen, host: OnceCell::new(), temporary: Mutex::default(), pause: Pause::default() }
    }

    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// What waits for Ctrl-C in commands that do more about it than end.
    pub(crate) fn pause(&self) -> Pause {
        self.pause.clone()
    }

    /// Returns the host, to which the first caller connects. It remembers what has been read across runs.
    pub(crate) async fn host(&self) -> Result<&Host, Failure> {
        self.host
            .get_or_try_init(async || {
                let host = Host::connect().await?;
                let folder = cursor_folder()?;
                let cursors =
                    FileCursors::new(&folder).map_err(|error| Failure::File { path: folder, error })?;
                Ok(host.with_cursors(cursors))
            })
            .await
    }

    /// Finds a cage.
    pub(crate) async fn cage(&self, name: &str) -> Result<Cage, Failure> {
        Ok(self.host().await?.cage(name).await?)
    }

    /// Notes that a cage goes when the command is interrupted.
    pub(crate) fn destroy_when_interrupted(&self, name: &CageName) {
        *self.temporary.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
    }

    /// Notes that nothing has to go any more.
    pub(crate) fn keep(&self) {
        *self.temporary.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Undoes what an interrupted command has begun.
    pub(crate) async fn undo(&self) -> Result<(), Failure> {
        let Some(host) = self.host.get() else { return Ok(()) };
        host.settled().await;
        let temporary = self.temporary.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(name) = temporary {
            host.cage(name.as_str()).await?.destroy().await?;
        }
        Ok(())
    }
}

/// Returns the folder that remembers how far each outbox has been read.
pub(crate) fn cursor_folder() -> Result<PathBuf, Failure> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    let state = state.ok_or_else(|| Failure::Other {
        what: "neither XDG_STATE_HOME nor HOME is set, so there is no place to remember what was read"
            .to_owned(),
        hint: "set HOME".to_owned(),
    })?;
    Ok(state.join("cage/cursors"))
}
