//! Every message type, from JSON and from flags.

use std::fs;
use std::path::Path;
use std::process::Command;

use cage_proto::mailbox::Mailbox;
use cage_proto::message::{Kind, parse_object};
use serde_json::{Value, json};

use crate::cage::{Cage, PROGRAM, message_files, read};

/// The payload of the only message there is.
fn only_payload(cage: &Cage) -> Value {
    let messages = cage.messages(Mailbox::Outbox);
    assert_eq!(messages.len(), 1);
    serde_json::to_value(&messages[0].payload).unwrap()
}

#[test]
fn sends_every_type_from_json() {
    for kind in Kind::ALL {
        let cage = Cage::new();
        let mailbox = Mailbox::from(kind.direction());
        let ran = cage.send(&[kind.name(), kind.example(), "--mailbox", mailbox.name()]).exits_with(0);
        let [message] = &cage.messages(mailbox)[..] else { panic!("one message: {ran}") };
        let expected = Value::Object(parse_object(kind.example().as_bytes()).unwrap());
        assert_eq!(serde_json::to_value(&message.payload).unwrap(), expected);
        assert_eq!((message.payload.kind(), message.seq), (Some(kind), Some(1)));
    }
}

#[test]
fn the_examples_of_every_help_can_be_pasted() {
    for kind in Kind::ALL {
        let cage = Cage::new();
        cage.put("a.txt", "hello");
        let mailbox = Mailbox::from(kind.direction());
        let help = cage.send(&[kind.name(), "--help"]).exits_with(0);
        let examples: Vec<_> =
            help.stdout().lines().map(str::trim).filter(|line| line.starts_with("cage-send ")).collect();
        assert_eq!(examples.len(), 2, "{help}");
        for example in examples {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", example]).current_dir(cage.temp.path());
            shell.env("CAGE_DIR", cage.dir.path()).env("PATH", Path::new(PROGRAM).parent().unwrap());
            let output = shell.output().unwrap();
            assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let messages = cage.messages(mailbox);
        assert_eq!(messages[0].payload, messages[1].payload, "both forms say the same");
    }
}

#[test]
fn every_help_names_each_member_and_the_exit_codes() {
    for kind in Kind::ALL {
        let help = Cage::new().send(&[kind.name(), "--help"]).exits_with(0);
        for member in kind.members() {
            assert!(help.stdout().contains(&format!("--{}", member.name.replace('_', "-"))), "{help}");
        }
        assert!(help.stdout().contains("75  not certain"), "{help}");
    }
}

#[test]
fn says_what_it_sent_and_where() {
    let cage = Cage::new();
    let ran = cage.send(&["progress_update", "--status", "x"]).exits_with(0);
    let file = &message_files(&cage.dir.mailbox(Mailbox::Outbox))[0];
    assert_eq!(ran.stdout(), format!("Sent progress_update -> {}\n", file.display()));
    assert_eq!(ran.stderr(), "");
}

#[test]
fn prints_the_message_that_it_sent() {
    let cage = Cage::new();
    let ran = cage.send(&["progress_update", "--status", "it's\n2 of 5", "--json"]).exits_with(0);
    let file = &message_files(&cage.dir.mailbox(Mailbox::Outbox))[0];
    assert_eq!(ran.stdout(), format!("{}\n", read(file).to_line()));
}

#[test]
fn takes_the_payload_from_an_argument_from_stdin_and_from_a_file() {
    let payload = r#"{"status":"it's 2 of 5","more":[1,2.5,null]}"#;
    for form in ["argument", "stdin", "file"] {
        let cage = Cage::new();
        cage.put("payload file.json", payload);
        let ran = match form {
            "argument" => cage.send(&["progress_update", payload]),
            "stdin" => cage.send_with_stdin(&["progress_update", "-"], payload.as_bytes()),
            _ => cage.send(&["progress_update", "@payload file.json"]),
        };
        ran.exits_with(0);
        assert_eq!(only_payload(&cage), serde_json::from_str::<Value>(payload).unwrap(), "{form}");
    }
}

#[test]
fn flags_come_on_top_of_the_payload() {
    let cage = Cage::new();
    cage.send(&["progress_update", r#"{"status":"a","detail":"b","kept":1}"#, "--detail", "c"]).exits_with(0);
    assert_eq!(only_payload(&cage), json!({"status": "a", "detail": "c", "kept": 1}));
}

#[test]
fn takes_lists_files_numbers_and_switches_by_flags() {
    let cage = Cage::new();
    cage.put("a b.txt", "it's here");
    let paths = ["info_request", "--request-id", "r", "--description", "d", "--paths", "a b", "--paths", "c"];
    cage.send(&paths).exits_with(0);
    cage.send(&["error", "--error-type", "t", "--message", "m", "--recoverable"]).exits_with(0);
    cage.send(&["error", "--error-type", "t", "--message", "m", "--recoverable", "false"]).exits_with(0);
    cage.send(&["task_complete", "--summary", "- s", "--exit-code", "-1"]).exits_with(0);
    cage.send(&["going_idle", "--reason", "r", "--waited-seconds", "1.5"]).exits_with(0);
    let sent: Vec<_> = cage.messages(Mailbox::Outbox).iter().map(|sent| json!(sent.payload)).collect();
    let error = |recoverable: bool| json!({"error_type": "t", "message": "m", "recoverable": recoverable});
    assert_eq!(sent[0]["paths"], json!(["a b", "c"]));
    assert_eq!(sent[1..3], [error(true), error(false)]);
    assert_eq!(sent[3], json!({"summary": "- s", "exit_code": -1}));
    assert_eq!(sent[4], json!({"reason": "r", "waited_seconds": 1.5}));
    let files = ["info_response", "--mailbox", "inbox", "--request-id", "r", "--files", "a b.txt"];
    cage.send(&files).exits_with(0);
    let answer = json!(cage.messages(Mailbox::Inbox)[0].payload);
    assert_eq!(answer["files"], json!([{"path": "a b.txt", "content": "it's here"}]));
}

#[test]
fn is_stored_although_nobody_reads_the_output() {
    for output in [">&-", ">/dev/full", "| true"] {
        let cage = Cage::new();
        let script = format!("set -o pipefail; \"$0\" progress_update --status x {output}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script, PROGRAM]).env("CAGE_DIR", cage.dir.path());
        assert!(bash.status().unwrap().success(), "{output}");
        assert_eq!(cage.messages(Mailbox::Outbox).len(), 1, "{output}");
    }
}

#[test]
fn tells_by_its_exit_code_what_nobody_reads() {
    let cage = Cage::new();
    let script = r#""$0" progress_update --status x --dir /dev/null/x 2>/dev/full"#;
    let status = Command::new("bash").args(["-c", script, PROGRAM]).env("CAGE_DIR", cage.dir.path()).status();
    assert_eq!(status.unwrap().code(), Some(74));
}

#[test]
fn leaves_nothing_but_the_message_and_its_own_two_files() {
    let cage = Cage::new();
    cage.send(&["progress_update", "--status", "x"]).exits_with(0);
    let entries = fs::read_dir(cage.dir.mailbox(Mailbox::Outbox)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names[..2], [".last", ".lock"]);
    assert_eq!(names.len(), 3);
}
