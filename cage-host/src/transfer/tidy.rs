//! Removing caches inside a cage, so that it takes less room.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use crate::backend::Exec;
use crate::cage::Place;
use crate::error::Result;
use crate::sanitize::sanitize_path;

const TIDY: &str = "remove caches";

/// Longest time for finding and removing them.
const DEADLINE: Duration = Duration::from_secs(300);

/// Longest list of removed folders, in bytes.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// Folders that every tool makes again when it misses them, as `find` names them.
const CACHES: &str = "-name __pycache__ -o -name .pytest_cache -o -name .mypy_cache -o -name .ruff_cache \
    -o -name .hypothesis -o -name .parcel-cache -o -name .turbo -o -path */node_modules/.cache";

/// Finds the folders, prints the room that each takes, and removes them. `find` and `rm` follow no link.
///
/// A folder of build results is known by the mark that its own tool puts there, so that no other `target` is removed.
const SCRIPT: &str = r#"set -ef
list=$(mktemp)
trap 'rm -f "$list"' EXIT
find . -xdev -name .git -prune -o -type d '(' $1 ')' -prune -print0 > "$list"
if [ "$2" = builds ]; then
  find . -xdev -name .git -prune -o -type f -path '*/target/CACHEDIR.TAG' -printf '%h\0' >> "$list"
fi
[ -s "$list" ] || exit 0
du --null --summarize --block-size=1 --files0-from="$list"
xargs --null rm -rf -- < "$list""#;

/// What is removed beyond caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct TidyOptions {
    builds: bool,
}

impl TidyOptions {
    /// Removes `target/` folders too, if their tool marked them with a `CACHEDIR.TAG` as Cargo does. They cost a whole
    /// build to make again.
    pub fn builds(mut self, builds: bool) -> Self {
        self.builds = builds;
        self
    }
}

/// What was removed, as the cage tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tidied {
    /// The folders, below the project, safe to show.
    pub folders: Vec<String>,
    /// The room that they took on the cage's disk, in bytes.
    pub bytes: u64,
}

/// Removes caches from a cage's project.
pub(crate) async fn tidy(place: &Place, options: TidyOptions) -> Result<Tidied> {
    let builds = if options.builds { "builds" } else { "" };
    let exec = Exec::new(TIDY, ["sh", "-c", SCRIPT, "sh", CACHES, builds], DEADLINE);
    let running = place.exec(exec.cwd(place.layout.project())).await?;
    Ok(parse(&running.collect(MAX_LIST_BYTES).await?))
}

/// Parses `bytes, tab, path` entries, each ended by a NUL.
fn parse(output: &[u8]) -> Tidied {
    let mut tidied = Tidied::default();
    for entry in output.split(|&byte| byte == 0) {
        let Some(tab) = entry.iter().position(|&byte| byte == b'\t') else { continue };
        let bytes = std::str::from_utf8(&entry[..tab]).ok().and_then(|bytes| bytes.parse().ok());
        let path = &entry[tab + 1..];
        let path = Path::new(OsStr::from_bytes(path.strip_prefix(b"./").unwrap_or(path)));
        tidied.bytes = tidied.bytes.saturating_add(bytes.unwrap_or(0));
        tidied.folders.push(sanitize_path(path));
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_any_output_and_shows_no_control_character() {
        let tidied = parse(b"4096\t./a/__pycache__\0x\t./\x1b[2J\0nonsense\x0018446744073709551615\tb\0");
        assert_eq!(tidied.folders, ["a/__pycache__", "\\u{1b}[2J", "b"]);
        assert_eq!(tidied.bytes, u64::MAX);
    }
}
