//! File-system events that shorten a wait.
//!
//! inotify does not cross every file system, so a watch only ever wakes a reader early; the schedule is what it can
//! rely on.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// Bytes for one read of events: 16 of the longest names that a file system allows.
const EVENT_BUFFER_BYTES: usize = 16 * (16 + 256);

/// Events that one wait takes at the most; the others stay queued in the kernel for the next one.
const WAKE_EVENTS_MAX: usize = 1_024;

/// Device number of `/dev/null`: major 1, minor 3.
const NULL_DEVICE: u64 = 0x103;

/// Watches a folder for new files.
#[derive(Debug)]
pub struct Watch {
    /// Nothing where the kernel gives no watch; the wait then just lasts as long as it is told.
    inotify: Option<OwnedFd>,
}

/// Why a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// These names appeared or changed, in this order. A name may be there several times.
    Names(Vec<OsString>),
    /// Something happened, but not all names are known: look at everything.
    Anything,
    /// The time is up.
    TimedOut,
    /// Nobody reads the other end of the output any more.
    Closed,
}

impl Watch {
    /// Watches a folder. Do this before the first look into it, so that nothing falls between the two.
    pub fn new(folder: &Path) -> Self {
        Self { inotify: Self::start(folder).ok() }
    }

    fn start(folder: &Path) -> rustix::io::Result<OwnedFd> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // A publish of ours ends in a new name, one by rename in a move, and a slow foreign one in a close.
        let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE | WatchFlags::ONLYDIR;
        inotify::add_watch(&fd, folder, flags)?;
        Ok(fd)
    }

    /// Waits until a file that is not hidden appears or changes, the time is up, or nobody reads `output` any more.
    pub fn wait(&self, timeout: Duration, output: Option<BorrowedFd<'_>>) -> Wake {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (changed, closed) = poll_both(self.inotify.as_ref(), output, left);
            if closed {
                return Wake::Closed;
            }
            match changed.then(|| self.read_events()) {
                Some(Wake::Names(names)) if names.is_empty() => {}
                Some(wake) => return wake,
                None => {}
            }
            // After hidden files too: whoever makes them without end must not hold up the time-out.
            if deadline <= Instant::now() {
                return Wake::TimedOut;
            }
        }
    }

    /// Reads the events that are there. Hidden files are a publisher's own business.
    fn read_events(&self) -> Wake {
        let Some(fd) = &self.inotify else { return Wake::Anything };
        let mut buffer = [const { std::mem::MaybeUninit::uninit() }; EVENT_BUFFER_BYTES];
        let mut events = inotify::Reader::new(fd, &mut buffer);
        let mut names = Vec::new();
        let mut taken = 0;
        // What was read into the buffer has to leave it, or it would be lost.
        while taken < WAKE_EVENTS_MAX || !events.is_buffer_empty() {
            taken += 1;
            match events.next() {
                Ok(event) if event.events().intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED) => {
                    return Wake::Anything;
                }
                Ok(event) => {
                    let name = event.file_name().map_or(&[][..], std::ffi::CStr::to_bytes);
                    if !name.is_empty() && !name.starts_with(b".") {
                        names.push(OsStr::from_bytes(name).to_owned());
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Wake::Names(names),
                Err(_) => return Wake::Anything,
            }
        }
        Wake::Names(names)
    }
}

/// Tells whether nobody can ever read what is written to this output, because it was closed before the program began.
///
/// Rust's runtime puts `/dev/null` in the place of a closed output, opened for reading and writing, and takes a write
/// to an output that is only for reading as done. What a shell's `>/dev/null` opens is for writing alone.
pub fn leads_nowhere(output: BorrowedFd<'_>) -> bool {
    let Ok(flags) = rustix::fs::fcntl_getfl(output) else { return true };
    match flags & OFlags::RWMODE {
        OFlags::RDONLY => true,
        OFlags::RDWR => rustix::fs::fstat(output).is_ok_and(|stat| stat.st_rdev == NULL_DEVICE),
        _ => false,
    }
}

/// Waits for events or for the loss of the output's reader; a signal ends the wait early, with neither.
fn poll_both(inotify: Option<&OwnedFd>, output: Option<BorrowedFd<'_>>, timeout: Duration) -> (bool, bool) {
    let mut fds = Vec::with_capacity(2);
    // Asked for nothing, `poll` still tells when the other end of a pipe is closed.
    fds.extend(output.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::empty())));
    fds.extend(inotify.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    if poll(&mut fds, Some(&timeout)).is_err() {
        return (false, false);
    }
    let lost = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    let closed = output.is_some() && fds.first().is_some_and(|fd| fd.revents().intersects(lost));
    let changed = inotify.is_some() && fds.last().is_some_and(|fd| fd.revents().contains(PollFlags::IN));
    (changed, closed)
}
