//! Any content of a cursor file, on the first line, and of the file beside it: the cursor wins, and both are written
//! back.
#![no_main]

use cage_proto::mailbox::{EntryName, Progress};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (cursor, remembered) = text.split_once('\n').unwrap_or((text, ""));
    let cursor = EntryName::from_cursor(cursor).ok();
    let progress = Progress::restore(cursor.clone(), remembered);
    assert_eq!(progress.cursor(), cursor.as_ref());
    assert!(cursor.as_ref().is_none_or(|cursor| progress.is_consumed(cursor)));
    assert_eq!(Progress::restore(cursor, &progress.to_text()), progress);
});
