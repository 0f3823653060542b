//! `--id`: a send that is repeated is stored once.

use cage_proto::mailbox::Mailbox;

use crate::cage::{Cage, finish};

#[test]
fn stores_a_repeated_id_once_and_says_the_same() {
    let cage = Cage::new();
    let send = || cage.send(&["progress_update", "--status", "x", "--id", "my-1"]).exits_with(0);
    let first = send();
    cage.send(&["progress_update", "--status", "between"]).exits_with(0);
    assert_eq!(send().stdout(), first.stdout());
    let messages = cage.messages(Mailbox::Outbox);
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].id.as_str(), "my-1");
}

#[test]
fn stores_an_id_once_that_is_sent_by_many_at_once() {
    let cage = Cage::new();
    let senders: Vec<_> = (0..8)
        .map(|_| cage.command(&["progress_update", "--status", "x", "--id", "my-1"]).spawn().unwrap())
        .collect();
    let mut said: Vec<_> =
        senders.into_iter().map(|sender| finish(sender).exits_with(0).stdout().to_owned()).collect();
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(cage.messages(Mailbox::Outbox).len(), 1);
}

#[test]
fn gives_an_id_of_its_own_to_each_message() {
    let cage = Cage::new();
    for _ in 0..3 {
        cage.send(&["progress_update", "--status", "x"]).exits_with(0);
    }
    let messages = cage.messages(Mailbox::Outbox);
    let ids: std::collections::BTreeSet<_> = messages.iter().map(|message| message.id.clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.as_str().as_bytes()[14] == b'7'), "UUIDs of version 7: {ids:?}");
}
