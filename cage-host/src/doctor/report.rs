//! What an examination hands out.

use std::fmt;

use serde::Serialize;

use crate::sanitize::sanitize;

/// What an engine is made of, and whether it is fit for cages.
///
/// `Display` shows it to people, a line for each finding and one below it for advice; as JSON it is for programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The address of the engine; `None` if none could be chosen, and for the embedded backend.
    pub endpoint: Option<String>,
    /// What the engine says of itself; `None` if it does not answer.
    pub engine: Option<EngineFacts>,
    /// What was found, each subject at least once if it could be looked at.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub subject: Subject,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, one line, safe to show.
    pub found: String,
    /// What to do about it; always there if it is not [`Verdict::Good`].
    pub advice: Option<String>,
}

/// How good a finding is. The order is from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Cages work, but not as safely or as well as they could.
    Warning,
    /// Cages do not work, or do not hold.
    Bad,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// The way to the engine, and who else may use it.
    Endpoint,
    /// The engine and its API.
    Engine,
    /// The program that makes containers: `runc`, `crun`.
    Runtime,
    /// Known ways out of a container in this version.
    KnownFlaws,
    /// Whether the engine and the containers' root are the machine's.
    UserNamespaces,
    /// Whether system calls are filtered.
    Seccomp,
    /// Whether memory, processors and processes can be limited.
    Limits,
    /// How the engine stores files.
    Storage,
    /// The room where it stores them.
    Disk,
    /// The image that cages are created from.
    Image,
}

/// Which engine it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Product {
    /// Docker Engine.
    #[default]
    Docker,
    /// Podman, through its Docker-compatible API.
    Podman,
}

/// What an engine says of itself. All text is safe to show; what it does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself, not a state of the same thing")]
#[non_exhaustive]
pub struct EngineFacts {
    /// Which engine it is.
    pub product: Product,
    /// Its version, for example `28.2.2`.
    pub version: String,
    /// The newest version of the Docker API that it speaks, for example `1.50`.
    pub api_version: String,
    /// The program that makes its containers.
    pub runtime: Option<OciRuntime>,
    /// Whether it runs without root.
    pub rootless: bool,
    /// Whether root in a container is another user outside: rootless, or with `userns-remap`.
    pub user_namespaces: bool,
    /// Whether it filters system calls.
    pub seccomp: bool,
    /// The version of cgroups, `1` or `2`.
    pub cgroup_version: String,
    /// Who manages cgroups: `systemd`, `cgroupfs`, or `none`, which means that nothing is limited.
    pub cgroup_driver: String,
    /// Whether it can limit memory.
    pub limits_memory: bool,
    /// Whether it can limit the number of processes.
    pub limits_processes: bool,
    /// Whether it can limit processor time.
    pub limits_cpus: bool,
    /// How it stores files, for example `overlay2`.
    pub storage_driver: String,
    /// Where it stores them, on its own machine.
    pub storage_folder: String,
    /// The room there in bytes; `None` for an engine of another machine.
    pub free_bytes: Option<u64>,
}

/// The program that makes containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OciRuntime {
    /// Its name, for example `runc`.
    pub name: String,
    /// Its version, for example `1.3.3`.
    pub version: String,
}

impl Report {
    /// Returns the worst verdict of all findings.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good)
    }
}

impl Finding {
    pub(super) fn good(subject: Subject, found: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Good, found: found.into(), advice: None }
    }

    pub(super) fn warning(subject: Subject, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    pub(super) fn bad(subject: Subject, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, ..Self::warning(subject, found, advice) }
    }
}

impl EngineFacts {
    /// Makes text of the engine safe to show.
    pub(crate) fn sanitized(mut self) -> Self {
        let texts = [
            &mut self.version,
            &mut self.api_version,
            &mut self.cgroup_version,
            &mut self.cgroup_driver,
            &mut self.storage_driver,
            &mut self.storage_folder,
        ];
        for text in texts {
            *text = sanitize(text).replace('\n', " ");
        }
        self
    }
}

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Engine => "engine",
            Self::Runtime => "runtime",
            Self::KnownFlaws => "known flaws",
            Self::UserNamespaces => "user namespaces",
            Self::Seccomp => "seccomp",
            Self::Limits => "limits",
            Self::Storage => "storage",
            Self::Disk => "disk",
            Self::Image => "image",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        })
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "Docker Engine",
            Self::Podman => "Podman",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8} {:16} {}", self.verdict, self.subject, self.found)?;
        match &self.advice {
            Some(advice) => write!(f, "\n{:25} → {advice}", ""),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}
