//! What one look into a cage has shown.

use std::time::Duration;

use cage_proto::agent::Session;
use cage_proto::mailbox::{EntryName, Mailbox};
use cage_proto::message::Envelope;
use chrono::{DateTime, Utc};
use tar::EntryType;

use super::event::LogEvent;

/// Sections of the output in front of its archive. Each ends with a line that holds nothing but [`END`].
pub(super) const SECTIONS: usize = 5;
pub(super) const END: &[u8] = b"/";

/// Begins each line that is part of a file, so that none of them can look like the end of a section.
const QUOTE: u8 = b'|';

/// Lines of the log that are kept.
const LOG_LINES: usize = 200;

/// What was seen, by the cage's clock.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    pub(super) now: DateTime<Utc>,
    pub(super) account: Account,
    /// When the last launch wrote its task.
    pub(super) task_written: Option<DateTime<Utc>>,
    pub(super) supervisor: Life,
    pub(super) agent: Life,
    /// The newest messages, in order.
    pub(super) outbox: Vec<(EntryName, Envelope)>,
    pub(super) inbox: Vec<(EntryName, Envelope)>,
    pub(super) machine: Machine,
    /// The end of the log.
    pub(super) log: Vec<LogEvent>,
}

/// The supervisor's account of the agent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Account {
    Missing,
    Malformed(String),
    Read(Box<Session>),
}

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Ended,
    /// There is none to look for, or it was not found out.
    Unknown,
}

/// What the cage may use and uses. What is missing was not found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) memory_used: Option<u64>,
    pub(super) memory_limit: Option<u64>,
    /// Processes that were killed for want of memory.
    pub(super) out_of_memory_kills: Option<u64>,
    pub(super) processes: Option<u64>,
    pub(super) processes_limit: Option<u64>,
    pub(super) disk_free: Option<u64>,
    /// Whether the session-start hook has run in the present conversation.
    pub(super) hooks_ran: Option<bool>,
}

/// A line of `/proc/<pid>/stat`.
#[derive(Debug)]
struct Process {
    pid: u32,
    name: String,
    zombie: bool,
    start_ticks: Option<u64>,
}

impl Snapshot {
    /// A snapshot in which nothing was found.
    pub(super) fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            account: Account::Missing,
            task_written: None,
            supervisor: Life::Unknown,
            agent: Life::Unknown,
            outbox: Vec::new(),
            inbox: Vec::new(),
            machine: Machine::default(),
            log: Vec::new(),
        }
    }

    /// Returns how long ago something was; nothing for what lies in the future.
    pub(super) fn age(&self, moment: DateTime<Utc>) -> Duration {
        (self.now - moment).to_std().unwrap_or_default()
    }

    /// Reads what the program in the cage printed; the error says what is wrong with it.
    pub(super) fn parse(output: &[u8]) -> Result<Self, &'static str> {
        let (sections, archive) = cut(output).ok_or("its look into the cage broke off")?;
        let [facts, session, processes, hooks, log] = sections;
        let number = |name: &str| fact(&facts, name);
        let now = number("now").and_then(moment).ok_or("its clock shows no time")?;
        let mut snapshot = Self { task_written: number("task").and_then(moment), ..Self::at(now) };
        snapshot.account = account(&unquoted(&session));
        snapshot.machine = machine(&number);
        let processes: Vec<_> = lines(&processes).filter_map(process).collect();
        if let Account::Read(session) = &snapshot.account {
            let looked = number("pids").is_some();
            snapshot.supervisor = supervisor(session, &processes, looked);
            snapshot.agent = agent(session, &processes, looked);
            let names = String::from_utf8_lossy(&hooks).into_owned();
            let record = session.session_id().map(|id| format!("{id}.json"));
            snapshot.machine.hooks_ran = record
                .filter(|_| number("more").is_some())
                .map(|record| names.lines().any(|name| name == record));
        }
        snapshot.log = log_events(&unquoted(&log));
        (snapshot.outbox, snapshot.inbox) = messages(archive);
        Ok(snapshot)
    }
}

/// Cuts the output into its sections and the archive behind them.
fn cut(output: &[u8]) -> Option<([Vec<u8>; SECTIONS], &[u8])> {
    let mut sections: [Vec<u8>; SECTIONS] = Default::default();
    let (mut index, mut rest) = (0, output);
    while index < SECTIONS {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, behind) = (&rest[..end], &rest[end + 1..]);
        rest = behind;
        if line == END {
            index += 1;
        } else if !line.is_empty() {
            sections[index].extend_from_slice(line);
            sections[index].push(b'\n');
        }
    }
    Some((sections, rest))
}

fn lines(section: &[u8]) -> impl Iterator<Item = &[u8]> {
    section.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Returns the file that a section holds.
fn unquoted(section: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    for line in lines(section).filter_map(|line| line.strip_prefix(&[QUOTE])) {
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    file
}

/// Returns the number behind a name.
fn fact(section: &[u8], name: &str) -> Option<u64> {
    lines(section).find_map(|line| {
        let value = std::str::from_utf8(line).ok()?.strip_prefix(name)?.strip_prefix(' ')?;
        value.trim().parse().ok()
    })
}

fn moment(seconds: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds.try_into().ok()?, 0)
}

fn account(file: &[u8]) -> Account {
    if file.is_empty() {
        return Account::Missing;
    }
    match Session::parse(file) {
        Ok(session) => Account::Read(Box::new(session)),
        Err(error) => Account::Malformed(error.to_string()),
    }
}

fn machine(number: &impl Fn(&str) -> Option<u64>) -> Machine {
    /// A limit above this is none: the kernel then gives the largest number of pages.
    const NO_LIMIT: u64 = 1 << 60;
    Machine {
        memory_used: number("memory"),
        memory_limit: number("memory-limit").filter(|limit| *limit < NO_LIMIT),
        out_of_memory_kills: number("oom-kills"),
        processes: number("processes"),
        processes_limit: number("processes-limit"),
        disk_free: number("disk-free-kib").map(|kib| kib.saturating_mul(1024)),
        hooks_ran: None,
    }
}

/// Reads a process's line. Its name stands in brackets and may hold anything.
fn process(line: &[u8]) -> Option<Process> {
    /// The place of the start time among the fields behind the name.
    const START_TIME: usize = 19;
    let line = String::from_utf8_lossy(line);
    let (pid, rest) = line.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        zombie: matches!(fields.first(), Some(&"Z" | &"X")),
        start_ticks: fields.get(START_TIME).and_then(|ticks| ticks.parse().ok()),
    })
}

fn supervisor(session: &Session, processes: &[Process], looked: bool) -> Life {
    let is_it = |process: &&Process| process.name == "cage-poll" && !process.zombie;
    life(session.supervisor_pid, looked, |pid| {
        processes.iter().filter(is_it).any(|process| process.pid == pid)
    })
}

fn agent(session: &Session, processes: &[Process], looked: bool) -> Life {
    life(session.pid, looked, |pid| {
        processes.iter().any(|process| {
            let same = session.pid_start_ticks.is_none() || process.start_ticks == session.pid_start_ticks;
            process.pid == pid && same && !process.zombie
        })
    })
}

fn life(pid: Option<u32>, looked: bool, runs: impl Fn(u32) -> bool) -> Life {
    match pid.filter(|_| looked) {
        None => Life::Unknown,
        Some(pid) if runs(pid) => Life::Running,
        Some(_) => Life::Ended,
    }
}

fn log_events(log: &[u8]) -> Vec<LogEvent> {
    let mut events: Vec<_> = lines(log).flat_map(LogEvent::read).collect();
    events.drain(..events.len().saturating_sub(LOG_LINES));
    events
}

type Messages = Vec<(EntryName, Envelope)>;

/// Reads the messages in the archive; whatever else is in it counts for nothing.
fn messages(archive: &[u8]) -> (Messages, Messages) {
    let (mut outbox, mut inbox) = (Messages::new(), Messages::new());
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().into_iter().flat_map(|entries| entries.raw(true));
    for mut entry in entries.map_while(Result::ok) {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((folder, name)) = path.split_once('/') else { continue };
        let (Ok(mailbox), Ok(name)) = (folder.parse::<Mailbox>(), name.parse::<EntryName>()) else {
            continue;
        };
        let mut bytes = Vec::new();
        let read = std::io::Read::read_to_end(&mut entry, &mut bytes);
        let regular = entry.header().entry_type() == EntryType::Regular;
        let (true, Ok(_), Ok(message)) = (regular, read, Envelope::parse(&bytes)) else { continue };
        match mailbox {
            Mailbox::Outbox => outbox.push((name, message)),
            Mailbox::Inbox => inbox.push((name, message)),
        }
    }
    outbox.sort_by(|a, b| a.0.cmp(&b.0));
    inbox.sort_by(|a, b| a.0.cmp(&b.0));
    (outbox, inbox)
}

#[cfg(test)]
pub(super) mod testing {
    use cage_proto::message::Payload;

    use super::*;

    /// A moment so many seconds behind a fixed one.
    pub(crate) fn moment(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    pub(crate) fn message(seconds: i64, payload: impl Into<Payload>) -> (EntryName, Envelope) {
        let message = Envelope {
            id: "m".parse().unwrap(),
            timestamp: moment(seconds).into(),
            payload: payload.into(),
            seq: None,
            extra: serde_json::Map::new(),
        };
        (EntryName::at(moment(seconds)), message)
    }
}

#[cfg(test)]
mod tests {
    use cage_proto::agent::State;
    use cage_proto::message::ProgressUpdate;

    use super::testing::message;
    use super::*;

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (folder, second) in [("outbox", 2), ("outbox", 1), ("inbox", 3), ("passwd", 4)] {
            let (name, message) = message(second, ProgressUpdate::new("x"));
            let bytes = message.to_file_bytes().unwrap();
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn output(session: &str, processes: &str) -> Vec<u8> {
        let quoted: String = session.split_inclusive('\n').flat_map(|line| ["|", line]).collect();
        let facts = "now 1700000100\ntask 1700000000\npids 2\nmore 1\nmemory 5\nmemory-limit 9223372036854771712\ndisk-free-kib 2";
        let mut output =
            format!("{facts}\n\n/\n{quoted}\n/\n{processes}\n/\n9b2f.json\n/\n|a warning\n|/\n/\n")
                .into_bytes();
        output.extend(archive());
        output
    }

    const SESSION: &str = r#"{"agent":"claude","state":"working","pid":8,"pid_start_ticks":77,"supervisor_pid":7,"session_ids":["9b2f"],
"started_at":"2026-03-26T14:30:00Z","last_activity":"2026-03-26T14:30:00Z"}"#;

    const RUNNING: &str = "7 (cage-poll) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 50 0 0\n8 (a) b) S 7 8 8 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0";

    #[test]
    fn reads_what_was_seen() {
        let snapshot = Snapshot::parse(&output(SESSION, RUNNING)).unwrap();
        let Account::Read(session) = &snapshot.account else { panic!("{snapshot:?}") };
        assert_eq!(session.state, State::Working);
        assert_eq!((snapshot.supervisor, snapshot.agent), (Life::Running, Life::Running));
        assert_eq!((snapshot.outbox.len(), snapshot.inbox.len()), (2, 1));
        assert!(snapshot.outbox[0].0 < snapshot.outbox[1].0);
        let machine = Machine {
            memory_used: Some(5),
            disk_free: Some(2048),
            hooks_ran: Some(true),
            ..Machine::default()
        };
        assert_eq!(snapshot.machine, machine);
        assert_eq!(snapshot.log, [LogEvent::Raw("a warning".into()), LogEvent::Raw("/".into())]);
    }

    #[test]
    fn tells_a_process_from_another_one_with_its_number() {
        let life = |processes: &str| {
            let snapshot = Snapshot::parse(&output(SESSION, processes)).unwrap();
            (snapshot.supervisor, snapshot.agent)
        };
        assert_eq!(life(""), (Life::Ended, Life::Ended));
        assert_eq!(
            life(&RUNNING.replace("cage-poll", "bash").replace(" 77 ", " 78 ")),
            (Life::Ended, Life::Ended)
        );
        assert_eq!(life(&RUNNING.replace(") S", ") Z")), (Life::Ended, Life::Ended));
    }

    #[test]
    fn says_what_it_cannot_read() {
        let malformed = Snapshot::parse(&output("{", RUNNING)).unwrap();
        assert_eq!(malformed.account, Account::Malformed("the JSON ends in the middle".into()));
        assert_eq!((malformed.supervisor, malformed.agent), (Life::Unknown, Life::Unknown));
        assert_eq!(Snapshot::parse(&output("", "")).unwrap().account, Account::Missing);
        assert_eq!(Snapshot::parse(b""), Err("its look into the cage broke off"));
        assert_eq!(Snapshot::parse(b"/\n/\n/\n/\n/\n"), Err("its clock shows no time"));
    }

    proptest::proptest! {
        #[test]
        fn survives_any_bytes(bytes: Vec<u8>, cut: proptest::sample::Index) {
            let _ = Snapshot::parse(&bytes);
            let whole = output(SESSION, RUNNING);
            let _ = Snapshot::parse(&whole[..cut.index(whole.len())]);
        }
    }
}
