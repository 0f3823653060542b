//! Creating with extra folders, limits and runtimes; the plan and the steps; and that nothing is left of a creation
//! that was given up, whatever it was at.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

#[macro_use]
mod support;

use std::fs;
use std::path::Path;

use cage_host::{CageSpec, CreateEvent, Creation, EngineError, Error, RequestError};
use support::{Stage, image, write_tree};

on_both_backends! {
    puts_extra_folders_beside_the_project => extra_folders;
    leaves_nothing_when_an_extra_folder_cannot_be_packed => failed_folder;
    leaves_nothing_when_dropped_at_any_step => dropped_at_any_step;
    tells_each_step_once_and_in_order => steps;
    plans_what_is_then_copied_and_makes_nothing => planned;
    refuses_in_a_plan_what_creating_would_refuse => refused_plan;
}

/// Two folders with something in each that is left out.
fn write_folders(root: &Path) {
    write_tree(
        root,
        &[
            ("p/a.txt", "hello"),
            ("p/.gitignore", "*.log\n"),
            ("p/x.log", "no"),
            ("docs/guide.md", "# Guide"),
            ("docs/.gitignore", "out/\n"),
            ("docs/out/page", "no"),
            ("data/1", "x"),
        ],
    );
}

fn spec(name: &str, root: &Path) -> CageSpec {
    let spec = CageSpec::from_dir(name, root.join("p")).image(image());
    spec.folder("docs", root.join("docs")).folder("data", root.join("data"))
}

async fn extra_folders(stage: Stage) {
    let root = tempfile::tempdir().unwrap();
    write_folders(root.path());
    let cage = stage.host.create(spec(&stage.name("folders"), root.path())).await.unwrap();
    let sent: Vec<_> =
        cage.folder_arrivals().iter().map(|(place, arrival)| (place.as_str(), arrival.files)).collect();
    assert_eq!(sent, [("docs", 2), ("data", 1)]);
    let list =
        "cd \"${CAGE_DIR:-$HOME/.cage}/..\" && find docs data project -type f -not -path '*/.git/*' | sort";
    let files = stage.agent(&cage, &["sh", "-c", list]);
    insta::allow_duplicates! { insta::assert_snapshot!(files, @r"
    data/1
    docs/.gitignore
    docs/guide.md
    project/.gitignore
    project/a.txt
    
"); }
    cage.destroy().await.unwrap();
}

async fn failed_folder(stage: Stage) {
    let root = tempfile::tempdir().unwrap();
    write_folders(root.path());
    // Deeper than the library takes.
    let deep = root.path().join("data").join("d/".repeat(130));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("f"), "x").unwrap();
    let name = stage.name("failed-folder");
    let error = stage.host.create(spec(&name, root.path())).await.unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
    assert!(!stage.has(&name).await);
}

async fn dropped_at_any_step(stage: Stage) {
    let root = tempfile::tempdir().unwrap();
    write_folders(root.path());
    for steps in 0.. {
        assert!(steps < 100, "there is no end of events");
        let name = stage.name("dropped");
        let mut creation = stage.host.start_create(spec(&name, root.path()));
        let mut last = None;
        for _ in 0..steps {
            last = creation.next().await;
        }
        drop(creation);
        stage.host.settled().await;
        assert!(!stage.has(&name).await, "something is left after {last:?}");
        if steps > 0 && last.is_none() {
            return;
        }
    }
}

async fn all_steps(creation: &mut Creation) -> Vec<CreateEvent> {
    let mut events = Vec::new();
    while let Some(event) = creation.next().await {
        events.push(event);
    }
    events
}

async fn steps(stage: Stage) {
    let root = tempfile::tempdir().unwrap();
    write_folders(root.path());
    let mut creation = stage.host.start_create(spec(&stage.name("steps"), root.path()));
    let events = all_steps(&mut creation).await;
    let told = events.iter().filter(|event| !matches!(event, CreateEvent::Packing { .. }));
    let told: Vec<_> = told.map(ToString::to_string).collect();
    insta::allow_duplicates! { insta::assert_snapshot!(told.join("\n"), @r"
    checking
    created the container
    started the container
    packed project: 2 files, 11 bytes
    committing the baseline
    packed docs: 2 files, 12 bytes
    packed data: 1 files, 1 bytes
    done
    
"); }
    creation.finish().await.unwrap().destroy().await.unwrap();
}

async fn planned(stage: Stage) {
    let root = tempfile::tempdir().unwrap();
    write_folders(root.path());
    std::os::unix::net::UnixListener::bind(root.path().join("data/socket")).unwrap();
    let name = stage.name("planned");
    let spec = spec(&name, root.path()).memory_bytes(1 << 30).cpus(0.5).pids(100);
    let plan = stage.host.plan(&spec).await.unwrap();
    assert!(!stage.has(&name).await);
    let shown = plan.to_string().replace(&name, "NAME").replace(root.path().to_str().unwrap(), "ROOT");
    let shown = shown.replace(&image(), "IMAGE");
    insta::allow_duplicates! { insta::assert_snapshot!(shown, @r"
    cage NAME as container isolated-dev-NAME from image IMAGE
      project: 2 files, 11 bytes from ROOT/p
      docs: 2 files, 12 bytes from ROOT/docs
      data: 1 files, 1 bytes from ROOT/data
        left out: socket, which is no file
      limits: 1073741824 bytes of memory, 0.5 processors, 100 processes; network: open
    
"); }
    let cage = stage.host.create(spec).await.unwrap();
    let sent =
        std::iter::once(cage.arrival()).chain(cage.folder_arrivals().iter().map(|(_, arrival)| arrival));
    assert!(plan.copies.iter().map(|copy| &copy.arrival).eq(sent));
    cage.destroy().await.unwrap();
}

async fn refused_plan(stage: Stage) {
    let name = stage.name("refused");
    let owner = stage.host.create(CageSpec::empty(&name).image(image())).await.unwrap();
    let error = stage.host.plan(&CageSpec::empty(&name).image(image())).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::NameTaken { .. })), "{error}");
    owner.destroy().await.unwrap();
    let error = stage.host.plan(&CageSpec::empty("No").image(image())).await.unwrap_err();
    assert!(matches!(error, Error::Request(RequestError::Name(_))), "{error}");
}

#[tokio::test]
async fn plans_no_cage_without_its_image() {
    let Some(stage) = Stage::docker().await else { return };
    let spec = CageSpec::empty(stage.name("plan")).image("cage-test-no-such-image:1");
    let error = stage.host.plan(&spec).await.unwrap_err();
    assert!(matches!(error, Error::Engine(EngineError::ImageMissing { .. })), "{error}");
}

/// Says what planning and creating both say, and that neither left anything.
async fn refusal(stage: &Stage, spec: impl Fn(&str) -> CageSpec) -> String {
    let name = stage.name("ability");
    let planned = stage.host.plan(&spec(&name)).await.unwrap_err();
    let created = stage.host.create(spec(&name)).await.unwrap_err();
    assert_eq!(planned.to_string(), created.to_string());
    assert!(!stage.has(&name).await);
    planned.to_string()
}

#[tokio::test]
async fn says_that_the_engine_lacks_a_runtime_and_takes_one_that_it_has() {
    let Some(stage) = Stage::docker().await else { return };
    let said = refusal(&stage, |name| CageSpec::empty(name).image(image()).runtime("no-such-runtime")).await;
    assert!(said.starts_with("the engine has no runtime `no-such-runtime`, it has "), "{said}");
    assert!(said.contains("runc"), "{said}");
    let name = stage.name("runtime");
    let cage = stage.host.create(CageSpec::empty(name).image(image()).runtime("runc")).await.unwrap();
    cage.destroy().await.unwrap();
}

/// What an engine says about limits of the disk depends on its file system: either it has quotas and the limit holds,
/// or it refuses and says why.
#[tokio::test]
async fn limits_the_disk_or_says_why_not() {
    let Some(stage) = Stage::docker().await else { return };
    let name = stage.name("disk");
    match stage.host.create(CageSpec::empty(&name).image(image()).disk_bytes(64 << 20)).await {
        Ok(cage) => {
            let written =
                stage.run(&cage, &["dd", "if=/dev/zero", "of=/home/trustycage/f", "bs=1M", "count=100"]);
            assert!(!written.status.success(), "{written:?}");
            cage.destroy().await.unwrap();
        }
        Err(error) => {
            assert!(matches!(error, Error::Engine(EngineError::Unsupported { .. })), "{error}");
            assert!(
                error.to_string().starts_with("the engine cannot give a cage a limit of its disk: "),
                "{error}"
            );
            assert!(!stage.has(&name).await);
        }
    }
}
