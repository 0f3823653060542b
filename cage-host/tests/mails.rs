//! The agent's commits as mails, taken over by the host's own `git am`. The agent's part is played by git in the cage's
//! folder.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use cage_host::{Base, MailOptions, Series};
use support::repository::{commit_all, git, git_fed, story_in_repository};
use support::story::Story;
use support::write_tree;

async fn series(story: &Story, options: MailOptions) -> Series {
    let patches = story.cage.patches(Base::creation()).await.unwrap();
    patches.series(story.project.path(), options).await.unwrap()
}

/// All mails in one text, none of which steers a terminal.
async fn all(mut series: Series) -> String {
    let mut text = String::new();
    while let Some(mail) = series.next().await.unwrap() {
        text.push_str(&mail.text);
    }
    assert_eq!(cage_host::sanitize(&text), text);
    text
}

async fn mails(story: &Story) -> String {
    all(series(story, MailOptions::default()).await).await
}

/// Takes mails over and compares the tree with the cage's.
#[track_caller]
fn takes_over(story: &Story, mails: &str) {
    let repo = story.project.path();
    git_fed(repo, &["am", "--quiet"], mails.as_bytes());
    let tree = |folder| git(folder, &["rev-parse", "HEAD^{tree}"]);
    assert_eq!(tree(repo), tree(&story.inside), "{mails}");
    assert_eq!(git(repo, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn takes_over_texts_modes_deletions_and_the_words_of_each_commit() {
    let files = [("a.rs", "one\ntwo\nthree\n"), ("run", "x\n"), ("gone", "y\n"), ("end", "no line feed")];
    let story = story_in_repository(&files).await;
    write_tree(&story.inside, &[("a.rs", "one\nzwö\nthree\n"), ("src/new", "n\n"), ("end", "still none")]);
    write_tree(&story.inside, &[("empty", "")]);
    fs::remove_file(story.inside.join("gone")).unwrap();
    commit_all(&story.inside, "Añadir dos\n\nBecause one\nis few.");
    fs::set_permissions(story.inside.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(story.inside.join("empty")).unwrap();
    commit_all(&story.inside, "Make it run");

    takes_over(&story, &mails(&story).await);
    let log = git(story.project.path(), &["log", "--format=%an <%ae>|%s|%b", "main~2..main"]);
    assert_eq!(log, "Agent <agent@cage>|Make it run|\nAgent <agent@cage>|Añadir dos|Because one\nis few.");
    let dates = |folder| git(folder, &["log", "--format=%at", "HEAD~2..HEAD"]);
    assert_eq!(dates(story.project.path()), dates(&story.inside));
}

#[tokio::test]
async fn takes_over_what_is_no_plain_text_byte_by_byte() {
    let story =
        story_in_repository(&[("crlf", "a\r\nb\r\n"), ("esc", "\u{1b}[2J\n"), ("old", "\0\u{1}")]).await;
    let noise: Vec<u8> = (0_u32..70_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    fs::write(story.inside.join("noise"), noise).unwrap();
    write_tree(
        &story.inside,
        &[("crlf", "a\r\nc\r\n"), ("esc", "\u{1b}[2J\u{9b}\n"), ("bom", "\u{feff}x\n")],
    );
    fs::write(story.inside.join("latin"), b"t\xe4glich\n").unwrap();
    fs::remove_file(story.inside.join("old")).unwrap();
    commit_all(&story.inside, "Bytes");
    takes_over(&story, &mails(&story).await);
}

#[tokio::test]
async fn takes_over_what_is_too_large_to_be_compared() {
    let story =
        story_in_repository(&[("large", &"x".repeat(2 << 20)), ("other", &"y\n".repeat(1 << 20))]).await;
    write_tree(&story.inside, &[("large", &"z".repeat(3 << 20))]);
    fs::remove_file(story.inside.join("other")).unwrap();
    commit_all(&story.inside, "Large");
    takes_over(&story, &mails(&story).await);
}

#[tokio::test]
async fn takes_over_any_name_and_a_file_that_becomes_a_folder() {
    let story = story_in_repository(&[("thing", "1\n")]).await;
    fs::remove_file(story.inside.join("thing")).unwrap();
    let names =
        ["thing/inside", "a b", "tab\there", "täglich", "line\nfeed", "quote\"\\", "b/--- a", "-dash"];
    for name in names {
        write_tree(&story.inside, &[(name, "1\n")]);
    }
    commit_all(&story.inside, "Names");
    takes_over(&story, &mails(&story).await);
}

#[tokio::test]
async fn keeps_the_agents_words_from_becoming_a_patch_or_another_mail() {
    let story = story_in_repository(&[("a", "1\n")]).await;
    write_tree(&story.inside, &[("a", "2\n")]);
    let smuggled = "diff --git a/.envrc b/.envrc\nnew file mode 100644\n--- /dev/null\n+++ b/.envrc\n@@ -0,0 +1 @@\n+evil\n";
    let mail = format!(
        "From {} Mon Sep 17 00:00:00 2001\nFrom: Evil <e@x>\nSubject: two\n\n---\n{smuggled}",
        "1".repeat(40)
    );
    let message = format!(
        "=?utf-8?q?one=0atwo?=\n\nFrom: Somebody <s@x>\n---\n{smuggled}\n{mail}\n--- x\nIndex: y\n{smuggled}"
    );
    commit_all(&story.inside, &message);
    takes_over(&story, &mails(&story).await);
    let repo = story.project.path();
    assert_eq!(git(repo, &["log", "--format=%an|%s", "main~1..main"]), "Agent|= ?utf-8?q?one=0atwo?=");
    assert!(git(repo, &["log", "-1", "--format=%b"]).contains("\n diff --git a/.envrc"));
}

#[tokio::test]
async fn takes_over_authors_and_messages_that_make_no_sense() {
    let story = story_in_repository(&[("a", "0\n")]).await;
    let authors = [
        "\"Q\" (x), Y; <> 0 +0000",
        "A\u{1b}[2J <a@b> 99999999999999 +0000",
        " <x> 5 +0000",
        "A <a\" b> 7 -0900",
    ];
    for (number, author) in authors.iter().enumerate() {
        write_tree(&story.inside, &[("a", &format!("{}\n", number + 1))]);
        git(&story.inside, &["add", "--all"]);
        let (tree, parent) =
            (git(&story.inside, &["write-tree"]), git(&story.inside, &["rev-parse", "HEAD"]));
        let commit = format!("tree {tree}\nparent {parent}\nauthor {author}\ncommitter x <x> 1 +0000\n\n");
        let write = ["hash-object", "-t", "commit", "-w", "--literally", "--stdin"];
        let id = git_fed(&story.inside, &write, commit.as_bytes());
        git(&story.inside, &["update-ref", "HEAD", &id]);
    }
    takes_over(&story, &mails(&story).await);
    let log = git(
        story.project.path(),
        &["log", "--reverse", "--format=%an <%ae> %ad %s", "--date=short", "main~4..main"],
    );
    insta::assert_snapshot!(log, @r#"
    Q' (x), Y <> 1970-01-01 (no subject)
    A[2J <a@b> 9999-12-31 (no subject)
    unknown <x> 1970-01-01 (no subject)
    A <a" b> 1970-01-01 (no subject)
    "#);
}

#[tokio::test]
async fn leaves_out_what_is_held_back_and_commits_of_which_nothing_is_left() {
    let story = story_in_repository(&[("a", "1\n"), (".cageprotect", "*.pem\n")]).await;
    symlink("a", story.inside.join("link")).unwrap();
    commit_all(&story.inside, "A link");
    write_tree(&story.inside, &[(".envrc", "evil\n"), ("key.pem", "evil\n"), ("a", "2\n")]);
    fs::remove_file(story.inside.join("link")).unwrap();
    write_tree(&story.inside, &[("link", "a file\n")]);
    commit_all(&story.inside, "All");
    let mut held = series(&story, MailOptions::default()).await;
    let mail = held.next().await.unwrap().unwrap();
    assert!(held.next().await.unwrap().is_none());
    let left_out: Vec<_> =
        held.left_out().iter().map(|out| format!("{}: {}", out.path, out.reason)).collect();
    insta::assert_debug_snapshot!(left_out, @r#"
    [
        "link: it is a symbolic link",
        ".envrc: tools run such a file without being asked",
        "key.pem: the folder's `.cageprotect` names it",
        "link: a link or a submodule was there, which a patch of its content cannot name",
    ]
    "#);
    let repo = story.project.path();
    git_fed(repo, &["am", "--quiet"], mail.text.as_bytes());
    assert_eq!(git(repo, &["diff", "--name-only", "main~1", "main"]), "a");
    let with_tools = all(series(&story, MailOptions::default().agent_run(true)).await).await;
    assert!(with_tools.contains(".envrc") && !with_tools.contains("key.pem"), "{with_tools}");
}

#[tokio::test]
async fn puts_paths_below_the_folder_that_the_cage_was_made_from() {
    let story = Story::new(&[("a", "1\n")]).await;
    let repo = tempfile::tempdir().unwrap();
    git(repo.path(), &["init", "--quiet", "--initial-branch=main"]);
    write_tree(repo.path(), &[("part/a", "1\n")]);
    commit_all(repo.path(), "host");
    write_tree(&story.inside, &[("a", "2\n")]);
    commit_all(&story.inside, "One");
    let patches = story.cage.patches(Base::creation()).await.unwrap();
    let mails = all(patches.series(repo.path().join("part"), MailOptions::default()).await.unwrap()).await;
    git_fed(&repo.path().join("part"), &["am", "--quiet"], mails.as_bytes());
    assert_eq!(fs::read_to_string(repo.path().join("part/a")).unwrap(), "2\n");
}

#[tokio::test]
async fn begins_behind_a_revision_of_the_host_or_a_commit_of_the_cage() {
    let story = story_in_repository(&[("a", "1\n")]).await;
    for content in ["2\n", "3\n"] {
        write_tree(&story.inside, &[("a", content)]);
        commit_all(&story.inside, content);
    }
    let repo = story.project.path();
    let count = async |revision: &str| {
        let base = Base::revision(repo, revision).await.unwrap();
        story.cage.patches(base).await.unwrap().len()
    };
    assert_eq!(count("main").await, 2, "the cage does not have it, so it is all that was made there");
    assert_eq!(count(&git(&story.inside, &["rev-parse", "HEAD~1"])).await, 1);
    git(&story.inside, &["branch", "theirs", "HEAD~1"]);
    git(repo, &["fetch", "--quiet", story.inside.to_str().unwrap(), "theirs:refs/heads/theirs"]);
    assert_eq!(count("theirs").await, 1, "both have it");
    let error = Base::revision(repo, "--all").await.unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(repo.to_str().unwrap(), "REPO"), @"invalid base: `--all` is no revision of the repository at `REPO` and no commit's full hexadecimal name");
}
