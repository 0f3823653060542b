//! Exit codes, and the one match from failure to exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::failure::Failure;

/// The outcome of the program. The numbers are part of the contract: prompts and scripts branch on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; the cage exists; the task is complete.
    Ok,
    /// It failed, or the time is up; `exists`: there is no such cage.
    Failed,
    /// The agent went idle.
    Idle,
    /// The task is complete with another exit code than 0.
    Unsuccessful,
    /// The agent asks something, and whoever waits wants to know.
    Asks,
    /// The command line could not be understood: `EX_USAGE` of `sysexits.h`, since 2 is taken.
    Usage,
    /// `exists` could not find out: `EX_UNAVAILABLE`.
    Unavailable,
    /// Ended by a signal of this number.
    Signal(i32),
}

/// What `--help` and `docs/cli.md` say.
pub(crate) const TABLE: &str = "\
Exit codes:
    0  done; the cage exists; the task is complete
    1  failed, or the time is up; export, sync: conflicts;
       exists: there is no such cage
    2  outbox --poll, run: the agent went idle
    3  outbox --poll, run: the task is complete with another exit code than 0
    4  outbox --poll --until-question: the agent asks something
   64  the command line could not be understood
   69  exists: the engine could not be asked
  130  ended by Ctrl-C; 143 by SIGTERM, 141 by a closed pipe";

/// The number of SIGPIPE: a closed pipe ends this program as it ends others, without a word.
const SIGPIPE: i32 = 13;

impl Exit {
    /// Says how a failure ends the program.
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => Self::Signal(SIGPIPE),
            Failure::Host(_)
            | Failure::Inside
            | Failure::File { .. }
            | Failure::NotWritten { .. }
            | Failure::Payload(_)
            | Failure::Member { .. }
            | Failure::NotConfirmed(_)
            | Failure::TimedOut(_)
            | Failure::Other { .. }
            | Failure::Output(_)
            | Failure::Runtime(_) => Self::Failed,
            Failure::Usage(_) => Self::Usage,
            Failure::CannotTell(_) => Self::Unavailable,
            Failure::Interrupted(signal) => Self::Signal(*signal),
        }
    }

    /// Returns the number that the system gets.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Idle => 2,
            Self::Unsuccessful => 3,
            Self::Asks => 4,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Signal(number) => 128 + u8::try_from(number).unwrap_or(1),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_exit_code_in_the_help() {
        let signals = [Exit::Signal(2), Exit::Signal(15), Exit::Signal(SIGPIPE)];
        let tasks = [Exit::Ok, Exit::Failed, Exit::Idle, Exit::Unsuccessful, Exit::Asks];
        let named = tasks.into_iter().chain([Exit::Usage, Exit::Unavailable]);
        for exit in named.chain(signals) {
            let code = exit.code().to_string();
            assert!(TABLE.split([' ', '\n']).any(|word| word == code), "{exit:?}");
        }
    }

    #[test]
    fn ends_at_a_closed_pipe_as_other_programs_do() {
        let closed = Failure::Output(ErrorKind::BrokenPipe.into());
        assert_eq!(Exit::of(&closed).code(), 141);
    }
}
