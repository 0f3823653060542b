//! The way from a task to its end.

use cage_host::message::Payload;
use cage_host::{Cage, Delivery, Follower, Task};

use super::args::Args;
use super::ending::{self, Next};
use super::event::Event;
use super::question;
use crate::commands::create::create;
use crate::commands::follow::{Ended, end_of};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Notice, Progress, Screen};

/// What reads the messages; `cage outbox` still gets them all.
const CONSUMER: &str = "run";

/// One run, once its cage exists.
pub(super) struct Story<'a> {
    pub(super) args: &'a Args,
    pub(super) cage: &'a Cage,
    pub(super) screen: Screen,
    context: &'a Context,
}

/// What came next.
enum Came {
    Message(Delivery),
    /// A person wants to talk.
    CtrlC,
    /// The outbox has ended.
    Nothing,
}

/// Goes the whole way.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let cage = create(context, args.spec()).await?;
    context.destroy_when_interrupted(cage.name());
    let story = Story { args, cage: &cage, screen: context.screen(), context };
    story.tell_of_creation()?;
    let mut outbox = match story.launch().await {
        Ok(outbox) => outbox,
        // Without an agent at work there is nothing in it to lose.
        Err(failure) => return cage.destroy().await.map_err(Failure::from).and(Err(failure)),
    };
    let (ended, next) = story.watch_and_decide(&mut outbox).await?;
    drop(outbox);
    story.finish(next)?;
    if next == Next::Destroy {
        let name = cage.name().to_string();
        cage.destroy().await?;
        context.screen().stream(&Event::Destroyed { cage: &name })?;
    }
    Ok(if next == Next::KeepForConflicts { Exit::Failed } else { ended.exit() })
}

impl Story<'_> {
    pub(super) fn name(&self) -> &str {
        self.cage.name().as_str()
    }

    /// Says whether a person can be asked.
    pub(super) fn asks(&self) -> bool {
        self.screen.is_interactive() && !self.args.yes
    }

    fn tell_of_creation(&self) -> Result<(), Failure> {
        let arrival = self.cage.arrival();
        self.screen.stream(&Event::Created { cage: self.name(), files: arrival.files, bytes: arrival.bytes })
    }

    async fn launch(&self) -> Result<Follower, Failure> {
        let progress = Progress::begin(self.screen, "launching the agent …");
        let task = self.args.limits.apply(Task::new(&self.args.task), self.cage).await?;
        self.cage.launch(task).await?;
        drop(progress);
        self.screen.stream(&Event::Launched { cage: self.name() })?;
        Ok(self.cage.outbox().consumer(CONSUMER).follow().await?)
    }

    /// Watches until the agent is done and nobody has more for it to do.
    async fn watch_and_decide(&self, outbox: &mut Follower) -> Result<(Ended, Next), Failure> {
        if self.asks() {
            // From here on a person's Ctrl-C may not cost what the agent did, wherever it falls.
            self.context.keep();
        }
        loop {
            let ended = self.watch(outbox).await?;
            match ending::decide(self, ended).await? {
                Next::Watch => {}
                next => return Ok((ended.unwrap_or(Ended::TimedOut), next)),
            }
        }
    }

    /// Shows messages and answers questions until one ends the work; `None` when a person wants to talk before.
    async fn watch(&self, outbox: &mut Follower) -> Result<Option<Ended>, Failure> {
        loop {
            let delivery = match self.next(outbox).await? {
                Came::Message(delivery) => delivery,
                Came::CtrlC => return Ok(None),
                Came::Nothing => return Ok(Some(Ended::GaveUp)),
            };
            self.screen.stream(&Event::Message { message: Notice::from(&delivery) })?;
            let payload = delivery.message().map(|message| message.payload.clone());
            if let Some(Payload::InfoRequest(request)) = &payload {
                question::answer(self, request).await?;
            }
            delivery.ack().await?;
            if let Some(ended) = payload.as_ref().and_then(end_of) {
                return Ok(Some(ended));
            }
        }
    }

    async fn next(&self, outbox: &mut Follower) -> Result<Came, Failure> {
        let pause = self.context.pause();
        let delivery = tokio::select! {
            () = pause.pressed(), if self.asks() => return Ok(Came::CtrlC),
            delivery = outbox.next() => delivery,
        };
        Ok(delivery.transpose()?.map_or(Came::Nothing, Came::Message))
    }

    fn finish(&self, next: Next) -> Result<(), Failure> {
        self.context.keep();
        if next == Next::Destroy { Ok(()) } else { self.screen.stream(&Event::Kept { cage: self.name() }) }
    }
}
