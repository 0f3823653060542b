//! Waiting for the next message of a mailbox, or for the answer to a question.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::consumer::{Consumer, Turn};
use super::entry::Fault;
use super::entry_name::EntryName;
use super::error::StorageError;
use super::layout::{CageDir, ConsumerName, Mailbox};
use super::reader::{Found, Notice};
use super::watch::{Wake, Watch, leads_nowhere};
use crate::limits::LOCK_WAIT_MAX;
use crate::message::{Envelope, Payload};
use crate::schedule::Schedule;

/// A reader that waits for messages and moves its cursor behind each one that was handed on.
#[derive(Debug)]
pub struct Waiter {
    consumer: Consumer,
    watch: Watch,
    schedule: Schedule,
}

/// Which message a [`Waiter`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The next one. The cursor moves to it.
    Next,
    /// The next one, which stays where it is for the next look.
    Peek,
    /// The `info_response` to this request, ahead of whatever else is pending.
    ReplyTo(&'a str),
}

/// What a [`Waiter`] hands on.
#[derive(Debug)]
pub enum Event<'a> {
    /// The message that was waited for.
    Message(&'a EntryName, &'a Envelope),
    /// A file that is no message, and which the waiter passed.
    Malformed(&'a EntryName, &'a Fault),
    /// Something about the folder that should not stay unknown.
    Notice(&'a Notice),
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The message was handed on, and the cursor moved.
    Delivered,
    /// Nothing came in time.
    TimedOut,
    /// Nobody reads the output any more.
    Closed,
}

/// Why a wait failed. The cursor is where it was.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The mailbox or the cursor could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The message could not be handed on.
    #[error("could not write the message out")]
    Output(#[source] io::Error),
}

/// Hands one event on; its error ends the wait and leaves the message for the next one.
pub type Deliver<'a> = &'a mut dyn FnMut(Event<'_>) -> io::Result<()>;

impl Waiter {
    /// Prepares to wait at a mailbox. The folders are made when they are missing.
    ///
    /// # Errors
    /// When a folder can neither be opened nor made.
    pub fn open(
        dir: &CageDir,
        mailbox: Mailbox,
        name: ConsumerName,
        schedule: Schedule,
    ) -> Result<Self, StorageError> {
        let consumer = Consumer::open(dir, mailbox, name)?;
        // Before the first look, so that nothing can come between the two unseen.
        let watch = Watch::new(&dir.mailbox(mailbox));
        Ok(Self { consumer, watch, schedule })
    }

    /// Waits for a message and hands it on, at most for `timeout`. `output` is watched for the loss of its reader.
    ///
    /// # Errors
    /// [`WaitError::Storage`] when a file cannot be read or written, [`WaitError::Output`] when `deliver` fails.
    pub fn wait(
        &mut self,
        wanted: Wanted<'_>,
        timeout: Duration,
        output: Option<BorrowedFd<'_>>,
        deliver: Deliver<'_>,
    ) -> Result<Waited, WaitError> {
        if output.is_some_and(leads_nowhere) {
            return Ok(Waited::Closed);
        }
        let begun = Instant::now();
        loop {
            let left = timeout.saturating_sub(begun.elapsed());
            let mut next_look = self.schedule.delay_after(begun.elapsed());
            if let Some(mut turn) = self.consumer.begin(left.min(LOCK_WAIT_MAX))? {
                match take(&mut turn, wanted, deliver)? {
                    Taken::Message => return Ok(Waited::Delivered),
                    Taken::Nothing => {}
                    Taken::Unfinished(patience) => next_look = next_look.min(patience),
                }
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(Waited::TimedOut);
            }
            if self.watch.wait(left.min(next_look), output) == Wake::Closed {
                return Ok(Waited::Closed);
            }
        }
    }

    /// Hands on everything that is pending, without waiting for more. Returns how many messages there were, or nothing
    /// when another program did not give up its turn within `patience`.
    ///
    /// # Errors
    /// As [`Waiter::wait`].
    pub fn drain(
        &mut self,
        peek: bool,
        patience: Duration,
        deliver: Deliver<'_>,
    ) -> Result<Option<usize>, WaitError> {
        let mut messages = 0;
        let Some(mut turn) = self.consumer.begin(patience)? else { return Ok(None) };
        loop {
            match turn.look()? {
                Found::Message(name, message) => {
                    hand_on(&mut turn, deliver, Event::Message(&name, &message))?;
                    messages += 1;
                    go_past(&mut turn, peek, &name)?;
                }
                Found::Malformed(name, fault) => {
                    hand_on(&mut turn, deliver, Event::Malformed(&name, &fault))?;
                    go_past(&mut turn, peek, &name)?;
                }
                Found::Unfinished(..) | Found::Nothing => {
                    hand_on_notices(&mut turn, deliver)?;
                    return Ok(Some(messages));
                }
            }
        }
    }
}

/// What one turn brought.
enum Taken {
    Message,
    /// Nothing, for a file is given so much more time.
    Unfinished(Duration),
    Nothing,
}

/// Takes the wanted message, if it is there.
fn take(turn: &mut Turn<'_>, wanted: Wanted<'_>, deliver: Deliver<'_>) -> Result<Taken, WaitError> {
    let mut taken = Taken::Nothing;
    loop {
        match turn.look()? {
            Found::Message(name, message) if wanted.fits(&message) => {
                hand_on(turn, deliver, Event::Message(&name, &message))?;
                match wanted {
                    Wanted::Next => turn.consume(&name)?,
                    Wanted::Peek => {}
                    Wanted::ReplyTo(_) => turn.consume_ahead(&name)?,
                }
                return Ok(Taken::Message);
            }
            Found::Message(name, _) => turn.pass(&name),
            // Whoever takes the next message reports these; an answer does not wait for them.
            Found::Malformed(name, _) if wanted.is_reply() => turn.pass(&name),
            Found::Unfinished(name, patience) if wanted.is_reply() => {
                taken = Taken::Unfinished(patience);
                turn.pass(&name);
            }
            Found::Malformed(name, fault) => {
                hand_on(turn, deliver, Event::Malformed(&name, &fault))?;
                go_past(turn, wanted == Wanted::Peek, &name)?;
            }
            Found::Unfinished(_, patience) => {
                hand_on_notices(turn, deliver)?;
                return Ok(Taken::Unfinished(patience));
            }
            Found::Nothing => {
                hand_on_notices(turn, deliver)?;
                return Ok(taken);
            }
        }
    }
}

impl Wanted<'_> {
    fn is_reply(self) -> bool {
        matches!(self, Self::ReplyTo(_))
    }

    fn fits(self, message: &Envelope) -> bool {
        match self {
            Self::Next | Self::Peek => true,
            Self::ReplyTo(request) => {
                matches!(&message.payload, Payload::InfoResponse(response) if response.request_id == request)
            }
        }
    }
}

fn go_past(turn: &mut Turn<'_>, peek: bool, name: &EntryName) -> Result<(), StorageError> {
    if peek {
        turn.pass(name);
        return Ok(());
    }
    turn.consume(name)
}

fn hand_on(turn: &mut Turn<'_>, deliver: Deliver<'_>, event: Event<'_>) -> Result<(), WaitError> {
    hand_on_notices(turn, deliver)?;
    deliver(event).map_err(WaitError::Output)
}

fn hand_on_notices(turn: &mut Turn<'_>, deliver: Deliver<'_>) -> Result<(), WaitError> {
    turn.take_notices()
        .iter()
        .try_for_each(|notice| deliver(Event::Notice(notice)))
        .map_err(WaitError::Output)
}
