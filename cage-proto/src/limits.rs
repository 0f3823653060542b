//! Every cap of the protocol, with its unit and its reason.
//!
//! Both sides of a mailbox are written by programs that may be wrong or hostile, so nothing is read, listed or waited
//! for without one of these.

use std::time::Duration;

/// Bytes in one message file. Room for several source files in an `info_response`, small enough to hold in memory.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Levels of nested JSON arrays and objects. The envelope itself is the first.
pub const JSON_DEPTH_MAX: usize = 32;

/// JSON values in one message. Without it a megabyte of `[[],[],…]` becomes tens of megabytes once it is parsed.
pub const JSON_VALUES_MAX: usize = 65_536;

/// Bytes of a message id. Ours have 36, those of the tool this protocol comes from have 30.
pub const MESSAGE_ID_BYTES_MAX: usize = 256;

/// Files in a mailbox above which readers say that it should be pruned. It still works: only listing becomes slow.
pub const CROWDED_FOLDER_ENTRIES: usize = 100_000;

/// Names that one scan holds at the most, lowest first. The next scan takes the following ones, so that the memory
/// needed does not depend on the number of files.
pub const SCAN_BATCH_NAMES: usize = 1_024;

/// Names that a publisher holds at the most while it looks through old messages, newest first. A last number that is
/// not among so many of the newest messages is not found, and numbering begins again.
pub const SEARCH_BATCH_NAMES: usize = 16_384;

/// Names of files that are no messages which one scan keeps for its report. The others are only counted.
pub const STRAY_NAMES_KEPT: usize = 16;

/// How far behind the newest consumed name a reader still looks for late ones. A foreign writer takes its name before
/// it publishes, so its file can appear behind a message that has been consumed already.
pub const LOOK_BACK: Duration = Duration::from_secs(10);

/// Names that a consumer remembers one by one; beyond that the window of [`LOOK_BACK`] becomes shorter.
pub const CONSUMED_NAMES_MAX: usize = 4_096;

/// How long a file that ends in the middle of its JSON must stay unchanged before it counts as malformed. Foreign
/// writers do not publish atomically, and a slow one takes seconds.
pub const PARTIAL_FILE_GRACE: Duration = Duration::from_secs(5);

/// How long a file that goes on changing can hold up the messages behind it.
pub const PARTIAL_FILE_MAX: Duration = Duration::from_secs(60);

/// How long a writer or reader waits for another one's lock. A publish takes milliseconds, so a lock that is held this
/// long belongs to a stopped process.
pub const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);

/// Longest time that a command line may ask for; more is a mistake, not a plan.
pub const ASKED_TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Bytes of a cursor file. It holds one name.
pub const CURSOR_BYTES_MAX: usize = 256;

/// Bytes of a consumer's name, which becomes part of a file name.
pub const CONSUMER_NAME_BYTES_MAX: usize = 64;

/// Times a publisher takes a new name because a foreign writer took the one it wanted.
pub const NAME_ATTEMPTS_MAX: usize = 16;
