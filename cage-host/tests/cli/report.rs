//! What a run was like, as the command tells it.

use std::fs;

use serde_json::Value;

use crate::desk::Desk;

/// Plays an agent that is refused once, works, hits an error, goes on, and reports.
const RUN: &str = r#"cd ~/.cage && touch task.md
cat >> claude-stream.log <<'END'
{"type":"system","subtype":"init","session_id":"s1","model":"m","tools":["Bash"]}
{"type":"system","subtype":"api_retry","attempt":1,"error_status":529,"error":"overloaded"}
{"type":"assistant","message":{"model":"m","content":[{"type":"text","text":"I look"}]}}
END
cage-send progress_update --status "$1"
cage-send error --error-type build --message broken --recoverable true
cage-send progress_update --status mended
cage-send task_complete --summary done --exit-code 0
echo 'use flake' > ~/project/.envrc"#;

const HOSTILE: &str = "reading <script>alert(1)</script> \u{1b}[2J";

fn grade<'a>(report: &'a Value, section: &str) -> &'a str {
    report["sections"][section]["grade"].as_str().unwrap()
}

#[test]
fn tells_what_a_run_was_like_from_evidence() {
    let Some(desk) = Desk::with_cage("report") else { return };
    let name = desk.name();
    let empty = desk.json("report", &["report", name]);
    assert_eq!((grade(&empty, "launch"), grade(&empty, "export")), ("unknown", "unknown"));
    desk.agent(&["sh", "-c", RUN, "sh", HOSTILE]);
    let report = desk.json("report", &["report", name, "--output-dir", "."]);
    assert_eq!((grade(&report, "authentication"), grade(&report, "messaging")), ("good", "good"));
    assert_eq!(report["measures"]["messages_sent"], 4);
    assert_eq!(report["troubles"][0]["recovered"], true);
    assert_eq!(report["measures"]["held_back"], 1, "{:#}", report["sections"]["export"]);
    let shown = desk.run(&["report", name]).succeeds().stdout;
    assert!(shown.contains("mended") && shown.contains("went on after 2 troubles"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let html = desk.run(&["report", name, "--html"]).succeeds().stdout;
    assert!(html.contains("<svg") && html.contains("reading &lt;script&gt;"), "{html}");
    assert!(!html.contains("<script") && !html.contains('\u{1b}'), "{html}");
    assert_eq!(
        desk.run(&["outbox", name, "--json"]).succeeds().stdout.matches("mended").count(),
        1,
        "it acknowledges nothing"
    );
}

#[test]
fn compares_a_run_with_one_that_was_kept() {
    let Some(desk) = Desk::with_cage("compare") else { return };
    let name = desk.name();
    desk.agent(&["sh", "-c", RUN, "sh", "first"]);
    fs::write(desk.path("project/first.json"), desk.run(&["report", name, "--json"]).succeeds().stdout)
        .unwrap();
    desk.agent(&["cage-send", "error", "--error-type", "late", "--message", "x", "--recoverable", "false"]);
    let compared = desk.json("report-compare", &["report", "--compare", "./first.json", name]);
    let lost = |difference: &&Value| difference["name"] == "troubles without recovery";
    let lost = compared["differences"].as_array().unwrap().iter().find(lost).unwrap();
    assert_eq!((&lost["a"], &lost["b"], &lost["better"]), (&0.0.into(), &1.0.into(), &false.into()));
    assert!(desk.run(&["report", "--compare", "first.json", name]).succeeds().stdout.contains("A is better"));
}

#[test]
fn says_what_is_wrong_with_a_report_that_cannot_be_compared() {
    let desk = Desk::bare("broken");
    fs::write(desk.path("project/broken.json"), "{}").unwrap();
    let complaint = desk.run(&["report", "--compare", "./broken.json", "./broken.json"]).complaint();
    insta::assert_snapshot!(complaint, @"cage: cannot read `./broken.json`: missing field `report_version` at line 1 column 2");
    desk.run(&["report", "demo", "--html", "--json"]).ends_with(64);
    desk.run(&["report"]).ends_with(64);
}
