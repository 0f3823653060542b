//! Where things are printed.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::json;
use super::page::{ALARM, Answer, FAINT, Page};
use crate::exit::Exit;
use crate::failure::Failure;

/// Where things are printed: terminal or not, colour or not, for people or for programs.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the process's streams")]
pub(crate) struct Screen {
    json: bool,
    stdout_colored: bool,
    stderr_colored: bool,
    stderr_terminal: bool,
    interactive: bool,
}

/// A failure, for programs.
#[derive(Debug, Serialize)]
struct Complaint {
    error: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    exit_code: u8,
}

impl Screen {
    /// Looks at this process's streams and environment.
    pub(crate) fn of_this_process() -> Self {
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let colored = |terminal| wants_color(terminal, no_color.as_deref(), term.as_deref());
        let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            json: false,
            stdout_colored: colored(stdout),
            stderr_colored: colored(stderr),
            stderr_terminal: stderr,
            interactive: io::stdin().is_terminal() && stderr,
        }
    }

    /// Prints for programs from now on, or for people.
    pub(crate) fn json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Says whether help may be coloured.
    pub(crate) fn colors(self) -> bool {
        self.stdout_colored && self.stderr_colored
    }

    /// Says whether somebody is there to be asked.
    pub(crate) fn is_interactive(self) -> bool {
        self.interactive && !self.json
    }

    /// Says whether somebody sits at a terminal, with all three streams on it.
    pub(crate) fn is_a_desk(self) -> bool {
        self.is_interactive() && io::stdout().is_terminal()
    }

    /// Says whether a progress bar can be drawn.
    pub(crate) fn draws_bars(self) -> bool {
        self.stderr_terminal && !self.json
    }

    /// Prints an answer that is one whole.
    pub(crate) fn answer(self, answer: &impl Answer) -> Result<(), Failure> {
        let text =
            if self.json { json::pretty(answer).map_err(not_printable)? + "\n" } else { self.page(answer)? };
        print(&text)
    }

    /// Prints an answer that is one of many: a line of JSON, or its page.
    pub(crate) fn stream(self, answer: &impl Answer) -> Result<(), Failure> {
        let text =
            if self.json { json::compact(answer).map_err(not_printable)? + "\n" } else { self.page(answer)? };
        print(&text)
    }

    /// Tells a person something longer beside the answer.
    pub(crate) fn aside(self, answer: &impl Answer) {
        let mut page = Page::new(self.stderr_colored);
        // Where nobody can read it there is nobody to tell.
        let _ = answer.show(&mut page);
        let _ = write!(io::stderr(), "{}", page.into_text());
    }

    /// Tells a person something beside the answer.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            self.note(text);
        }
    }

    /// Tells whoever reads the error output something that must not stay unknown.
    pub(crate) fn note(self, text: &str) {
        let mut page = Page::new(self.stderr_colored);
        let _ = page.styled(FAINT, text);
        // Where nobody can read it there is nobody to tell.
        let _ = writeln!(io::stderr(), "{}", page.into_text());
    }

    /// Says why the program fails. A closed pipe and a signal need no words.
    pub(crate) fn complain(self, failure: &Failure) {
        let exit = Exit::of(failure);
        if matches!(exit, Exit::Signal(_)) && !matches!(failure, Failure::Interrupted(_)) {
            return;
        }
        let text = if self.json { complaint(failure, exit) } else { self.complaint_page(failure) };
        // The exit code says it too, where nobody reads this.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    fn complaint_page(self, failure: &Failure) -> String {
        let mut page = Page::new(self.stderr_colored);
        let _ = page.styled(ALARM, "cage:").and_then(|()| page.line(format_args!(" {failure}")));
        if let Some(hint) = failure.hint() {
            let _ = page.styled(FAINT, "  next:").and_then(|()| page.line(format_args!(" {hint}")));
        }
        if matches!(failure, Failure::Inside) {
            let _ = page.line(format_args!("\n{}", crate::inside::instructions()));
        }
        page.into_text()
    }

    fn page(self, answer: &impl Answer) -> Result<String, Failure> {
        let mut page = Page::new(self.stdout_colored).within(columns());
        answer.show(&mut page).map_err(not_printable)?;
        Ok(page.into_text())
    }
}

fn complaint(failure: &Failure, exit: Exit) -> String {
    let (error, hint, exit_code) = (failure.kind(), failure.hint(), exit.code());
    let message = failure.to_string();
    let line = json::compact(&Complaint { error, message, hint, exit_code });
    line.map(|line| line + "\n").unwrap_or_default()
}

/// Returns how many columns the standard output has, if it is a terminal.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Prints text as it is: generated scripts, patches, a raw log that was asked for.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

fn not_printable(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Output(io::Error::other(error))
}

/// Colour is for terminals, and for nobody who said no: <https://no-color.org>.
fn wants_color(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_on_a_terminal_only_and_never_with_no_color() {
        let text = |text| Some(OsStr::new(text));
        assert!(wants_color(true, None, text("xterm")));
        assert!(wants_color(true, text(""), None));
        assert!(!wants_color(false, None, text("xterm")));
        assert!(!wants_color(true, text("1"), text("xterm")));
        assert!(!wants_color(true, None, text("dumb")));
    }
}
