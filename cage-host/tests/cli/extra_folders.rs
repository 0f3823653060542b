//! Folders beside the project: added, shown, exported and removed.

use std::fs;

use crate::desk::Desk;
use crate::support::write_tree;

/// A desk with a cage and two more folders.
fn desk(story: &str) -> Option<Desk> {
    let desk = Desk::with_engine(story)?;
    write_tree(&desk.path(""), &[("docs/a.md", "a\n"), ("lib/x", "x\n")]);
    desk.create();
    Some(desk)
}

#[test]
fn adds_folders_shows_and_exports_all_of_them_and_removes_one() {
    let Some(desk) = desk("folders") else { return };
    let name = desk.name();
    assert_eq!(desk.json("add-dir", &["add-dir", name, "../docs"])["folder"], "docs");
    let shown = desk.run(&["add-dir", name, "../lib", "--name", "upstream"]).succeeds();
    assert_eq!(
        desk.generalized(&shown.stdout),
        "added upstream to NAME with 1 file, 2 B\nnext:  cage diff NAME --dir upstream\n"
    );
    let list = desk.json("list", &["list"]);
    let own = list.as_array().unwrap().iter().find(|cage| cage["name"] == name).unwrap();
    assert_eq!(own["folders"][1]["place"], "upstream");
    assert_eq!(own["folders"][1]["dir"], fs::canonicalize(desk.path("lib")).unwrap().to_str().unwrap());

    desk.agent(&["sh", "-c", "echo more >> README.md; echo b > ~/docs/b.md; rm ~/upstream/x"]);
    let shown = desk.run(&["diff", name, "--all", "--delete"]).succeeds();
    insta::assert_snapshot!(desk.generalized(&shown.stdout), @r"
    project (.):
    M README.md
    0 added, 1 modified, 0 deleted
    docs (ROOT/docs):
    A b.md
    1 added, 0 modified, 0 deleted
    upstream (ROOT/lib):
    D x
    0 added, 0 modified, 1 deleted
    ");
    let all = desk.json("diff-all", &["diff", name, "--all", "--full", "--stats"]);
    assert_eq!((&all[1]["folder"], &all[1]["changes"][0]["path"]), (&"docs".into(), &"b.md".into()));
    assert_eq!(desk.json("diff", &["diff", name, "--dir", "docs"])["changes"][0]["path"], "b.md");
    let two = desk.json("diff-all", &["diff", name, "--dir", "docs", "--dir", "upstream"]);
    assert_eq!(two.as_array().unwrap().len(), 2);

    let exported = desk.json("export-all", &["export", name, "--all", "--yes"]);
    assert_eq!((&exported[1]["folder"], &exported[1]["written"][0]), (&"docs".into(), &"b.md".into()));
    assert_eq!(fs::read_to_string(desk.path("project/README.md")).unwrap(), "greet\nmore\n");
    assert_eq!(fs::read_to_string(desk.path("docs/b.md")).unwrap(), "b\n");
    assert!(desk.path("lib/x").exists());
    desk.run(&["export", name, "--dir", "upstream", "--delete", "-y"]).succeeds();
    assert!(!desk.path("lib/x").exists());

    desk.run(&["remove-dir", name, "docs"]).ends_with(1);
    desk.json("remove-dir", &["remove-dir", name, "docs", "-y"]);
    assert_eq!(desk.json("diff-all", &["diff", name, "--all"]).as_array().unwrap().len(), 2);
    assert_eq!(desk.agent(&["ls", "/home/trustycage"]), "project\nupstream\n");
    desk.run(&["destroy", name, "-y"]).succeeds();
}

#[test]
fn shows_exports_and_removes_a_folder_that_the_agent_deleted() {
    let Some(desk) = desk("deleted-folder") else { return };
    let name = desk.name();
    for dir in ["../docs", "../lib"] {
        desk.run(&["add-dir", name, dir]).succeeds();
    }
    desk.agent(&["sh", "-c", "rm -rf ~/docs; echo more >> ~/lib/x"]);
    let shown = desk.run(&["diff", name, "--all"]).succeeds();
    insta::assert_snapshot!(desk.generalized(&shown.stdout), @r"
    project (.):
    NAME has changed nothing
    docs (ROOT/docs):
    D a.md
    0 added, 0 modified, 1 deleted
    lib (ROOT/lib):
    M x
    0 added, 1 modified, 0 deleted
    ");
    desk.run(&["export", name, "--all", "-y"]).succeeds();
    assert_eq!(fs::read_to_string(desk.path("lib/x")).unwrap(), "x\nmore\n");
    assert!(desk.path("docs/a.md").exists(), "nobody said --delete");
    desk.json("remove-dir", &["remove-dir", name, "docs", "-y"]);
    assert_eq!(desk.json("diff-all", &["diff", name, "--all"]).as_array().unwrap().len(), 2);
    desk.run(&["destroy", name, "-y"]).succeeds();
}

#[test]
fn says_what_is_wrong_with_a_folder() {
    let Some(desk) = desk("no-folder") else { return };
    let name = desk.name();
    desk.run(&["add-dir", name, "../docs"]).succeeds();
    let complaint = |arguments: &[&str]| desk.run(arguments).complaint();
    insta::assert_snapshot!(complaint(&["add-dir", name, "../docs"]), @r"
    cage: the cage `NAME` has a folder `docs` already, or it is being added; choose another name or remove that one first
      next: choose another with --name, or remove that folder with: cage remove-dir NAME FOLDER
    ");
    insta::assert_snapshot!(complaint(&["add-dir", name, "../lib", "--as", "project"]), @"cage: invalid folder: `project` is the place of the project itself; choose another name");
    insta::assert_snapshot!(complaint(&["add-dir", name, "../none", "--as", "none"]), @"cage: cannot use the project folder `../none`: No such file or directory (os error 2); name a folder that exists and is readable");
    insta::assert_snapshot!(complaint(&["remove-dir", name, "project", "-y"]), @"cage: invalid folder: `project` is the project itself; destroy the cage to remove it");
    insta::assert_snapshot!(complaint(&["remove-dir", name, "none", "-y"]), @r"
    cage: the cage `NAME` has no extra folder `none`; it was never added or has been removed
      next: cage list --json names the folders of each cage, and cage add-dir adds one
    ");
    insta::assert_snapshot!(complaint(&["export", name, "--dir", "none", "-y"]), @r"
    cage: the cage `NAME` has no extra folder `none`; it was never added or has been removed
      next: cage list --json names the folders of each cage, and cage add-dir adds one
    ");
    desk.run(&["diff", name, "--all", "--dir", "docs"]).ends_with(64);
    desk.run(&["diff", name, "--dir", "docs", "--dir", "docs", "--output-dir", "."]).ends_with(64);
    desk.run(&["destroy", name, "-y"]).succeeds();
}
