//! Questions to a person, on the error output, since the standard output is for answers.

use std::io::{self, Write as _};

use cage_host::sanitize;
use tokio::sync::oneshot;

use super::screen::Screen;
use crate::failure::Failure;

/// Asks a person for a yes; with `yes` it was given in advance.
pub(crate) async fn confirm(screen: Screen, yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !screen.is_interactive() {
        return Err(Failure::NotConfirmed("nobody is there to confirm this; add --yes to go ahead"));
    }
    let answer = read_line(&format!("{question} [y/N] ")).await?.unwrap_or_default();
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::NotConfirmed("nothing was done"))
}

/// Lets a person choose by the first letter; `None` at the end of the input.
pub(crate) async fn choose(question: &str, choices: &[&str]) -> Result<Option<char>, Failure> {
    let list: Vec<_> = choices.iter().map(|choice| format!("[{}]{}", &choice[..1], &choice[1..])).collect();
    loop {
        let Some(answer) = read_line(&format!("{question} {}: ", list.join(" "))).await? else {
            return Ok(None);
        };
        let letter = answer.trim().to_lowercase().chars().next();
        if letter.is_some_and(|letter| choices.iter().any(|choice| choice.starts_with(letter))) {
            return Ok(letter);
        }
    }
}

/// Reads a line; `None` at the end of the input. A thread of its own waits for it, so that Ctrl-C need not.
pub(crate) async fn read_line(prompt: &str) -> Result<Option<String>, Failure> {
    let mut stderr = io::stderr();
    write!(stderr, "{}", sanitize(prompt)).and_then(|()| stderr.flush()).map_err(Failure::Output)?;
    let (sender, line) = oneshot::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = io::stdin().read_line(&mut text).map(|count| (count > 0).then_some(text));
        // Nobody waits for it after Ctrl-C.
        let _ = sender.send(read);
    });
    let read = line.await.unwrap_or(Ok(None));
    read.map_err(|error| Failure::File { path: "standard input".into(), error })
}
