//! Where messages go: `--dir`, then `CAGE_DIR`, then `$HOME/.cage`, then the passwd entry's home.

use std::fs;
use std::path::Path;
use std::process::Command;

use cage_proto::mailbox::Mailbox;

use crate::cage::{Cage, PROGRAM, message_files};

const SEND: [&str; 3] = ["progress_update", "--status", "x"];

/// How many messages are in the outbox of a message folder.
fn sent_to(folder: &Path) -> usize {
    message_files(&folder.join("outbox")).len()
}

#[test]
fn prefers_the_flag_then_cage_dir_then_home() {
    let cage = Cage::new();
    let [asked, from_env, home] = ["asked", "env", "home"].map(|name| cage.temp.path().join(name));
    fs::create_dir(&home).unwrap();
    let run = |args: &[&str], env: &[(&str, &Path)]| {
        let mut command = Command::new(PROGRAM);
        command.args(SEND).args(args).env_remove("CAGE_DIR").env("HOME", &home);
        let status = command.envs(env.iter().copied()).output().unwrap().status;
        assert!(status.success());
    };
    run(&["--dir", asked.to_str().unwrap()], &[("CAGE_DIR", &from_env)]);
    assert_eq!((sent_to(&asked), sent_to(&from_env)), (1, 0));
    run(&[], &[("CAGE_DIR", &from_env)]);
    assert_eq!((sent_to(&from_env), sent_to(&home.join(".cage"))), (1, 0));
    run(&[], &[]);
    assert_eq!(sent_to(&home.join(".cage")), 1);
    run(&[], &[("CAGE_DIR", Path::new(""))]);
    assert_eq!(sent_to(&home.join(".cage")), 2, "an empty CAGE_DIR is none");
}

#[test]
fn finds_the_home_of_the_password_file_without_any_variable() {
    let cage = Cage::new();
    let passwd = cage.temp.path().join("passwd");
    fs::write(&passwd, format!("root:x:0:0::{}:/bin/sh\n", cage.temp.path().display())).unwrap();
    // In namespaces of its own, so that the machine's password file stays as it is.
    let script = r#"mount --bind "$1" /etc/passwd && exec env -i "$0" progress_update --status x"#;
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--map-root-user", "sh", "-c", script, PROGRAM]).arg(&passwd);
    let output = unshare.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sent_to(&cage.temp.path().join(".cage")), 1);
}

#[test]
fn says_where_it_could_not_store_the_message() {
    let cage = Cage::new();
    let ran = cage.send(&[&SEND[..], &["--dir", "/dev/null/cage"]].concat()).exits_with(74);
    insta::assert_snapshot!(
        ran.stderr(),
        @r"cage-send: the message was not stored: could not open the folder /dev/null/cage/outbox: Not a directory (os error 20)"
    );
    assert_eq!(ran.stdout(), "");
}

#[test]
fn makes_the_folders_that_are_missing() {
    let cage = Cage::new();
    cage.send(&SEND).exits_with(0);
    assert_eq!(cage.messages(Mailbox::Outbox).len(), 1);
}

#[test]
fn gives_up_when_another_program_holds_the_mailbox_and_stores_nothing() {
    let cage = Cage::new();
    cage.send(&SEND).exits_with(0);
    let held = fs::File::open(cage.dir.mailbox(Mailbox::Outbox).join(".lock")).unwrap();
    held.lock().unwrap();
    let ran = cage.send(&SEND).exits_with(74);
    let said = ran.stderr().replace(cage.dir.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(said, @"cage-send: the message was not stored: the lock DIR/outbox/.lock has been held for 30 s by another program");
    drop(held);
    cage.send(&SEND).exits_with(0);
    assert_eq!(cage.messages(Mailbox::Outbox).len(), 2);
}
