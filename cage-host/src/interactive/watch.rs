//! One exec that says what changed in the cage: the agent's screen, its records.

use super::error::InteractiveError;
use super::records::{Record, Records};
use super::tmux;
use crate::backend::Running;
use crate::cage::Place;
use crate::error::{CageError, Result};

/// Bytes of one piece: a record of the largest kind and more than any screen.
const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// What the agent's pane is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Missing,
    Alive,
    /// Its program ended, with this exit code where tmux knows it.
    Ended(Option<i32>),
}

/// How things stood at one moment.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) pane: Pane,
    /// The screen as it is, not sanitized.
    pub(super) screen: String,
    pub(super) records: Records,
}

/// A running watch. Dropping it ends the program in the cage within about a second.
#[derive(Debug)]
pub(super) struct Watch {
    running: Option<Running>,
    unread: Vec<u8>,
    look: Look,
}

impl Watch {
    /// Begins to watch; with `alone`, nobody else may do so at the same time.
    pub(super) async fn begin(place: &Place, alone: bool) -> Result<Self> {
        let running = place.exec(tmux::watch(&place.layout, alone)).await?;
        Ok(Self { running: Some(running), unread: Vec::new(), look: Look::default() })
    }

    /// Waits for the next look, which comes within about a second.
    pub(super) async fn next(&mut self) -> Result<&Look> {
        loop {
            while let Some(end) = self.unread.iter().position(|&byte| byte == 0) {
                let piece: Vec<u8> = self.unread.drain(..=end).take(end).collect();
                if self.look.take(&piece) {
                    return Ok(&self.look);
                }
            }
            self.read().await?;
        }
    }

    /// Returns the last look.
    pub(super) fn look(&self) -> &Look {
        &self.look
    }

    async fn read(&mut self) -> Result<()> {
        let Some(running) = &mut self.running else { return Err(InteractiveError::Busy.into()) };
        if let Some(bytes) = running.next_stdout().await? {
            self.unread.extend_from_slice(&bytes);
            if self.unread.len() > PIECE_BYTES_MAX {
                let limit = PIECE_BYTES_MAX as u64;
                return Err(CageError::TooMuch { operation: "watch the agent", limit, unit: "bytes" }.into());
            }
            return Ok(());
        }
        let Some(running) = self.running.take() else { return Ok(()) };
        match running.exit().await? {
            exit if exit.code == tmux::EXIT_LOCKED => Err(InteractiveError::Busy.into()),
            exit => {
                let (operation, stderr) = ("watch the agent", exit.stderr);
                Err(CageError::Exited { operation, code: exit.code, stderr }.into())
            }
        }
    }
}

impl Look {
    /// Takes a piece in. Returns whether the look is complete.
    fn take(&mut self, piece: &[u8]) -> bool {
        match piece.split_first() {
            Some((b'P', pane)) => self.take_pane(&String::from_utf8_lossy(pane)),
            Some((b'C', _)) => self.records.0.clear(),
            Some((b'R', record)) => self.records.0.extend(Record::parse(record)),
            Some((b'.', _)) => return true,
            _ => {}
        }
        false
    }

    fn take_pane(&mut self, text: &str) {
        let (state, screen) = text.split_once('\n').unwrap_or((text, ""));
        let (dead, status) = state.split_once(' ').unwrap_or((state, ""));
        self.pane = match dead {
            "0" => Pane::Alive,
            "1" => Pane::Ended(status.parse().ok()),
            _ => Pane::Missing,
        };
        screen.clone_into(&mut self.screen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(pieces: &[&str]) -> Look {
        let mut look = Look::default();
        for piece in pieces {
            look.take(piece.as_bytes());
        }
        look
    }

    #[test]
    fn reads_the_state_of_the_pane_and_its_screen() {
        let alive = look(&["P0 \nfirst\n\nlast"]);
        assert_eq!((alive.pane, alive.screen.as_str()), (Pane::Alive, "first\n\nlast"));
        assert_eq!(look(&["P1 7\nbye"]).pane, Pane::Ended(Some(7)));
        assert_eq!(look(&["P1 "]).pane, Pane::Ended(None));
        assert_eq!(look(&["P0 \nx", "P-"]).pane, Pane::Missing);
    }

    #[test]
    fn replaces_all_records_at_once_and_passes_over_nonsense() {
        let look =
            look(&["C", r#"R{"session_id":"a"}"#, "C", "Rnonsense", "R", r#"R{"session_id":"b"}"#, "?"]);
        let ids: Vec<_> = look.records.0.iter().map(|record| record.session_id.as_str()).collect();
        assert_eq!(ids, ["b"]);
    }
}
