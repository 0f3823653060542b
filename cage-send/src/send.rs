//! Check, publish, and wait for an answer if asked to.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use cage_proto::env::{IdSource as _, System};
use cage_proto::exit_code::Exit;
use cage_proto::mailbox::{
    CageDir, ConsumerName, Draft, Event, Mailbox, Published, Waited, Waiter, Wanted, publish,
};
use cage_proto::message::Payload;
use cage_proto::schedule::Schedule;

use crate::args::Request;
use crate::error::Error;
use crate::payload;

/// Sends the message that the command line describes.
pub(crate) fn run(request: &Request) -> Result<Exit, Error> {
    if Mailbox::from(request.kind.direction()) != request.mailbox {
        return Err(Error::WrongMailbox(request.kind));
    }
    let members = payload::collect(request)?;
    let payload = Payload::from_members(request.kind.name(), members.clone());
    let payload = payload.map_err(|error| Error::Member(error, members))?;
    let dir = CageDir::find(request.dir.clone()).map_err(Error::NoHome)?;
    let draft = Draft {
        id: request.id.clone().unwrap_or_else(|| System.next_id()),
        may_be_a_repeat: request.id.is_some(),
        payload,
    };
    let published = publish(&dir.mailbox(request.mailbox), &draft, &System);
    let published = published.map_err(|error| Error::Publish(error, draft.id.clone()))?;
    report(request, &published);
    match (request.wait, &draft.payload) {
        (Some(patience), Payload::InfoRequest(question)) => {
            wait_for_answer(&dir, &question.request_id, patience)
        }
        _ => Ok(Exit::Ok),
    }
}

/// Says what was sent. The message is stored, so a closed output changes nothing.
fn report(request: &Request, published: &Published) {
    let text = if request.json {
        published.message.to_line()
    } else {
        format!("Sent {} -> {}", request.kind, published.path.display())
    };
    let _ = match request.wait {
        // The output belongs to the answer.
        Some(_) => writeln!(io::stderr(), "{text}"),
        None => writeln!(io::stdout(), "{text}"),
    };
}

/// Waits for the answer to a question and prints it. Messages before it stay for whoever polls the inbox.
fn wait_for_answer(dir: &CageDir, question: &str, patience: Duration) -> Result<Exit, Error> {
    let consumer = ConsumerName::of(Mailbox::Inbox);
    let waiter = Waiter::open(dir, Mailbox::Inbox, consumer, Schedule::default());
    let mut waiter = waiter.map_err(|error| Error::Wait(error.into()))?;
    let stdout = io::stdout();
    let mut print = |event: Event<'_>| match event {
        Event::Message(_, answer) => {
            stdout.lock().write_all(answer.to_text().as_bytes())?;
            stdout.lock().flush()
        }
        Event::Malformed(..) | Event::Notice(_) => Ok(()),
    };
    let end = waiter
        .wait(Wanted::ReplyTo(question), patience, Some(stdout.as_fd()), &mut print)
        .map_err(Error::Wait)?;
    if end == Waited::Delivered {
        return Ok(Exit::Ok);
    }
    let _ = writeln!(
        io::stderr(),
        "cage-send: no answer to {question} within {} s; it stays in the inbox when it comes",
        patience.as_secs()
    );
    Ok(Exit::TIMED_OUT)
}
