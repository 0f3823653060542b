//! What the agent reported, and what is reported about it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use cage_proto::env::{IdSource as _, System};
use cage_proto::mailbox::{
    CageDir, Draft, EntryName, Follow, Item, Mailbox, PublishError, StorageError, publish,
};
use cage_proto::message::{ErrorReport, GoingIdle, Payload};
use cage_proto::schedule::Schedule;

use super::machine::Reported;
use crate::delivery::Desk;

/// The outbox from behind what has been looked at.
#[derive(Debug)]
pub(super) struct Outbox {
    dir: CageDir,
    seen: Option<EntryName>,
}

impl Outbox {
    /// Begins behind everything that is there.
    pub(super) fn open(dir: &CageDir) -> Result<Self, StorageError> {
        let mut outbox = Self { dir: dir.clone(), seen: None };
        outbox.skip()?;
        Ok(outbox)
    }

    /// Goes behind everything that is there.
    pub(super) fn skip(&mut self) -> Result<(), StorageError> {
        self.seen = each(&self.dir.mailbox(Mailbox::Outbox), self.seen.clone(), |_, _| {})?;
        Ok(())
    }

    /// Says what the agent has reported since the last look, and since a hook gave it something new to do.
    pub(super) fn reported(&mut self) -> Result<Reported, StorageError> {
        let instructed = Desk::instructed_at(&self.dir);
        let mut complete = false;
        let mut questions = BTreeSet::new();
        self.seen =
            each(&self.dir.mailbox(Mailbox::Outbox), self.seen.clone(), |name, payload| match payload {
                Payload::TaskComplete(_) => complete |= Some(name) > instructed.as_ref(),
                Payload::InfoRequest(request) => {
                    questions.insert(request.request_id);
                }
                _ => {}
            })?;
        if complete {
            return Ok(Reported::Complete);
        }
        if !questions.is_empty() {
            each(&self.dir.mailbox(Mailbox::Inbox), None, |_, payload| {
                if let Payload::InfoResponse(response) = payload {
                    questions.remove(&response.request_id);
                }
            })?;
        }
        Ok(if questions.is_empty() { Reported::Nothing } else { Reported::Question })
    }

    pub(super) fn report(&self, error: ErrorReport) -> Result<(), PublishError> {
        self.send(error.into())
    }

    pub(super) fn go_idle(&self, reason: String, waited: Duration) -> Result<(), PublishError> {
        self.send(GoingIdle::new(reason, waited).into())
    }

    fn send(&self, payload: Payload) -> Result<(), PublishError> {
        let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload };
        publish(&self.dir.mailbox(Mailbox::Outbox), &draft, &System).map(|_| ())
    }
}

/// Looks at each message behind a name, without waiting. Returns the last name.
fn each(
    folder: &Path,
    since: Option<EntryName>,
    mut see: impl FnMut(&EntryName, Payload),
) -> Result<Option<EntryName>, StorageError> {
    let mut last = since.clone();
    let mut follow = Follow::open(folder, since, Schedule::default())?;
    loop {
        let name = match follow.next(Duration::ZERO, None)? {
            Item::Message(name, message) => {
                see(&name, message.payload);
                name
            }
            Item::Malformed(name, _) => name,
            Item::Notice(_) => continue,
            Item::Quiet | Item::Closed => return Ok(last),
        };
        follow.consume(&name)?;
        last = Some(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Bearer, Strictness};
    use cage_proto::message::{InfoRequest, InfoResponse, ProgressUpdate, TaskComplete, TaskRevision};

    struct Cage {
        _folder: tempfile::TempDir,
        outbox: Outbox,
    }

    impl Cage {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let outbox = Outbox::open(&CageDir::new(folder.path())).unwrap();
            Self { _folder: folder, outbox }
        }

        fn answer(&self, request: &str) {
            self.send_in(InfoResponse::to(request).into());
        }

        fn send_in(&self, payload: Payload) {
            let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload };
            publish(&self.outbox.dir.mailbox(Mailbox::Inbox), &draft, &System).unwrap();
        }
    }

    #[test]
    fn sees_a_completed_task_once() {
        let mut cage = Cage::new();
        cage.outbox.send(ProgressUpdate::new("x").into()).unwrap();
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Nothing);
        cage.outbox.send(TaskComplete::new("x", 0).into()).unwrap();
        cage.outbox.send(ProgressUpdate::new("x").into()).unwrap();
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Complete);
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Nothing);
    }

    #[test]
    fn does_not_take_an_earlier_report_for_one_about_a_later_instruction() {
        let mut cage = Cage::new();
        cage.outbox.send(TaskComplete::new("the task", 0).into()).unwrap();
        cage.send_in(TaskRevision::new("more").into());
        let mut desk = Desk::open(&cage.outbox.dir).unwrap();
        desk.hand_over(Bearer::Tool, 1000, Strictness::PassBy, Duration::ZERO).unwrap();
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Nothing);
        cage.outbox.send(TaskComplete::new("more", 0).into()).unwrap();
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Complete);
    }

    #[test]
    fn takes_a_question_for_a_report_until_it_is_answered() {
        let mut cage = Cage::new();
        cage.outbox.send(InfoRequest::new("r-1", "?").into()).unwrap();
        cage.outbox.send(InfoRequest::new("r-2", "?").into()).unwrap();
        cage.answer("r-1");
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Question);
        cage.outbox.send(InfoRequest::new("r-3", "?").into()).unwrap();
        cage.answer("r-3");
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Nothing);
    }

    #[test]
    fn goes_behind_what_was_there_before() {
        let mut cage = Cage::new();
        cage.outbox.send(TaskComplete::new("x", 0).into()).unwrap();
        let mut later = Outbox::open(&cage.outbox.dir).unwrap();
        assert_eq!(later.reported().unwrap(), Reported::Nothing);
        cage.outbox.skip().unwrap();
        assert_eq!(cage.outbox.reported().unwrap(), Reported::Nothing);
    }
}
