//! Any program that reads its instructions from stdin, or from the file that `CAGE_INSTRUCTIONS` names.

use std::ffi::OsString;
use std::path::PathBuf;

use cage_proto::mailbox::CageDir;

use super::agent::{Ended, Heard, Invocation};
use crate::supervise::machine::{Cause, Crash, Ending};

/// Names the file with the instructions.
const INSTRUCTIONS: &str = "CAGE_INSTRUCTIONS";

/// Bytes of its last words that are kept.
const LAST_WORDS_BYTES_MAX: usize = 2_000;

/// A program and its arguments.
#[derive(Debug)]
pub(in crate::supervise) struct CommandAgent {
    program: OsString,
    args: Vec<OsString>,
    instructions_file: PathBuf,
}

impl CommandAgent {
    pub(super) fn new(program: OsString, args: Vec<OsString>, dir: &CageDir) -> Self {
        Self { program, args, instructions_file: dir.instructions_file() }
    }

    pub(super) fn run(&self) -> Invocation {
        Invocation {
            program: self.program.clone(),
            args: self.args.clone(),
            env: vec![(INSTRUCTIONS, self.instructions_file.clone().into_os_string())],
            instructions_file: Some(self.instructions_file.clone()),
        }
    }
}

/// Keeps the last words of a program whose output means nothing else to us.
#[derive(Debug, Default)]
pub(in crate::supervise) struct CommandReader {
    last_words: Vec<u8>,
}

impl CommandReader {
    pub(super) fn hear(&mut self, line: &[u8]) -> Vec<Heard> {
        let room = LAST_WORDS_BYTES_MAX.saturating_sub(line.len());
        let surplus = self.last_words.len().saturating_sub(room);
        self.last_words.drain(..surplus);
        self.last_words.extend(line.iter().take(LAST_WORDS_BYTES_MAX));
        self.last_words.push(b'\n');
        vec![Heard::Spoke]
    }

    pub(super) fn ending(&self, ended: Ended, tail: &str) -> Ending {
        if ended == Ended::Code(0) {
            let last_words = String::from_utf8_lossy(&self.last_words).trim().to_owned();
            return Ending::Finished { last_words };
        }
        let reason = format!("the agent ended with {ended}; the end of its log:\n{tail}");
        Ending::Crashed(Crash { reason, cause: Cause::Other })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_words_and_not_more() {
        let mut reader = CommandReader::default();
        for _ in 0..1000 {
            reader.hear(b"again and again");
        }
        reader.hear(b"bye");
        let Ending::Finished { last_words } = reader.ending(Ended::Code(0), "") else {
            panic!("exit code 0 is an end as it should be")
        };
        assert!(last_words.ends_with("again\nbye") && last_words.len() <= LAST_WORDS_BYTES_MAX);
    }

    #[test]
    fn takes_every_other_exit_for_a_crash() {
        for (ended, said) in [(Ended::Code(3), "exit code 3"), (Ended::Signal(9), "signal 9")] {
            let Ending::Crashed(crash) = CommandReader::default().ending(ended, "oops") else {
                panic!("{ended} is a crash")
            };
            assert!(crash.reason.contains(said) && crash.reason.ends_with("oops"), "{}", crash.reason);
        }
    }
}
