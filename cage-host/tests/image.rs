//! Building an image through the library.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::process::Command;
use std::sync::{Arc, Mutex};

use cage_host::{BuildEvent, CageSpec, EngineError, Error, Host, ImageSpec, RequestError};
use support::leftovers::BuiltImage;
use support::{Stage, image, write_tree};

/// Builds from a Dockerfile and returns what the build printed beside its outcome.
async fn build(host: &Host, dockerfile: &str, tag: &str) -> (cage_host::Result<()>, Vec<String>) {
    let context = tempfile::tempdir().unwrap();
    write_tree(context.path(), &[("Dockerfile", dockerfile), ("extra/note", "hello"), ("not-sent", "x")]);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    let spec = ImageSpec::from_context(context.path())
        .tag(tag)
        .include("extra")
        .build_arg("GREETING", "from an argument")
        .on_line(move |line| heard.lock().unwrap().push(line.to_owned()));
    let built = host.build_image(spec).await;
    let lines = lines.lock().unwrap().clone();
    (built, lines)
}

#[tokio::test]
async fn builds_an_image_that_a_cage_can_be_created_from() {
    let Some(stage) = Stage::docker().await else { return };
    let tag = format!("cage-test-{}:1", stage.name("image"));
    let _built = BuiltImage(tag.clone());
    let dockerfile = format!(
        "FROM {}\nARG GREETING\nCOPY . /context/\nRUN test ! -e /context/not-sent && cat /context/extra/note && echo $GREETING\n",
        image()
    );
    let (built, lines) = build(&stage.host, &dockerfile, &tag).await;
    built.unwrap();
    assert!(lines.iter().any(|line| line.contains("hello")), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("from an argument")), "{lines:?}");
    let cage = stage.host.create(CageSpec::empty(stage.name("built")).image(&tag)).await.unwrap();
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn reports_the_step_that_fails_and_leaves_no_image() {
    let Some(stage) = Stage::docker().await else { return };
    let tag = format!("cage-test-{}:1", stage.name("broken"));
    let (built, _) = build(&stage.host, &format!("FROM {}\nRUN exit 7\n", image()), &tag).await;
    let error = built.unwrap_err();
    assert!(
        matches!(&error, Error::Engine(EngineError::Refused { reason, .. }) if reason.contains('7')),
        "{error}"
    );
    let error = stage.host.create(CageSpec::empty(stage.name("none")).image(&tag)).await.unwrap_err();
    assert!(matches!(error, Error::Engine(EngineError::ImageMissing { .. })), "{error}");
}

#[tokio::test]
async fn tells_of_each_step_of_each_line_and_of_the_end() {
    let Some(stage) = Stage::docker().await else { return };
    let tag = format!("cage-test-{}:1", stage.name("events"));
    let _built = BuiltImage(tag.clone());
    let context = tempfile::tempdir().unwrap();
    // Nobody has run this step before, so it is in no cache.
    let dockerfile = format!("FROM {}\nRUN printf 'red \\033[31m and {tag}\\n'\n", image());
    write_tree(context.path(), &[("Dockerfile", &dockerfile)]);
    let mut build = stage.host.start_build(ImageSpec::from_context(context.path()).tag(&tag)).unwrap();
    let (mut steps, mut lines, mut images) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(event) = build.next().await {
        match event.unwrap() {
            BuildEvent::Step { number, total, instruction, .. } => steps.push((number, total, instruction)),
            BuildEvent::Line(line) => lines.push(line),
            BuildEvent::Done { image, .. } => images.push(image.unwrap()),
            other => panic!("{other:?}"),
        }
    }
    // The engine makes further steps of its own from the image's labels.
    let total = steps[0].1;
    let numbers: Vec<_> = steps.iter().map(|step| (step.0, step.1)).collect();
    assert_eq!(numbers, (1..=total).map(|number| (number, total)).collect::<Vec<_>>());
    assert_eq!(steps[0].2, format!("FROM {}", image()));
    assert!(lines.iter().any(|line| line.contains(r"red \u{1b}[31m and cage-test")), "{lines:?}");
    let id = Command::new("docker").args(["inspect", "--format", "{{.Id}}", &tag]).output().unwrap();
    assert_eq!(images, [String::from_utf8(id.stdout).unwrap().trim()]);
    assert!(build.next().await.is_none(), "nothing follows the end");
}

#[tokio::test]
async fn finishes_with_the_error_of_the_step_that_fails() {
    let Some(stage) = Stage::docker().await else { return };
    let context = tempfile::tempdir().unwrap();
    write_tree(context.path(), &[("Dockerfile", &format!("FROM {}\nRUN exit 9\n", image()))]);
    let tag = format!("cage-test-{}:1", stage.name("finish"));
    let build = stage.host.start_build(ImageSpec::from_context(context.path()).tag(&tag)).unwrap();
    let error = build.finish().await.unwrap_err();
    assert!(
        matches!(&error, Error::Engine(EngineError::Refused { reason, .. }) if reason.contains('9')),
        "{error}"
    );
}

#[tokio::test]
async fn rejects_building_on_the_embedded_backend() {
    let stage = Stage::embedded();
    let error = stage.host.build_image(ImageSpec::from_context(".")).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::Invalid { what: "image", .. })), "{error}");
}
