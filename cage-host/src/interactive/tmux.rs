//! What is run in the cage: a few shell scripts, and the tmux commands that hold an environment.
//!
//! The session has a window for the agent, one for a shell, and one for an editor where the image has one. Only the
//! agent's has the credentials: they come on tmux's standard input, stand in the session's environment while the agent
//! is started, and are taken away again.

use std::time::Duration;

use cage_proto::mailbox::CageDir;

use super::agent::InteractiveAgent;
use super::screen::Key;
use crate::backend::{Exec, Layout, Stdin};

/// The agent's pane. The signs make tmux take names as they are and not as beginnings of others.
const PANE: &str = "=cage:=agent";

/// Longest time for one command; on a busy machine a first start of tmux takes a second.
const DEADLINE: Duration = Duration::from_secs(60);

/// Prints `1` when the agent's pane is there and its program runs.
const IS_ALIVE: &str = r#"command -v tmux >/dev/null || { echo 'tmux: not found' >&2; exit 127; }
tmux -u display-message -p -t "$1" '#{?pane_dead,,#{@cage_agent}}' 2>/dev/null || true"#;

/// Prints `$1`, which may be missing.
const READ: &str = r#"[ ! -e "$1" ] || cat "$1""#;

/// Replaces `$1` by what is on standard input.
const REPLACE: &str = r#"umask 077; cat > "$1.next" && mv "$1.next" "$1""#;

/// Exit code of [`PREPARE`] for a cage with a supervised agent at work.
pub(super) const EXIT_HEADLESS: i64 = 75;

/// Checks that the agent is there, that no other one is at work (who holds the lock `$2`), and that there is a session
/// in the project `$1` with a window for the agent. The hooks are installed in the home `$3` where the image has none:
/// on the embedded backend, and in images of other people's.
const PREPARE: &str = r#"set -e
command -v claude >/dev/null || { echo 'claude: not found' >&2; exit 127; }
if [ -e "$2" ] && command -v flock >/dev/null; then flock --shared --nonblock "$2" true || exit 75; fi
if ! tmux -u has-session -t =cage 2>/dev/null; then
    tmux -u new-session -d -s cage -n shell -x 160 -y 48 -c "$1"
    for editor in ${VISUAL-} ${EDITOR-} nvim vim vi nano emacs; do
        command -v "$editor" >/dev/null || continue
        tmux -u new-window -d -t =cage: -n editor -c "$1" "$editor"
        break
    done
fi
tmux -u list-windows -t =cage -F '#{window_name}' | grep -qx agent || tmux -u new-window -d -t =cage: -n agent -c "$1"
grep -qs cage-poll /etc/claude-code/managed-settings.json && exit
mkdir -p "$3/.claude"
cage-poll hook settings --program "$(command -v cage-poll)" > "$3/.claude/settings.json""#;

/// Runs the rest of the command line, holding the lock `$0` until it ends: no other agent is launched beside it. What
/// the agent leaves behind does not hold it. Without a `flock` that can do so, only this agent's own start looks for
/// others.
const HOLD: &str = r#"flock -s -n -o "$0" true 2>/dev/null || exec "$@"; exec flock -s -n -o "$0" "$@""#;

/// Hands standard input to the agent as one paste, which it does not take for keys.
const PASTE: &str =
    r#"tmux -u load-buffer -b cage-prompt - && tmux -u paste-buffer -d -p -r -b cage-prompt -t "$1""#;

/// Presses the key `$2` if the screen is still the one on standard input: what was judged must be what is answered.
const PRESS: &str = r#"[ "$(tmux -u capture-pane -p -t "$1")" = "$(cat)" ] || exit 0
exec tmux -u send-keys -t "$1" "$2""#;

/// Ends the session, if there is one.
const STOP: &str = "tmux -u kill-session -t =cage 2>/dev/null || ! tmux -u has-session -t =cage 2>/dev/null";

/// Exit code of [`WATCH`] when somebody else holds its lock.
pub(super) const EXIT_LOCKED: i64 = 75;

/// Says again and again how the pane `$1` and the newest records in the folder `$2` look, the screen first: when it
/// shows the end of a turn, the record of that end is there already. Only what has changed is said. With a file `$3` it
/// says so to one listener at a time. It ends with its standard input.
///
/// It says so in pieces with a NUL behind each: `P` with the pane's state and screen, `C` before new records, `R` with
/// a record, `.` at the end of a look. It looks ten times a second at first, once a second at last.
const WATCH: &str = r#"if [ -n "$3" ] && command -v flock >/dev/null; then exec 9>>"$3"; flock -n 9 || exit 75; fi
exec 3<&0 </dev/null
{ cat <&3 >/dev/null; kill $$; } 9>&- &
exec 3<&-
shown= known= looks=0
while :; do
    pane=$(tmux -u display-message -p -t "$1" '#{pane_dead} #{pane_dead_status}' \; capture-pane -p -t "$1" 2>/dev/null) || pane=-
    [ "$pane" = "$shown" ] || { printf 'P%s\0' "$pane"; shown=$pane; }
    set -- "$1" "$2" "$3" $(cd "$2" 2>/dev/null && ls -t -- *.json 2>/dev/null | head -n 8)
    now=$(cd "$2" 2>/dev/null && shift 3 && stat -c '%n %i %y' -- "$@" 2>/dev/null)
    if [ "$now" != "$known" ]; then
        known=$now looks=0
        printf 'C\0'
        (cd "$2" && shift 3 && for file; do printf R; head -c 524288 -- "$file" | tr -d '\0'; printf '\0'; done)
    fi
    set -- "$1" "$2" "$3"
    printf '.\0'
    looks=$((looks + 1))
    if [ $looks -lt 50 ]; then sleep 0.1; elif [ $looks -lt 200 ]; then sleep 0.3; else sleep 1; fi 9>&-
done"#;

pub(super) fn is_alive() -> Exec {
    script("look for the agent", IS_ALIVE, [PANE])
}

pub(super) fn read(path: &str) -> Exec {
    script("read the agent's settings", READ, [path])
}

pub(super) fn replace(path: &str, content: Vec<u8>) -> Exec {
    script("write the agent's settings", REPLACE, [path]).stdin(Stdin::Bytes(content.into()))
}

pub(super) fn prepare(layout: &Layout) -> Exec {
    let lock = lock(layout);
    script("prepare a session for the agent", PREPARE, [&layout.project(), &lock, layout.home()])
}

/// The lock that a supervisor holds while its agent works.
fn lock(layout: &Layout) -> String {
    CageDir::new(layout.cage_dir()).supervisor_lock().to_string_lossy().into_owned()
}

/// Starts the agent in its window.
pub(super) fn start(agent: &InteractiveAgent, layout: &Layout) -> Exec {
    let commands = start_commands(agent, &lock(layout)).into_bytes();
    Exec::new("start the agent", ["tmux", "-u", "source-file", "-"], DEADLINE)
        .stdin(Stdin::Bytes(commands.into()))
}

pub(super) fn paste(text: &str) -> Exec {
    script("type the prompt", PASTE, [PANE]).stdin(Stdin::Bytes(text.to_owned().into()))
}

pub(super) fn press(key: Key, screen: &str) -> Exec {
    script("answer the agent", PRESS, [PANE, key.name()]).stdin(Stdin::Bytes(screen.to_owned().into()))
}

pub(super) fn stop() -> Exec {
    script("stop the agent", STOP, [])
}

/// Watches until its handle goes away; with `alone`, a second one ends at once.
pub(super) fn watch(layout: &Layout, alone: bool) -> Exec {
    let (sessions, lock) =
        (format!("{}/sessions", layout.cage_dir()), format!("{}/.prompt.lock", layout.cage_dir()));
    let lock = if alone { lock.as_str() } else { "" };
    script("watch the agent", WATCH, [PANE, &sessions, lock]).stdin(Stdin::HeldOpen).unlimited()
}

pub(super) fn attach(terminal: &str) -> Exec {
    Exec::new("attach to the agent", ["tmux", "-u", "attach-session", "-t", "=cage"], DEADLINE)
        .env(vec![("TERM".to_owned(), terminal.to_owned())])
        .unlimited()
}

fn script<'a>(operation: &'static str, text: &'a str, arguments: impl IntoIterator<Item = &'a str>) -> Exec {
    Exec::new(operation, ["sh", "-c", text, "sh"].into_iter().chain(arguments), DEADLINE)
}

fn start_commands(agent: &InteractiveAgent, lock: &str) -> String {
    let mut commands = vec![
        "set-option -g default-terminal screen-256color".to_owned(),
        "set-option -g history-limit 20000".to_owned(),
        "set-option -g focus-events on".to_owned(),
        "set-option -s escape-time 10".to_owned(),
        // A dead agent's last words stay on the screen, and nothing else is started in their place.
        format!("set-option -w -t {PANE} remain-on-exit on"),
        format!("set-option -w -t {PANE} automatic-rename off"),
        format!("set-option -w -t {PANE} allow-rename off"),
    ];
    let environment = agent.environment();
    let set =
        environment.iter().map(|(name, value)| format!("set-environment -t =cage {name} {}", quote(value)));
    commands.extend(set);
    let argv = ["sh", "-c", HOLD, lock].into_iter().chain(agent.argv());
    let argv: Vec<String> = argv.map(quote).collect();
    commands.push(format!("respawn-pane -k -t {PANE} {}", argv.join(" ")));
    commands.extend(environment.iter().map(|(name, _)| format!("set-environment -u -t =cage {name}")));
    commands.push(format!("set-option -p -t {PANE} @cage_agent 1"));
    commands.push(format!("select-window -t {PANE}"));
    commands.push(String::new());
    commands.join("\n")
}

/// Quotes a word of a tmux command; it must hold no line break.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_environment_to_the_agent_alone() {
        let agent = InteractiveAgent::new().env("KEY", "it's; #{x}");
        let commands = start_commands(&agent, "/lock");
        let line = |text: &str| commands.lines().position(|line| line == text).unwrap();
        let set = line(r"set-environment -t =cage KEY 'it'\''s; #{x}'");
        let argv = "'/lock' 'claude' '--dangerously-skip-permissions'";
        let started = line(&format!("respawn-pane -k -t =cage:=agent 'sh' '-c' '{HOLD}' {argv}"));
        assert!(set < started && started < line("set-environment -u -t =cage KEY"), "{commands}");
    }

    #[test]
    fn keeps_the_prompt_and_the_environment_off_the_command_lines() {
        let shown = |exec: Exec| exec.argv.join(" ");
        assert!(!shown(paste("the-prompt")).contains("the-prompt"));
        assert!(
            !shown(start(&InteractiveAgent::new().env("KEY", "the-key"), &Layout::container()))
                .contains("the-key")
        );
    }
}
