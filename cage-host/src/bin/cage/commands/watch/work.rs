//! What is asked of cages, each in a task of its own; the answers come as news.

use std::collections::HashMap;
use std::time::Duration;

use cage_host::message::TaskRevision;
use cage_host::{Cage, CageSummary, DEFAULT_GRACE, Host, Select};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::model::{Look, Model, Row, Seen};
use super::update::{News, Wish};
use crate::output::{Page, one_line, show_message};

/// Time between two looks into the same cage.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Looks at the same time; each is one program in a cage.
const LOOKS_AT_ONCE: usize = 4;

/// Time between two lists of all cages.
const LIST_EVERY: Duration = Duration::from_secs(2);

/// Time between two lists with sizes, for which the engine looks at every file.
const SIZES_EVERY: Duration = Duration::from_secs(60);

/// Lines of the log, and messages, that are read at once.
const READ_AT_ONCE: usize = 500;

/// Everything that is under way. Dropping it gives all of it up.
#[derive(Debug)]
pub(super) struct Work {
    host: Host,
    news: mpsc::Sender<News>,
    tasks: JoinSet<()>,
    looks: JoinSet<()>,
    lists: JoinSet<()>,
    looked: HashMap<String, Instant>,
    listed: Option<Instant>,
    sized: Option<Instant>,
}

impl Work {
    pub(super) fn new(host: Host, news: mpsc::Sender<News>) -> Self {
        let (tasks, looks, lists) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        Self { host, news, tasks, looks, lists, looked: HashMap::new(), listed: None, sized: None }
    }

    /// Begins what is due: at most one look at a call, so that the calls give the pace.
    pub(super) fn go_on(&mut self, model: &Model) {
        while self.looks.try_join_next().is_some() {}
        while self.lists.try_join_next().is_some() {}
        while self.tasks.try_join_next().is_some() {}
        if self.lists.is_empty() && due(self.listed, LIST_EVERY) {
            self.list();
        }
        if self.looks.len() < LOOKS_AT_ONCE {
            self.look(model);
        }
    }

    fn list(&mut self) {
        self.listed = Some(Instant::now());
        // The first list is wanted at once, and sizes take their time.
        let sizes = self.sized.is_some_and(|sized| sized.elapsed() >= SIZES_EVERY);
        let first = self.sized.is_none();
        if sizes || first {
            self.sized = Some(if first { long_ago() } else { Instant::now() });
        }
        let (host, news) = (self.host.clone(), self.news.clone());
        self.lists.spawn(async move {
            let cages = if sizes { host.list_with_sizes().await } else { host.list().await };
            let listed = match cages {
                Ok(cages) => News::Listed(cages.into_iter().map(Row::from).collect()),
                Err(error) => News::Told(one_line(&error.to_string())),
            };
            // Nobody to hear it means that the program ends.
            let _ = news.send(listed).await;
        });
    }

    /// Looks into the cage that has waited longest.
    fn look(&mut self, model: &Model) {
        let rows = model.cages.iter().flatten();
        self.looked.retain(|name, _| model.cages.iter().flatten().any(|row| row.name == *name));
        let next = rows.min_by_key(|row| self.looked.get(&row.name)).map(|row| row.name.clone());
        let Some(name) = next.filter(|name| due(self.looked.get(name).copied(), LOOK_EVERY)) else { return };
        self.looked.insert(name.clone(), Instant::now());
        let (host, news) = (self.host.clone(), self.news.clone());
        self.looks.spawn(async move {
            let seen = async { host.cage(&name).await?.status().await }.await;
            let look = match seen {
                Ok(status) => Look::Seen(Seen::from(&status)),
                Err(error) => Look::Failed(one_line(&error.to_string())),
            };
            let _ = news.send(News::Looked { name, look }).await;
        });
    }

    /// Begins what a person asked for.
    pub(super) fn begin(&mut self, wish: Wish) {
        let (host, news) = (self.host.clone(), self.news.clone());
        self.tasks.spawn(async move {
            let told =
                fulfil(&host, wish).await.unwrap_or_else(|error| News::Told(one_line(&error.to_string())));
            let _ = news.send(told).await;
        });
    }
}

fn due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= every)
}

/// A moment after which everything is due.
fn long_ago() -> Instant {
    Instant::now().checked_sub(SIZES_EVERY).unwrap_or_else(Instant::now)
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
    let entries = cage.outbox().list(Select::all()).await?.entries;
    let mut page = Page::new(false);
    for entry in entries.iter().rev().take(READ_AT_ONCE).rev() {
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
