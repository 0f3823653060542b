//! The image of `cage create --dockerfile`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;

use cage_host::{CageSpec, EngineError, Error, ImageSpec};

use super::image;
use crate::context::Context;
use crate::failure::Failure;

/// What such images are called; the tag stands for the file.
const REPOSITORY: &str = "cage-dockerfile";

/// Builds an image for a cage that could be created, and returns its name: one for each file, so that the next build
/// takes its place.
pub(super) async fn build(file: &Path, spec: &CageSpec, context: &Context) -> Result<String, Failure> {
    let path = regular_file(file).map_err(|error| Failure::File { path: file.to_owned(), error })?;
    let host = context.host().await?;
    // A build takes minutes: what is wrong with the rest is better said before.
    match host.plan(spec).await {
        Ok(_) | Err(Error::Engine(EngineError::ImageMissing { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    let tag = format!("{REPOSITORY}:{:016x}", hasher.finish());
    image::build(context.screen(), host, ImageSpec::from_dockerfile(&path).tag(&tag), &tag).await?;
    Ok(tag)
}

fn regular_file(file: &Path) -> io::Result<std::path::PathBuf> {
    let path = file.canonicalize()?;
    if path.is_file() { Ok(path) } else { Err(io::Error::other("it is no regular file")) }
}
