//! `cage outbox`.

use std::fmt;
use std::time::Duration;

use cage_host::message::Envelope;
use cage_host::{Cage, Content, Delivery, Select};
use serde::Serialize;

use super::diagnose::Diagnosed;
use super::follow::{Ended, Wait, until_done};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Notice, Page, Screen};

/// Options of `cage outbox`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Show all messages, not only new ones
    #[arg(short, long, conflicts_with = "poll")]
    all: bool,
    /// Wait until the agent is done, showing its messages as they come
    #[arg(long)]
    poll: bool,
    /// End the wait at a question too, so that it can be answered
    #[arg(long, requires = "poll")]
    until_question: bool,
    /// Longest wait with --poll, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    timeout: u64,
    /// Accepted for scripts: messages are pushed
    #[arg(long, value_name = "SECONDS", hide = true)]
    interval: Option<u64>,
    /// Accepted for scripts: messages are pushed
    #[arg(long, value_name = "SECONDS", hide = true)]
    max_interval: Option<u64>,
    /// Do not look into the cage when the time is up
    #[arg(long)]
    no_diagnose: bool,
}

/// Messages as one answer.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Messages<'a>(Vec<&'a Envelope>);

impl Answer for Messages<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if self.0.is_empty() {
            return page.line("no messages");
        }
        self.0.iter().try_for_each(|message| crate::output::show_message(page, message))
    }
}

/// Reads messages.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.max_interval.is_some_and(|longest| longest < args.interval.unwrap_or(0)) {
        return Err(Failure::Usage("--max-interval is below --interval".to_owned()));
    }
    let cage = context.cage(&args.name).await?;
    match (args.poll, args.all) {
        (true, _) => poll(args, &cage, context.screen()).await,
        (_, true) => all(&cage, context.screen()).await,
        _ => new(&cage, context.screen()).await,
    }
}

/// Shows everything that is there.
async fn all(cage: &Cage, screen: Screen) -> Result<Exit, Failure> {
    let mut entries = Vec::new();
    let mut select = Select::all();
    loop {
        let mut listing = cage.outbox().list(select).await?;
        entries.append(&mut listing.entries);
        let Some(rest) = listing.rest() else { break };
        select = Select::all().since(rest);
    }
    warn(screen, entries.iter().map(|entry| (entry.name.as_str(), &entry.content)));
    screen.answer(&Messages(entries.iter().filter_map(|entry| entry.content.message()).collect()))?;
    Ok(Exit::Ok)
}

/// Shows what was not shown yet. For programs it is only a look, as scripts expect: they come again.
async fn new(cage: &Cage, screen: Screen) -> Result<Exit, Failure> {
    let pending = cage.outbox().pending().await?;
    warn(screen, pending.iter().map(|delivery| (delivery.name(), delivery.content())));
    screen.answer(&Messages(pending.iter().filter_map(Delivery::message).collect()))?;
    if !screen.is_json() {
        for delivery in pending {
            delivery.ack().await?;
        }
    }
    Ok(Exit::Ok)
}

/// Tells of everything that is no message: it would not stand among messages.
fn warn<'a>(screen: Screen, entries: impl Iterator<Item = (&'a str, &'a Content)>) {
    for (name, content) in entries.filter(|(_, content)| content.message().is_none()) {
        screen.note(&format!("{name} {content}"));
    }
}

/// Waits until the agent is done.
async fn poll(args: &Args, cage: &Cage, screen: Screen) -> Result<Exit, Failure> {
    let mut follower = cage.outbox().follow().await?;
    let wait = Wait::at_most(Duration::from_secs(args.timeout)).for_questions(args.until_question);
    match until_done(&mut follower, wait, |notice: &Notice<'_>| screen.stream(notice)).await? {
        Ended::TimedOut => {
            if !args.no_diagnose && !screen.is_json() {
                // On the error output: the standard output has messages.
                screen.aside(&Diagnosed::of(cage).await?);
            }
            Err(Failure::TimedOut(format!("nothing that ends the task came within {} s", args.timeout)))
        }
        ended => Ok(ended.exit()),
    }
}
