//! Where the things under test are: from the environment, else where `make` puts them.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the top folder of the checkout.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Returns the folder of the two static programs: `CAGE_BIN_DIR`, else `dist`.
pub fn programs() -> PathBuf {
    env::var_os("CAGE_BIN_DIR").map_or_else(|| root().join("dist"), PathBuf::from)
}

/// Returns one of the two programs.
///
/// # Panics
/// When it was not built.
pub fn program(name: &str) -> PathBuf {
    let program = programs().join(name);
    assert!(program.is_file(), "{} is missing; `make binaries` builds it", program.display());
    program
}

/// Returns the image that cages are made from: `CAGE_IMAGE`, else `cage:latest`.
pub fn image() -> String {
    env::var("CAGE_IMAGE").unwrap_or_else(|_| "cage:latest".to_owned())
}
