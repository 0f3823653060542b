//! Watching a cage.

use std::path::Path;

use super::handle::Cage;
use crate::error::Result;
use crate::report::{self, RunReport};
use crate::watch::{self, Diagnosis, Spent, Status, StatusFollower, StreamLog};

impl Cage {
    /// Says what the cage is doing, by one program in it.
    ///
    /// It rests on what the supervisor has written down, on whether it and the agent run, and on the newest 32 messages
    /// of each mailbox that have at most 64 KiB.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// use cage_host::Activity;
    ///
    /// let status = cage.status().await?;
    /// match &status.activity {
    ///     Activity::WaitingForAnswer(request) => { cage.inbox().answer(request, "answers").await?; }
    ///     Activity::Complete { exit_code: 0, .. } => { cage.diff(".").await?; }
    ///     other => println!("{other}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    /// - [`CageError`](crate::CageError) when the look takes more than 30 s or comes to nothing. A cage that is
    ///   stopped, paused or gone is no error.
    pub async fn status(&self) -> Result<Status> {
        watch::status(&self.place).await
    }

    /// Tells what the cage is doing whenever it changes, by one program that stays in it.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// let mut statuses = cage.follow_status();
    /// while let Some(status) = statuses.next().await {
    ///     println!("{}", status?.activity);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow_status(&self) -> StatusFollower {
        StatusFollower::start(self.place.clone())
    }

    /// Says what the cage is doing, what was seen of it, and one thing to do next, by one program in it.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// println!("{}", cage.diagnose().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Like [`Cage::status`].
    pub async fn diagnose(&self) -> Result<Diagnosis> {
        watch::diagnose(&self.place).await
    }

    /// Returns what the agent has used so far, as it says itself: all zeros when none was launched or the cage does not
    /// run. Like [`Cage::status`], of which this is a part.
    ///
    /// # Errors
    /// Like [`Cage::status`].
    pub async fn usage(&self) -> Result<Spent> {
        Ok(self.status().await?.spent.unwrap_or_default())
    }

    /// Returns the log of what the agent printed.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// let mut log = cage.log().follow();
    /// while let Some(event) = log.next().await {
    ///     println!("{}", event?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn log(&self) -> StreamLog {
        StreamLog::new(self.place.clone())
    }

    /// Says what the run of this cage was like, from its messages, its log and its session, and, with a folder, from
    /// what an export into that folder would bring. Nothing is acknowledged, and the cage stays as it is.
    ///
    /// Of a mailbox the first [`MAX_LISTED`](crate::MAX_LISTED) messages are read, of the log the last
    /// [`MAX_TAIL_LINES`](crate::MAX_TAIL_LINES) lines; the report says where that was not all.
    ///
    /// # Errors
    /// - [`CageError::NotRunning`](crate::CageError::NotRunning) when the cage is stopped or paused: start it first. No
    ///   agent works because of that.
    /// - Like [`Cage::status`], [`Outbox::list`](crate::Outbox::list) and [`Cage::diff`].
    pub async fn report(&self, project: Option<&Path>) -> Result<RunReport> {
        report::report(self, project).await
    }
}
