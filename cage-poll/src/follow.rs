//! Every message, for as long as someone listens.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Instant;

use cage_proto::env::{Clock as _, System};
use cage_proto::exit_code::Exit;
use cage_proto::follow_record::{FollowNotice, FollowRecord};
use cage_proto::limits::LOCK_WAIT_MAX;
use cage_proto::mailbox::{CageDir, Consumer, Fault, Follow, Item, Notice};

use crate::args::{PollArgs, Since};
use crate::error::Error;
use crate::output;

/// Prints one line for each message until nobody reads it any more.
pub(crate) fn run(args: &PollArgs) -> Result<Exit, Error> {
    let mut follow = open(args, &args.cage_dir()?)?;
    let stdout = io::stdout();
    let mut last_beat = Instant::now();
    loop {
        let until_beat = args.heartbeat.saturating_sub(last_beat.elapsed());
        match follow.next(until_beat, Some(stdout.as_fd()))? {
            Item::Message(name, message) => {
                print(&FollowRecord::Message(name.clone(), Box::new(message)))?;
                follow.consume(&name)?;
            }
            Item::Malformed(name, fault) => {
                print(&output::malformed(name.as_str(), &fault))?;
                follow.consume(&name)?;
            }
            Item::Notice(Notice::Stray(name)) => {
                print(&output::malformed(&output::printable(&name), &Fault::NotATimestamp))?;
            }
            Item::Notice(notice) => print(&FollowRecord::Notice(FollowNotice::from(&notice)))?,
            Item::Quiet => {}
            // The reader went away, which is how following ends.
            Item::Closed => return Ok(Exit::Ok),
        }
        if last_beat.elapsed() >= args.heartbeat {
            print(&FollowRecord::Heartbeat(System.now().into()))?;
            last_beat = Instant::now();
        }
    }
}

fn print(record: &FollowRecord) -> io::Result<()> {
    output::print(&format!("{record}\n"))
}

fn open(args: &PollArgs, dir: &CageDir) -> Result<Follow, Error> {
    if let Some(Since(since)) = &args.since {
        return Ok(Follow::open(&dir.mailbox(args.mailbox), since.clone(), args.schedule.clone())?);
    }
    let consumer = Consumer::open(dir, args.mailbox, args.consumer())?;
    Follow::from_cursor(consumer, LOCK_WAIT_MAX, args.schedule.clone())?.ok_or(Error::CursorInUse)
}
