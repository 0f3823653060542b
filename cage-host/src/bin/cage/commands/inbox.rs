//! `cage inbox`.

use std::fmt;
use std::path::PathBuf;

use cage_host::message::{Envelope, Kind, Payload, TaskRevision};
use serde::Serialize;

use super::input::read_text;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, Page, parse_members};

/// Longest message, in bytes; the library has the last word.
const MAX_PAYLOAD_BYTES: usize = cage_proto::limits::MESSAGE_BYTES_MAX;

/// Options of `cage inbox`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Type of the message: `info_response`, `task_revision` or `ack`
    #[arg(value_name = "TYPE", value_parser = inward)]
    kind: Kind,
    /// Payload, a JSON object
    #[arg(required_unless_present = "payload_file", conflicts_with = "payload_file")]
    json_payload: Option<String>,
    /// File whose text becomes the instructions of a `task_revision`, or - for the standard input
    #[arg(long, value_name = "FILE")]
    payload_file: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Sent(Envelope);

impl Answer for Sent {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "sent")?;
        page.line(format_args!(" {} id={}", self.0.payload.type_name(), self.0.id))
    }
}

/// Sends a message.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let payload = args.payload()?;
    let cage = context.cage(&args.name).await?;
    let sent = cage.inbox().send(payload).await?;
    context.screen().answer(&Sent(sent))?;
    Ok(Exit::Ok)
}

impl Args {
    fn payload(&self) -> Result<Payload, Failure> {
        let kind = self.kind;
        if let Some(file) = &self.payload_file {
            let text = read_text(file, MAX_PAYLOAD_BYTES)?;
            if kind == Kind::TaskRevision {
                return Ok(TaskRevision::new(text).into());
            }
            return members(kind, &text);
        }
        members(kind, self.json_payload.as_deref().unwrap_or_default())
    }
}

fn members(kind: Kind, text: &str) -> Result<Payload, Failure> {
    Payload::from_members(kind.name(), parse_members(text)?).map_err(|error| Failure::Member { kind, error })
}

/// Reads the type of a message that a host sends.
fn inward(text: &str) -> Result<Kind, String> {
    use cage_host::message::Direction;
    let kind: Kind = text.parse().map_err(|_| "use info_response, task_revision or ack".to_owned())?;
    match kind.direction() {
        Direction::In => Ok(kind),
        Direction::Out => Err("the agent sends this; use info_response, task_revision or ack".to_owned()),
    }
}
