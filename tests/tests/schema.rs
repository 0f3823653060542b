//! The schemas in `docs/schema`, held against our own parser by a validator that knows nothing of it: Python's
//! `jsonschema`.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::fs;
use std::path::{Path, PathBuf};

use cage_proto::message::{Envelope, Kind, Payload, parse_object};
use cage_proto::schema;
use cage_tests::places::root;
use cage_tests::run::Run;
use serde_json::{Map, Value, json};

/// The interpreter for which the distribution packages the validator; another one on the path may not have it.
const PYTHON: &str = "/usr/bin/python3";

const ENVELOPE: &str = "envelope.json";

/// Members of every envelope, and one that no table knows.
const ENVELOPE_MEMBERS: [&str; 7] = ["id", "type", "timestamp", "payload", "version", "seq", "trace"];

#[test]
fn the_committed_schemas_are_made_from_the_table() {
    let mut expected = vec![(ENVELOPE.to_owned(), schema::envelope())];
    expected.extend(Kind::ALL.map(|kind| (format!("{kind}.json"), schema::payload(kind))));
    let folder = root().join("docs/schema");
    assert_eq!(files(&folder).len(), expected.len(), "docs/schema holds a file too many or too few");
    for (name, schema) in expected {
        let committed: Value =
            serde_json::from_str(&fs::read_to_string(folder.join(&name)).unwrap()).unwrap();
        assert_eq!(committed, schema, "docs/schema/{name} is out of date: `make schema` writes it anew");
    }
}

#[tokio::test]
async fn accepts_every_message_that_we_or_the_older_tool_wrote() {
    let old = root().join("tests/fixtures/trusty-cage-0.13.0");
    let folders = [root().join("cage-proto/tests/golden"), old.join("inbox"), old.join("outbox")];
    let texts = folders.iter().flat_map(|folder| files(folder)).map(|file| fs::read_to_string(file).unwrap());
    let texts: Vec<_> = texts.collect();
    assert!(texts.len() > Kind::ALL.len());
    assert!(texts.iter().all(|text| Envelope::parse(text.as_bytes()).is_ok()));
    assert_eq!(verdicts(ENVELOPE, &texts).await, vec![true; texts.len()]);
}

#[tokio::test]
async fn agrees_with_the_parser_on_each_member_removed_or_replaced() {
    let texts: Vec<_> =
        Kind::ALL.into_iter().flat_map(altered_messages).map(|message| message.to_string()).collect();
    let ours: Vec<_> = texts.iter().map(|text| Envelope::parse(text.as_bytes()).is_ok()).collect();
    let accepted = ours.iter().filter(|accepted| **accepted).count();
    assert!(accepted > 300 && ours.len() - accepted > 300, "{accepted} of {} are accepted", ours.len());
    assert_eq!(disagreements(&texts, &ours, &verdicts(ENVELOPE, &texts).await), Vec::<String>::new());
}

#[tokio::test]
async fn agrees_with_the_check_of_each_payload() {
    for kind in Kind::ALL {
        let texts: Vec<_> =
            altered_payloads(kind).into_iter().map(|members| json!(members).to_string()).collect();
        let check = |text: &String| {
            Payload::from_members(kind.name(), parse_object(text.as_bytes()).unwrap()).is_ok()
        };
        let ours: Vec<_> = texts.iter().map(check).collect();
        let theirs = verdicts(&format!("{kind}.json"), &texts).await;
        assert_eq!(disagreements(&texts, &ours, &theirs), Vec::<String>::new(), "{kind}");
    }
}

#[tokio::test]
async fn accepts_what_no_schema_can_refuse_and_only_the_parser_does() {
    let ack = r#"{"id":"a","type":"ack","timestamp":"2026-03-26T14:30:00Z","payload":{"acked_id":"b"}}"#;
    let done = r#"{"id":"a","type":"task_complete","timestamp":"2026-03-26T14:30:00Z","payload":{"summary":"s","exit_code":0}}"#;
    let texts = [
        ack.replace(r#""id":"a""#, r#""id":"z","id":"a""#),
        ack.replace("03-26", "02-30"),
        ack.replace(r#""a""#, &format!("{:?}", "é".repeat(200))),
        ack.replace(r#""b""#, &format!(r#""b","deep":{}{}"#, "[".repeat(40), "]".repeat(40))),
        ack.replace(r#""b""#, &format!(r#""b","many":[{}0]"#, "0,".repeat(70_000))),
        done.replace(":0}", ":0.0}"),
        done.replace(":0}", ":0e0}"),
        done.replace(r#""payload""#, r#""version":1.0,"payload""#),
    ];
    for text in &texts {
        assert!(Envelope::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(verdicts(ENVELOPE, &texts).await, vec![true; texts.len()]);
}

/// A message of this type with each of its members removed, and replaced by each of the values.
fn altered_messages(kind: Kind) -> Vec<Value> {
    let message = json!({
        "id": "a", "type": kind.name(), "timestamp": "2026-03-26T14:30:00Z", "version": 1, "seq": 1,
        "payload": parse_object(kind.example().as_bytes()).unwrap(),
    });
    let mut messages: Vec<_> = ENVELOPE_MEMBERS
        .iter()
        .flat_map(|member| alterations(message.as_object().unwrap(), member))
        .map(Value::Object)
        .collect();
    messages.extend(altered_payloads(kind).into_iter().map(|payload| {
        let mut message = message.clone();
        message["payload"] = Value::Object(payload);
        message
    }));
    messages
}

fn altered_payloads(kind: Kind) -> Vec<Map<String, Value>> {
    let payload = parse_object(kind.example().as_bytes()).unwrap();
    kind.members().iter().flat_map(|member| alterations(&payload, member.name)).collect()
}

fn alterations(object: &Map<String, Value>, member: &str) -> Vec<Map<String, Value>> {
    let replaced = values().into_iter().map(|value| {
        let mut object = object.clone();
        object.insert(member.to_owned(), value);
        object
    });
    let mut removed = object.clone();
    removed.remove(member);
    replaced.chain([removed]).collect()
}

/// Values at and beyond every border that the table, the envelope and the limits draw.
fn values() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(2),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1.9e19),
        json!([]),
        json!(["a"]),
        json!(["a", 2]),
        json!(["a", null]),
        json!([["a"]]),
        json!([{}]),
        json!([{"path": "a"}]),
        json!([{"path": "a", "content": null}]),
        json!([{"path": 1, "content": "b"}]),
        json!([{"path": "a", "content": "b"}]),
        json!([{"path": "a", "content": "b", "mode": 7}, {"path": "", "content": ""}]),
        json!({}),
        json!({"status": "x", "acked_id": "b", "instructions": "i", "request_id": "r"}),
        json!("1"),
        json!("true"),
        json!("a\nb"),
        json!("a\n"),
        json!("a\u{9b}b"),
        json!("\u{7f}"),
        json!("é"),
        json!("x".repeat(256)),
        json!("x".repeat(257)),
    ];
    values.extend(TIMESTAMPS.iter().chain(&TYPES).map(|text| json!(text)));
    values
}

const TYPES: [&str; 5] = ["ack", "error", "Ack", "weather_report", ""];

const TIMESTAMPS: [&str; 19] = [
    "2026-03-26T14:30:00Z",
    "2026-03-26T14:30:00.1Z",
    "2026-03-26T14:30:00.123456789Z",
    "2026-03-26T14:30:00.1234567890123Z",
    "2026-03-26T14:30:00.Z",
    "2026-03-26t14:30:00z",
    "2026-03-26 14:30:00Z",
    "2026-03-26_14:30:00Z",
    "2026-03-26T14:30:00+05:30",
    "2026-03-26T14:30:00-00:00",
    "2026-03-26T14:30:00+0530",
    "2026-03-26T14:30:00\u{2212}05:30",
    "2026-03-26T14:30:00",
    "2026-03-26T14:30Z",
    "2026-03-26T14-30-00Z",
    "2026-03-26T23:59:60Z",
    "02026-03-26T14:30:00Z",
    "2026-03-26T14:30:00Z\n",
    " 2026-03-26T14:30:00Z",
];

fn disagreements(texts: &[String], ours: &[bool], theirs: &[bool]) -> Vec<String> {
    assert_eq!(ours.len(), theirs.len());
    let each = texts.iter().zip(ours.iter().zip(theirs));
    let differing = each.filter(|(_, (ours, theirs))| ours != theirs);
    differing.map(|(text, (ours, theirs))| format!("parser {ours}, schema {theirs}: {text}")).collect()
}

/// What the independent validator says of each text.
async fn verdicts(schema: &str, texts: &[String]) -> Vec<bool> {
    let cases = texts.iter().map(|text| json!({"schema": schema, "text": text}).to_string() + "\n");
    let script = root().join("tests/scripts/validate.py");
    let run = Run::new(PYTHON).args([script, root().join("docs/schema")]).stdin(cases.collect::<String>());
    let finished = run.finish().await.exits_with(0);
    finished.stdout().lines().map(|line| line.parse().unwrap()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}
