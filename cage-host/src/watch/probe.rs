//! The program in the cage that takes a snapshot of it.

use std::time::Duration;

use super::diagnosis::Diagnosis;
use super::snapshot::Snapshot;
use super::status::{Activity, Status};
use crate::backend::Exec;
use crate::cage::{CageState, Place};
use crate::error::{CageError, Error, Result};

const STATUS: &str = "look at the agent's status";

/// Longest time for one look.
const LOOK_DEADLINE: Duration = Duration::from_secs(30);

/// Bytes of one look: 64 messages of at most 64 KiB, the session, the end of the log, and what wraps them.
const MAX_LOOK_BYTES: usize = 8 * 1024 * 1024;

/// Prints what is to be seen in the message folder `$1`, in sections that end with a line `/`, and then the newest
/// messages as an archive. Lines of files begin with `|`. With `$2` it looks at the machine and the log as well.
/// Only regular files are opened, so nothing here waits for a writer.
const LOOK_SCRIPT: &str = r#"cd "$1" 2>/dev/null || { printf 'now %s\n/\n/\n/\n/\n/\n' "$(date +%s)"; exit 0; }
end() { printf '\n/\n'; }
first() { [ -r "$2" ] && printf '%s %s\n' "$1" "$(head -n 1 "$2")"; }
pids=''
if [ -f session.json ]; then
  pids=$(head -c 262144 session.json | sed -n 's/^ *"\(supervisor_\)\{0,1\}pid": \([0-9]\{1,9\}\),\{0,1\}$/\2/p' | head -n 2)
fi
printf 'now %s\n' "$(date +%s)"
[ -f task.md ] && printf 'task %s\n' "$(stat -c %Y task.md)"
[ -n "$pids" ] && printf 'pids 1\n'
if [ -n "$2" ]; then
  printf 'more 1\ndisk-free-kib %s\n' "$(df -Pk . | awk 'NR == 2 { print $4 }')"
  g=/sys/fs/cgroup
  for f in $g/memory.current $g/memory/memory.usage_in_bytes; do first memory $f; done
  for f in $g/memory.max $g/memory/memory.limit_in_bytes; do first memory-limit $f; done
  for f in $g/pids.current $g/pids/pids.current; do first processes $f; done
  for f in $g/pids.max $g/pids/pids.max; do first processes-limit $f; done
  sed -n 's/^oom_kill /oom-kills /p' $g/memory.events $g/memory/memory.oom_control 2>/dev/null
fi
end
[ -f session.json ] && head -c 262144 session.json | sed 's/^/|/'
end
for pid in $pids; do cat "/proc/$pid/stat" 2>/dev/null; done
end
[ -n "$2" ] && [ -d sessions ] && ls sessions | tail -n 200
end
[ -n "$2" ] && [ -f claude-stream.log ] && tail -c 262144 claude-stream.log | sed 's/^/|/'
end
newest() {
  (cd "$1" 2>/dev/null && find . -maxdepth 1 -type f -name '[0-9]*Z.json' -size -129) |
    grep '^\./[0-9TZ.-]*\.json$' | sort | tail -n 32 | sed "s|^\.|$1|"
}
{ newest outbox; newest inbox; } | tar -cf - -T - 2>/dev/null
exit 0"#;

/// Takes a snapshot by one program in the cage.
async fn look(place: &Place, more: bool) -> Result<Snapshot> {
    let folder = place.layout.cage_dir();
    let argv = ["sh", "-c", LOOK_SCRIPT, "sh", &folder, if more { "more" } else { "" }];
    let exec = Exec::new(STATUS, argv, LOOK_DEADLINE).env(vec![("LC_ALL".to_owned(), "C".to_owned())]);
    let output = place.exec(exec).await?.collect(MAX_LOOK_BYTES).await?;
    Snapshot::parse(&output)
        .map_err(|reason| CageError::Malformed { operation: STATUS, reason: reason.to_owned() }.into())
}

/// Says what a cage does in which nothing can be run.
async fn without_look(place: &Place, error: Error) -> Result<Activity> {
    match error {
        Error::Cage(CageError::Gone { .. }) => Ok(Activity::Gone),
        Error::Cage(CageError::NotRunning { .. }) => match place.state().await {
            Ok(CageState::Paused) => Ok(Activity::Paused),
            // Somebody started it meanwhile; the next look shows what it does.
            Ok(_) => Ok(Activity::Stopped),
            Err(Error::Cage(CageError::Gone { .. })) => Ok(Activity::Gone),
            Err(error) => Err(error),
        },
        other => Err(other),
    }
}

/// Says what a cage does, by one program in it.
pub(crate) async fn status(place: &Place) -> Result<Status> {
    match look(place, false).await {
        Ok(snapshot) => Ok(Status::of(&snapshot)),
        Err(error) => without_look(place, error).await.map(Status::without_look),
    }
}

/// Says what a cage does, why, and what to do about it, by one program in it.
pub(crate) async fn diagnose(place: &Place) -> Result<Diagnosis> {
    match look(place, true).await {
        Ok(snapshot) => Ok(Diagnosis::of(&snapshot)),
        Err(error) => {
            let said = error.to_string();
            let activity = without_look(place, error).await?;
            Ok(Diagnosis::without_look(Status::without_look(activity), said))
        }
    }
}
