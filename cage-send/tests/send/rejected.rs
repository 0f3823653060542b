//! What is refused: the text says what is wrong and shows what would be right, and nothing is written.

use cage_proto::limits::{JSON_DEPTH_MAX, MESSAGE_BYTES_MAX};
use cage_proto::mailbox::Mailbox;

use crate::cage::{Cage, message_files};

/// What a rejected command says on stderr.
#[track_caller]
fn rejection(args: &[&str]) -> String {
    rejection_with_stdin(args, b"")
}

#[track_caller]
fn rejection_with_stdin(args: &[&str], stdin: &[u8]) -> String {
    let cage = Cage::new();
    cage.put("latin1.json", b"{\"status\":\"caf\xe9\"}");
    let ran = cage.send_with_stdin(args, stdin).exits_with(1);
    assert_eq!(ran.stdout(), "");
    assert!(!cage.dir.path().exists(), "nothing is written: {ran}");
    ran.stderr().to_owned()
}

#[test]
fn says_which_member_is_wrong_and_shows_the_command_that_is_right() {
    insta::assert_snapshot!(rejection(&["progress_update"]), @r"
        cage-send: progress_update was not sent: member `payload.status` is missing; it must be a string
        Try:
          cage-send progress_update --status 'running the tests'
        ");
    insta::assert_snapshot!(rejection(&["progress_update", r#"{"state":"x"}"#]), @r"
        cage-send: progress_update was not sent: member `payload.status` is missing; it must be a string
        Try:
          cage-send progress_update --status 'running the tests'
        ");
    insta::assert_snapshot!(rejection(&["progress_update", r#"{"status":7}"#]), @r"
        cage-send: progress_update was not sent: member `payload.status` must be a string, found the number 7
        Try:
          cage-send progress_update --status 7
        ");
    insta::assert_snapshot!(rejection(&["task_complete", r#"{"summary":"it's done","exit_code":true}"#]), @r"
        cage-send: task_complete was not sent: member `payload.exit_code` must be a whole number, found the boolean true
        Try:
          cage-send task_complete --summary 'it'\''s done' --exit-code 0
        ");
    insta::assert_snapshot!(rejection(&["task_complete", "--summary", "s", "--exit-code", "zero"]), @r#"
        cage-send: task_complete was not sent: member `payload.exit_code` must be a whole number, found the string "zero"
        Try:
          cage-send task_complete --summary s --exit-code 0
        "#);
    insta::assert_snapshot!(rejection(&["error", "--error-type", "t", "--message", "m"]), @r"
        cage-send: error was not sent: member `payload.recoverable` is missing; it must be true or false
        Try:
          cage-send error --error-type t --message m --recoverable true
        ");
    insta::assert_snapshot!(
        rejection(&["info_request", r#"{"request_id":"r","description":"d","paths":["a",2]}"#]),
        @r"
        cage-send: info_request was not sent: member `payload.paths[1]` must be a string, found the number 2
        Try:
          cage-send info_request --request-id r --description d
        ");
    insta::assert_snapshot!(
        rejection(&["info_response", "--mailbox", "inbox", r#"{"request_id":"r","files":[{"path":"a"}]}"#]),
        @r"
        cage-send: info_response was not sent: member `payload.files[0].content` is missing; it must be a string
        Try:
          cage-send info_response --mailbox inbox --request-id r --files a
        ");
}

#[test]
fn says_what_is_wrong_with_the_json() {
    insta::assert_snapshot!(rejection(&["progress_update", "{status: x}"]), @r"
        cage-send: progress_update was not sent: the payload is wrong: not JSON: key must be a string at line 1 column 2
        Try:
          cage-send progress_update --status 'running the tests'
        ");
    insta::assert_snapshot!(rejection(&["progress_update", r#"{"status":"it"#]), @r"
        cage-send: progress_update was not sent: the payload is wrong: the JSON ends in the middle
        Try:
          cage-send progress_update --status 'running the tests'
        ");
    insta::assert_snapshot!(rejection(&["progress_update", r#"["x"]"#]), @r"
        cage-send: progress_update was not sent: the payload is wrong: expected a JSON object, found the array
        Try:
          cage-send progress_update --status 'running the tests'
        ");
    insta::assert_snapshot!(rejection(&["progress_update", r#"{"status":"a","status":"b"}"#]), @r"
        cage-send: progress_update was not sent: the payload is wrong: member `status` is there twice
        Try:
          cage-send progress_update --status 'running the tests'
        ");
    insta::assert_snapshot!(rejection(&["progress_update", "@latin1.json"]), @r"
        cage-send: progress_update was not sent: the payload is wrong: not UTF-8 from byte 14 on
        Try:
          cage-send progress_update --status 'running the tests'
        ");
    insta::assert_snapshot!(rejection_with_stdin(&["progress_update", "-"], b""), @r"
        cage-send: progress_update was not sent: the payload is wrong: the JSON ends in the middle
        Try:
          cage-send progress_update --status 'running the tests'
        ");
}

#[test]
fn says_what_is_wrong_with_the_command() {
    insta::assert_snapshot!(
        rejection(&["task_revision", "--instructions", "x"]),
        @r"cage-send: task_revision was not sent: it goes to the inbox; add --mailbox inbox"
    );
    insta::assert_snapshot!(
        rejection(&["progress_update", "--status", "x", "--mailbox", "inbox"]),
        @r"cage-send: progress_update was not sent: it goes to the outbox; add --mailbox outbox"
    );
    insta::assert_snapshot!(
        rejection(&["progress_update", "@missing.json"]),
        @r"cage-send: progress_update was not sent: could not read missing.json: No such file or directory (os error 2)"
    );
    insta::assert_snapshot!(
        rejection(&["info_response", "--mailbox", "inbox", "--request-id", "r", "--files", "missing"]),
        @r"cage-send: info_response was not sent: could not read missing: No such file or directory (os error 2)"
    );
}

#[test]
fn shows_a_control_character_of_the_payload_escaped() {
    let text = rejection(&["progress_update", "{\"status\":[\"\u{9b}31m\"]}"]);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    let text = rejection(&["progress_update", "{\"\u{7f}\u{9b}\":1,\"\u{7f}\u{9b}\":1}"]);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn takes_a_message_of_one_mebibyte_and_not_one_byte_more() {
    let size = |letters: usize| {
        let cage = Cage::new();
        let payload = format!(r#"{{"status":"{}"}}"#, "x".repeat(letters));
        let ran = cage.send_with_stdin(&["progress_update", "-", "--id", "i"], payload.as_bytes());
        let files = message_files(&cage.dir.mailbox(Mailbox::Outbox));
        files.first().map(|file| file.metadata().unwrap().len()).ok_or(ran)
    };
    let limit = u64::try_from(MESSAGE_BYTES_MAX).unwrap();
    let envelope = usize::try_from(size(1).ok().unwrap()).unwrap() - 1;
    assert_eq!(size(MESSAGE_BYTES_MAX - envelope).ok(), Some(limit));
    let refused = size(MESSAGE_BYTES_MAX - envelope + 1).unwrap_err().exits_with(1);
    insta::assert_snapshot!(
        refused.stderr(),
        @r"cage-send: the message cannot be sent: larger than 1048576 bytes"
    );
    let too_large = vec![b' '; MESSAGE_BYTES_MAX + 1];
    insta::assert_snapshot!(rejection_with_stdin(&["progress_update", "-"], &too_large), @r"
        cage-send: progress_update was not sent: the payload is wrong: larger than 1048576 bytes
        Try:
          cage-send progress_update --status 'running the tests'
        ");
}

#[test]
fn takes_a_message_of_32_levels_and_not_one_more() {
    let send = |levels: usize| {
        let cage = Cage::new();
        let deep = "[".repeat(levels) + &"]".repeat(levels);
        let ran = cage.send(&["progress_update", &format!(r#"{{"status":"x","deep":{deep}}}"#)]);
        (ran, cage.messages(Mailbox::Outbox).len())
    };
    // The envelope and its payload are the first two.
    let (ran, stored) = send(JSON_DEPTH_MAX - 2);
    ran.exits_with(0);
    assert_eq!(stored, 1);
    let (ran, stored) = send(JSON_DEPTH_MAX - 1);
    insta::assert_snapshot!(
        ran.exits_with(1).stderr(),
        @r"cage-send: the message cannot be sent: nested more than 32 levels deep"
    );
    assert_eq!(stored, 0);
}

#[test]
fn a_command_line_that_makes_no_sense_is_told_apart() {
    let commands: [&[&str]; 9] = [
        &[],
        &["progres_update"],
        &["progress_update", "--statu", "x"],
        &["progress_update", "--status"],
        &["progress_update", "{}", "{}"],
        &["progress_update", "--status", "x", "--id", ""],
        &["progress_update", "--status", "x", "--id", "a\u{1b}b"],
        &["progress_update", "--status", "x", "--mailbox", "mail"],
        &["progress_update", "--status", "x", "--wait"],
    ];
    for command in commands {
        let cage = Cage::new();
        cage.send(command).exits_with(2);
        assert!(!cage.dir.path().exists(), "{command:?}");
    }
}
