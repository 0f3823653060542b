//! The next message, everything that is pending, or the answer to a question.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use cage_proto::env::{IdSource as _, System};
use cage_proto::exit_code::Exit;
use cage_proto::limits::LOCK_WAIT_MAX;
use cage_proto::mailbox::{
    CageDir, Draft, Event, Follow, Item, Mailbox, Waited, Waiter, Wanted, leads_nowhere, publish,
};
use cage_proto::message::GoingIdle;

use crate::args::{PollArgs, Since};
use crate::error::Error;
use crate::output;

/// The reason in a `going_idle`, as other readers of this protocol know it.
const IDLE_REASON: &str = "No task_revision received within polling timeout";

/// Prints what the command line asks for, waiting for it if need be.
pub(crate) fn run(args: &PollArgs) -> Result<Exit, Error> {
    let dir = args.cage_dir()?;
    let begun = Instant::now();
    if !args.all {
        output::remark(&format!("POLL_START timeout={} schedule={}", args.timeout.as_secs(), args.schedule));
    }
    let end = match &args.since {
        Some(since) => look_since(args, &dir, since)?,
        None => look_from_cursor(args, &dir)?,
    };
    match end {
        Waited::TimedOut if !args.all => time_out(args, &dir, begun.elapsed()),
        Waited::Delivered | Waited::TimedOut => Ok(Exit::Ok),
        // Nobody is there to read a message, and the cursor has not moved.
        Waited::Closed => Err(Error::Output(io::ErrorKind::BrokenPipe.into())),
    }
}

fn look_from_cursor(args: &PollArgs, dir: &CageDir) -> Result<Waited, Error> {
    let mut waiter = Waiter::open(dir, args.mailbox, args.consumer(), args.schedule.clone())?;
    let mut deliver = |event: Event<'_>| match event {
        Event::Message(_, message) if args.all => output::print(&format!("{}\n", message.to_line())),
        Event::Message(name, message) => {
            output::remark(&format!("POLL_FOUND {name}"));
            output::print(&message.to_text())
        }
        Event::Malformed(name, fault) => {
            output::warn_malformed(name, fault);
            Ok(())
        }
        Event::Notice(notice) => {
            output::warn_notice(notice);
            Ok(())
        }
    };
    if args.all && leads_nowhere(io::stdout().as_fd()) {
        return Ok(Waited::Closed);
    }
    if args.all {
        let messages = waiter.drain(args.peek, LOCK_WAIT_MAX, &mut deliver)?;
        return messages.map(|_| Waited::Delivered).ok_or(Error::CursorInUse);
    }
    let wanted = match &args.reply_to {
        Some(request) => Wanted::ReplyTo(request),
        None if args.peek => Wanted::Peek,
        None => Wanted::Next,
    };
    Ok(waiter.wait(wanted, args.timeout, Some(io::stdout().as_fd()), &mut deliver)?)
}

/// Looks from a name on, with no cursor to move.
fn look_since(args: &PollArgs, dir: &CageDir, since: &Since) -> Result<Waited, Error> {
    let mut follow = Follow::open(&dir.mailbox(args.mailbox), since.0.clone(), args.schedule.clone())?;
    let begun = Instant::now();
    loop {
        let left = if args.all { Duration::ZERO } else { args.timeout.saturating_sub(begun.elapsed()) };
        match follow.next(left, Some(io::stdout().as_fd()))? {
            Item::Message(name, message) if args.all => {
                output::print(&format!("{}\n", message.to_line()))?;
                follow.consume(&name)?;
            }
            Item::Message(name, message) => {
                output::remark(&format!("POLL_FOUND {name}"));
                output::print(&message.to_text())?;
                return Ok(Waited::Delivered);
            }
            Item::Malformed(name, fault) => {
                output::warn_malformed(&name, &fault);
                follow.consume(&name)?;
            }
            Item::Notice(notice) => output::warn_notice(&notice),
            Item::Quiet => return Ok(Waited::TimedOut),
            Item::Closed => return Ok(Waited::Closed),
        }
    }
}

/// Says that the wait is over: to the host by a message, to the agent on stdout.
fn time_out(args: &PollArgs, dir: &CageDir, waited: Duration) -> Result<Exit, Error> {
    output::remark(&format!("POLL_TIMEOUT waited={}", waited.as_secs()));
    let waits_for_host = args.mailbox == Mailbox::Inbox && args.reply_to.is_none() && args.since.is_none();
    if waits_for_host && !args.no_going_idle {
        let idle = GoingIdle::new(IDLE_REASON, waited);
        let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload: idle.into() };
        publish(&dir.mailbox(Mailbox::Outbox), &draft, &System)?;
    }
    output::print("POLL_TIMEOUT\n")?;
    Ok(Exit::TIMED_OUT)
}
