//! From a typed prompt to the end of its turn. Pure: looks and times in, what to do out.

use std::time::Duration;

use super::error::InteractiveError;
use super::records::{Begun, Moment, Record, Records, Status};
use super::screen::{Key, View};

/// How long a prompt may stand in the input box after Enter until Enter is pressed again: right after a paste the agent
/// takes it for a part of that.
const PRESS_AGAIN: Duration = Duration::from_secs(2);

/// How long the agent may take to begin a turn once its input box is empty again.
const BEGIN: Duration = Duration::from_secs(15);

/// How long the prompt may take from the paste to the beginning of its turn, on a machine with much else to do.
const BEGIN_AT_ALL: Duration = Duration::from_secs(90);

/// How long the input box must stand there idle, with the turn's end recorded nowhere, until it was interrupted. No
/// hook tells that.
const INTERRUPTED: Duration = Duration::from_secs(3);

/// How long the screen may take to show the end that is recorded.
const SETTLE: Duration = Duration::from_secs(5);

/// A prompt on its way.
#[derive(Debug)]
pub(super) struct Prompted<'a> {
    prompt: &'a str,
    /// When anything was last prompted before it.
    before: Moment,
    phase: Phase,
    /// Since when the screen has shown the present view.
    since: (View, Duration),
}

#[derive(Debug)]
enum Phase {
    /// It was pasted.
    Typed,
    /// Enter was pressed at this time.
    Sent(Duration),
    /// Its turn runs.
    Running(Begun),
    /// The end was recorded, and seen at this time.
    Over(Record, Duration),
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Wait,
    Press(Key),
    Done(Box<Record>),
    Fail(InteractiveError),
}

impl<'a> Prompted<'a> {
    pub(super) fn new(prompt: &'a str, before: Moment) -> Self {
        Self { prompt, before, phase: Phase::Typed, since: (View::Unknown, Duration::ZERO) }
    }

    /// Decides about one look, taken `now` after the paste.
    pub(super) fn next(&mut self, view: &View, records: &Records, now: Duration) -> Next {
        if self.since.0 != *view {
            self.since = (view.clone(), now);
        }
        match &self.phase {
            Phase::Typed | Phase::Sent(_) => self.begin(view, records, now),
            Phase::Running(begun) => match records.of(begun) {
                Some(record) if begun.is_over(record) => {
                    self.phase = Phase::Over(record.clone(), now);
                    self.settle(view, now)
                }
                record => self.go_on(record, now),
            },
            Phase::Over(..) => self.settle(view, now),
        }
    }

    fn begin(&mut self, view: &View, records: &Records, now: Duration) -> Next {
        if let Some(begun) = records.begun(self.prompt, &self.before) {
            self.phase = Phase::Running(begun);
            return self.next(view, records, now);
        }
        let pressed = if let Phase::Sent(at) = self.phase { Some(at) } else { None };
        match view {
            View::Draft(_) if pressed.is_none_or(|at| now >= at + PRESS_AGAIN) => {
                self.phase = Phase::Sent(now);
                Next::Press(Key::Enter)
            }
            View::Ready if self.shown_for(now) >= BEGIN => Next::Fail(InteractiveError::NotTaken),
            _ if now >= BEGIN_AT_ALL => Next::Fail(InteractiveError::NotTaken),
            _ => Next::Wait,
        }
    }

    /// A turn whose end is not recorded goes on, unless the screen has been idle for a while.
    fn go_on(&self, record: Option<&Record>, now: Duration) -> Next {
        let is_idle = matches!(self.since.0, View::Ready | View::Draft(_));
        // Background tasks bring the agent back by themselves.
        let is_paused = record.is_some_and(|record| record.status == Status::Paused);
        if is_idle && !is_paused && self.shown_for(now) >= INTERRUPTED {
            return Next::Fail(InteractiveError::Interrupted);
        }
        Next::Wait
    }

    /// Waits for the screen after the end, so that the next prompt finds the input box.
    fn settle(&self, view: &View, now: Duration) -> Next {
        let Phase::Over(record, seen) = &self.phase else { return Next::Wait };
        if *view == View::Working && now < *seen + SETTLE {
            return Next::Wait;
        }
        match record.status {
            Status::Failed => {
                let reason =
                    crate::sanitize::sanitize(record.error.as_deref().unwrap_or("for an unknown reason"));
                Next::Fail(InteractiveError::TurnFailed { reason })
            }
            _ => Next::Done(Box::new(record.clone())),
        }
    }

    fn shown_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(status: &str, prompted: u32, stopped: u32) -> Records {
        let at = |second: u32| format!("2026-11-21T14:00:{second:02}Z");
        let members = json!({ "session_id": "a", "status": status, "prompt": "go", "prompted_at": at(prompted),
            "stopped_at": at(stopped), "last_message": "bye", "error": "overloaded" });
        Records(vec![Record::parse(members.to_string().as_bytes()).unwrap()])
    }

    fn draft() -> View {
        View::Draft("go".to_owned())
    }

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Plays looks, one a second, and returns what was decided about the last one.
    fn play(looks: &[(View, &Records)]) -> Next {
        let before = record("done", 1, 2).last_prompted();
        let mut prompted = Prompted::new("go", before);
        let mut last = Next::Wait;
        for (now, (view, records)) in looks.iter().enumerate() {
            last = prompted.next(view, records, second(now as u64));
        }
        last
    }

    #[test]
    fn sends_what_is_in_the_box_and_waits_for_the_recorded_end() {
        let (before, running, done) = (record("done", 1, 2), record("running", 3, 2), record("done", 3, 4));
        let story = [
            (View::Ready, &before),
            (draft(), &before),
            (View::Working, &before),
            (View::Working, &running),
            (View::Working, &done),
            (View::Ready, &done),
        ];
        assert_eq!(play(&story[..2]), Next::Press(Key::Enter));
        for length in [1, 3, 4, 5] {
            assert_eq!(play(&story[..length]), Next::Wait, "{length}");
        }
        assert!(matches!(play(&story), Next::Done(record) if record.last_message.as_deref() == Some("bye")));
    }

    #[test]
    fn presses_again_when_the_text_still_stands_there() {
        let before = record("done", 1, 2);
        let stays: Vec<_> = (0..3).map(|_| (draft(), &before)).collect();
        assert_eq!(play(&stays[..2]), Next::Wait);
        assert_eq!(play(&stays), Next::Press(Key::Enter));
    }

    #[test]
    fn gives_up_on_a_text_that_begins_no_turn() {
        let before = record("done", 1, 2);
        let looks: Vec<_> =
            std::iter::once((draft(), &before)).chain((0..16).map(|_| (View::Ready, &before))).collect();
        assert_eq!(play(&looks), Next::Fail(InteractiveError::NotTaken));
        assert_eq!(play(&looks[..16]), Next::Wait);
    }

    #[test]
    fn takes_a_lasting_idle_box_for_an_interruption_but_not_while_tasks_go_on() {
        let (running, paused) = (record("running", 3, 2), record("paused", 3, 4));
        let looks = |records| (0..4).map(|_| (View::Ready, records)).collect::<Vec<_>>();
        assert_eq!(play(&looks(&running)), Next::Fail(InteractiveError::Interrupted));
        assert_eq!(play(&looks(&running)[..3]), Next::Wait);
        assert_eq!(play(&looks(&paused)), Next::Wait);
    }

    #[test]
    fn says_why_a_turn_failed() {
        let failed = record("failed", 3, 4);
        let reason = "overloaded".to_owned();
        assert_eq!(play(&[(View::Ready, &failed)]), Next::Fail(InteractiveError::TurnFailed { reason }));
    }
}
