//! Listing, waiting, answering, and what is told of a mailbox that is not as it should be, on both backends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::time::Duration;

use cage_host::message::{InfoRequest, InfoResponse, Kind, Payload, TaskRevision};
use cage_host::{Cage, Content, EmbeddedConfig, Host, Listing, Select};
use support::talk::{PATIENCE, next, report, status};
use support::{Stage, programs};

on_both_backends! {
    lists_by_type_name_and_moment_and_page_by_page => list;
    lists_what_is_no_message_as_such => list_malformed;
    lists_a_thousand_messages_in_order => list_many;
    waits_for_a_type_and_acknowledges_nothing => wait;
    gives_up_waiting_at_the_deadline => deadline;
    tells_of_messages_that_were_removed => gap;
    tells_of_a_file_that_is_too_large_or_not_finished => oversize;
    answers_from_a_callback => callback;
    follows_by_listing_in_a_cage_without_cage_poll => foreign;
}

/// Runs a shell script in the outbox.
fn in_outbox(stage: &Stage, cage: &Cage, script: &str) -> String {
    let script = format!(r#"cd "${{CAGE_DIR:-$HOME/.cage}}/outbox" && {script}"#);
    stage.agent(cage, &["sh", "-c", &script])
}

/// The statuses of the messages in a listing, and the types of others.
fn words(listing: &Listing) -> Vec<String> {
    let word = |content: &Content| match content.message().map(|message| &message.payload) {
        Some(Payload::ProgressUpdate(update)) => update.status.clone(),
        Some(other) => other.type_name().to_owned(),
        None => content.to_string(),
    };
    listing.entries.iter().map(|entry| word(&entry.content)).collect()
}

async fn list(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("list").await;
    assert_eq!(words(&cage.outbox().list(Select::all()).await.unwrap()), Vec::<String>::new());
    report(&stage, &cage, "one");
    report(&stage, &cage, "it's two");
    stage.agent(
        &cage,
        &["cage-send", "error", "--error-type", "x", "--message", "y", "--recoverable", "true"],
    );
    let all = cage.outbox().list(Select::all()).await.unwrap();
    assert_eq!(words(&all), ["one", "it's two", "error"]);
    let updates = cage.outbox().list(Select::all().of(Kind::ProgressUpdate)).await.unwrap();
    assert_eq!(words(&updates), ["one", "it's two"]);
    let later = Select::all().since(&all.entries[0].name);
    assert_eq!(words(&cage.outbox().list(later).await.unwrap()), ["it's two", "error"]);
    let second = all.messages().nth(1).unwrap().timestamp.instant();
    let since = cage.outbox().list(Select::all().since_time(second.into())).await.unwrap();
    assert_eq!(words(&since), ["it's two", "error"]);
    let page = cage.outbox().list(Select::all().limit(2)).await.unwrap();
    let rest = cage.outbox().list(Select::all().since(page.rest().unwrap())).await.unwrap();
    assert_eq!((words(&rest), rest.rest()), (vec!["error".to_owned()], None));
    cage.inbox().send(TaskRevision::new("more")).await.unwrap();
    assert_eq!(words(&cage.inbox().list(Select::all()).await.unwrap()), ["task_revision"]);
    cage.destroy().await.unwrap();
}

const NO_MESSAGES: &str = r#"
printf '{"id":' > 2020-01-01T00-00-01Z.json
truncate -s 2G 2020-01-01T00-00-02Z.json
mkfifo 2020-01-01T00-00-03Z.json
ln -s /etc/passwd 2020-01-01T00-00-04Z.json
mkdir 2020-01-01T00-00-05Z.json
echo '{}' > "$(printf 'x\033[2J\n.json')"
echo '{}' > .hidden.json"#;

async fn list_malformed(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("no-messages").await;
    in_outbox(&stage, &cage, NO_MESSAGES);
    report(&stage, &cage, "behind them");
    let listing = cage.outbox().list(Select::all()).await.unwrap();
    let lines: Vec<_> = listing
        .entries
        .iter()
        .zip(words(&listing))
        .map(|(entry, word)| format!("{}: {word}", entry.name))
        .collect();
    assert!(lines.last().unwrap().ends_with(": behind them"), "{lines:?}");
    insta::allow_duplicates! {
        insta::assert_snapshot!(lines[..lines.len() - 1].join("\n"), @r"
        x\u{1b}[2J\n.json: not a message: the name is no time stamp
        2020-01-01T00-00-01Z.json: not a message: the JSON ends in the middle
        2020-01-01T00-00-02Z.json: not a message: larger than 1048576 bytes
        2020-01-01T00-00-03Z.json: not a message: it is no regular file
        2020-01-01T00-00-04Z.json: not a message: it is no regular file
        2020-01-01T00-00-05Z.json: not a message: it is no regular file
        ");
    }
    cage.destroy().await.unwrap();
}

async fn list_many(stage: Stage) {
    let cage = stage.empty_cage("many").await;
    let write = r#"i=1000; while [ $i -lt 2000 ]; do
        printf '{"id":"%s","type":"progress_update","timestamp":"2020-01-01T00:00:00Z","payload":{"status":"%s"}}' $i $i > 2020-01-01T00-00-00.${i}Z.json
        i=$((i+1)); done"#;
    in_outbox(&stage, &cage, write);
    let listing = cage.outbox().list(Select::all()).await.unwrap();
    assert_eq!(words(&listing), (1_000..2_000).map(|i| i.to_string()).collect::<Vec<_>>());
    cage.destroy().await.unwrap();
}

async fn wait(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("wait").await;
    report(&stage, &cage, "before");
    stage.agent(&cage, &["cage-send", "task_complete", "--summary", "done", "--exit-code", "0"]);
    let found = cage.outbox().wait_for(Kind::TaskComplete, PATIENCE).await.unwrap().unwrap();
    found.ack().await.unwrap();
    report(&stage, &cage, "after");
    let mut follower = cage.outbox().follow().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "before", "what was passed over comes again");
    assert_eq!(status(&next(&mut follower).await), "after", "what was acknowledged does not");
    drop(follower);
    cage.destroy().await.unwrap();
}

async fn deadline(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("deadline").await;
    report(&stage, &cage, "something else");
    let found = cage.outbox().wait_for(Kind::TaskComplete, Duration::from_millis(300)).await.unwrap();
    assert!(found.is_none(), "{found:?}");
    cage.destroy().await.unwrap();
}

async fn gap(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("gap").await;
    for status in ["one", "two", "three", "four"] {
        report(&stage, &cage, status);
    }
    in_outbox(&stage, &cage, "grep -l -e two -e three *.json | xargs rm");
    let mut follower = cage.outbox().follow().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "one");
    let delivery = next(&mut follower).await;
    assert!(
        matches!(delivery.content(), Content::Gap(gap) if (gap.first, gap.last) == (2, 3)),
        "{delivery:?}"
    );
    delivery.ack().await.unwrap();
    assert_eq!(status(&next(&mut follower).await), "four");
    drop(follower);
    cage.destroy().await.unwrap();
}

async fn oversize(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("oversize").await;
    in_outbox(&stage, &cage, "truncate -s 2M 2020-01-01T00-00-01Z.json");
    in_outbox(&stage, &cage, "printf '{' > 2020-01-01T00-00-02Z.json");
    report(&stage, &cage, "behind them");
    let mut follower = cage.outbox().follow().await.unwrap();
    let delivery = next(&mut follower).await;
    assert_eq!((delivery.name(), delivery.content()), ("2020-01-01T00-00-01Z.json", &Content::Oversize));
    let held_up = Content::HeldUp { name: "2020-01-01T00-00-02Z.json".to_owned() };
    assert_eq!(next(&mut follower).await.content(), &held_up);
    let delivery = next(&mut follower).await;
    assert!(matches!(delivery.content(), Content::Malformed(_)), "nobody goes on with it: {delivery:?}");
    assert_eq!(status(&next(&mut follower).await), "behind them");
    drop(follower);
    cage.destroy().await.unwrap();
}

async fn callback(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("callback").await;
    let request = InfoRequest::new("r1", "which colour?");
    let blue = |request: InfoRequest| async move {
        assert_eq!(request.description, "which colour?");
        Ok(InfoResponse::to("another").with_content("blue"))
    };
    cage.inbox().answer_with(&request, blue).await.unwrap();
    cage.inbox().answer_with(&request, |_| async { Err("nobody knows".to_owned()) }).await.unwrap();
    let listing = cage.inbox().list(Select::all().of(Kind::InfoResponse)).await.unwrap();
    let answers: Vec<_> = listing
        .messages()
        .map(|message| match &message.payload {
            Payload::InfoResponse(response) => {
                (response.request_id.as_str(), response.content.as_deref().unwrap())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(answers, [("r1", "blue"), ("r1", "your host does not answer this: nobody knows")]);
    cage.destroy().await.unwrap();
}

/// Takes a program away from a cage, as if its image did not have it.
fn take_away(stage: &Stage, cage: &Cage, program: &str) -> Option<(tempfile::TempDir, Host)> {
    if !stage.is_embedded() {
        let container = format!("isolated-dev-{}", cage.name());
        support::numbers::docker(
            None,
            &["exec", "--user", "0", &container, "rm", &format!("/usr/local/bin/{program}")],
        );
        return None;
    }
    let left = tempfile::tempdir().unwrap();
    for other in ["cage-send", "cage-poll"].into_iter().filter(|other| *other != program) {
        std::os::unix::fs::symlink(programs().join(other), left.path().join(other)).unwrap();
    }
    let host = Host::embedded(&EmbeddedConfig::new(stage.root(), left.path())).unwrap();
    Some((left, host))
}

async fn foreign(stage: Stage) {
    if !stage.has_programs() {
        return;
    }
    let cage = stage.empty_cage("foreign").await;
    let name = cage.name().to_string();
    let without_poll = take_away(&stage, &cage, "cage-poll");
    let cage = match &without_poll {
        Some((_, host)) => host.cage(&name).await.unwrap(),
        None => cage,
    };
    report(&stage, &cage, "one");
    in_outbox(&stage, &cage, "printf '[]' > 2020-01-01T00-00-01Z.json");
    let mut follower = cage.outbox().follow().await.unwrap();
    let notice = next(&mut follower).await;
    assert!(
        matches!(notice.content(), Content::Notice(text) if text.contains("no working `cage-poll`")),
        "{notice:?}"
    );
    let malformed = next(&mut follower).await;
    assert_eq!(malformed.name(), "2020-01-01T00-00-01Z.json");
    malformed.ack().await.unwrap();
    let one = next(&mut follower).await;
    assert_eq!(status(&one), "one");
    one.ack().await.unwrap();
    report(&stage, &cage, "two");
    assert_eq!(status(&next(&mut follower).await), "two");
    drop(follower);

    let mut later = cage.outbox().follow().await.unwrap();
    next(&mut later).await;
    assert_eq!(status(&next(&mut later).await), "two", "it goes on behind what was acknowledged");
    drop(later);
    take_away(&stage, &cage, "cage-send");
    if without_poll.is_none() {
        let error = cage.inbox().send(TaskRevision::new("more")).await.unwrap_err();
        insta::assert_snapshot!(error, @"the cage has no program `cage-send`, needed to send a message into the inbox; use an image built by `make image`");
    }
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn refuses_to_send_into_an_embedded_cage_without_cage_send() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::embedded(&EmbeddedConfig::new(root.path(), root.path())).unwrap();
    let cage = host.create(cage_host::CageSpec::empty("no-programs")).await.unwrap();
    let error = cage.inbox().send(TaskRevision::new("more")).await.unwrap_err();
    insta::assert_snapshot!(error, @"the cage has no program `cage-send`, needed to send a message into the inbox; use an image built by `make image`");
    cage.destroy().await.unwrap();
}
