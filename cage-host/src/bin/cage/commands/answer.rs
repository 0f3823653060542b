//! `cage answer`.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use cage_host::message::{InfoRequest, Kind, Payload};
use cage_host::{Cage, Select};
use serde::Serialize;

use super::diff::Refused;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, Page, WARN};

/// Options of `cage answer`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// The question; the last one without an answer unless given
    request_id: Option<String>,
    /// Folder that files may be sent from; nothing outside it is read, and no link is followed
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
}

#[derive(Debug, Serialize)]
struct Answered {
    request_id: String,
    sent: Vec<String>,
    refused: Vec<Refused>,
}

impl Answer for Answered {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "answered")?;
        page.line(format_args!(" {}", self.request_id))?;
        self.sent.iter().try_for_each(|path| page.line(format_args!("  sent {path}")))?;
        for refused in &self.refused {
            page.styled(WARN, "  not sent")?;
            page.line(format_args!(" {}: {}", refused.path, refused.reason))?;
        }
        Ok(())
    }
}

/// Answers a question.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let cage = context.cage(&args.name).await?;
    let request = find(&cage, args.request_id.as_deref()).await?;
    let answer = cage.inbox().answer(&request, &args.from).await?;
    let refused = answer.refused.into_iter().map(|file| Refused { path: file.path, reason: file.reason });
    context.screen().answer(&Answered {
        request_id: request.request_id,
        sent: answer.sent,
        refused: refused.collect(),
    })?;
    Ok(Exit::Ok)
}

/// Finds the question of a name, or the last one without an answer.
async fn find(cage: &Cage, request_id: Option<&str>) -> Result<InfoRequest, Failure> {
    let asked = cage.outbox().list(Select::all().of(Kind::InfoRequest)).await?;
    let answers = cage.inbox().list(Select::all().of(Kind::InfoResponse)).await?;
    let answered: HashSet<_> = answers
        .messages()
        .filter_map(|message| match &message.payload {
            Payload::InfoResponse(response) => Some(response.request_id.as_str()),
            _ => None,
        })
        .collect();
    let is_meant = |request: &&InfoRequest| match request_id {
        Some(wanted) => request.request_id == wanted,
        None => !answered.contains(request.request_id.as_str()),
    };
    let questions = asked.messages().filter_map(|message| match &message.payload {
        Payload::InfoRequest(request) => Some(request),
        _ => None,
    });
    questions.filter(is_meant).last().cloned().ok_or_else(|| Failure::Other {
        what: match request_id {
            Some(wanted) => format!("the agent asked no question named `{wanted}`"),
            None => "the agent has no question without an answer".to_owned(),
        },
        hint: format!("cage outbox {} --all shows what it asked", cage.name()),
    })
}
