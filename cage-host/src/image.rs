//! What an image is built from.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::cage::DEFAULT_IMAGE;

/// What the Dockerfile of this project needs from its context.
const CONTEXT: [&str; 4] = ["Dockerfile", "certs", "dist/cage-send", "dist/cage-poll"];

/// A wish for an image, to be built by [`Host::build_image`](crate::Host::build_image).
#[must_use]
pub struct ImageSpec {
    pub(crate) context: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) tag: String,
    pub(crate) arguments: Vec<(String, String)>,
    pub(crate) host_network: bool,
    pub(crate) listener: Box<dyn FnMut(&str) + Send>,
}

impl ImageSpec {
    /// Builds from a folder with a `Dockerfile`, the two programs in `dist/`, and certificates in `certs/` if there
    /// are any. Nothing else in it is read or sent.
    pub fn from_context(context: impl AsRef<Path>) -> Self {
        Self {
            context: context.as_ref().to_owned(),
            files: CONTEXT.map(PathBuf::from).to_vec(),
            tag: DEFAULT_IMAGE.to_owned(),
            arguments: Vec::new(),
            host_network: false,
            listener: Box::new(|_| {}),
        }
    }

    /// Names the image otherwise than [`DEFAULT_IMAGE`](crate::DEFAULT_IMAGE).
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// Sends a further file or folder of the context along.
    pub fn include(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Sets an `ARG` of the Dockerfile. It stays readable in the image's history: nothing secret belongs there.
    pub fn build_arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.arguments.push((name.into(), value.into()));
        self
    }

    /// Lets the build use the host's network, for a proxy that listens there alone.
    pub fn host_network(mut self) -> Self {
        self.host_network = true;
        self
    }

    /// Calls `listener` with each line of the build's output, safe to show.
    pub fn on_line(mut self, listener: impl FnMut(&str) + Send + 'static) -> Self {
        self.listener = Box::new(listener);
        self
    }
}

impl fmt::Debug for ImageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageSpec")
            .field("context", &self.context)
            .field("tag", &self.tag)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}
