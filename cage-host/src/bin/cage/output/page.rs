//! Text for people.

use std::fmt::{self, Display, Write as _};

use anstyle::{AnsiColor, Style};
use cage_host::sanitize;
use serde::Serialize;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const ALARM: Style = AnsiColor::Red.on_default().bold();
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const STRONG: Style = Style::new().bold();

/// What a command answers: its fields are for programs, its page for people.
pub(crate) trait Answer: Serialize {
    /// Writes it for a person.
    fn show(&self, page: &mut Page) -> fmt::Result;
}

/// Text for a person. Whatever is written is sanitized, so that no text from a cage can steer the terminal.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    colored: bool,
    /// Columns of the terminal, if it is one.
    width: Option<usize>,
}

impl Page {
    pub(crate) fn new(colored: bool) -> Self {
        Self { text: String::new(), colored, width: None }
    }

    /// Breaks lines of prose before this column.
    pub(crate) fn within(mut self, width: Option<usize>) -> Self {
        self.width = width;
        self
    }

    /// Writes plain text.
    pub(crate) fn text(&mut self, text: impl Display) -> fmt::Result {
        self.text.write_str(&sanitize(&text.to_string()))
    }

    /// Writes text in a style.
    pub(crate) fn styled(&mut self, style: Style, text: impl Display) -> fmt::Result {
        if !self.colored {
            return self.text(text);
        }
        write!(self.text, "{style}{}{style:#}", sanitize(&text.to_string()))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: impl Display) -> fmt::Result {
        self.text(text)?;
        self.text.write_char('\n')
    }

    /// Writes prose on a line that has so many columns already; on a terminal its further lines begin below it.
    pub(crate) fn prose(&mut self, style: Style, begin: usize, text: &str) -> fmt::Result {
        let room = self.width.and_then(|width| width.checked_sub(begin)).filter(|room| *room > 20);
        let mut column = 0;
        for word in text.split(' ') {
            let length = word.chars().count();
            if column > 0 && room.is_some_and(|room| column + 1 + length > room) {
                self.text(format_args!("\n{:begin$}", ""))?;
                column = 0;
            } else if column > 0 {
                self.text(" ")?;
                column += 1;
            }
            self.styled(style, word)?;
            column += length;
        }
        self.line("")
    }

    /// Writes text of several lines, each after so many blanks.
    pub(crate) fn indented(&mut self, blanks: usize, text: impl Display) -> fmt::Result {
        let text = text.to_string();
        text.lines().try_for_each(|line| self.line(format_args!("{:blanks$}{line}", "")))
    }

    /// Writes a table: a head, and rows of as many cells, in columns as wide as they have to be.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<(Style, String)>]) -> fmt::Result {
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].1.chars().count());
            cells.chain([head[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..head.len()).map(width).collect();
        let head: Vec<_> = head.iter().map(|&cell| (FAINT, cell.to_owned())).collect();
        [&head].into_iter().chain(rows).try_for_each(|row| self.row(row, &widths))
    }

    fn row(&mut self, row: &[(Style, String)], widths: &[usize]) -> fmt::Result {
        for (index, ((style, cell), width)) in row.iter().zip(widths).enumerate() {
            self.styled(*style, cell)?;
            if index + 1 < row.len() {
                self.text(format_args!("{:1$}", "", width + 2 - cell.chars().count()))?;
            }
        }
        self.line("")
    }

    /// Returns what was written.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Counts things in words.
pub(crate) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Shows a text on one line.
pub(crate) fn one_line(text: &str) -> String {
    sanitize(text).replace(['\n', '\t'], " ")
}

/// Writes a size as a person reads it.
pub(crate) fn bytes_in_words(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(colored: bool) -> String {
        let mut page = Page::new(colored);
        let rows = [
            vec![(NAME, "a\u{1b}[2J".to_owned()), (GOOD, "running".to_owned())],
            vec![(NAME, "long-name".to_owned()), (WARN, "stopped".to_owned())],
        ];
        page.table(&["NAME", "STATE"], &rows).unwrap();
        page.into_text()
    }

    #[test]
    fn breaks_prose_on_a_terminal_only() {
        let shown = |width| {
            let mut page = Page::new(false).within(width);
            page.text("good  ").unwrap();
            page.prose(GOOD, 6, "one two three four five six").unwrap();
            page.into_text()
        };
        assert_eq!(shown(None), "good  one two three four five six\n");
        assert_eq!(shown(Some(30)), "good  one two three four five\n      six\n");
        assert_eq!(shown(Some(3)), shown(None), "where there is no room, breaking does not help");
    }

    #[test]
    fn writes_no_escape_where_colour_is_not_wanted() {
        assert!(!table(false).contains('\u{1b}'), "{:?}", table(false));
    }

    #[test]
    fn lets_no_text_steer_the_terminal_where_colour_is_wanted() {
        let text = table(true);
        assert!(text.contains("\u{1b}[36m") && !text.contains("\u{1b}[2J"), "{text:?}");
    }
}
