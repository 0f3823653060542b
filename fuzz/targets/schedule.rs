//! Any text of a schedule: one that is accepted is printed as it was meant, and never lets a reader spin.
#![no_main]

use std::time::Duration;

use cage_proto::schedule::Schedule;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(schedule) = text.parse::<Schedule>() else { return };
    assert_eq!(schedule.to_string().parse().as_ref(), Ok(&schedule));
    for elapsed in [0, 1, 60, u64::MAX] {
        assert!(schedule.delay_after(Duration::from_secs(elapsed)) >= Duration::from_secs(1));
    }
});
