//! What the tests of this crate share: a host per backend, a project, and the rule for tests that need Docker.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::{Path, PathBuf};

use cage_host::{Cage, CageSpec, EmbeddedConfig, Host};

/// Returns a connected host, or `None` after saying loudly that the test is skipped.
///
/// With `CAGE_REQUIRE_DOCKER=1` a missing engine is a failure.
pub(crate) async fn docker() -> Option<Host> {
    match Host::connect().await {
        Ok(host) => Some(host),
        Err(error) if std::env::var("CAGE_REQUIRE_DOCKER").is_ok_and(|value| value == "1") => {
            panic!("this test needs Docker: {error}")
        }
        Err(error) => {
            eprintln!("SKIPPED, no Docker: {error}");
            None
        }
    }
}

/// The image that tests create cages from.
pub(crate) fn image() -> String {
    std::env::var("CAGE_IMAGE").unwrap_or_else(|_| "cage:latest".to_owned())
}

/// A name that no other test and no earlier run has.
pub(crate) fn unique(story: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}-{}-{story}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The folder of the two programs.
pub(crate) fn programs() -> PathBuf {
    std::env::var_os("CAGE_BIN_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist"), PathBuf::from)
}

/// A host on the embedded backend, with the folder that holds its cages.
pub(crate) fn embedded() -> (Host, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    // Tests that run no program of ours work before they are built.
    let programs = if programs().is_dir() { programs() } else { root.path().to_owned() };
    let host = Host::embedded(&EmbeddedConfig::new(root.path(), programs)).unwrap();
    (host, root)
}

/// Writes files, making folders as needed.
pub(crate) fn write_tree(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// Creates a cage in Docker from a folder.
pub(crate) async fn cage_from(host: &Host, story: &str, dir: &Path) -> Cage {
    host.create(CageSpec::from_dir(unique(story), dir).image(image())).await.unwrap()
}
