//! The cage itself.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::agent_run::AgentRun;
use super::auth_mode::AuthMode;
use super::credential::{self, Credential};
use super::labels;
use super::launch::{launch, run, try_agent};
use super::name::CageName;
use super::place::Place;
use super::shared::Shared;
use super::task::Task;
use crate::error::Result;
use crate::interactive::Interactive;
use crate::mailbox::{Inbox, Outbox};
use crate::transfer::{Arrival, Memory};

/// A cage that exists. Dropping the handle leaves it running; [`Cage::destroy`] ends it.
#[derive(Debug)]
pub struct Cage {
    pub(super) place: Place,
    arrival: Arrival,
    folder_arrivals: Vec<(String, Arrival)>,
    pub(super) shared: Shared,
}

impl Cage {
    pub(crate) fn new(place: Place, arrival: Arrival, shared: Shared) -> Self {
        Self { place, arrival, folder_arrivals: Vec::new(), shared }
    }

    pub(super) fn with_folders(self, folder_arrivals: Vec<(String, Arrival)>) -> Self {
        Self { folder_arrivals, ..self }
    }

    /// Returns where it is remembered what was exported.
    pub(super) fn memory(&self) -> Memory {
        Memory::new(Arc::clone(&self.shared.cursors), &self.place)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the cage's name.
    pub fn name(&self) -> &CageName {
        &self.place.name
    }

    /// Returns what was sent in as the project when this handle created the cage; all zeros for a clone, and on a
    /// handle to a cage that was found.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// Returns what was sent in for each extra folder, by its place in the home, when this handle created the cage;
    /// [`Cage::folders`] lists the folders that it has.
    pub fn folder_arrivals(&self) -> &[(String, Arrival)] {
        &self.folder_arrivals
    }

    /// Returns how the agent is to sign in, if [`CageSpec::auth_mode`](crate::CageSpec::auth_mode) said so. The agent
    /// cannot change it; a fork has it too.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`](crate::RequestError::Invalid) for one that this version does not know.
    /// - [`CageError::Gone`](crate::CageError::Gone) when the cage was removed, [`EngineError`](crate::EngineError)
    ///   when the engine fails.
    pub async fn auth_mode(&self) -> Result<Option<AuthMode>> {
        let origin = self.place.origin().await?;
        let mode = origin.labels.get(labels::AUTH_MODE).map(|mode| mode.parse());
        Ok(mode.transpose()?)
    }

    /// Starts an agent on a task in the background and returns once it is under way.
    ///
    /// The agent runs under `cage-poll supervise`, so it needs this program no more: it reports a crash by itself,
    /// waits for revisions and resumes. Before that its program and its hooks are tried.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// use cage_host::{Credential, Task};
    ///
    /// let task = Task::from_file("task.md").credential(Credential::from_host()?).max_turns(40);
    /// cage.launch(task).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`RequestError::NoCredential`](crate::RequestError::NoCredential) when the agent could not sign in,
    ///   [`RequestError::Invalid`](crate::RequestError::Invalid) for a prompt, a limit or a credentials file that makes
    ///   no sense, [`IoError`](crate::IoError) when a file cannot be read.
    /// - [`RequestError::AgentRunning`](crate::RequestError::AgentRunning) when an agent is at work here,
    ///   [`RequestError::NothingToResume`](crate::RequestError::NothingToResume) when none has ever been.
    /// - [`CageError::ProgramMissing`](crate::CageError::ProgramMissing),
    ///   [`CageError::AgentBroken`](crate::CageError::AgentBroken) and
    ///   [`CageError::HooksBroken`](crate::CageError::HooksBroken) when the image does not have what it must,
    ///   [`CageError`](crate::CageError) when the runtime refuses the agent's arguments, or the cage's disk is full.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn launch(&self, task: Task) -> Result<()> {
        launch(&self.place, &task).await
    }

    /// Starts an agent on a task in the foreground: the handle has its stream, line by line, and ends it when dropped.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// use cage_host::{Credential, Task, sanitize};
    ///
    /// let mut run = cage.run(Task::new("fix the tests").credential(Credential::from_host()?)).await?;
    /// while let Some(line) = run.next_line().await {
    ///     println!("{}", sanitize(&line?));
    /// }
    /// run.finish().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Like [`Cage::launch`]; that another agent is at work, and what is wrong with its arguments, may be said only by
    /// [`AgentRun::finish`].
    pub async fn run(&self, task: Task) -> Result<AgentRun> {
        run(&self.place, &task).await
    }

    /// Starts Claude Code in the cage just to see that it does and that its hooks are in force, and returns the version
    /// that it tells, safe to show. No model is asked, and no credential is needed.
    ///
    /// # Errors
    /// - [`CageError::ProgramMissing`](crate::CageError::ProgramMissing),
    ///   [`CageError::AgentBroken`](crate::CageError::AgentBroken) and
    ///   [`CageError::HooksBroken`](crate::CageError::HooksBroken) when the image does not have what it must.
    /// - [`CageError`](crate::CageError) when the cage is stopped or gone, [`EngineError`](crate::EngineError) when the
    ///   engine fails.
    pub async fn try_agent(&self) -> Result<String> {
        try_agent(&self.place).await
    }

    /// Copies a subscription's file into the cage again, for example after signing in anew on the host.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`](crate::RequestError::Invalid) for a credential that is no file, and for a file that
    ///   is too large or no JSON object; [`IoError`](crate::IoError) when it cannot be read.
    /// - [`CageError`](crate::CageError) or [`EngineError`](crate::EngineError) when it cannot be written in the cage.
    pub async fn refresh_credential(&self, credential: &Credential) -> Result<()> {
        credential::refresh(&self.place, credential).await
    }

    /// Returns the agent with its own screen, for a person or a program that types; it may not be started yet.
    pub fn interactive(&self) -> Interactive {
        Interactive::new(self.place.clone())
    }

    /// Returns the mailbox that the agent writes.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.place.clone(), Arc::clone(&self.shared.cursors))
    }

    /// Returns the mailbox that the agent reads.
    pub fn inbox(&self) -> Inbox {
        Inbox::new(self.place.clone())
    }

    /// Removes the cage with everything in it. One that is gone already is no error.
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the engine does not answer or refuses; the cage may then still exist.
    pub async fn destroy(self) -> Result<()> {
        self.place.remove().await?;
        let prefix = self.place.cursor_prefix();
        // A cursor that stays behind is never used again, since no later cage has its key.
        let _ = spawn_blocking(move || self.shared.cursors.forget(&prefix)).await;
        Ok(())
    }
}
