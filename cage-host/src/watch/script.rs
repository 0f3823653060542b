//! What is run in a cage to look into it: once, or again and again.

use std::time::Duration;

use crate::backend::{Exec, Layout, Stdin};

/// Longest time from one look of [`FOLLOW`] to the next, in seconds.
pub(super) const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// Prints what is to be seen in the message folder `$1`, in sections that end with a line `/`, then the newest messages
/// as an archive, and one more such line. Lines of files begin with `|`. With `$2` it looks at the machine and the log
/// as well. Only regular files are opened, so nothing here waits for a writer. Not every file system lets `df` see a
/// limit of the cage alone, so a little is written, too.
const LOOK: &str = r#"end() { printf '\n/\n'; }
first() { [ -r "$2" ] && printf '%s %s\n' "$1" "$(head -n 1 "$2")"; }
newest() {
  (cd "$1" 2>/dev/null && find . -maxdepth 1 -type f -name '[0-9]*Z.json' -size -129) |
    grep '^\./[0-9TZ.-]*\.json$' | sort | tail -n 32 | sed "s|^\.|$1|"
}
pids=
look() {
cd "$1" 2>/dev/null || { printf 'now %s\n/\n/\n/\n/\n/\n\n/\n' "$(date +%s)"; return; }
pids=''
if [ -f session.json ]; then
  pids=$(head -c 262144 session.json | sed -n 's/^ *"\(supervisor_\)\{0,1\}pid": \([0-9]\{1,9\}\),\{0,1\}$/\2/p' | head -n 2)
fi
printf 'now %s\n' "$(date +%s)"
[ -f task.md ] && printf 'task %s\n' "$(stat -c %Y task.md)"
[ -n "$pids" ] && printf 'pids 1\n'
if [ -n "$2" ]; then
  free=$(df -Pk . | awk 'NR == 2 { print $4 }')
  probe=$(mktemp ../.probe.XXXXXX) && head -c 65536 /dev/zero >"$probe" || free=0
  rm -f "$probe"
  printf 'more 1\ndisk-free-kib %s\n' "$free"
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
{ newest outbox; newest inbox; } | tar -cf - -T - 2>/dev/null
end
}
"#;

/// Looks once.
const ONCE: &str = r#"look "$1" "$2"; exit 0"#;

/// Looks whenever something has changed that a status rests on, three seconds apart at the closest, and at the latest
/// `$3` seconds after the last look. It ends with its standard input.
///
/// What it does in between is one `stat` and one `sleep`: every second at first, every ten seconds when nothing has
/// changed for three minutes.
const FOLLOW: &str = r#"exec 3<&0 </dev/null
{ cat <&3; kill $$; } >/dev/null 2>&1 &
exec 3<&-
seen=none calm=0 age=0
while :; do
  cd "$1" 2>/dev/null
  now=$(stat -c '%n %i %z' session.json task.md outbox inbox 2>/dev/null)
  for pid in $pids; do [ -d "/proc/$pid" ] || now="$now ended $pid"; done
  pause=1
  [ $calm -lt 10 ] || pause=2
  [ $calm -lt 20 ] || pause=5
  [ $calm -lt 50 ] || pause=10
  calm=$((calm + 1))
  if [ "$now" != "$seen" ]; then
    seen=$now calm=0 age=0 pause=3
    look "$1" ''
  elif [ $age -ge "$3" ]; then
    age=0
    look "$1" ''
  fi
  sleep $pause >/dev/null 2>&1
  age=$((age + pause))
done"#;

/// Looks once; with `more`, at the machine and the log as well.
pub(super) fn once(operation: &'static str, layout: &Layout, more: bool, deadline: Duration) -> Exec {
    let more = if more { "more" } else { "" };
    script(operation, ONCE, [&layout.cage_dir(), more], deadline)
}

/// Looks again and again, as long as its handle lives.
pub(super) fn follow(operation: &'static str, layout: &Layout, deadline: Duration) -> Exec {
    let every = LOOK_AT_LEAST_EVERY.as_secs().to_string();
    script(operation, FOLLOW, [&layout.cage_dir(), "", &every], deadline).unlimited().stdin(Stdin::HeldOpen)
}

fn script<'a>(
    operation: &'static str,
    text: &str,
    arguments: impl IntoIterator<Item = &'a str>,
    deadline: Duration,
) -> Exec {
    let argv = ["sh", "-c", &format!("{LOOK}{text}"), "sh"].map(str::to_owned);
    let argv = argv.into_iter().chain(arguments.into_iter().map(str::to_owned));
    Exec::new(operation, argv, deadline).env(vec![("LC_ALL".to_owned(), "C".to_owned())])
}
