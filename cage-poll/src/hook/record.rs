//! `sessions/<session id>.json`: what hooks learned about one session of the agent.
//!
//! An agent gets new session ids when it compacts or resumes, so these files are only ever looked at one by one.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use cage_proto::env::{Clock as _, System};
use cage_proto::mailbox::CageDir;
use cage_proto::message::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::run::Trouble;
use crate::files::{self, FileError};

/// Bytes of one of these files; above that it is begun anew.
const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a prompt or a message that are kept of it. More than a model says in one turn, and with what JSON makes of
/// it two of them fit into a record.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Files that are kept, the ones that were changed last. Each start of the agent, resume and compaction can make one.
const RECORDS_MAX: usize = 256;

/// What is known about a session.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) session_id: String,
    /// Why it began: `startup`, `resume`, `clear` or `compact`.
    pub(super) source: Option<String>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) transcript_path: Option<String>,
    /// `running`, `done`, `failed`, or `paused` while background tasks go on.
    pub(super) status: Status,
    /// Prompts that were submitted.
    pub(super) prompt_count: u64,
    pub(super) prompted_at: Option<Timestamp>,
    /// The beginning of the last one.
    pub(super) prompt: Option<String>,
    /// Turns that have ended.
    pub(super) turn_count: u64,
    pub(super) stopped_at: Option<Timestamp>,
    pub(super) last_message: Option<String>,
    pub(super) background_tasks: Vec<Value>,
    /// Why the last turn failed, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    #[default]
    Running,
    Paused,
    Done,
    Failed,
}

/// Keeps a hook's input that names no session.
#[derive(Serialize)]
struct Malformed<'a> {
    at: Timestamp,
    why: &'a str,
    input: &'a str,
}

/// Changes the record of the session that the input names. One that is no UUID names no file; then the raw input is
/// kept instead.
pub(super) fn update(
    dir: &CageDir,
    session_id: Option<&str>,
    raw: &[u8],
    change: impl FnOnce(&mut Record),
) -> Result<(), Trouble> {
    let folder = dir.sessions();
    fs::create_dir_all(&folder).map_err(|error| FileError::new("create", &folder, error))?;
    let Some(id) = session_id.and_then(|id| id.parse::<Uuid>().ok()) else {
        let why = "the session id is no UUID";
        keep_malformed(&folder.join("malformed.json"), why, raw)?;
        return Err(why.into());
    };
    let path = path_of(dir, id);
    if !path.exists() {
        // Too many files are no reason to record less.
        let _ = remove_oldest(&folder, RECORDS_MAX - 1);
    }
    let bytes = files::read(&path, RECORD_BYTES_MAX).ok().flatten();
    let mut record: Record = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    record.session_id = id.to_string();
    change(&mut record);
    files::replace(&path, &serde_json::to_vec_pretty(&record)?)?;
    Ok(())
}

/// Tells whether the session-start hook has run for a session.
pub(crate) fn has_started(dir: &CageDir, session_id: &str) -> bool {
    session_id.parse().is_ok_and(|id| path_of(dir, id).exists())
}

/// Keeps the beginning of a text.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or_default());
    }
    text
}

/// Removes all records but the ones that were changed last.
fn remove_oldest(folder: &Path, keep: usize) -> io::Result<()> {
    let records =
        fs::read_dir(folder)?.flatten().filter(|entry| entry.path().extension() == Some("json".as_ref()));
    let mut records: Vec<_> = records.map(|entry| (changed(&entry), entry.path())).collect();
    records.sort_unstable_by(|one, other| other.cmp(one));
    records.iter().skip(keep).try_for_each(|(_, path)| fs::remove_file(path))
}

fn changed(entry: &fs::DirEntry) -> Option<SystemTime> {
    entry.metadata().and_then(|metadata| metadata.modified()).ok()
}

pub(super) fn now() -> Timestamp {
    System.now().into()
}

fn path_of(dir: &CageDir, id: Uuid) -> PathBuf {
    dir.sessions().join(format!("{id}.json"))
}

fn keep_malformed(path: &Path, why: &str, raw: &[u8]) -> Result<(), Trouble> {
    let malformed = Malformed { at: now(), why, input: &String::from_utf8_lossy(raw) };
    Ok(files::replace(path, &serde_json::to_vec_pretty(&malformed)?)?)
}
