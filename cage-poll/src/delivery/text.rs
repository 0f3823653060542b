//! Messages as the agent reads them.

use std::fmt::Write as _;
use std::path::Path;

use cage_proto::message::{Envelope, InfoResponse, Payload};

/// Characters that a hook hands over at once. Claude Code cuts a hook's output at 10,000, and the rest is for headings.
pub(crate) const CONTEXT_CHARS_MAX: usize = 8_000;

/// Characters that become one turn of the agent; far more than a model reads at once, far less than its stdin takes.
pub(crate) const TURN_CHARS_MAX: usize = 400_000;

/// Writes one message for the agent. One that is longer than `chars_max` is shown by where it lies.
pub(super) fn message(message: &Envelope, path: &Path, chars_max: usize) -> String {
    let heading = format!("Message from your host: {} (id {})", message.payload.type_name(), message.id);
    let body = body(&message.payload);
    let length = body.chars().count();
    if length <= chars_max {
        return format!("{heading}\n\n{body}");
    }
    format!(
        "{heading}\n\nIt has {length} characters, too many to be shown here. Read it now; it is JSON: {}",
        path.display()
    )
}

fn body(payload: &Payload) -> String {
    match payload {
        Payload::TaskRevision(revision) => format!(
            "{}\n\n(When this is done, report it with `cage-send task_complete`, as before.)",
            revision.instructions.trim_end()
        ),
        Payload::InfoResponse(response) => answer(response),
        // Nothing else is sent inwards by this version. What a later one sends is for the agent to understand.
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

fn answer(response: &InfoResponse) -> String {
    let mut text = format!("This answers your info_request {}.", response.request_id);
    if let Some(content) = &response.content {
        let _ = write!(text, "\n\n{}", content.trim_end());
    }
    for file in response.files.iter().flatten() {
        let end = if file.content.ends_with('\n') { "" } else { "\n" };
        let _ = write!(
            text,
            "\n\n===== begin of {path} =====\n{}{end}===== end of {path} =====",
            file.content,
            path = file.path
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cage_proto::message::TaskRevision;

    fn envelope(payload: impl Into<Payload>) -> Envelope {
        Envelope {
            id: "m-1".parse().unwrap(),
            timestamp: "2026-03-26T14:30:00Z".parse().unwrap(),
            payload: payload.into(),
            seq: None,
            extra: serde_json::Map::new(),
        }
    }

    fn shown(payload: impl Into<Payload>) -> String {
        message(&envelope(payload), Path::new("/cage/inbox/x.json"), 200)
    }

    #[test]
    fn shows_a_revision_and_how_to_report_it() {
        insta::assert_snapshot!(shown(TaskRevision::new("it's not done:\nadd a test\n")), @r"
        Message from your host: task_revision (id m-1)

        it's not done:
        add a test

        (When this is done, report it with `cage-send task_complete`, as before.)
        ");
    }

    #[test]
    fn shows_an_answer_with_its_files() {
        let answer = InfoResponse::to("req-1").with_content("two spaces").with_file("a.txt", "x");
        insta::assert_snapshot!(shown(answer), @r"
        Message from your host: info_response (id m-1)

        This answers your info_request req-1.

        two spaces

        ===== begin of a.txt =====
        x
        ===== end of a.txt =====
        ");
    }

    #[test]
    fn shows_where_a_long_message_lies() {
        insta::assert_snapshot!(shown(TaskRevision::new("x".repeat(200))), @r"
        Message from your host: task_revision (id m-1)

        It has 275 characters, too many to be shown here. Read it now; it is JSON: /cage/inbox/x.json
        ");
    }
}
