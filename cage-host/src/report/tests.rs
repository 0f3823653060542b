//! Reports of made-up runs.

use std::time::Duration;

use cage_proto::message::Envelope;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::comparison::Comparison;
use super::evidence::{ChangeSummary, Evidence};
use super::run_report::{Grade, RunReport, Section};
use crate::mailbox::{Content, Entry};
use crate::watch::{Activity, Diagnosis, Evidence as Seen, LogEvent, Status, Suggestion};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_774_535_400 + seconds, 0).unwrap()
}

fn message(seconds: i64, seq: u64, kind: &str, payload: Value) -> Entry {
    let timestamp = cage_proto::message::Timestamp::from(at(seconds)).to_string();
    let mut text =
        json!({ "id": format!("m{seq}"), "type": kind, "timestamp": timestamp, "version": 1, "seq": seq });
    text["payload"] = payload;
    let content = Content::Message(Box::new(Envelope::parse(text.to_string().as_bytes()).unwrap()));
    Entry { name: timestamp.replace(':', "-") + ".json", content }
}

fn progress(seconds: i64, seq: u64, status: &str) -> Entry {
    message(seconds, seq, "progress_update", json!({ "status": status }))
}

fn complete(seconds: i64, seq: u64) -> Entry {
    message(seconds, seq, "task_complete", json!({ "summary": "done", "exit_code": 0 }))
}

fn text() -> LogEvent {
    LogEvent::Text("I look".to_owned())
}

fn retry(status: u64) -> LogEvent {
    LogEvent::ApiRetry { attempt: 1, status: Some(status), error: "refused".to_owned() }
}

fn evidence(activity: Activity) -> Evidence {
    let status = Status {
        activity,
        spent: None,
        quiet_for: None,
        last_progress: None,
        last_tool: None,
        session_id: None,
    };
    Evidence {
        cage: "demo".to_owned(),
        taken_at: at(1_000),
        created_at: Some(at(-5)),
        launched_at: Some(at(0)),
        session: None,
        outbox: Vec::new(),
        inbox: Vec::new(),
        messages_cut: false,
        log: Vec::new(),
        log_cut: false,
        diagnosis: Diagnosis { status, evidence: Vec::new(), suggestion: Suggestion::Wait },
        changes: None,
    }
}

fn smooth() -> Evidence {
    let done = Activity::Complete { exit_code: 0, summary: "done".to_owned(), listening: true };
    let started = LogEvent::Started { session_id: None, model: None, tools: Vec::new() };
    Evidence {
        outbox: vec![progress(4, 1, "reading"), progress(30, 2, "writing"), complete(60, 3)],
        log: vec![started, text()],
        changes: Some(ChangeSummary { files: 2, ..ChangeSummary::default() }),
        ..evidence(done)
    }
}

fn remarks(section: &Section) -> String {
    let lines = section.remarks.iter().map(|remark| format!("{}: {}", remark.grade.word(), remark.text));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn says_of_a_smooth_run_that_it_was_one() {
    let report = RunReport::of(&smooth());
    let grades = report.sections().map(|(name, section)| format!("{name} {}", section.grade.word()));
    insta::assert_snapshot!(grades.join(", "), @"authentication good, launch good, messaging good, monitoring unknown, export unknown, errors good");
    insta::assert_snapshot!(remarks(&report.sections.messaging), @r"
    good: 3 messages from the agent, 0 to it
    good: every file in the mailboxes is a well-formed message
    good: no number is missing between the messages
    good: while at work a message came every 26 s (median), after 30 s at the longest
    good: the last report that the task is over came 60 s after the launch
    ");
    let measures = &report.measures;
    assert_eq!((measures.first_message_seconds, measures.completed_seconds), (Some(4.0), Some(60.0)));
    assert_eq!((report.outcome.state.as_str(), report.outcome.exit_code), ("complete", Some(0)));
}

#[test]
fn says_of_what_is_not_known_that_it_is_not() {
    let nothing = Evidence { created_at: None, launched_at: None, ..evidence(Activity::Stopped) };
    let report = RunReport::of(&nothing);
    for (name, section) in report.sections().into_iter().filter(|(name, _)| *name != "errors") {
        assert_eq!(section.grade, Grade::Unknown, "{name}");
    }
    assert!(report.timeline_svg().contains("nothing happened at a known time"));
    assert_eq!(report.measures.cost_usd, None);
}

#[test]
fn tells_a_refused_credential_from_one_that_was_accepted_later() {
    let grade = |log: Vec<LogEvent>| {
        RunReport::of(&Evidence { log, ..evidence(Activity::Working) }).sections.authentication.grade
    };
    assert_eq!(grade(vec![retry(401), retry(401)]), Grade::Bad);
    assert_eq!(grade(vec![text(), retry(401)]), Grade::Bad);
    assert_eq!(grade(vec![retry(403), text()]), Grade::Concern);
    assert_eq!(grade(vec![retry(529), text()]), Grade::Good);
    assert_eq!(grade(vec![retry(529)]), Grade::Unknown);
}

#[test]
fn finds_removed_and_malformed_messages() {
    let malformed = Entry {
        name: "2026-03-26T14-30-20Z.json".to_owned(),
        content: Content::Malformed("no JSON".to_owned()),
    };
    let mut run = smooth();
    run.outbox = vec![progress(4, 1, "a"), malformed, progress(30, 3, "b"), complete(60, 7)];
    let report = RunReport::of(&run);
    assert_eq!((report.measures.malformed, report.measures.missing), (1, 3), "2 is the malformed one");
    assert_eq!(report.sections.messaging.grade, Grade::Bad);
    insta::assert_snapshot!(remarks(&report.sections.errors), @"unknown: what became of 1 trouble cannot be told");
    assert_eq!(report.troubles[0].at.as_ref().unwrap().instant(), at(20));
}

#[test]
fn does_not_count_the_time_in_which_the_agent_waits_for_its_host() {
    let mut run = smooth();
    let question = json!({ "request_id": "q", "description": "which?" });
    run.outbox = vec![
        message(5, 1, "info_request", question),
        progress(2_000, 2, "on"),
        complete(2_010, 3),
        progress(9_000, 4, "again"),
    ];
    run.inbox = vec![
        message(1_990, 1, "info_response", json!({ "request_id": "q", "content": "that" })),
        message(8_990, 2, "task_revision", json!({ "instructions": "more" })),
    ];
    let report = RunReport::of(&run);
    assert_eq!(report.measures.longest_gap_seconds, Some(10.0));
    assert_eq!((report.measures.questions, report.measures.unanswered), (1, 0));
    assert_eq!(report.measures.longest_reaction_seconds, Some(6_980.0));
    assert_eq!(report.sections.monitoring.grade, Grade::Concern);
    run.inbox.clear();
    run.outbox.truncate(1);
    assert_eq!(RunReport::of(&run).sections.monitoring.grade, Grade::Bad, "nobody answers");
}

#[test]
fn tells_errors_that_the_agent_went_on_after_from_its_end() {
    let error = |seconds, seq| {
        message(
            seconds,
            seq,
            "error",
            json!({ "error_type": "build", "message": "broken", "recoverable": true }),
        )
    };
    let finished = LogEvent::Finished {
        is_error: true,
        text: "API Error".to_owned(),
        cost_usd: 0.0,
        usage: crate::Usage::default(),
        took: None,
    };
    let mut run = evidence(Activity::Crashed { reason: "killed".to_owned(), listening: false });
    run.outbox = vec![error(10, 1), progress(25, 2, "mended"), error(30, 3)];
    run.log = vec![retry(529), retry(529), text(), finished];
    run.diagnosis.evidence = vec![Seen::OutOfMemory { kills: 2 }];
    let report = RunReport::of(&run);
    let lines = report
        .troubles
        .iter()
        .map(|t| format!("{} {:?} {:?} {}", t.kind, t.recovered, t.recovered_seconds, t.text));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    build Some(true) Some(15.0) broken
    build Some(false) None broken
    api Some(true) None 2 failed calls of the API: HTTP 529, refused
    turn Some(false) None API Error
    memory None None 2 processes were killed because the cage had no memory left
    crash Some(false) None killed
    ");
    assert_eq!(report.measures.not_recovered, 4);
}

#[test]
fn names_what_an_export_holds_back() {
    let mut run = smooth();
    run.changes = Some(ChangeSummary {
        files: 3,
        held_back: vec![(".envrc".to_owned(), "tools run such a file without being asked".to_owned())],
        refused: 1,
        protected_files: 4,
    });
    let report = RunReport::of(&run);
    insta::assert_snapshot!(remarks(&report.sections.export), @r"
    good: 3 files differ from the folder
    concern: 1 file is held back by an export
    concern: held back: .envrc: tools run such a file without being asked
    bad: 1 path makes no sense as a file and will not be taken
    good: 4 files differ in environments and caches, which are left alone
    unknown: conflicts not known: they show when the changes are written
    ");
}

#[test]
fn grades_a_silent_agent_and_one_that_sent_nothing_for_long() {
    let mut run = smooth();
    run.diagnosis.status.activity = Activity::Silent { quiet_for: Duration::from_secs(400) };
    run.outbox = vec![progress(4, 1, "a"), progress(700, 2, "b")];
    let report = RunReport::of(&run);
    assert_eq!(report.sections.monitoring.grade, Grade::Concern);
    assert_eq!(report.sections.messaging.grade, Grade::Concern);
}

/// Texts of an agent that would be markup, or steer a terminal.
const HOSTILE: &str = "</title><script>alert(1)</script>\" onload='x' & \u{1b}[2J\u{202e}\nnext";

fn hostile() -> RunReport {
    let mut run = smooth();
    let error = json!({ "error_type": HOSTILE, "message": HOSTILE, "recoverable": true });
    let question = json!({ "request_id": HOSTILE, "description": HOSTILE });
    run.outbox = vec![
        progress(4, 1, HOSTILE),
        message(5, 2, "error", error),
        message(6, 3, "info_request", question),
        message(7, 4, HOSTILE, json!({})),
        message(8, 5, "task_complete", json!({ "summary": HOSTILE, "exit_code": 1 })),
    ];
    run.log.push(LogEvent::Finished {
        is_error: true,
        text: HOSTILE.to_owned(),
        cost_usd: 0.0,
        usage: crate::Usage::default(),
        took: None,
    });
    run.diagnosis.status.activity =
        Activity::Complete { exit_code: 1, summary: HOSTILE.to_owned(), listening: false };
    run.changes = Some(ChangeSummary {
        files: 1,
        held_back: vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
        ..ChangeSummary::default()
    });
    RunReport::of(&run)
}

#[test]
fn lets_no_text_become_markup() {
    let report = hostile();
    let html = report.to_html();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &amp;"), "{html}");
    for markup in ["<script", "onload='", "alert(1)</script>"] {
        assert!(!html.contains(markup) && !report.timeline_svg().contains(markup), "{markup}");
    }
    assert_eq!(html.matches("</title></head>").count() + html.matches("</title><style>").count(), 1);
    let opened = html.matches('<').count();
    assert_eq!(opened, html.matches('>').count(), "each tag that is opened is closed, and there is no other");
}

#[test]
fn lets_no_text_steer_a_terminal() {
    let report = hostile();
    for text in [serde_json::to_string(&report).unwrap(), report.to_html()] {
        let steering = |character: char| character == '\u{202e}' || character == '\u{1b}';
        assert!(!text.contains(steering), "{text:?}");
    }
    assert!(report.timeline.iter().all(|moment| !moment.text.contains('\n') && !moment.kind.contains('\n')));
}

#[test]
fn is_read_back_from_its_json_as_it_was() {
    let report = hostile();
    let read: RunReport = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(read, report);
}

#[test]
fn says_which_of_two_runs_was_better_where_it_can_be_said() {
    let mut later = smooth();
    later.outbox = vec![progress(9, 1, "reading"), complete(40, 2)];
    let comparison = Comparison::of(&RunReport::of(&smooth()), &RunReport::of(&later));
    let better = |name: &str| comparison.differences.iter().find(|found| found.name == name).unwrap().better;
    assert_eq!(better("first message after"), Some(false));
    assert_eq!(better("complete after"), Some(true));
    assert_eq!(better("messages from the agent"), None, "more is not worse");
    assert_eq!(better("cost"), None, "it is not known");
    assert_eq!(better("troubles"), None, "both have none");
}

#[test]
fn bounds_what_a_talkative_agent_makes_of_it() {
    let mut run = smooth();
    let error = json!({ "error_type": "x", "message": "y".repeat(10_000), "recoverable": true });
    run.outbox =
        (0..2_000).map(|n| message(n, u64::try_from(n).unwrap() + 1, "error", error.clone())).collect();
    let report = RunReport::of(&run);
    assert_eq!((report.troubles.len(), report.troubles_more), (200, 1_800));
    assert_eq!((report.timeline.len(), report.timeline_more), (1_000, 1_002));
    assert!(report.troubles.iter().all(|trouble| trouble.text.chars().count() <= 241));
}

#[test]
fn draws_times_that_make_no_sense() {
    let mut run = smooth();
    run.outbox = vec![progress(-40_000_000_000, 1, "long ago"), progress(100_000_000_000, 2, "some day")];
    let svg = RunReport::of(&run).timeline_svg();
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}
