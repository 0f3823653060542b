//! JSON Schema of a message and of each payload, for tools that do not use this crate.
//!
//! It is made from the table of kinds, like the check, the flags and the help. `docs/schema/` holds what comes out.
//!
//! Whatever [`Envelope::parse`](crate::message::Envelope::parse) accepts, the schema accepts. A few things no schema
//! can say, so it accepts them and the parser does not: a member that is named twice, the [`limits`](crate::limits) on
//! bytes, depth and count, a day that is in no calendar, and a whole number that is written with a fraction or an
//! exponent.

use serde_json::{Map, Value, json};

use crate::limits::MESSAGE_ID_BYTES_MAX;
use crate::message::{Direction, Kind, Member, Shape, VERSION};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Any control character. As the pattern of a `not`, since `$` stands before a last line break in some languages.
const CONTROL_CHARACTER: &str = r"[\u0000-\u001f\u007f-\u009f]";

/// The form of RFC 3339. The calendar is left to `format`, which not every validator looks at.
const TIMESTAMP: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$";

/// Returns the schema of a whole message, payload included.
///
/// ```
/// let schema = cage_proto::schema::envelope();
/// assert_eq!(schema["properties"]["version"]["const"], 1);
/// ```
pub fn envelope() -> Value {
    let payloads = Kind::ALL.map(|kind| (kind.name().to_owned(), members_of(kind)));
    json!({
        "$schema": DRAFT,
        "title": "message",
        "description": "One message of the mailbox protocol. A type that is not among the definitions is carried as it is.",
        "type": "object",
        "required": ["id", "type", "timestamp", "payload"],
        "properties": {
            "id": {
                "description": "who this message is; at most 256 bytes in UTF-8",
                "type": "string",
                "minLength": 1,
                "maxLength": MESSAGE_ID_BYTES_MAX,
                "not": { "pattern": CONTROL_CHARACTER },
            },
            "type": { "description": "the message type", "type": "string" },
            "timestamp": {
                "description": "when it was sent, by its sender's clock",
                "type": "string",
                "format": "date-time",
                "pattern": TIMESTAMP,
                "not": { "pattern": CONTROL_CHARACTER },
            },
            "payload": { "description": "what it says", "type": "object" },
            "version": { "description": "the version of the protocol", "const": VERSION, "default": VERSION },
            "seq": {
                "description": "its number in the mailbox, from 1 and without gaps",
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": u64::MAX,
            },
        },
        "allOf": Kind::ALL.map(payload_of_its_type),
        "$defs": payloads.into_iter().collect::<Map<_, _>>(),
    })
}

/// Returns the schema of the payload of one type.
pub fn payload(kind: Kind) -> Value {
    let mut schema = json!({ "$schema": DRAFT });
    if let (Value::Object(schema), Value::Object(members)) = (&mut schema, members_of(kind)) {
        schema.extend(members);
    }
    schema
}

/// Says that a message of this type has a payload of this type.
fn payload_of_its_type(kind: Kind) -> Value {
    json!({
        "if": { "properties": { "type": { "const": kind.name() } } },
        "then": { "properties": { "payload": { "$ref": format!("#/$defs/{kind}") } } },
    })
}

fn members_of(kind: Kind) -> Value {
    let members = kind.members().iter();
    let required: Vec<_> =
        members.clone().filter(|member| member.required).map(|member| member.name).collect();
    let properties: Map<_, _> =
        members.map(|member| (member.name.to_owned(), member_schema(member))).collect();
    let sender = match kind.direction() {
        Direction::Out => "From the agent",
        Direction::In => "From the host",
    };
    json!({
        "title": kind.name(),
        "description": format!("{sender}: {}.", kind.about()),
        "type": "object",
        "required": required,
        "properties": properties,
    })
}

fn member_schema(member: &Member) -> Value {
    let mut schema = shape_schema(member.shape);
    if !member.required {
        // A `null` in place of an optional member counts as its absence.
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema["description"] = member.about.into();
    schema
}

fn shape_schema(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer => json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX }),
        Shape::Number => json!({ "type": "number" }),
        Shape::TextList => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::FileList => json!({
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "content"],
                "properties": { "path": { "type": "string" }, "content": { "type": "string" } },
            },
        }),
    }
}
