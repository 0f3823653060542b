//! A tool was used, or all tools of one message of the model were.

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime};

use cage_proto::mailbox::CageDir;

use super::input::Answer;
use super::run::Reply;
use crate::delivery::{Bearer, CONTEXT_CHARS_MAX, Desk, Proof, Strictness};

/// The heartbeat is not touched more often; nobody looks more closely.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// Tells the model why it reads something between its tools' results.
const INTRODUCTION: &str = "While you were working this came in. Take it into account from here on.";

pub(super) fn answer_use(dir: &CageDir) -> Reply {
    let touched = touch_heartbeat(dir);
    let mut desk = Desk::open(dir)?;
    desk.settle(Proof::UsedTool, Duration::ZERO)?;
    let parcel = desk.hand_over(Bearer::Tool, CONTEXT_CHARS_MAX, Strictness::PassBy, Duration::ZERO)?;
    if parcel.text.is_empty() {
        touched?;
        return Ok(None);
    }
    Ok(Some(Answer::beside_tool(format!("{INTRODUCTION}\n\n{}", parcel.text))))
}

pub(super) fn answer_batch(dir: &CageDir) -> Reply {
    Desk::open(dir)?.end_batch(Duration::ZERO)?;
    Ok(None)
}

fn touch_heartbeat(dir: &CageDir) -> io::Result<()> {
    let path = dir.heartbeat();
    let modified = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    if age.is_some_and(|age| age < HEARTBEAT_INTERVAL) {
        return Ok(());
    }
    File::options().append(true).create(true).open(&path)?.set_modified(SystemTime::now())
}
