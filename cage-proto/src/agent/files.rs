//! Where the runtime's own files lie in a cage's message folder. No other module knows these names.

use std::path::PathBuf;

use crate::mailbox::CageDir;

impl CageDir {
    /// Returns the file of the task, which the host writes before it launches the agent.
    pub fn task_file(&self) -> PathBuf {
        self.path().join("task.md")
    }

    /// Returns the file with the instructions of the running turn, for agents that read a file.
    pub fn instructions_file(&self) -> PathBuf {
        self.path().join("instructions.md")
    }

    /// Returns the file that says what the agent is doing: a [`Session`](super::Session).
    pub fn session_file(&self) -> PathBuf {
        self.path().join("session.json")
    }

    /// Returns the log of the agent's output.
    pub fn stream_log(&self) -> PathBuf {
        self.path().join("claude-stream.log")
    }

    /// Returns the file that is locked, and names its process, while an agent is supervised.
    pub fn supervisor_lock(&self) -> PathBuf {
        self.path().join(".supervise.lock")
    }

    /// Returns the folder of what hooks wrote down about each session of the agent.
    pub fn sessions(&self) -> PathBuf {
        self.path().join("sessions")
    }

    /// Returns the file whose time of change is the last time that the agent used a tool.
    pub fn heartbeat(&self) -> PathBuf {
        self.path().join("heartbeat")
    }

    /// Returns the file to which hooks write what went wrong, since they must not fail the agent.
    pub fn hook_log(&self) -> PathBuf {
        self.path().join("hook.log")
    }

    /// Returns the file that names the messages which were handed to the agent and are not consumed yet.
    pub fn handed_file(&self) -> PathBuf {
        self.cursors().join(".inbox.handed")
    }

    /// Returns the file that says when a hook last gave the agent something new to do.
    pub fn instructed_file(&self) -> PathBuf {
        self.cursors().join(".inbox.instructed")
    }
}
