//! Any bytes of a message file: what is read says the same when it is passed on, and drives no terminal.
#![no_main]

use cage_proto::message::Envelope;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Envelope::parse(bytes) else { return };
    let line = message.to_line();
    assert!(!line.contains(char::is_control));
    assert_eq!(Envelope::parse(line.as_bytes()), Ok(message));
});
