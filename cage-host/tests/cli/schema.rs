//! JSON against its schema, by a validator that knows nothing of this project: Python's `jsonschema`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Checks the schema itself, then standard input against it.
const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator as Validator
schema = json.load(open(sys.argv[1]))
Validator.check_schema(schema)
errors = ['%s: %s' % (error.json_path, error.message) for error in Validator(schema).iter_errors(json.load(sys.stdin))]
sys.exit('\\n'.join(errors) or 0)
";

/// Fails when a value does not keep the schema of this name.
#[track_caller]
#[expect(clippy::panic, reason = "a panic is how a test fails")]
pub(crate) fn check(schema: &str, value: &Value) {
    if let Err(errors) = validate(schema, value) {
        panic!("not as in {schema}.json:\n{errors}\n{value:#}");
    }
}

fn validate(schema: &str, value: &Value) -> Result<(), String> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/cli").join(schema).with_extension("json");
    let mut python = Command::new("python3")
        .args(["-c", VALIDATE])
        .arg(file)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(value.to_string().as_bytes()).unwrap();
    let done = python.wait_with_output().unwrap();
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

#[test]
fn rejects_an_answer_with_a_member_too_few_too_many_or_wrong() {
    use serde_json::json;
    assert_eq!(validate("exists", &json!({ "name": "demo", "exists": true })), Ok(()));
    for wrong in [
        json!({ "name": "demo" }),
        json!({ "name": "demo", "exists": "yes" }),
        json!({ "name": "demo", "exists": true, "more": 1 }),
        json!([]),
    ] {
        assert!(validate("exists", &wrong).is_err(), "{wrong}");
    }
}
