//! The agent's commits, read out of a cage and put on a branch of the host. The agent's part is played by git in the
//! cage's folder.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use cage_host::{Base, BranchOptions, CageSpec, Patches};
use support::repository::{commit_all, git, git_fed, story_in_repository};
use support::story::Story;
use support::{Stage, image, write_tree};

async fn patches(story: &Story) -> Patches {
    story.cage.patches(Base::creation()).await.unwrap()
}

/// Makes a commit in the cage of any tree that git itself would refuse to check out.
fn commit_tree(story: &Story, tree: &[u8], commit_message: &str) {
    let inside = &story.inside;
    let tree = git_fed(inside, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], tree);
    let commit = git(inside, &["commit-tree", &tree, "-p", "HEAD", "-m", commit_message]);
    git(inside, &["update-ref", "HEAD", &commit]);
}

/// Writes an entry of a tree object.
fn entry(story: &Story, mode: &str, name: &[u8], content: &[u8]) -> Vec<u8> {
    let blob = git_fed(&story.inside, &["hash-object", "-w", "--stdin"], content);
    named_entry(mode, name, &blob)
}

fn named_entry(mode: &str, name: &[u8], id: &str) -> Vec<u8> {
    let raw = (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap());
    [mode.as_bytes(), b" ", name, b"\0"].concat().into_iter().chain(raw).collect()
}

#[tokio::test]
async fn reads_each_commit_with_author_message_and_files() {
    let story = Story::new(&[("a.rs", "one\n"), ("gone", "x\n")]).await;
    write_tree(&story.inside, &[("a.rs", "one\ntwo\n"), ("src/b.rs", "new\n")]);
    fs::remove_file(story.inside.join("gone")).unwrap();
    commit_all(&story.inside, "Add two\n\nBecause one\nis few.");
    write_tree(&story.inside, &[("a.rs", "three\n")]);
    commit_all(&story.inside, "Change again");

    let patches = patches(&story).await;
    let first = patches.iter().next().unwrap();
    assert_eq!((first.subject(), first.body()), ("Add two", "Because one\nis few."));
    assert_eq!(first.author().to_string(), "Agent <agent@cage>");
    let files: Vec<_> = first.files().iter().map(ToString::to_string).collect();
    assert_eq!(files, ["M a.rs", "D gone", "A src/b.rs"]);
    assert_eq!(patches.len(), 2);

    let text = patches.unified_text(first).await.unwrap();
    let (_, shown) = text.split_once("Z\n").unwrap();
    insta::assert_snapshot!(shown, @r"

        Add two
        
        Because one
        is few.

    --- a/a.rs
    +++ b/a.rs
    @@ -1 +1,2 @@
     one
    +two

    --- a/gone
    +++ /dev/null
    @@ -1 +0,0 @@
    -x

    --- /dev/null
    +++ b/src/b.rs
    @@ -0,0 +1 @@
    +new
    ");
    let later = story.cage.patches(Base::commit(first.id()).unwrap()).await.unwrap();
    assert_eq!(later.iter().map(cage_host::Patch::subject).collect::<Vec<_>>(), ["Change again"]);
}

#[tokio::test]
async fn reads_no_commit_where_none_was_made_and_rejects_a_base_that_is_not_there() {
    let story = Story::new(&[("a", "1")]).await;
    assert!(patches(&story).await.is_empty());
    let error = story.cage.patches(Base::commit(&"1".repeat(40)).unwrap()).await.unwrap_err();
    insta::assert_snapshot!(error, @"invalid commit: the cage has no commit `1111111111111111111111111111111111111111`");
    let error = Base::commit("--all").unwrap_err();
    insta::assert_snapshot!(error, @"invalid commit: `--all` is no commit's full hexadecimal name");
    fs::remove_dir_all(story.inside.join(".git")).unwrap();
    assert!(patches(&story).await.is_empty());
}

#[tokio::test]
async fn makes_a_branch_and_leaves_the_working_tree_alone() {
    let story = story_in_repository(&[("a", "1\n"), ("run", "x\n"), ("gone", "y\n")]).await;
    let repo = story.project.path();
    write_tree(&story.inside, &[("a", "2\n"), ("deep/new \"name\"\n", "\0binary\n")]);
    fs::remove_file(story.inside.join("gone")).unwrap();
    commit_all(&story.inside, "One");
    fs::set_permissions(story.inside.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    commit_all(&story.inside, "Two");
    write_tree(repo, &[("a", "not committed\n")]);
    let status = git(repo, &["status", "--porcelain"]);

    let branch = patches(&story).await.branch(repo, &BranchOptions::new("cage/demo")).await.unwrap();
    assert_eq!((branch.commits, branch.left_out.len(), branch.differs_from_base.len()), (2, 0, 0));
    assert_eq!(
        git(repo, &["log", "--format=%s by %an, %cn", "main..cage/demo"]),
        "Two by Agent, cage\nOne by Agent, cage"
    );
    assert_eq!(
        git(repo, &["diff", "--raw", "--abbrev=4", "main", "cage/demo", "--", "run", "gone"]),
        ":100644 000000 975f 0000 D\tgone\n:100644 100755 587b 587b M\trun"
    );
    let inside = git(&story.inside, &["rev-parse", "HEAD^{tree}"]);
    assert_eq!(
        git(repo, &["rev-parse", "cage/demo^{tree}"]),
        inside,
        "the branch ends with the tree of the cage"
    );
    assert_eq!(branch.commit, git(repo, &["rev-parse", "cage/demo"]));
    assert_eq!(git(repo, &["status", "--porcelain"]), status);
    assert_eq!(git(repo, &["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    git(repo, &["fsck", "--strict"]);
}

#[tokio::test]
async fn rejects_a_branch_that_exists_and_places_where_none_can_be() {
    let story = story_in_repository(&[("a", "1")]).await;
    write_tree(&story.inside, &[("a", "2")]);
    commit_all(&story.inside, "One");
    let (patches, repo) = (patches(&story).await, story.project.path());
    let complaint =
        async |options: BranchOptions| patches.branch(repo, &options).await.unwrap_err().to_string();
    insta::assert_snapshot!(complaint(BranchOptions::new("main")).await, @"invalid branch: `main` exists already; choose another name, or delete it first");
    insta::assert_snapshot!(complaint(BranchOptions::new("a..b")).await, @"invalid branch: git does not allow the name `a..b`");
    insta::assert_snapshot!(complaint(BranchOptions::new("x").base("--all")).await, @"invalid base: `--all` is no commit of the repository");
    let nowhere = tempfile::tempdir().unwrap();
    let error = patches.branch(nowhere.path(), &BranchOptions::new("x")).await.unwrap_err();
    assert!(error.to_string().ends_with("is in no git repository"), "{error}");
    assert_eq!(git(repo, &["branch", "--list", "--format=%(refname:short)"]), "main");
}

#[tokio::test]
async fn names_files_that_had_changes_of_the_hosts_own() {
    let story = Story::new(&[("clean", "1\n"), ("dirty", "edited\n")]).await;
    let repo = story.project.path();
    git(repo, &["init", "--quiet", "--initial-branch=main"]);
    write_tree(repo, &[("dirty", "committed\n")]);
    commit_all(repo, "host");
    write_tree(&story.inside, &[("clean", "2\n"), ("dirty", "cage\n")]);
    commit_all(&story.inside, "One");
    let branch = patches(&story).await.branch(repo, &BranchOptions::new("x")).await.unwrap();
    assert_eq!(branch.differs_from_base, ["dirty"]);
}

#[tokio::test]
async fn puts_paths_below_the_folder_that_the_cage_was_made_from() {
    let story = Story::new(&[("a", "1\n")]).await;
    let repo = tempfile::tempdir().unwrap();
    git(repo.path(), &["init", "--quiet", "--initial-branch=main"]);
    write_tree(repo.path(), &[("part/a", "1\n"), ("top", "x\n")]);
    commit_all(repo.path(), "host");
    write_tree(&story.inside, &[("a", "2\n")]);
    commit_all(&story.inside, "One");
    let part = repo.path().join("part");
    let branch = patches(&story).await.branch(&part, &BranchOptions::new("x")).await.unwrap();
    assert_eq!(branch.differs_from_base.len(), 0);
    assert_eq!(git(repo.path(), &["diff", "--name-only", "main", "x"]), "part/a");
}

#[tokio::test]
async fn leaves_out_what_tools_run_and_what_is_protected_until_it_is_asked_for() {
    let story = story_in_repository(&[("a", "1"), (".cageprotect", "*.pem\n")]).await;
    write_tree(
        &story.inside,
        &[(".envrc", "evil"), ("node_modules/x.js", "1"), ("key.pem", "evil"), ("a", "2")],
    );
    commit_all(&story.inside, "All");
    let (patches, repo) = (patches(&story).await, story.project.path());
    let branch = patches.branch(repo, &BranchOptions::new("safe")).await.unwrap();
    assert_eq!(git(repo, &["diff", "--name-only", "main", "safe"]), "a");
    let left_out: Vec<_> =
        branch.left_out.iter().map(|out| format!("{}: {}", out.path, out.reason)).collect();
    insta::assert_debug_snapshot!(left_out, @r#"
    [
        ".envrc: tools run such a file without being asked",
        "key.pem: the folder's `.cageprotect` names it",
        "node_modules/x.js: it lies in an environment, an installed package or a cache",
    ]
    "#);
    let options = BranchOptions::new("all").agent_run(true).protected(true);
    patches.branch(repo, &options).await.unwrap();
    assert_eq!(git(repo, &["diff", "--name-only", "main", "all"]), ".envrc\na\nnode_modules/x.js");
}

#[tokio::test]
async fn takes_no_path_out_of_the_tree_and_none_of_gits_own() {
    let story = story_in_repository(&[("a", "1")]).await;
    let tree = [
        entry(&story, "100644", b"../canary", b"evil"),
        entry(&story, "100644", b"..", b"evil"),
        entry(&story, "100644", b".git", b"evil"),
        entry(
            &story,
            "100644",
            b".gitmodules",
            b"[submodule \"x\"]\n\tpath = x\n\turl = --upload-pack=evil\n",
        ),
        entry(&story, "120000", b"link", b"/etc/passwd"),
        entry(&story, "104755", b"setuid", b"evil"),
        named_entry("160000", b"sub", &"1".repeat(40)),
        entry(&story, "100644", b"a\nM 100644 inline .git/config", b"evil"),
        entry(&story, "100644", b"\x1b[2J\xff", b"evil"),
    ]
    .concat();
    commit_tree(&story, &tree, "Hostile");
    let (patches, repo) = (patches(&story).await, story.project.path());
    assert_eq!(patches.refused().len(), 2, "{:?}", patches.refused());
    let before = fs::read_dir(repo.parent().unwrap()).unwrap().count();
    let branch = patches.branch(repo, &BranchOptions::new("x")).await.unwrap();
    let files = git(repo, &["ls-tree", "-r", "--name-only", "x"]);
    assert_eq!(files, "\"\\033[2J\\377\"\n\"a\\nM 100644 inline .git/config\"\nsetuid", "{branch:?}");
    let left_out: Vec<_> = branch.left_out.iter().map(|out| out.path.as_str()).collect();
    assert_eq!(left_out, [".git", ".gitmodules", "link", "sub"]);
    assert!(!format!("{patches}{branch:?}").contains('\u{1b}'));
    assert_eq!(
        fs::read_dir(repo.parent().unwrap()).unwrap().count(),
        before,
        "something lies beside the repository"
    );
    git(repo, &["fsck", "--strict"]);
}

#[tokio::test]
async fn writes_authors_and_messages_that_cannot_become_commands() {
    let story = story_in_repository(&[("a", "1")]).await;
    write_tree(&story.inside, &[("a", "2")]);
    git(&story.inside, &["add", "--all"]);
    let tree = git(&story.inside, &["write-tree"]);
    let parent = git(&story.inside, &["rev-parse", "HEAD"]);
    let commit = format!(
        "tree {tree}\nparent {parent}\nauthor A\rcommitter <<evil\x1b[2J> <x>> 99999999999999999 +9999\n\n\x1b[31msubject\n\nfrom refs/heads/main\nM 100644 inline .git/config\ndata 4\nevil\ndone\n"
    );
    let id = git_fed(
        &story.inside,
        &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        commit.as_bytes(),
    );
    git(&story.inside, &["update-ref", "HEAD", &id]);
    let (patches, repo) = (patches(&story).await, story.project.path());
    patches.branch(repo, &BranchOptions::new("x")).await.unwrap();
    assert_eq!(git(repo, &["ls-tree", "-r", "--name-only", "x"]), "a");
    let shown = git(repo, &["log", "--format=%an|%s|%ad", "--date=format:%Y", "main..x"]);
    assert_eq!(shown, "Acommitter|\\u{1b}[31msubject|9999");
    git(repo, &["fsck", "--strict"]);
}

#[tokio::test]
async fn runs_no_hook_and_no_filter_of_the_host() {
    let story = story_in_repository(&[("a", "1\n")]).await;
    let repo = story.project.path();
    let ran = repo.join(".git/ran");
    let script = format!("#!/bin/sh\necho \"$0\" >> '{}'\nexit 1\n", ran.display());
    for hook in ["reference-transaction", "post-commit", "pre-commit", "update", "post-update", "pre-auto-gc"]
    {
        let path = repo.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    git(repo, &["config", "filter.evil.clean", &format!("touch '{}'; cat", ran.display())]);
    git(repo, &["config", "core.fsmonitor", &format!("touch '{}'", ran.display())]);
    fs::write(repo.join(".git/info/attributes"), "* filter=evil\n").unwrap();
    write_tree(&story.inside, &[("a", "2\n")]);
    commit_all(&story.inside, "One");
    patches(&story).await.branch(repo, &BranchOptions::new("x")).await.unwrap();
    assert!(!ran.exists(), "{:?}", fs::read_to_string(&ran));
}

#[tokio::test]
async fn holds_back_a_content_that_is_too_large_without_reading_it() {
    let story = story_in_repository(&[("a", "1")]).await;
    fs::File::create(story.inside.join("huge")).unwrap().set_len(300 << 20).unwrap();
    write_tree(&story.inside, &[("a", "2")]);
    commit_all(&story.inside, "Huge");
    let patches = patches(&story).await;
    let files: Vec<_> = patches.iter().next().unwrap().files().iter().map(ToString::to_string).collect();
    assert_eq!(files, ["M a", "A huge (held back: it is too large, 314572800 bytes)"]);
    let branch = patches.branch(story.project.path(), &BranchOptions::new("x")).await.unwrap();
    assert_eq!((branch.commits, branch.left_out.len()), (1, 1));
}

#[tokio::test]
async fn brings_commits_out_of_a_container() {
    let Some(stage) = Stage::docker().await else { return };
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a", "1\n"), ("b/c", "2\n")]);
    git(project.path(), &["init", "--quiet", "--initial-branch=main"]);
    commit_all(project.path(), "host");
    let spec = CageSpec::from_dir(stage.name("commits"), project.path()).image(image());
    let cage = stage.host.create(spec).await.unwrap();
    let script =
        "cd project && echo 3 > a && git rm -q b/c && git -c user.name=A -c user.email=a@b commit -qam Work";
    stage.agent(&cage, &["sh", "-c", &format!("cd && {script}")]);
    let patches = cage.patches(Base::creation()).await.unwrap();
    cage.destroy().await.unwrap();
    let branch = patches.branch(project.path(), &BranchOptions::new("x")).await.unwrap();
    assert_eq!((branch.commits, branch.differs_from_base.len()), (1, 0));
    assert_eq!(git(project.path(), &["diff", "--name-status", "main", "x"]), "M\ta\nD\tb/c");
}
