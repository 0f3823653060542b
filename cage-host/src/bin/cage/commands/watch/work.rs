//! What is asked of cages, each in a task of its own; the answers come as news.

use std::collections::HashMap;
use std::time::Duration;

use cage_host::message::TaskRevision;
use cage_host::{Cage, CageSummary, DEFAULT_GRACE, FleetEvent, Host, Select};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::model::{Look, Row, Seen};
use super::update::{News, Wish};
use crate::output::{Page, one_line, show_message};

/// Time until the first list with sizes, and between two of them: for each, the engine looks at every file.
const SIZES_FIRST: Duration = Duration::from_secs(5);
const SIZES_EVERY: Duration = Duration::from_secs(300);

/// Lines of the log, and messages, that are read at once.
const READ_AT_ONCE: usize = 500;

/// Everything that is under way. Dropping it gives all of it up.
#[derive(Debug)]
pub(super) struct Work {
    host: Host,
    news: mpsc::Sender<News>,
    tasks: JoinSet<()>,
}

impl Work {
    /// Begins to watch the cages whose names hold `part`.
    pub(super) fn begin(host: Host, part: String, news: mpsc::Sender<News>) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(watch(host.clone(), part, news.clone()));
        tasks.spawn(measure(host.clone(), news.clone()));
        Self { host, news, tasks }
    }

    /// Begins what a person asked for.
    pub(super) fn start(&mut self, wish: Wish) {
        while self.tasks.try_join_next().is_some() {}
        let (host, news) = (self.host.clone(), self.news.clone());
        self.tasks.spawn(async move {
            let told = fulfil(&host, wish).await.unwrap_or_else(|error| told(&error));
            // Nobody to hear it means that the program ends.
            let _ = news.send(told).await;
        });
    }
}

/// Says what cages there are and what they do, until nobody listens or the watch fails, which it says too.
async fn watch(host: Host, part: String, news: mpsc::Sender<News>) {
    let mut fleet = host.watch(move |name| name.as_str().contains(&part));
    while let Some(event) = fleet.next().await {
        let came = match event {
            FleetEvent::Cages(cages) => News::Listed(cages.into_iter().map(Row::from).collect()),
            FleetEvent::Status { name, status } => {
                let seen = |status| Look::Seen(Seen::from(&status));
                let look = status.map_or_else(|error| Look::Failed(one_line(&error.to_string())), seen);
                News::Looked { name: name.to_string(), look }
            }
            FleetEvent::Failed(error) => told(&error),
            _ => continue,
        };
        if news.send(came).await.is_err() {
            return;
        }
    }
}

/// Says now and then what cages take on the disk, until nobody listens.
async fn measure(host: Host, news: mpsc::Sender<News>) {
    sleep(SIZES_FIRST).await;
    loop {
        // Where it fails, the list fails as well and says so.
        let cages = host.list_with_sizes().await.unwrap_or_default();
        let sizes = cages.into_iter().filter_map(|cage| Some((cage.name.to_string(), cage.bytes?)));
        if news.send(News::Sized(sizes.collect::<HashMap<_, _>>())).await.is_err() {
            return;
        }
        sleep(SIZES_EVERY).await;
    }
}

fn told(error: &cage_host::Error) -> News {
    News::Told(one_line(&error.to_string()))
}

async fn fulfil(host: &Host, wish: Wish) -> cage_host::Result<News> {
    match wish {
        Wish::Quit => Ok(News::Told(String::new())),
        Wish::Messages(name) => messages(&host.cage(&name).await?).await,
        Wish::Log(name) => log(&host.cage(&name).await?).await,
        Wish::Revise { name, text } => {
            host.cage(&name).await?.inbox().send(TaskRevision::new(text)).await?;
            Ok(News::Told(format!("sent to {name}")))
        }
        Wish::Stop(name) => {
            host.cage(&name).await?.stop(DEFAULT_GRACE).await?;
            Ok(News::Told(format!("{name} is stopped")))
        }
    }
}

async fn messages(cage: &Cage) -> cage_host::Result<News> {
    let entries = cage.outbox().list(Select::all().newest(READ_AT_ONCE)).await?.entries;
    let mut page = Page::new(false);
    for entry in &entries {
        let shown = match entry.content.message() {
            Some(message) => show_message(&mut page, message),
            None => page.line(format_args!("{} {}", entry.name, entry.content)),
        };
        // Writing into a page does not fail.
        let _ = shown;
    }
    Ok(reading(format!("messages of {}", cage.name()), &page.into_text(), "no messages"))
}

async fn log(cage: &Cage) -> cage_host::Result<News> {
    let events = cage.log().tail(READ_AT_ONCE).await?;
    let lines: Vec<_> = events.iter().map(ToString::to_string).collect();
    Ok(reading(format!("log of {}", cage.name()), &lines.join("\n"), "the log is empty"))
}

fn reading(title: String, text: &str, nothing: &str) -> News {
    let text = if text.is_empty() { nothing } else { text };
    News::Page { title, lines: text.lines().map(one_line).collect() }
}

impl From<CageSummary> for Row {
    fn from(cage: CageSummary) -> Self {
        let container = if cage.finished { cage.state.to_string() } else { "creating".to_owned() };
        Self { name: cage.name.to_string(), container, bytes: cage.bytes, look: Look::NotYet }
    }
}
