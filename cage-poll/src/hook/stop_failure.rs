//! The API failed, and the turn ended for that reason.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cage_proto::env::{IdSource as _, System};
use cage_proto::mailbox::{CageDir, Draft, Mailbox, publish};
use cage_proto::message::ErrorReport;
use serde_json::Value;

use super::input::Input;
use super::record::{self, Status};
use super::run::{Reply, Trouble, parse};
use crate::api_failure::is_lasting;

/// Characters of each reason that are passed on.
const REASON_CHARS_MAX: usize = 2_000;

/// How long a report may take. Only a publisher that was stopped in the middle makes it take that long.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn answer(dir: &CageDir, raw: &[u8]) -> Reply {
    let input = parse(raw)?;
    let report = report(&input);
    let recorded = record_failure(dir, raw, &input, &report.message);
    let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload: report.into() };
    let outbox = dir.mailbox(Mailbox::Outbox);
    let (done, outcome) = mpsc::channel();
    // A publish waits for the mailbox's lock much longer than a hook may; ended in that wait it has written nothing.
    thread::spawn(move || done.send(publish(&outbox, &draft, &System).map(|_| ())));
    outcome.recv_timeout(PATIENCE)??;
    recorded.map(|()| None)
}

fn record_failure(dir: &CageDir, raw: &[u8], input: &Input, reason: &str) -> Result<(), Trouble> {
    record::update(dir, input.session_id.as_deref(), raw, |record| {
        record.status = Status::Failed;
        record.stopped_at = Some(record::now());
        record.error = Some(reason.to_owned());
    })
}

fn report(input: &Input) -> ErrorReport {
    let reason = input.error.as_ref().map_or_else(|| "unknown".to_owned(), text);
    let details = [input.error_details.as_ref().map(text), input.last_assistant_message.clone()];
    let details: Vec<String> = details.into_iter().flatten().map(|text| cut(&text)).collect();
    let recoverable = !is_lasting(&reason);
    let colon = if details.is_empty() { "" } else { ": " };
    let message = format!("the API failed with {}{colon}{}", cut(&reason), details.join(" · "));
    ErrorReport::new("api_failure", message, recoverable)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn cut(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(input: &str) -> (String, bool) {
        let report = report(&serde_json::from_str(input).unwrap());
        (report.message, report.recoverable)
    }

    #[test]
    fn passes_on_the_reason_and_whether_a_later_try_helps() {
        let (message, recoverable) =
            shown(r#"{"error":"overloaded","last_assistant_message":"API Error: 529"}"#);
        assert_eq!((message.as_str(), recoverable), ("the API failed with overloaded: API Error: 529", true));
        assert!(!shown(r#"{"error":"authentication_failed"}"#).1);
    }

    #[test]
    fn takes_a_reason_of_any_shape() {
        assert_eq!(shown(r#"{"error":{"a":1}}"#).0, r#"the API failed with {"a":1}"#);
        assert_eq!(shown("{}").0, "the API failed with unknown");
    }
}
