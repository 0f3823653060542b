//! The end of the agent's log, or all that is added to it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::event::LogEvent;
use super::line::{FromLog, LogLine};
use crate::backend::{End, Exec, Retry, Running, Stdin};
use crate::cage::Place;
use crate::error::{CageError, RequestError, Result};
use crate::mailbox::LineBuffer;

const TAIL: &str = "read the end of the agent's log";
const FOLLOW: &str = "follow the agent's log";

/// Bytes of a line of the log that is understood; of a longer one only that it was there is told.
pub const MAX_LOG_LINE_BYTES: usize = 1024 * 1024;

/// Lines that [`StreamLog::tail`] returns at the most.
pub const MAX_TAIL_LINES: usize = 10_000;

/// Bytes of the end of the log that are read at once.
const MAX_TAIL_BYTES: usize = 8 * 1024 * 1024;

/// Longest time for reading the end of the log.
const TAIL_DEADLINE: Duration = Duration::from_secs(30);

/// How long a log may be silent until the connection is made anew: nobody else would notice that it is dead.
const MAX_SILENCE: Duration = Duration::from_secs(600);

/// Bytes of the line in front of a followed log.
const MAX_HEADER_BYTES: usize = 256;

/// Events that wait for the consumer; more stay in the cage.
const EVENTS_IN_FLIGHT: usize = 256;

/// Prints the last `$2` lines of the log `$1` and of the one that it replaced, at most `$3` bytes.
const TAIL_SCRIPT: &str = r#"for f in "$1.1" "$1"; do
  [ -f "$f" ] && tail -n "$2" "$f"
done | tail -c "$3" | tail -n "$2""#;

/// Follows the log `$1` from the byte `$3` of the file with the number `$2` on; without a number, from its end. The
/// first line says which file comes, from which byte on, and what is left of the one that was asked for: `same` when it
/// is that one, a number of bytes that come first when it was replaced, `lost` when nobody knows.
///
/// It follows the file itself and not its name, so nothing is lost when the log is replaced; it looks now and then
/// whether it was, and ends. `tail` and the shell end when the host goes away, which closes the standard input.
const FOLLOW_SCRIPT: &str = r#"exec 3<&0
[ -e "$1" ] || : >> "$1"
[ -f "$1" ] || exit 66
file=$(stat -c %i "$1") from=0 left=lost
if [ "$2" = "$file" ]; then from=$3 left=same
elif [ "$2" = - ]; then from=$(stat -c %s "$1") left=same
elif [ -f "$1.1" ] && [ "$(stat -c %i "$1.1")" = "$2" ]; then left=$(($(stat -c %s "$1.1") - $3)); fi
printf '%s %s %s\n' "$file" "$from" "$left"
case $left in [1-9]*) tail -c "$left" "$1.1" ;; esac
tail -c "+$((from + 1))" -f "$1" 3<&- </dev/null &
tail=$!
{ cat <&3; kill "$tail" "$$"; } >/dev/null 2>&1 &
exec 3<&- </dev/null
while kill -0 "$tail" 2>/dev/null && [ "$(stat -c %i "$1" 2>/dev/null)" = "$file" ]; do sleep 15 >/dev/null 2>&1; done
kill "$tail" 2>/dev/null
exit 0"#;

/// The log of what the agent printed: what it said, the tools that it used, what they answered, what it cost.
#[derive(Debug, Clone)]
pub struct StreamLog {
    place: Place,
}

/// What is added to a log, as it comes. Dropping it ends the programs in the cage.
#[derive(Debug)]
pub struct LogFollower<T = LogEvent> {
    events: mpsc::Receiver<Result<T>>,
    task: JoinHandle<()>,
}

impl StreamLog {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    /// Returns the events in the last `lines` lines, oldest first; none when no agent was launched.
    ///
    /// At most 8 MiB are read, and a line of more than [`MAX_LOG_LINE_BYTES`] is told of as [`LogEvent::TooLong`].
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] for more than [`MAX_TAIL_LINES`] lines.
    /// - [`CageError`] when the cage is gone or stopped, [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn tail(&self, lines: usize) -> Result<Vec<LogEvent>> {
        self.read_tail(lines).await
    }

    /// Returns the last `lines` lines as they are, within the limits of [`StreamLog::tail`].
    ///
    /// # Errors
    /// Those of [`StreamLog::tail`].
    pub async fn tail_lines(&self, lines: usize) -> Result<Vec<LogLine>> {
        self.read_tail(lines).await
    }

    async fn read_tail<T: FromLog>(&self, lines: usize) -> Result<Vec<T>> {
        if lines > MAX_TAIL_LINES {
            let reason = format!("at most {MAX_TAIL_LINES} are read at once");
            return Err(RequestError::Invalid { what: "number of lines", reason }.into());
        }
        let (log, count, bytes) = (self.path(), lines.to_string(), MAX_TAIL_BYTES.to_string());
        let exec = Exec::new(TAIL, ["sh", "-c", TAIL_SCRIPT, "sh", &log, &count, &bytes], TAIL_DEADLINE);
        let output = self.place.exec(exec).await?.collect(2 * MAX_TAIL_BYTES).await?;
        Ok(read_tail(&output, MAX_TAIL_BYTES))
    }

    /// Follows the log from its end on, by push.
    ///
    /// When the connection breaks it goes on where it was; nothing is lost and nothing comes twice, also when the log
    /// was replaced because it became too large. Only one that was replaced twice meanwhile leaves [`LogEvent::Lost`].
    ///
    /// # Errors
    /// None now; everything is reported by [`LogFollower::next`].
    pub fn follow(&self) -> LogFollower {
        self.begin()
    }

    /// Follows the log like [`StreamLog::follow`], line by line as they are.
    ///
    /// # Errors
    /// None now; everything is reported by [`LogFollower::next`].
    pub fn follow_lines(&self) -> LogFollower<LogLine> {
        self.begin()
    }

    fn begin<T: FromLog>(&self) -> LogFollower<T> {
        let (sender, events) = mpsc::channel(EVENTS_IN_FLIGHT);
        let (place, log) = (self.place.clone(), self.path());
        let following = Following { place, log, position: Position::default(), lines: lines() };
        LogFollower { events, task: tokio::spawn(following.run(sender)) }
    }

    fn path(&self) -> String {
        format!("{}/claude-stream.log", self.place.layout.cage_dir())
    }
}

impl<T> LogFollower<T> {
    /// Waits for the next event; it can be dropped at any time without losing one. After an error nothing follows.
    ///
    /// # Errors
    /// - [`CageError::Gone`] when the cage was destroyed, [`CageError::NotRunning`] when it was stopped or paused and
    ///   not started again within 15 s.
    /// - [`CageError::Exited`] when the log is no regular file.
    /// - [`EngineError`](crate::EngineError) when the engine was not reachable for three minutes.
    pub async fn next(&mut self) -> Option<Result<T>> {
        self.events.recv().await
    }
}

impl<T> Drop for LogFollower<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lines() -> LineBuffer {
    LineBuffer::new(MAX_LOG_LINE_BYTES)
}

/// Reads the events of whole lines. When the limit cut the output, its first line is a part of one.
fn read_tail<T: FromLog>(output: &[u8], limit: usize) -> Vec<T> {
    let begin =
        if output.len() < limit { 0 } else { output.iter().position(|byte| *byte == b'\n').unwrap_or(0) };
    let lines = output[begin..].strip_suffix(b"\n").unwrap_or(&output[begin..]);
    if lines.is_empty() { Vec::new() } else { lines.split(|byte| *byte == b'\n').flat_map(T::read).collect() }
}

/// The task behind a [`LogFollower`].
#[derive(Debug)]
struct Following {
    place: Place,
    log: String,
    position: Position,
    lines: LineBuffer,
}

impl Following {
    async fn run<T: FromLog>(mut self, sender: mpsc::Sender<Result<T>>) {
        let mut retry = Retry::new();
        loop {
            let (read, end) = self.read_until_end(&sender).await;
            if read {
                retry.succeeded();
            }
            if !retry.goes_on(end, &sender).await {
                return;
            }
        }
    }

    /// Connects and reads; says also whether the program in the cage gave any sign of life.
    async fn read_until_end<T: FromLog>(&mut self, sender: &mpsc::Sender<Result<T>>) -> (bool, End) {
        let mut running = match self.connect().await {
            Ok(running) => running,
            Err(error) => return (false, End::judge(error)),
        };
        let mut header = Some(LineBuffer::new(MAX_HEADER_BYTES));
        loop {
            let bytes = tokio::select! {
                bytes = running.next_stdout() => bytes,
                () = sender.closed() => return (header.is_none(), End::Consumer),
                () = sleep(MAX_SILENCE) => {
                    let error = CageError::TimedOut { operation: FOLLOW, after: MAX_SILENCE };
                    return (header.is_none(), End::Lost(error.into()));
                }
            };
            let events = match bytes {
                Ok(Some(bytes)) => self.take(&mut header, &bytes),
                Ok(None) => return (header.is_none(), End::of(running, FOLLOW).await),
                Err(error) => return (header.is_none(), End::judge(error)),
            };
            let Some(events) = events else {
                let reason = "its log has no beginning".to_owned();
                return (false, End::Failed(CageError::Malformed { operation: FOLLOW, reason }.into()));
            };
            for event in events {
                if sender.send(Ok(event)).await.is_err() {
                    return (true, End::Consumer);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Running> {
        let (file, byte) = self.position.ask();
        let argv = ["sh", "-c", FOLLOW_SCRIPT, "sh", &self.log, &file, &byte];
        let exec = Exec::new(FOLLOW, argv, TAIL_DEADLINE).unlimited().stdin(Stdin::HeldOpen);
        self.place.exec(exec).await
    }

    /// Takes the next piece of output, and returns the events of the lines that it completes; nothing for an output
    /// that does not begin as it should.
    fn take<T: FromLog>(&mut self, header: &mut Option<LineBuffer>, bytes: &[u8]) -> Option<Vec<T>> {
        let mut events = Vec::new();
        let mut bytes = bytes.to_vec();
        if let Some(buffer) = header {
            buffer.push(&bytes);
            let Some(line) = buffer.next() else { return Some(events) };
            let begin = Begin::parse(&line.ok()?)?;
            bytes = buffer.rest();
            *header = None;
            if self.position.begin(begin) == Continuity::Lost {
                self.lines = lines();
                events.push(T::LOST);
            }
        }
        self.position.advance(bytes.len() as u64);
        self.lines.push(&bytes);
        while let Some(line) = self.lines.next() {
            events.extend(line.map_or_else(|_| vec![T::TOO_LONG], |line| T::read(&line)));
        }
        Some(events)
    }
}

/// A place in a log: the number of the file and the next byte in it.
type At = (u64, u64);

/// How far a log has been read, across the files that it is replaced by.
#[derive(Debug, Default)]
struct Position {
    /// Where the last byte came from; nothing before the first connection.
    at: Option<At>,
    /// Bytes that still come of that file before the next one.
    left: u64,
    next: Option<At>,
}

/// What a connection says that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Begin {
    at: At,
    /// Bytes of the replaced file that come first.
    left: u64,
    continuity: Continuity,
}

/// Whether what comes continues what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Continuity {
    Unbroken,
    Lost,
}

impl Begin {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let at = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (left, continuity) = match words.next()? {
            "same" => (0, Continuity::Unbroken),
            "lost" => (0, Continuity::Lost),
            left => (left.parse().ok()?, Continuity::Unbroken),
        };
        Some(Self { at, left, continuity })
    }
}

impl Position {
    /// Returns what to ask for: a file and a byte, as the program in the cage understands them.
    fn ask(&self) -> (String, String) {
        self.at.map_or(("-".to_owned(), "0".to_owned()), |(file, byte)| (file.to_string(), byte.to_string()))
    }

    fn begin(&mut self, begin: Begin) -> Continuity {
        if begin.left > 0 {
            (self.left, self.next) = (begin.left, Some(begin.at));
        } else {
            *self = Self { at: Some(begin.at), left: 0, next: None };
        }
        begin.continuity
    }

    /// Goes on behind bytes that came.
    fn advance(&mut self, bytes: u64) {
        let of_old = bytes.min(self.left);
        self.left -= of_old;
        self.add(of_old);
        if self.left == 0 && self.next.is_some() {
            self.at = self.next.take();
        }
        self.add(bytes - of_old);
    }

    fn add(&mut self, bytes: u64) {
        if let Some((_, byte)) = &mut self.at {
            *byte += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(text: &str) -> Begin {
        Begin::parse(text.as_bytes()).unwrap()
    }

    fn asked(position: &Position) -> String {
        let (file, byte) = position.ask();
        format!("{file} {byte}")
    }

    #[test]
    fn goes_on_where_it_was() {
        let mut position = Position::default();
        assert_eq!(asked(&position), "- 0");
        assert_eq!(position.begin(begin("7 100 same")), Continuity::Unbroken);
        position.advance(20);
        assert_eq!(asked(&position), "7 120");
    }

    #[test]
    fn reads_the_rest_of_a_file_that_was_replaced_before_the_new_one() {
        let mut position = Position::default();
        position.begin(begin("7 100 same"));
        assert_eq!(position.begin(begin("8 0 50")), Continuity::Unbroken);
        position.advance(30);
        assert_eq!(asked(&position), "7 130", "a connection that is lost here asks for the rest");
        position.advance(25);
        assert_eq!(asked(&position), "8 5");
        assert_eq!(position.begin(begin("9 0 0")), Continuity::Unbroken);
        assert_eq!(asked(&position), "9 0");
    }

    #[test]
    fn says_when_a_file_was_replaced_twice() {
        let mut position = Position::default();
        position.begin(begin("7 100 same"));
        assert_eq!(position.begin(begin("9 0 lost")), Continuity::Lost);
        assert_eq!(asked(&position), "9 0");
    }

    #[test]
    fn rejects_a_beginning_that_makes_no_sense() {
        for text in ["", "7", "7 0", "x 0 same", "7 0 -1", "7 0 other"] {
            assert_eq!(Begin::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn leaves_out_the_part_of_a_line_that_a_limit_left() {
        assert_eq!(read_tail::<LogEvent>(b"a\nb\n", 100).len(), 2);
        assert_eq!(read_tail::<LogEvent>(b"a\nb\n", 4), [LogEvent::Raw("b".into())]);
        assert_eq!(read_tail::<LogLine>(b"", 4), []);
        assert_eq!(read_tail::<LogLine>(b"a\n\nb\n", 100).len(), 3, "an empty line is one");
    }
}
