//! What a cage may use of its machine.

/// Memory of a cage unless asked otherwise, in bytes: Claude Code and a build beside it fit into 4 GiB.
pub const DEFAULT_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Processors of a cage unless asked otherwise; fewer where the engine has fewer.
pub const DEFAULT_CPUS: f64 = 2.0;

/// Processes and threads of a cage unless asked otherwise: enough for a parallel build, too few for a fork bomb.
pub const DEFAULT_PIDS: u32 = 1_024;

/// Least memory in bytes that the engine accepts.
const MIN_MEMORY_BYTES: u64 = 6 * 1024 * 1024;

/// Least share of a processor that the engine accepts.
const MIN_CPUS: f64 = 0.01;

/// Most processors that make sense to ask for.
const MAX_CPUS: f64 = 4_096.0;

/// Least room on the disk, in bytes, in which a project and its baseline make any sense.
const MIN_DISK_BYTES: u64 = 16 * 1024 * 1024;

/// Nanoseconds of processor time a second that stand for one processor.
const NANO: f64 = 1e9;

/// Limits on a cage's memory, processors, processes and disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resources {
    pub(crate) memory_bytes: u64,
    pub(crate) cpus: f64,
    pub(crate) pids: u32,
    /// `None` for as much as the engine has.
    pub(crate) disk_bytes: Option<u64>,
}

impl Default for Resources {
    fn default() -> Self {
        Self { memory_bytes: DEFAULT_MEMORY_BYTES, cpus: DEFAULT_CPUS, pids: DEFAULT_PIDS, disk_bytes: None }
    }
}

impl Resources {
    /// Returns what is wrong with the limits, if anything is: the parameter and the rule.
    pub(crate) fn problem(&self) -> Option<(&'static str, String)> {
        if self.memory_bytes < MIN_MEMORY_BYTES {
            return Some(("memory limit", format!("at least {MIN_MEMORY_BYTES} bytes are needed")));
        }
        if !(MIN_CPUS..=MAX_CPUS).contains(&self.cpus) {
            return Some(("processor limit", format!("use a number from {MIN_CPUS} to {MAX_CPUS}")));
        }
        if self.disk_bytes.is_some_and(|bytes| bytes < MIN_DISK_BYTES) {
            return Some(("disk limit", format!("at least {MIN_DISK_BYTES} bytes are needed")));
        }
        (self.pids == 0).then(|| ("process limit", "use at least 1".to_owned()))
    }

    /// Returns the processors in the unit that the engine counts in.
    #[expect(clippy::cast_possible_truncation, reason = "checked against MAX_CPUS, and the cast saturates")]
    pub(crate) fn nano_cpus(&self) -> i64 {
        (self.cpus * NANO) as i64
    }
}
