//! Any name of a file: one that is a time stamp has a moment, and another name sorts behind it.
#![no_main]

use cage_proto::mailbox::EntryName;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = EntryName::from_cursor(text);
    let Ok(name) = text.parse::<EntryName>() else { return };
    assert_eq!(EntryName::from_cursor(text).as_ref(), Ok(&name));
    assert!(name.next_instant().is_none_or(|next| EntryName::at(next) > name));
});
