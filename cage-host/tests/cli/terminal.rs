//! A terminal that a test looks at and types into: tmux's.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::desk::Desk;

/// Far above what anything here takes; a test that runs into it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of 80×24 with a server of its own, which ends with it.
pub(crate) struct Terminal {
    server: String,
}

impl Terminal {
    /// Runs a shell script in the project of a desk.
    pub(crate) fn run(desk: &Desk, script: &str) -> Self {
        let terminal = Self { server: desk.name().to_owned() };
        let state = format!("XDG_STATE_HOME={}", desk.path("state").display());
        let folder = desk.path("project");
        let begin = [
            "-u",
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "watch",
            "-x",
            "80",
            "-y",
            "24",
            "-e",
            &state,
        ];
        terminal.tmux(&[&begin[..], &["-c", folder.to_str().unwrap(), script]].concat());
        terminal
    }

    pub(crate) fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.server]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "watch"])
    }

    /// The screen with its colours, as escape sequences.
    pub(crate) fn coloured_screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e", "-t", "watch"])
    }

    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", "-t", "watch", key]);
    }

    /// Types a line.
    pub(crate) fn line(&self, text: &str) {
        if !text.is_empty() {
            self.tmux(&["send-keys", "-t", "watch", "-l", text]);
        }
        self.press("Enter");
    }

    /// Waits until the screen is as wanted, and returns it.
    #[track_caller]
    pub(crate) fn until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "it never showed that:\n{screen}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.server, "kill-server"]).output();
    }
}
