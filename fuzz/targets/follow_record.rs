//! Any line of a follower's output: a record that is read is printed as it was meant, on one line.
#![no_main]

use cage_proto::follow_record::FollowRecord;

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let Ok(record) = FollowRecord::parse(line) else { return };
    let printed = record.to_string();
    assert!(!printed.contains('\n'));
    assert_eq!(FollowRecord::parse(printed.as_bytes()), Ok(record));
});
