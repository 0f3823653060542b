//! Random histories of one mailbox against a model that fits on a page.
//!
//! Senders that are killed, clocks that step back, foreign writers, readers that are killed, peers that move a cursor,
//! damaged and removed files: whatever happens, a name sorts behind all that were there, numbers have no gap, and each
//! consumer gets each message in order, once, and again only if it was in flight.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is a failure with a line number")]

#[path = "mailbox/cage.rs"]
#[expect(dead_code, reason = "the mailbox tests use all of it")]
mod cage;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use cage_proto::limits::LOOK_BACK;
use cage_proto::mailbox::{Consumer, ConsumerName, Draft, EntryName, Found, Mailbox};
use chrono::TimeDelta;
use proptest::prelude::*;

use crate::cage::{Cage, Hand, draft, message};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// The clock goes on, stands still or steps back, by so many milliseconds, and a message is sent.
    Send { turn: i64, end: SendEnd },
    /// The newest send is repeated with the same id.
    Repeat,
    /// A foreign writer publishes under a name so many milliseconds from now, perhaps no message at all.
    Foreign { from_now: i64, whole: bool },
    /// A consumer reads so many messages.
    Read { consumer: usize, count: usize, end: ReadEnd },
    /// A consumer takes a later message ahead of its turn.
    TakeAhead { consumer: usize, skip: usize },
    /// Another tool writes a consumer's cursor: one of the names that are there.
    Move { consumer: usize, to: prop::sample::Index, bare: bool },
    /// A consumer's cursor is damaged, or removed.
    LoseCursor { consumer: usize, damage: bool },
    /// The files that every consumer has consumed are removed.
    Prune,
}

/// How a send ends.
#[derive(Debug, Clone, Copy)]
enum SendEnd {
    Well,
    /// Killed while it wrote its hidden file.
    KilledWriting,
    /// Killed before its message had a name.
    KilledBeforePublishing,
    /// Killed when its message had a name.
    KilledAfterPublishing,
}

/// How a read ends.
#[derive(Debug, Clone, Copy)]
enum ReadEnd {
    Well,
    /// Killed when one more message was handed on.
    KilledInFlight,
    /// Killed while it moved the cursor behind its last message.
    KilledMovingTheCursor,
}

/// What a consumer has to get, told by the simplest means.
#[derive(Debug, Clone, Default)]
struct Model {
    /// The name in its cursor file, whoever wrote it.
    file: Option<EntryName>,
    /// The cursor that it wrote last.
    cursor: Option<EntryName>,
    /// Consumed, and whether ahead of its turn.
    consumed: BTreeMap<EntryName, bool>,
    /// Up to here another tool said that everything is consumed.
    base: Option<EntryName>,
    /// The cursor of another tool that was found last. What appears below it may count as consumed.
    moved_to: Option<EntryName>,
    /// Appeared too late to be sure of.
    late: BTreeSet<EntryName>,
}

impl Model {
    fn pending<'a>(
        &'a self,
        visible: &'a BTreeMap<EntryName, String>,
    ) -> impl Iterator<Item = &'a EntryName> {
        let above = |name: &&EntryName| Some(*name) > self.base.as_ref();
        visible.keys().filter(above).filter(|name| !self.consumed.contains_key(name))
    }

    /// The first that has to come; one that appeared too late may come before it.
    fn due<'a>(&'a self, visible: &'a BTreeMap<EntryName, String>) -> Option<&'a EntryName> {
        self.pending(visible).find(|name| !self.late.contains(name))
    }

    fn consume(&mut self, name: &EntryName) {
        self.consumed.entry(name.clone()).or_insert(false);
        self.cursor = self.cursor.take().max(Some(name.clone()));
        self.file.clone_from(&self.cursor);
    }

    fn consume_ahead(&mut self, name: EntryName) {
        self.consumed.insert(name, true);
        self.cursor.clone_from(&self.file);
    }

    /// A name that appears behind the cursor is looked for, but not for ever.
    fn appear(&mut self, name: &EntryName) {
        let window = TimeDelta::from_std(LOOK_BACK).unwrap();
        let cursors = [&self.cursor, &self.file];
        let too_late = cursors
            .iter()
            .any(|cursor| cursor.as_ref().is_some_and(|cursor| name.instant() <= cursor.instant() - window));
        let moved = self.file != self.cursor && Some(name) <= self.file.as_ref();
        if too_late || moved || Some(name) <= self.moved_to.as_ref() {
            self.late.insert(name.clone());
        }
    }

    /// A reader looks at its cursor file, which may hold another name than the one it wrote.
    fn look(&self) -> Self {
        let mut seen = self.clone();
        match &self.file {
            file if *file == self.cursor => return seen,
            None => return Self { late: seen.late, ..Self::default() },
            Some(to) if self.file > self.cursor => {
                seen.consumed.retain(|name, _| name > to);
                seen.base.clone_from(&self.file);
            }
            Some(to) => {
                // What was taken ahead and then passed in turn may be forgotten.
                let passed = seen
                    .consumed
                    .iter()
                    .filter(|(name, ahead)| **ahead && Some(*name) <= self.cursor.as_ref());
                seen.late.extend(passed.map(|(name, _)| name.clone()));
                seen.consumed
                    .retain(|name, ahead| name <= to || (*ahead && Some(name) > self.cursor.as_ref()));
                seen.base = seen.base.take().min(self.file.clone());
                seen.consumed.insert(to.clone(), false);
            }
        }
        seen.moved_to.clone_from(&self.file);
        seen.cursor.clone_from(&self.file);
        seen
    }
}

struct World {
    cage: Cage,
    clock: Hand,
    /// What a reader may see, and what is in it.
    visible: BTreeMap<EntryName, String>,
    models: [Model; 2],
    sent: u64,
    newest: Option<Draft>,
    /// The name that was given last, whether its file is there or not.
    highest: Option<EntryName>,
}

const CONSUMERS: [&str; 2] = ["one", "two"];

impl World {
    fn new() -> Self {
        // In memory where there is such a folder, since many histories make many syncs.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self {
            cage: Cage::in_folder(folder),
            clock: Hand::at("2026-03-26T14:30:00.000123Z"),
            visible: BTreeMap::new(),
            models: Default::default(),
            sent: 0,
            newest: None,
            highest: None,
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Send { turn, end } => self.send(*turn, *end),
            Step::Repeat => self.repeat(),
            Step::Foreign { from_now, whole } => self.foreign(*from_now, *whole),
            Step::Read { consumer, count, end } => self.read(*consumer, *count, *end),
            Step::TakeAhead { consumer, skip } => self.take_ahead(*consumer, *skip),
            Step::Move { consumer, to, bare } => self.move_cursor(*consumer, *to, *bare),
            Step::LoseCursor { consumer, damage } => self.lose_cursor(*consumer, *damage),
            Step::Prune => self.prune(),
        }
    }

    fn send(&mut self, turn: i64, end: SendEnd) {
        self.clock.turn(TimeDelta::milliseconds(turn));
        let [last, new, before] = [".last", ".last.new", ".before"].map(|name| self.cage.outbox().join(name));
        let begun = match end {
            SendEnd::KilledWriting => Some(r#"{"id":"#.to_owned()),
            SendEnd::KilledBeforePublishing => Some(message("nobody sees this")),
            SendEnd::Well | SendEnd::KilledAfterPublishing => None,
        };
        if let Some(content) = begun {
            // A publisher that came as far has cleared up behind the one before it.
            let _ = fs::rename(&new, &last);
            return self.cage.put(".next", &content);
        }
        let had_last = last.exists();
        if had_last {
            fs::hard_link(&last, &before).unwrap();
        }
        let draft = draft(&format!("ours {}", self.sent));
        let published = self.cage.try_send(&draft, &self.clock).unwrap();
        self.sent += 1;
        assert_eq!(published.message.seq, Some(self.sent), "numbers have no gap");
        let before_it = self.highest.iter().chain(self.visible.keys()).max();
        assert!(Some(&published.name) > before_it, "{} is hidden", published.name);
        self.highest = Some(published.name.clone());
        self.appear(&published.name, text_of(&draft));
        self.newest = Some(draft);
        if matches!(end, SendEnd::KilledAfterPublishing) {
            fs::rename(&last, &new).unwrap();
            let _ = fs::rename(&before, &last);
        }
        let _ = fs::remove_file(&before);
    }

    fn repeat(&mut self) {
        let Some(draft) = self.newest.clone() else { return };
        let there = self.visible.values().any(|text| *text == text_of(&draft));
        if there {
            let repeat = Draft { may_be_a_repeat: true, ..draft };
            let published = self.cage.try_send(&repeat, &self.clock).unwrap();
            assert!(self.visible.contains_key(&published.name), "a repeat is stored once");
        }
    }

    fn foreign(&mut self, from_now: i64, whole: bool) {
        use cage_proto::env::Clock as _;
        let at = self.clock.now() + TimeDelta::milliseconds(from_now);
        let name = format!("{}Z.json", at.format("%Y-%m-%dT%H-%M-%S%.3f"));
        let parsed: EntryName = name.parse().unwrap();
        if self.visible.contains_key(&parsed) {
            return;
        }
        let text = format!("foreign {name}");
        self.cage.put(&name, &if whole { message(&text) } else { "[]".to_owned() });
        self.appear(&parsed, if whole { text } else { "expected a JSON object, found the array".to_owned() });
    }

    fn appear(&mut self, name: &EntryName, text: String) {
        self.visible.insert(name.clone(), text);
        self.models.iter_mut().for_each(|model| model.appear(name));
    }

    fn consumer(&self, index: usize) -> Consumer {
        let name: ConsumerName = CONSUMERS[index].parse().unwrap();
        Consumer::open(&self.cage.dir, Mailbox::Outbox, name).unwrap()
    }

    fn cursor_file(&self, index: usize) -> std::path::PathBuf {
        self.cage.dir.cursors().join(format!("{}.cursor", CONSUMERS[index]))
    }

    fn read(&mut self, index: usize, count: usize, end: ReadEnd) {
        let mut consumer = self.consumer(index);
        let mut turn = consumer.begin(Duration::ZERO).unwrap().expect("a killed reader's lock is free");
        let mut seen = self.models[index].look();
        let mut before = None;
        for _ in 0..count {
            let Some(name) = self.check(&seen, turn.look().unwrap()) else { break };
            before.clone_from(&self.models[index].file);
            turn.consume(&name).unwrap();
            seen.consume(&name);
            self.models[index] = seen.clone();
        }
        match end {
            ReadEnd::Well => {}
            // Handed on, and then nothing more.
            ReadEnd::KilledInFlight => drop(self.check(&seen, turn.look().unwrap())),
            // The memory beside the cursor file was written, the cursor file not yet.
            ReadEnd::KilledMovingTheCursor => {
                drop(turn);
                let text = before.as_ref().map(EntryName::to_string);
                self.write_cursor(index, text.as_deref(), before);
            }
        }
    }

    /// Compares what was found with what the model expects next.
    fn check(&self, model: &Model, found: Found) -> Option<EntryName> {
        let (name, text) = match found {
            Found::Message(name, message) => (name, cage::status(&message.payload)),
            Found::Malformed(name, fault) => (name, fault.to_string()),
            Found::Nothing => {
                assert_eq!(model.due(&self.visible), None, "never delivered");
                return None;
            }
            Found::Unfinished(name, _) => panic!("{name} is whole or wrong"),
        };
        assert_eq!(self.visible.get(&name), Some(&text), "{name} is another one");
        assert!(model.pending(&self.visible).any(|pending| *pending == name), "{name} came again");
        let due = model.due(&self.visible).filter(|due| **due < name);
        assert_eq!(due, None, "{name} came first");
        Some(name)
    }

    fn take_ahead(&mut self, index: usize, skip: usize) {
        let mut consumer = self.consumer(index);
        let mut turn = consumer.begin(Duration::ZERO).unwrap().unwrap();
        for _ in 0..skip {
            match turn.look().unwrap() {
                Found::Message(name, _) | Found::Malformed(name, _) => turn.pass(&name),
                _ => return,
            }
        }
        if let Found::Message(name, _) = turn.look().unwrap() {
            turn.consume_ahead(&name).unwrap();
            let mut seen = self.models[index].look();
            seen.consume_ahead(name);
            self.models[index] = seen;
        }
    }

    fn move_cursor(&mut self, index: usize, to: prop::sample::Index, bare: bool) {
        let names: Vec<_> = self.visible.keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        let to = to.get(&names).clone();
        let stamp = to.as_str().trim_end_matches(".json").to_owned();
        let text = if bare { stamp.replacen('-', ":", 4).replacen(':', "-", 2) } else { to.to_string() };
        self.write_cursor(index, Some(&text), Some(to));
    }

    fn lose_cursor(&mut self, index: usize, damage: bool) {
        self.write_cursor(index, damage.then_some("\u{1b}[2J"), None);
    }

    /// Writes a cursor file as another tool does, or removes it; its reader understands it as `name`.
    fn write_cursor(&mut self, index: usize, text: Option<&str>, name: Option<EntryName>) {
        fs::create_dir_all(self.cage.dir.cursors()).unwrap();
        match text {
            Some(text) => fs::write(self.cursor_file(index), text).unwrap(),
            None => drop(fs::remove_file(self.cursor_file(index))),
        }
        self.models[index].file = name;
    }

    fn prune(&mut self) {
        let pending: BTreeSet<EntryName> = self
            .models
            .iter()
            .flat_map(|model| model.look().pending(&self.visible).cloned().collect::<Vec<_>>())
            .collect();
        for name in self.visible.keys().filter(|name| !pending.contains(name)) {
            fs::remove_file(self.cage.outbox().join(name.as_str())).unwrap();
        }
        self.visible.retain(|name, _| pending.contains(name));
    }
}

fn text_of(draft: &Draft) -> String {
    cage::status(&draft.payload)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let turn = prop_oneof![Just(-31_536_000_000), Just(-5_000), Just(0), Just(1), Just(3_000), Just(20_000)];
    let sent = prop_oneof![
        5 => Just(SendEnd::Well), 1 => Just(SendEnd::KilledWriting), 1 => Just(SendEnd::KilledBeforePublishing),
        1 => Just(SendEnd::KilledAfterPublishing),
    ];
    let read = prop_oneof![
        3 => Just(ReadEnd::Well), 1 => Just(ReadEnd::KilledInFlight), 1 => Just(ReadEnd::KilledMovingTheCursor),
    ];
    // In the same clock tick, a little late or early, and far in the future.
    let from_now = prop_oneof![Just(0), -9_000_i64..9_000, Just(2_300_000_000_000)];
    let consumer = 0..CONSUMERS.len();
    let step = prop_oneof![
        6 => (turn, sent).prop_map(|(turn, end)| Step::Send { turn, end }),
        1 => Just(Step::Repeat),
        3 => (from_now, prop::bool::weighted(0.8)).prop_map(|(from_now, whole)| Step::Foreign { from_now, whole }),
        4 => (consumer.clone(), 0_usize..4, read)
            .prop_map(|(consumer, count, end)| Step::Read { consumer, count, end }),
        1 => (consumer.clone(), 0_usize..4).prop_map(|(consumer, skip)| Step::TakeAhead { consumer, skip }),
        1 => (consumer.clone(), any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(consumer, to, bare)| Step::Move { consumer, to, bare }),
        1 => (consumer, any::<bool>()).prop_map(|(consumer, damage)| Step::LoseCursor { consumer, damage }),
        1 => Just(Step::Prune),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    // A failure prints its history, which then becomes a test of its own.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_loses_repeats_or_reorders_a_message(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.apply(step);
        }
        for consumer in 0..CONSUMERS.len() {
            world.read(consumer, usize::MAX, ReadEnd::Well);
        }
    }
}
