//! The wire, byte for byte: one golden file for each message type, and the page that describes them.

#![expect(clippy::unwrap_used, reason = "a panic in a test is a failure with a line number")]

use std::fs;
use std::path::{Path, PathBuf};

use cage_proto::message::{Envelope, Kind, Payload, parse_object};

fn golden(kind: Kind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{kind}.json"))
}

fn example(kind: Kind) -> Envelope {
    let members = parse_object(kind.example().as_bytes()).unwrap();
    Envelope {
        id: "0195d3c1-7a00-7000-8000-000000000000".parse().unwrap(),
        timestamp: "2026-03-26T14:30:00.000123Z".parse().unwrap(),
        payload: Payload::from_members(kind.name(), members).unwrap(),
        seq: Some(17),
        extra: serde_json::Map::new(),
    }
}

#[test]
fn writes_every_message_type_as_its_golden_file_has_it() {
    for kind in Kind::ALL {
        let written = String::from_utf8(example(kind).to_file_bytes().unwrap()).unwrap();
        let expected = fs::read_to_string(golden(kind)).unwrap_or_default();
        assert_eq!(written, expected, "tests/golden/{kind}.json");
    }
}

#[test]
fn reads_every_golden_file_as_it_was_meant() {
    for kind in Kind::ALL {
        assert_eq!(Envelope::parse(&fs::read(golden(kind)).unwrap()).unwrap(), example(kind));
    }
}

#[test]
fn has_no_golden_file_that_belongs_to_no_type() {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")).unwrap();
    assert_eq!(files.count(), Kind::ALL.len());
}

#[test]
fn describes_every_type_and_member_on_the_protocol_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    // A published crate travels without the repository's pages.
    let Ok(page) = fs::read_to_string(page) else { return };
    for kind in Kind::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
        let row = row.unwrap_or_default();
        for member in kind.members() {
            assert!(
                row.contains(&format!("`{}`", member.name)),
                "docs/protocol.md: {kind} lacks {}",
                member.name
            );
        }
    }
}
