//! One message of the outbox.

use std::fmt;

use cage_host::message::{Envelope, Payload};
use cage_host::{Content, Delivery};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::page::{ALARM, Answer, FAINT, GOOD, Page, STRONG, WARN};

/// Something out of an outbox, as it is printed.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    pub(crate) name: &'a str,
    pub(crate) content: &'a Content,
}

impl<'a> From<&'a Delivery> for Notice<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        Self { name: delivery.name(), content: delivery.content() }
    }
}

impl Serialize for Notice<'_> {
    /// A message is itself, so that a program that expects messages alone finds what it expects.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.content {
            Content::Message(message) => message.serialize(serializer),
            content @ (Content::Malformed(_) | Content::Oversize) => {
                serde_json::json!({ "name": self.name, "malformed": content.to_string() })
                    .serialize(serializer)
            }
            about => serde_json::json!({ "notice": about.to_string() }).serialize(serializer),
        }
    }
}

impl Answer for Notice<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        match self.content {
            Content::Message(message) => show_message(page, message),
            other => {
                page.styled(WARN, "notice")?;
                page.line(format_args!("  {} {other}", self.name))
            }
        }
    }
}

/// Shows a message: time, what it is, what it says.
pub(crate) fn show_message(page: &mut Page, message: &Envelope) -> fmt::Result {
    page.styled(FAINT, message.timestamp.instant().format("%H:%M:%S"))?;
    page.text("  ")?;
    match &message.payload {
        Payload::ProgressUpdate(progress) => {
            page.line(format_args!("{:13} {}", "progress", progress.status))?;
            page.indented(24, progress.detail.as_deref().unwrap_or_default())
        }
        Payload::Error(error) => {
            page.styled(ALARM, format_args!("{:13}", "error"))?;
            let end = if error.recoverable { "" } else { " (the agent gives up)" };
            page.line(format_args!(" {}: {}{end}", error.error_type, error.message))
        }
        Payload::InfoRequest(request) => {
            page.styled(STRONG, format_args!("{:13}", "question"))?;
            page.line(format_args!(" {}: {}", request.request_id, request.description))?;
            request.paths.iter().flatten().try_for_each(|path| page.indented(24, path))
        }
        Payload::TaskComplete(done) if done.exit_code == 0 => {
            page.styled(GOOD, format_args!("{:13}", "complete"))?;
            page.line(format_args!(" {}", done.summary))
        }
        Payload::TaskComplete(done) => {
            page.styled(WARN, format_args!("{:13}", "complete"))?;
            page.line(format_args!(" {} (exit code {})", done.summary, done.exit_code))
        }
        Payload::GoingIdle(idle) => {
            page.styled(WARN, format_args!("{:13}", "idle"))?;
            page.line(format_args!(" {}", idle.reason))
        }
        other => page.line(format_args!(
            "{:13} {}",
            other.type_name(),
            serde_json::to_value(other).unwrap_or(Value::Null)
        )),
    }
}
