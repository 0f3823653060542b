//! `cage create --dockerfile`.

use std::fs;

use crate::desk::{Desk, docker};
use crate::support::image;
use crate::support::leftovers::BuiltImage;

/// Writes a Dockerfile beside the project, and returns its path.
fn write(desk: &Desk, steps: &str) -> String {
    let folder = desk.path("environment");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("Cage.dockerfile");
    fs::write(&file, format!("FROM {}\n{steps}\n", image())).unwrap();
    file.to_str().unwrap().to_owned()
}

fn images() -> String {
    docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", "cage-dockerfile"])
}

#[test]
fn creates_from_an_image_that_it_builds_first() {
    let Some(desk) = Desk::with_engine("dockerfile") else { return };
    let file = write(&desk, "COPY tool /opt/tool");
    fs::write(desk.path("environment/tool"), "made for it").unwrap();
    let created =
        desk.json("create", &["create", "--dir", ".", "--name", desk.name(), "--dockerfile", &file]);
    let built = BuiltImage(created["image"].as_str().unwrap().to_owned());
    assert!(images().contains(&built.0), "{}", built.0);
    assert_eq!(desk.agent(&["cat", "/opt/tool"]), "made for it");
    assert_eq!(desk.agent(&["cat", "README.md"]), "greet\n");
    let complaint = desk.run(&["create", "--name", desk.name(), "--dockerfile", &file]).complaint();
    insta::assert_snapshot!(complaint, @r"
    cage: a cage named `NAME` exists already; choose another name or destroy that one first
      next: choose another with --name, or remove that cage with: cage destroy NAME
    ");
    desk.run(&["destroy", desk.name(), "--yes"]).succeeds();
}

#[test]
fn leaves_no_cage_and_no_image_of_a_build_that_fails() {
    let Some(desk) = Desk::with_engine("broken-build") else { return };
    let file = write(&desk, "RUN echo what went wrong >&2; exit 3");
    let ran = desk.run(&["create", "--dir", ".", "--name", desk.name(), "--dockerfile", &file]).ends_with(1);
    assert!(ran.stderr.contains("Step 2/"), "{}", ran.stderr);
    assert!(ran.stderr.matches("what went wrong").count() >= 3, "the step's own words: {}", ran.stderr);
    let words = ran.stderr.clone();
    let tag = words.split_whitespace().find(|word| word.starts_with("cage-dockerfile:")).unwrap();
    assert_eq!((desk.containers().as_str(), images().contains(tag)), ("", false));
    insta::assert_snapshot!(ran.complaint(), @"cage: the engine refused to build the image: The command '/bin/sh -c echo what went wrong >&2; exit 3' returned a non-zero code: 3");
}

#[test]
fn rejects_a_dockerfile_that_is_none_before_anything_is_built() {
    let Some(desk) = Desk::with_engine("no-dockerfile") else { return };
    for (file, reason) in [("nowhere", "No such file"), (".", "no regular file")] {
        let complaint = desk.run(&["create", "--name", desk.name(), "--dockerfile", file]).complaint();
        assert!(
            complaint.contains(&format!("cannot read `{file}`")) && complaint.contains(reason),
            "{complaint}"
        );
    }
    desk.run(&["create", "--dockerfile", "x", "--image", "y"]).ends_with(64);
}
