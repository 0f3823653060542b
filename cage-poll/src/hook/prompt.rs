//! The model is given something to do: by a person, by the host, or as the first word of a headless run.

use cage_proto::mailbox::CageDir;

use super::record::{self, Status};
use super::run::{Reply, parse};

/// Answers nothing: what this hook prints would be put before the model.
pub(super) fn answer(dir: &CageDir, raw: &[u8]) -> Reply {
    let input = parse(raw)?;
    record::update(dir, input.session_id.as_deref(), raw, |record| {
        record.status = Status::Running;
        record.prompt_count += 1;
        record.prompted_at = Some(record::now());
        record.prompt = input.prompt.map(record::cut);
        record.error = None;
    })?;
    Ok(None)
}
