//! The command: news in, pictures out.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::model::Model;
use super::terminal::{Taking, input};
use super::update::{News, Wish};
use super::work::Work;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Time between two pieces of work: with a look each, 100 cages are seen in ten seconds.
const PACE: Duration = Duration::from_millis(100);

/// News that waits.
const NEWS_IN_FLIGHT: usize = 64;

/// Options of `cage watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows all cages until a person has seen enough.
pub(crate) async fn run(_: &Args, context: &Context) -> Result<Exit, Failure> {
    if context.screen().is_json() || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "watch is for a terminal; for programs there is: cage list --json".to_owned(),
        ));
    }
    let host = context.host().await?.clone();
    let (sender, mut news) = mpsc::channel(NEWS_IN_FLIGHT);
    let mut work = Work::new(host, sender);
    let mut model = Model::default();
    let mut surface = Taking::begin().map_err(Failure::Output)?;
    let mut keys = input();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        surface.draw(&model).map_err(Failure::Output)?;
        let came = tokio::select! {
            key = keys.recv() => match key {
                Some(key) => key.map(News::Key),
                None => return Ok(Exit::Ok),
            },
            came = news.recv() => came,
            _ = pace.tick() => {
                work.go_on(&model);
                None
            }
        };
        match came.and_then(|came| model.take(came)) {
            Some(Wish::Quit) => return Ok(Exit::Ok),
            Some(wish) => work.begin(wish),
            None => {}
        }
    }
}
