//! Each command once, its answer against the schema.

use std::fs;

use crate::desk::{Desk, program};
use crate::schema;
use crate::support::image;

#[test]
fn creates_finds_lists_and_destroys() {
    let Some(desk) = Desk::with_engine("life") else { return };
    let name = desk.name();
    let created = desk.json("create", &["create", "--dir", ".", "--name", name, "--image", &image()]);
    assert_eq!((&created["name"], &created["files"]), (&name.into(), &2.into()));
    assert_eq!(desk.json("exists", &["exists", name])["exists"], true);
    let list = desk.json("list", &["list"]);
    let own = list.as_array().unwrap().iter().find(|cage| cage["name"] == name).unwrap();
    assert_eq!(own["status"], "running");
    desk.json("list", &["list", "--size"]);
    assert!(desk.run(&["list"]).succeeds().stdout.contains("NAME"));
    assert_eq!(desk.json("destroy", &["destroy", name, "--yes"])["destroyed"], true);
    assert_eq!(desk.containers(), "");
    let absent = desk.run(&["exists", name, "--json"]).ends_with(1);
    schema::check("exists", &serde_json::from_str(&absent.stdout).unwrap());
}

#[test]
fn stops_salvages_and_starts_again() {
    let Some(desk) = Desk::with_cage("salvage") else { return };
    let name = desk.name();
    desk.agent(&["sh", "-c", "echo more >> README.md; cage-send progress_update --status half"]);
    assert_eq!(desk.json("state", &["stop", name, "--grace", "1"])["status"], "stopped");
    let found = desk.json("salvage", &["salvage", name]);
    assert_eq!(found["outbox"][0]["payload"]["status"], "half");
    let shown = desk.run(&["salvage", name, "--yes"]).succeeds().stdout;
    assert!(shown.contains("progress      half") && shown.contains("exported 1 written"), "{shown}");
    assert_eq!(fs::read_to_string(desk.path("project/README.md")).unwrap(), "greet\nmore\n");
    assert_eq!(desk.json("state", &["start", name])["status"], "running");
    desk.run(&["salvage", name]).ends_with(1);
}

#[test]
fn says_what_a_cage_does_when_the_time_is_up_and_when_asked() {
    let Some(desk) = Desk::with_cage("diagnose") else { return };
    let name = desk.name();
    let poll = ["outbox", name, "--poll", "--timeout", "0"];
    let ran = desk.run(&poll).ends_with(1);
    assert!(ran.stderr.contains("next:") && ran.stderr.contains("within 0 s"), "{}", ran.stderr);
    let ran = desk.run(&[&poll[..], &["--no-diagnose"]].concat()).ends_with(1);
    assert!(!ran.stderr.contains("next:"), "{}", ran.stderr);
    desk.json("diagnose", &["diagnose", name]);
    desk.run(&["stop", name, "--grace", "0"]).succeeds();
    assert_eq!(desk.json("diagnose", &["diagnose", name])["activity"], "stopped");
}

#[test]
fn shows_what_the_agent_printed_safe_to_look_at() {
    let Some(desk) = Desk::with_cage("logs") else { return };
    let line = r#"{"type":"assistant","message":{"model":"m","content":[{"type":"text","text":"look \u001b[2J"},{"type":"tool_use","id":"t","name":"Bash","input":{"command":"ls"}}]}}"#;
    desk.agent(&["sh", "-c", "printf '%s\\n' \"$1\" a-warning > ~/.cage/claude-stream.log", "sh", line]);
    let shown = desk.run(&["logs", desk.name()]).succeeds().stdout;
    assert!(
        shown.contains("look \\u{1b}[2J") && shown.contains("Bash") && shown.contains("a-warning"),
        "{shown}"
    );
    let raw = desk.run(&["logs", desk.name(), "--raw"]).succeeds().stdout;
    assert_eq!(raw, format!("{line}\na-warning\n"), "as the agent printed it");
    desk.agent(&["sh", "-c", "printf '\\033[2J\\n{\"a\":\"\\302\\233\"}\\n' >> ~/.cage/claude-stream.log"]);
    let raw = desk.run(&["logs", desk.name(), "-r", "-n", "2"]).succeeds().stdout;
    assert_eq!(raw, "\\u{1b}[2J\n{\"a\":\"\\u009b\"}\n", "but nothing in it steers a terminal");
    assert_eq!(desk.run(&["logs", desk.name(), "-n", "1"]).succeeds().stdout.lines().count(), 1);
    for line in desk.run(&["logs", desk.name(), "--json"]).succeeds().stdout.lines() {
        schema::check("log-event", &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn examines_the_engine() {
    let Some(desk) = Desk::with_engine("doctor") else { return };
    let ran = desk.run(&["doctor", "--json"]);
    let report = serde_json::from_str(&ran.stdout).unwrap();
    schema::check("doctor", &report);
    let found = report["findings"].as_array().unwrap().iter().any(|finding| finding["subject"] == "engine");
    assert!(found, "{report}");
    assert_eq!(ran.status.code(), Some(i32::from(report["verdict"] == "bad")));
    let nowhere = desk.finish(desk.command(&["doctor"]).env("DOCKER_HOST", "unix:///nowhere")).ends_with(1);
    assert!(nowhere.stdout.contains("bad") && nowhere.stdout.contains("engine"), "{}", nowhere.stdout);
}

#[test]
fn prepares_the_machine_and_collects_garbage() {
    let Some(desk) = Desk::with_engine("init") else { return };
    desk.json("init", &["init"]);
    assert!(desk.path("state/cage/cursors").is_dir());
    desk.json("gc", &["gc"]);
}

#[test]
fn shows_messages_as_they_come_and_ends_as_the_task_did() {
    let Some(desk) = Desk::with_cage("outbox") else { return };
    let poll = ["outbox", desk.name(), "--poll", "--timeout", "60"];
    desk.agent(&["cage-send", "progress_update", "--status", "reading\u{1b}[2J"]);
    desk.agent(&["cage-send", "task_complete", "--summary", "tried", "--exit-code", "7"]);
    let shown = desk.run(&poll).ends_with(3).stdout;
    assert!(shown.contains("reading\\u{1b}[2J") && shown.contains("tried (exit code 7)"), "{shown}");
    desk.agent(&["cage-send", "going_idle", "--reason", "nothing to do"]);
    let shown = desk.run(&poll).ends_with(2).stdout;
    assert!(shown.contains("nothing to do") && !shown.contains("tried"), "{shown}");
    desk.agent(&["cage-send", "task_complete", "--summary", "done", "--exit-code", "0"]);
    let line = desk.run(&[&poll[..], &["--json"]].concat()).succeeds().stdout;
    schema::check("message", &serde_json::from_str(&line).unwrap());
}

#[test]
fn stops_waiting_at_a_question_when_told_to() {
    let Some(desk) = Desk::with_cage("question") else { return };
    let poll = ["outbox", desk.name(), "--poll", "--timeout", "60"];
    desk.agent(&["cage-send", "info_request", "--request-id", "one", "--description", "Which style?"]);
    let shown = desk.run(&[&poll[..], &["--until-question"]].concat()).ends_with(4).stdout;
    assert!(shown.contains("one: Which style?"), "{shown}");
    desk.agent(&["cage-send", "info_request", "--request-id", "two", "--description", "Which colour?"]);
    desk.agent(&["cage-send", "task_complete", "--summary", "done", "--exit-code", "0"]);
    assert!(desk.run(&poll).succeeds().stdout.contains("two: Which colour?"));
    desk.run(&["outbox", desk.name(), "--until-question"]).ends_with(64);
}

#[test]
fn shows_new_messages_once_and_all_of_them_when_asked() {
    let Some(desk) = Desk::with_cage("new") else { return };
    let name = desk.name();
    for status in ["one", "two"] {
        desk.agent(&["cage-send", "progress_update", "--status", status]);
    }
    for _ in 0..2 {
        let look = desk.json("messages", &["outbox", name]);
        assert_eq!(look.as_array().unwrap().len(), 2, "a look for programs takes nothing away");
    }
    let shown = desk.run(&["outbox", name]).succeeds().stdout;
    assert!(shown.contains("one") && shown.contains("two"), "{shown}");
    assert_eq!(desk.run(&["outbox", name]).succeeds().stdout, "no messages\n");
    assert_eq!(desk.json("messages", &["outbox", name, "--all"]).as_array().unwrap().len(), 2);
    desk.agent(&["sh", "-c", "echo nonsense > ~/.cage/outbox/2030-01-01T00-00-00.000Z.json"]);
    assert!(desk.run(&["outbox", name]).succeeds().stderr.contains("not a message"));
}

#[test]
fn answers_the_last_open_question() {
    let Some(desk) = Desk::with_cage("answer") else { return };
    let name = desk.name();
    desk.run(&["answer", name, "--from", "."]).ends_with(1);
    for id in ["first", "second"] {
        desk.agent(&[
            "cage-send",
            "info_request",
            "--request-id",
            id,
            "--description",
            "d",
            "--paths",
            "README.md",
            "--paths",
            "/etc/passwd",
        ]);
    }
    let answer = desk.json("answer", &["answer", name, "--from", "."]);
    assert_eq!((&answer["request_id"], &answer["sent"][0]), (&"second".into(), &"README.md".into()));
    assert_eq!(answer["refused"][0]["path"], "/etc/passwd");
    assert_eq!(desk.json("answer", &["answer", name, "--from", "."])["request_id"], "first");
    desk.run(&["answer", name, "--from", "."]).ends_with(1);
    assert_eq!(desk.json("answer", &["answer", name, "second", "--from", "."])["request_id"], "second");
}

#[test]
fn makes_a_branch_and_texts_of_the_agents_commits() {
    let Some(desk) = Desk::with_engine("branch") else { return };
    desk.git(&["init", "--quiet"]);
    desk.git(&["add", "."]);
    desk.git(&["commit", "--quiet", "--message", "begin"]);
    desk.create();
    desk.agent(&["sh", "-c", "echo more >> README.md && git commit --quiet --all --message 'Say more'"]);
    let name = desk.name();
    assert_eq!(desk.json("branch", &["branch", name, "work"])["commits"], 1);
    assert!(desk.git(&["show", "work"]).contains("+more"));
    assert_eq!(desk.git(&["status", "--porcelain"]), "", "the working tree is as it was");
    let patches = desk.json("patch", &["patch", name, "--output-dir", "out"]);
    assert_eq!(patches["commits"][0]["file"], "out/0001-say-more.patch");
    desk.git(&["am", "--quiet", "out/0001-say-more.patch"]);
    assert_eq!(desk.git(&["rev-parse", "HEAD^{tree}"]), desk.git(&["rev-parse", "work^{tree}"]));
    desk.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let pipe = format!(
        "'{}' patch {name} --base HEAD --stdout | git -c user.name=t -c user.email=t@t am --quiet",
        program().display()
    );
    desk.finish(&mut desk.shell(&pipe)).succeeds();
    assert_eq!(desk.git(&["log", "-1", "--format=%s"]), "Say more\n");
    let complaint = desk.run(&["patch", name, "--base", "nonsense"]).complaint();
    insta::assert_snapshot!(complaint, @"cage: invalid base: `nonsense` is no revision of the repository at `.` and no commit's full hexadecimal name");
}

#[test]
fn says_what_creating_would_do_and_copies_folders_beside_the_project() {
    let Some(desk) = Desk::with_engine("plan") else { return };
    fs::create_dir(desk.path("docs")).unwrap();
    fs::write(desk.path("docs/a.md"), "a").unwrap();
    let image = image();
    let create = ["create", "--dir", ".", "--name", desk.name(), "--image", &image, "--add-dir", "../docs"];
    let plan = desk.json("create-dry-run", &[&create[..], &["--dry-run"]].concat());
    assert_eq!(plan["copies"].as_array().unwrap().len(), 2);
    assert_eq!(desk.containers(), "");
    assert_eq!(desk.json("create", &create)["folders"][0]["place"], "docs");
    assert_eq!(desk.agent(&["cat", "/home/trustycage/docs/a.md"]), "a");
    desk.agent(&["sh", "-c", "echo b > ~/docs/b.md"]);
    let docs = [desk.name(), "--dir", "docs", "--output-dir", "../docs"];
    assert_eq!(desk.json("diff", &[&["diff"], &docs[..]].concat())["changes"][0]["path"], "b.md");
    desk.run(&[&["export", "--yes"], &docs[..]].concat()).succeeds();
    assert_eq!(fs::read_to_string(desk.path("docs/b.md")).unwrap(), "b\n");
}

#[test]
fn launches_nothing_to_see_whether_the_agent_starts() {
    let Some(desk) = Desk::with_cage("try") else { return };
    let tried = desk.json("launch-test", &["launch", desk.name(), "--test"]);
    assert!(tried["version"].as_str().unwrap().contains("Claude Code"), "{tried}");
}

#[test]
fn brings_host_changes_in_and_caches_out() {
    let Some(desk) = Desk::with_cage("sync") else { return };
    let name = desk.name();
    fs::write(desk.path("project/README.md"), "from the host\n").unwrap();
    assert_eq!(desk.json("sync", &["sync", name])["written"][0], "README.md");
    assert_eq!(desk.agent(&["cat", "README.md"]), "from the host\n");
    fs::write(desk.path("project/greet"), "host\n").unwrap();
    desk.agent(&["sh", "-c", "echo cage > greet; mkdir __pycache__; echo x > __pycache__/x.pyc"]);
    let ran = desk.run(&["sync", name]).ends_with(1);
    assert!(ran.stdout.contains("conflict greet"), "{}", ran.stdout);
    assert_eq!(desk.json("tidy", &["tidy", name])["folders"][0], "__pycache__");
}

#[test]
fn keeps_a_state_and_makes_cages_of_it() {
    let Some(desk) = Desk::with_cage("copy") else { return };
    let name = desk.name();
    let (kept, first, second) = (format!("{name}-s"), format!("{name}-a"), format!("{name}-b"));
    desk.agent(&["sh", "-c", "echo changed > README.md"]);
    desk.json("snapshot", &["snapshot", name, &kept]);
    let all = desk.json("snapshots", &["snapshots"]);
    assert!(all.as_array().unwrap().iter().any(|snapshot| snapshot["snapshot"] == kept.as_str()));
    desk.json("fork", &["fork", name, &first]);
    desk.json("fork", &["fork", "--snapshot", &kept, &second]);
    for copy in [first, second] {
        let shown = desk.run(&["diff", &copy]).succeeds().stdout;
        assert!(shown.contains("M README.md"), "{shown}");
        desk.run(&["destroy", &copy, "--yes"]).succeeds();
    }
    let left = desk.json("snapshots", &["snapshots", "--remove", &kept]);
    assert!(!left.to_string().contains(&kept), "{left}");
}

#[test]
fn sends_messages_of_each_inward_type() {
    let Some(desk) = Desk::with_cage("inbox") else { return };
    let name = desk.name();
    let file = desk.path("revision.md");
    fs::write(&file, "it's \"quoted\"\n").unwrap();
    for (kind, payload) in [
        ("task_revision", r#"{"instructions":"and the README"}"#),
        ("info_response", r#"{"request_id":"r","content":"yes"}"#),
        ("ack", r#"{"acked_id":"x"}"#),
    ] {
        assert_eq!(desk.json("message", &["inbox", name, kind, payload])["type"], kind);
    }
    desk.run(&["inbox", name, "task_revision", "--payload-file", file.to_str().unwrap()]).succeeds();
    let inbox = desk.agent(&["cage-poll", "--all"]);
    assert!(inbox.lines().last().unwrap().contains(r#"{"instructions":"it's \"quoted\"\n"}"#), "{inbox}");
}

#[test]
fn leaves_alone_what_is_protected_for_one_export() {
    let Some(desk) = Desk::with_cage("protect") else { return };
    let name = desk.name();
    fs::write(desk.path("project/.cageprotect"), "greet\n").unwrap();
    desk.agent(&[
        "sh",
        "-c",
        "echo more | tee -a README.md >> greet; mkdir docs; echo x | tee docs/a.md > new",
    ]);
    let export = ["export", name, "--yes", "--delete", "--protect", "docs/", "--protect", "*.md"];
    let exported = desk.json("export", &export);
    assert_eq!(exported["written"], serde_json::json!(["new"]));
    assert_eq!(fs::read_to_string(desk.path("project/README.md")).unwrap(), "greet\n");
    assert!(!desk.path("project/docs").exists());
    let complaint = desk.run(&["export", name, "--yes", "--protect", "!greet"]).complaint();
    insta::assert_snapshot!(complaint, @"cage: invalid protection: the pattern `!greet` begins with `!`, which would take a protection away");
    let again = desk.json("export", &["export", name, "--yes"]);
    assert_eq!(
        again["written"],
        serde_json::json!(["README.md", "docs/a.md"]),
        "the next export knows nothing of it"
    );
}

#[test]
fn shows_and_exports_what_changed() {
    let Some(desk) = Desk::with_cage("changes") else { return };
    let name = desk.name();
    desk.agent(&[
        "sh",
        "-c",
        "echo more >> README.md; rm greet; mkdir .vscode; echo {} > .vscode/tasks.json; echo > 'a\u{1b}b'",
    ]);
    let difference = desk.json("diff", &["diff", name, "--full", "--stats"]);
    assert_eq!(difference["changes"].as_array().unwrap().len(), 4);
    let shown = desk.run(&["diff", name]).succeeds().stdout;
    assert!(
        shown.contains("M README.md") && shown.contains("held back") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let export = desk.json("export", &["export", name, "--yes", "--stats"]);
    assert_eq!(export["left_out"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read_to_string(desk.path("project/README.md")).unwrap(), "greet\nmore\n");
    assert!(desk.path("project/greet").exists() && !desk.path("project/.vscode").exists());
    desk.run(&["export", name, "--yes", "--delete"]).succeeds();
    assert!(!desk.path("project/greet").exists());
}

#[test]
fn exports_into_a_folder_that_it_makes_and_compares_with_none_that_is_missing() {
    let Some(desk) = Desk::with_cage("new-folder") else { return };
    let name = desk.name();
    desk.agent(&["sh", "-c", "echo more >> README.md"]);
    let complaint = desk.run(&["diff", name, "--output-dir", "../new/deep"]).complaint();
    insta::assert_snapshot!(complaint, @"cage: invalid --output-dir: `../new/deep` does not exist, so there is nothing to compare with; `cage export` makes it");
    // Nobody can be asked.
    desk.run(&["export", name, "--output-dir", "../new/deep"]).ends_with(1);
    assert!(!desk.path("new").exists(), "nothing was written, so nothing is made");
    let exported = desk.json("export", &["export", name, "-y", "--output-dir", "../new/deep"]);
    assert_eq!(exported["written"], serde_json::json!(["README.md", "greet"]));
    assert_eq!(fs::read_to_string(desk.path("new/deep/README.md")).unwrap(), "greet\nmore\n");
    desk.json("diff", &["diff", name, "--output-dir", "../new/deep"]);
    fs::write(desk.path("file"), "").unwrap();
    let complaint = desk.run(&["export", name, "-y", "--output-dir", "../file/new"]).complaint();
    insta::assert_snapshot!(complaint, @"cage: cannot write `../file/new`: Not a directory (os error 20)");
}
