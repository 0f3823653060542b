//! Stopping a cage and letting it go on, without losing what is in it.

use std::fmt;
use std::time::Duration;

use cage_proto::mailbox::CageDir;

use super::handle::Cage;
use super::place::Place;
use crate::backend::Exec;
use crate::error::{Error, RequestError, Result};

const STOP: &str = "end the agent";

/// How long an agent that [`Cage::stop`] ends may take for it, in [`Cage::stop`]'s own words: the supervisor gives the
/// agent ten seconds, and writes down the state in milliseconds.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(15);

/// Longest grace that can be asked for.
const MAX_GRACE: Duration = Duration::from_secs(600);

/// What the programs that end the supervisor may take beyond the grace.
const MARGIN: Duration = Duration::from_secs(20);

/// Tells the supervisor to end, and waits for that so many tenths of a second, `$2`.
///
/// Its number is in the lock file `$1`, which the agent can write too. So it has to look like a supervisor, and on the
/// embedded backend like one of this cage; whatever else it is keeps running until the cage stops.
const STOP_SCRIPT: &str = r#"read -r pid <"$1" || exit 0
case "$pid" in ''|*[!0-9]*) exit 0 ;; esac
supervises() {
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'cage-poll supervise ' || return 1
    [ -z "${CAGE_DIR-}" ] || tr '\0' '\n' <"/proc/$pid/environ" | grep -qxF "CAGE_DIR=$CAGE_DIR"
}
supervises || exit 0
kill -TERM "$pid"
left=$2
while [ "$left" -gt 0 ] && supervises; do sleep 0.1; left=$((left - 1)); done"#;

/// What a cage's container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CageState {
    /// It was never started: its creation is not finished.
    Created,
    /// Programs can be run in it.
    Running,
    /// Its programs are held where they are.
    Paused,
    /// Its programs have ended; its files are there.
    Stopped,
    /// The engine could not start or remove it and only removes it now.
    Dead,
}

impl fmt::Display for CageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Dead => "dead",
        })
    }
}

impl Cage {
    /// Returns what the cage's container does now.
    ///
    /// # Errors
    /// [`CageError::Gone`](crate::CageError::Gone) when it was removed, [`EngineError`](crate::EngineError) when the
    /// engine fails.
    pub async fn state(&self) -> Result<CageState> {
        self.place.state().await
    }

    /// Ends the agent, then every other program of the cage; all files stay. One that is stopped is no error.
    ///
    /// The supervisor is told first, and has as long as `grace`, at most ten minutes, to end the agent, to write its
    /// last state and to go: [`DEFAULT_GRACE`] is enough for it. A grace of zero ends everything at once, as a loss of
    /// power would. A paused cage is stopped as it is. The next launch of the same task goes on with the conversation.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// cage.stop(cage_host::DEFAULT_GRACE).await?;
    /// assert_eq!(cage.state().await?, cage_host::CageState::Stopped);
    /// cage.start().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] for a longer grace.
    /// - [`CageError::Gone`](crate::CageError::Gone) when the cage was removed.
    /// - [`EngineError`](crate::EngineError) when the engine fails; the cage may then still run.
    pub async fn stop(&self, grace: Duration) -> Result<()> {
        if grace > MAX_GRACE {
            let reason = format!("at most {} s are allowed", MAX_GRACE.as_secs());
            return Err(RequestError::Invalid { what: "grace", reason }.into());
        }
        if !grace.is_zero() {
            end_supervisor(&self.place, grace).await?;
        }
        self.place.stop().await
    }

    /// Lets a stopped or paused cage go on. One that is running is no error.
    ///
    /// The programs of a paused cage go on where they were. In a stopped one none runs until an agent is launched.
    ///
    /// # Errors
    /// - [`CageError::Gone`](crate::CageError::Gone) when the cage was removed.
    /// - [`EngineError`](crate::EngineError) when the engine fails, or its disk is full.
    pub async fn start(&self) -> Result<()> {
        match self.place.state().await? {
            CageState::Running => Ok(()),
            CageState::Paused => self.place.unpause().await,
            _ => self.place.start().await,
        }
    }

    /// Holds every program of the cage where it is, until [`Cage::start`]. One that is paused is no error.
    ///
    /// # Errors
    /// - [`CageError::NotRunning`](crate::CageError::NotRunning) when the cage is stopped,
    ///   [`CageError::Gone`](crate::CageError::Gone) when it was removed.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    /// - [`RequestError::Invalid`] on the embedded backend, which cannot hold programs.
    pub async fn pause(&self) -> Result<()> {
        match self.place.state().await? {
            CageState::Paused => Ok(()),
            _ => self.place.pause().await,
        }
    }
}

async fn end_supervisor(place: &Place, grace: Duration) -> Result<()> {
    let lock = CageDir::new(place.layout.cage_dir()).supervisor_lock();
    let tenths = (grace.as_millis() / 100).to_string();
    let argv = ["sh", "-c", STOP_SCRIPT, "sh", &lock.to_string_lossy(), &tenths];
    let exec = Exec::new(STOP, argv, grace + MARGIN);
    let ended = async { place.exec(exec).await?.exit().await };
    match ended.await {
        // What goes wrong inside, also that it does not run, must not keep the cage from being stopped.
        Ok(_) | Err(Error::Cage(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
