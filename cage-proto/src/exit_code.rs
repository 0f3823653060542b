//! What the exit codes of `cage-send` and `cage-poll` mean.
//!
//! The numbers are part of the contract: scripts and hosts branch on them. 74 and 75 are `EX_IOERR` and `EX_TEMPFAIL`
//! of `sysexits.h`.

/// The outcome of a program, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// `cage-send`: stored and durable. `cage-poll`: a message was printed.
    Ok = 0,
    /// `cage-send`: the payload was rejected and nothing was written. `cage-poll`: the time is up.
    Rejected = 1,
    /// The command line could not be understood.
    Usage = 2,
    /// The file system failed. `cage-send`: the message is certainly not stored.
    Storage = 74,
    /// `cage-send` only: the message may or may not survive a power loss; repeating with the same `--id` is safe.
    Unknown = 75,
}

impl Exit {
    /// Names the second meaning of [`Exit::Rejected`], as `cage-poll` uses it.
    pub const TIMED_OUT: Self = Self::Rejected;
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
