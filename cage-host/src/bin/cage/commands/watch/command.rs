//! The command: news in, pictures out.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::model::Model;
use super::terminal::{Input, Taking, input};
use super::update::{News, Wish};
use super::work::Work;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How often it is looked whether a silence that is shown has become another one.
const CLOCK: Duration = Duration::from_secs(1);

/// News that waits.
const NEWS_IN_FLIGHT: usize = 64;

/// Options of `cage watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show only cages whose names hold this text
    part: Option<String>,
}

/// Shows all cages until a person has seen enough.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if context.screen().is_json() || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "watch is for a terminal; for programs there is: cage list --json".to_owned(),
        ));
    }
    let host = context.host().await?.clone();
    let (sender, news) = mpsc::channel(NEWS_IN_FLIGHT);
    let work = Work::begin(host, args.part.clone().unwrap_or_default(), sender);
    let surface = Taking::begin().map_err(Failure::Output)?;
    watch(work, surface, news, input()).await.map_err(Failure::Output)?;
    Ok(Exit::Ok)
}

/// Draws whenever something that is shown has changed, and does what is asked for.
async fn watch(
    mut work: Work,
    mut surface: Taking,
    mut news: mpsc::Receiver<News>,
    mut keys: mpsc::Receiver<Input>,
) -> io::Result<()> {
    let (mut model, begun) = (Model::default(), Instant::now());
    let mut clock = interval(CLOCK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    surface.draw(&model)?;
    loop {
        let came = tokio::select! {
            key = keys.recv() => match key {
                Some(key) => key.map(News::Key),
                None => return Ok(()),
            },
            came = news.recv() => came,
            _ = clock.tick() => Some(News::Clock(begun.elapsed())),
        };
        // What has come meanwhile goes into the same picture.
        let mut came = came.or(Some(News::Resized));
        while let Some(one) = came {
            match model.take(one) {
                Some(Wish::Quit) => return Ok(()),
                Some(wish) => work.start(wish),
                None => {}
            }
            came = news.try_recv().ok();
        }
        surface.draw_changes(&mut model)?;
    }
}
