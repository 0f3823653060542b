//! Each part of a run, graded by what was seen of it.

use super::evidence::{Evidence, count, in_words, said};
use super::measures::Measures;
use super::run_report::{Grade, Remark, Section, Sections};
use super::troubles::Trouble;
use crate::watch::{Activity, Evidence as Seen, LogEvent};

/// A first message that takes longer is worth a look: the instructions ask for one at the beginning.
const SLOW_FIRST_MESSAGE_SECONDS: f64 = 120.0;

/// An agent at work that sends nothing for longer is worth a look: the instructions ask for one every few minutes.
const LONG_GAP_SECONDS: f64 = 600.0;

/// A host that reacts later is worth a look: the agent may wait for it.
const SLOW_REACTION_SECONDS: f64 = 300.0;

/// HTTP status codes by which the API refuses a credential.
const REFUSALS: [u64; 2] = [401, 403];

/// Held-back files that are named.
const NAMED: usize = 10;

/// Grades each part.
pub(super) fn of(evidence: &Evidence, measures: &Measures, troubles: &[Trouble]) -> Sections {
    Sections {
        authentication: Section::of(authentication(evidence)),
        launch: Section::of(launch(evidence, measures)),
        messaging: Section::of(messaging(evidence, measures)),
        monitoring: Section::of(monitoring(evidence, measures)),
        export: Section::of(export(evidence)),
        errors: Section::of(errors(evidence, measures, troubles)),
    }
}

fn remark(grade: Grade, text: impl Into<String>) -> Remark {
    Remark::new(grade, text)
}

fn authentication(evidence: &Evidence) -> Vec<Remark> {
    let refused = |event: &LogEvent| matches!(event, LogEvent::ApiRetry { status: Some(status), .. } if REFUSALS.contains(status));
    let refusals = evidence.log.iter().filter(|event| refused(event)).count() as u64;
    let answered = evidence.log.iter().rposition(from_model);
    let last_refusal = evidence.log.iter().rposition(refused);
    let times = count(refusals, "time", "times");
    let mut remarks = vec![match (answered, last_refusal) {
        (Some(_), None) => {
            remark(Grade::Good, "the model answered, and the API never refused the credential")
        }
        (Some(answer), Some(refusal)) if answer > refusal => remark(
            Grade::Concern,
            format!("the API refused the credential {times}, and the model answered afterwards"),
        ),
        (_, Some(_)) => remark(
            Grade::Bad,
            format!("the API refused the credential {times}, and the model did not answer since"),
        ),
        (None, None) if evidence.log.is_empty() => remark(Grade::Unknown, "not known: the log is empty"),
        (None, None) => {
            remark(Grade::Unknown, "not known: the model has not answered, and the API refused nothing")
        }
    }];
    let trouble = evidence.log.iter().rev().find_map(|event| match event {
        LogEvent::Trouble(text) => Some(said(text)),
        _ => None,
    });
    remarks.extend(
        trouble
            .filter(|_| answered.is_none())
            .map(|text| remark(Grade::Bad, format!("the agent said: {text}"))),
    );
    remarks.extend(partial_log(evidence));
    remarks
}

/// Says whether an event shows that the model answers.
fn from_model(event: &LogEvent) -> bool {
    matches!(event, LogEvent::Text(_) | LogEvent::Thinking(_) | LogEvent::ToolUse { .. })
}

fn partial_log(evidence: &Evidence) -> Option<Remark> {
    evidence.log_cut.then(|| remark(Grade::Unknown, "only the end of the log was read"))
}

fn launch(evidence: &Evidence, measures: &Measures) -> Vec<Remark> {
    let Some(launched) = evidence.launched_at else {
        return vec![remark(Grade::Unknown, "no agent was launched in this cage")];
    };
    let mut remarks =
        vec![remark(Grade::Good, format!("launched at {}", launched.format("%Y-%m-%d %H:%M:%S UTC")))];
    let begins = evidence.log.iter().filter(|event| matches!(event, LogEvent::Started { .. })).count() as u64;
    remarks.push(match begins {
        0 => remark(Grade::Concern, "the log shows no process of the agent that began"),
        begins => {
            remark(Grade::Good, format!("{} of the agent began", count(begins, "process", "processes")))
        }
    });
    remarks.push(match measures.first_message_seconds {
        Some(slow) if slow > SLOW_FIRST_MESSAGE_SECONDS => {
            remark(Grade::Concern, format!("the first message came after {}", in_words(slow)))
        }
        Some(seconds) => remark(Grade::Good, format!("the first message came after {}", in_words(seconds))),
        None => remark(Grade::Concern, "no message came since the launch"),
    });
    remarks.extend(hooks(evidence));
    remarks
}

fn hooks(evidence: &Evidence) -> Option<Remark> {
    evidence.diagnosis.evidence.iter().find_map(|seen| match seen {
        Seen::Hooks { ran: true } => {
            Some(remark(Grade::Good, "the hooks ran, so messages reach the agent in the middle of a turn"))
        }
        Seen::Hooks { ran: false } => Some(remark(
            Grade::Concern,
            "the session-start hook did not run: messages reach the agent between its turns only",
        )),
        _ => None,
    })
}

fn messaging(evidence: &Evidence, measures: &Measures) -> Vec<Remark> {
    let Measures { messages_sent: sent, messages_received: received, .. } = measures;
    if *sent == 0 && measures.malformed == 0 {
        return vec![remark(Grade::Unknown, "the agent has sent nothing")];
    }
    let mut remarks = vec![remark(
        Grade::Good,
        format!("{} from the agent, {received} to it", count(*sent, "message", "messages")),
    )];
    remarks.push(match measures.malformed {
        0 => remark(Grade::Good, "every file in the mailboxes is a well-formed message"),
        files => remark(
            Grade::Bad,
            format!("{} no message", count(files, "file in the mailboxes is", "files in the mailboxes are")),
        ),
    });
    remarks.push(match measures.missing {
        0 => remark(Grade::Good, "no number is missing between the messages"),
        missing => remark(
            Grade::Bad,
            format!("{} removed: their numbers are missing", count(missing, "message was", "messages were")),
        ),
    });
    remarks.push(cadence(measures));
    remarks.extend(completion(evidence, measures));
    if evidence.messages_cut {
        remarks.push(remark(Grade::Unknown, "there are more messages than were read"));
    }
    remarks
}

fn cadence(measures: &Measures) -> Remark {
    let (Some(longest), Some(median)) = (measures.longest_gap_seconds, measures.median_gap_seconds) else {
        return remark(Grade::Unknown, "cadence not known: too few messages");
    };
    let grade = if longest > LONG_GAP_SECONDS { Grade::Concern } else { Grade::Good };
    let (median, longest) = (in_words(median), in_words(longest));
    remark(
        grade,
        format!("while at work a message came every {median} (median), after {longest} at the longest"),
    )
}

fn completion(evidence: &Evidence, measures: &Measures) -> Option<Remark> {
    if evidence.completed_at().is_some() {
        return measures.completed_seconds.map(|seconds| {
            remark(
                Grade::Good,
                format!("the last report that the task is over came {} after the launch", in_words(seconds)),
            )
        });
    }
    let over = matches!(evidence.activity(), Activity::Idle { .. } | Activity::Crashed { .. });
    let grade = if over { Grade::Bad } else { Grade::Unknown };
    Some(remark(grade, "the agent has not reported its task complete"))
}

fn monitoring(evidence: &Evidence, measures: &Measures) -> Vec<Remark> {
    let mut remarks = vec![match measures.longest_reaction_seconds {
        Some(longest) => {
            let grade = if longest > SLOW_REACTION_SECONDS { Grade::Concern } else { Grade::Good };
            let longest = in_words(longest);
            remark(
                grade,
                format!(
                    "the host noticed each message that it reacted to within {longest}: a bound, since when it read one is not recorded"
                ),
            )
        }
        None => remark(Grade::Unknown, "detection delay not known: the host reacted to no message"),
    }];
    match measures.unanswered {
        0 if measures.questions > 0 => remarks.push(remark(Grade::Good, "every question was answered")),
        0 => {}
        open => {
            // An agent that completed its task went on without them.
            let grade = if evidence.completed_at().is_some() { Grade::Concern } else { Grade::Bad };
            let text = format!("{} without an answer", count(open, "question is", "questions are"));
            remarks.push(remark(grade, text));
        }
    }
    remarks.extend(quiet(evidence));
    remarks
}

fn quiet(evidence: &Evidence) -> Option<Remark> {
    match evidence.activity() {
        Activity::Silent { quiet_for } => {
            let quiet = in_words(quiet_for.as_secs_f64());
            Some(remark(
                Grade::Concern,
                format!("the agent has printed nothing for {quiet}, and works or is stuck"),
            ))
        }
        Activity::Crashed { .. } => {
            Some(remark(Grade::Unknown, "how soon the crash was noticed is not recorded"))
        }
        _ => None,
    }
}

fn export(evidence: &Evidence) -> Vec<Remark> {
    let Some(changes) = &evidence.changes else {
        return vec![remark(Grade::Unknown, "not known: no folder was named to compare with")];
    };
    let mut remarks = vec![remark(
        Grade::Good,
        format!("{} from the folder", count(changes.files, "file differs", "files differ")),
    )];
    if !changes.held_back.is_empty() {
        let held = count(changes.held_back.len() as u64, "file is", "files are");
        remarks.push(remark(Grade::Concern, format!("{held} held back by an export")));
    }
    let named = changes.held_back.iter().take(NAMED);
    remarks
        .extend(named.map(|(path, why)| remark(Grade::Concern, said(&format!("held back: {path}: {why}")))));
    if changes.refused > 0 {
        let refused = count(changes.refused, "path makes", "paths make");
        remarks.push(remark(Grade::Bad, format!("{refused} no sense as a file and will not be taken")));
    }
    if changes.protected_files > 0 {
        let files = count(changes.protected_files, "file differs", "files differ");
        remarks
            .push(remark(Grade::Good, format!("{files} in environments and caches, which are left alone")));
    }
    remarks.push(remark(Grade::Unknown, "conflicts not known: they show when the changes are written"));
    remarks
}

fn errors(evidence: &Evidence, measures: &Measures, troubles: &[Trouble]) -> Vec<Remark> {
    let lost = troubles.iter().filter(|trouble| trouble.recovered == Some(false)).count() as u64;
    let untold = troubles.iter().filter(|trouble| trouble.recovered.is_none()).count() as u64;
    let recovered = troubles.len() as u64 - lost - untold;
    let mut remarks = Vec::new();
    if troubles.is_empty() {
        remarks.push(remark(Grade::Good, "nothing went wrong that was reported or logged"));
    }
    if recovered > 0 {
        remarks.push(remark(
            Grade::Concern,
            format!("the agent went on after {}", count(recovered, "trouble", "troubles")),
        ));
    }
    if lost > 0 {
        remarks.push(remark(
            Grade::Bad,
            format!("the agent did not go on after {}", count(lost, "trouble", "troubles")),
        ));
    }
    if untold > 0 {
        let troubles = count(untold, "trouble", "troubles");
        remarks.push(remark(Grade::Unknown, format!("what became of {troubles} cannot be told")));
    }
    if measures.tool_uses > 0 {
        let uses = count(measures.tool_uses, "tool use", "tool uses");
        remarks.push(remark(Grade::Good, format!("{} of {uses} failed", measures.tool_errors)));
    }
    remarks.extend(partial_log(evidence));
    remarks
}
