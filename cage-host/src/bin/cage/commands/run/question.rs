//! What is done about an `info_request`.

use std::path::PathBuf;

use cage_host::message::{InfoRequest, InfoResponse};

use super::event::Event;
use super::story::Story;
use crate::failure::Failure;
use crate::output::{choose, read_line};

/// What an agent is told when nobody answers, so that it does not wait.
const NOBODY: &str = "nobody is there to answer; go on with what you have";

/// Answers with files, with a person's words, or with the word that nobody answers.
pub(super) async fn answer(story: &Story<'_>, request: &InfoRequest) -> Result<(), Failure> {
    let asks_for_files = request.paths.as_ref().is_some_and(|paths| !paths.is_empty());
    match &story.args.answers {
        Some(folder) if asks_for_files => with_files(story, request, folder.clone()).await,
        _ if story.asks() => ask_a_person(story, request).await,
        _ => with_words(story, request, NOBODY).await,
    }
}

async fn ask_a_person(story: &Story<'_>, request: &InfoRequest) -> Result<(), Failure> {
    match choose("answer with", &["files", "words", "nothing"]).await? {
        Some('f') => {
            let folder = read_line("folder that it may have them from: ").await?.unwrap_or_default();
            with_files(story, request, PathBuf::from(folder.trim())).await
        }
        Some('w') => {
            let words = read_line("answer: ").await?.unwrap_or_default();
            with_words(story, request, words.trim()).await
        }
        _ => with_words(story, request, NOBODY).await,
    }
}

async fn with_files(story: &Story<'_>, request: &InfoRequest, folder: PathBuf) -> Result<(), Failure> {
    let answer = story.cage.inbox().answer(request, &folder).await?;
    let refused = answer.refused.iter().map(|file| format!("{}: {}", file.path, file.reason)).collect();
    story.screen.stream(&Event::Answered { request_id: &request.request_id, sent: answer.sent, refused })
}

async fn with_words(story: &Story<'_>, request: &InfoRequest, words: &str) -> Result<(), Failure> {
    story.cage.inbox().send(InfoResponse::to(&request.request_id).with_content(words)).await?;
    let (sent, refused) = (Vec::new(), Vec::new());
    story.screen.stream(&Event::Answered { request_id: &request.request_id, sent, refused })
}
