//! What an image is built from, and what a build says on its way.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::cage::DEFAULT_IMAGE;
use crate::docker::{BuildNews, BuildSteps};
use crate::error::Result;
use crate::sanitize::{MAX_SHOWN_CHARS, sanitize};

/// What the Dockerfile of this project needs from its context.
const CONTEXT: [&str; 4] = ["Dockerfile", "certs", "dist/cage-send", "dist/cage-poll"];

/// A wish for an image, to be built by [`Host::build_image`](crate::Host::build_image) or
/// [`Host::start_build`](crate::Host::start_build).
#[must_use]
pub struct ImageSpec {
    pub(crate) context: PathBuf,
    /// Below the context.
    pub(crate) dockerfile: String,
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
            dockerfile: "Dockerfile".to_owned(),
            files: CONTEXT.map(PathBuf::from).to_vec(),
            tag: DEFAULT_IMAGE.to_owned(),
            arguments: Vec::new(),
            host_network: false,
            listener: Box::new(|_| {}),
        }
    }

    /// Builds from a Dockerfile of any name, with all of its folder as the context: without `.git` and what
    /// `.gitignore` files exclude, but with `dist/` for the two programs and `certs/`. A path that is not UTF-8 is not
    /// found.
    pub fn from_dockerfile(file: impl AsRef<Path>) -> Self {
        let file = file.as_ref();
        let context = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let spec = Self::from_context(context).include(&name).include("");
        Self { dockerfile: name, ..spec }
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

    /// Calls `listener` with each line of the build's output, safe to show, while
    /// [`Host::build_image`](crate::Host::build_image) runs.
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

/// Something that happened while an image was built. `Display` shows it as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildEvent {
    /// An instruction of the Dockerfile begins.
    #[non_exhaustive]
    Step {
        /// Its number, from 1.
        number: u32,
        /// How many there are.
        total: u32,
        /// The instruction, for example `RUN apt-get update`.
        instruction: String,
    },
    /// A line of output: safe to show, at most 2,000 characters long.
    Line(String),
    /// The image exists.
    #[non_exhaustive]
    Done {
        /// Its id, if the engine told it.
        image: Option<String>,
    },
}

impl fmt::Display for BuildEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { number, total, instruction } => write!(f, "Step {number}/{total} : {instruction}"),
            Self::Line(line) => f.write_str(line),
            Self::Done { image: Some(image) } => write!(f, "built {image}"),
            Self::Done { image: None } => f.write_str("built"),
        }
    }
}

impl BuildEvent {
    /// Docker says `Step 1/4 : FROM base`, Podman `STEP 1/4: FROM base`; all else is output.
    fn parse(line: &str) -> Self {
        step(line).unwrap_or_else(|| Self::Line(shown(line)))
    }
}

fn step(line: &str) -> Option<BuildEvent> {
    let rest = line.strip_prefix("Step ").or_else(|| line.strip_prefix("STEP "))?;
    let (count, instruction) = rest.split_once(':')?;
    let (number, total) = count.trim_end().split_once('/')?;
    let (number, total) = (number.parse().ok()?, total.parse().ok()?);
    Some(BuildEvent::Step { number, total, instruction: shown(instruction.trim()) })
}

fn shown(text: &str) -> String {
    sanitize(&text.chars().take(MAX_SHOWN_CHARS).collect::<String>())
}

/// A build under way. The engine gives it up when this is dropped before [`BuildEvent::Done`].
///
/// ```no_run
/// # async fn story() -> cage_host::Result<()> {
/// use cage_host::{BuildEvent, Host, ImageSpec};
///
/// let host = Host::connect().await?;
/// let mut build = host.start_build(ImageSpec::from_context("."))?;
/// while let Some(event) = build.next().await {
///     if let BuildEvent::Step { number, total, instruction, .. } = event? {
///         println!("{number} of {total}: {instruction}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Build {
    /// `None` once it has ended, well or not.
    steps: Option<BuildSteps>,
    waiting: VecDeque<BuildEvent>,
    image: Option<String>,
}

impl Build {
    pub(crate) fn new(steps: BuildSteps) -> Self {
        Self { steps: Some(steps), waiting: VecDeque::new(), image: None }
    }

    /// Returns what happens next; `None` after [`BuildEvent::Done`] or an error. Nothing is lost when the future is
    /// dropped.
    ///
    /// # Errors
    /// - [`IoError`](crate::IoError) when the context cannot be read.
    /// - [`EngineError`](crate::EngineError) when a step fails, the engine fails, or it is silent for half an hour.
    pub async fn next(&mut self) -> Option<Result<BuildEvent>> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(Ok(event));
            }
            match self.steps.as_mut()?.next().await {
                Ok(Some(news)) => self.hear(news),
                Ok(None) => {
                    self.steps = None;
                    return Some(Ok(BuildEvent::Done { image: self.image.take() }));
                }
                Err(error) => {
                    self.steps = None;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Waits for the end of the build.
    ///
    /// # Errors
    /// Those of [`Build::next`].
    pub async fn finish(mut self) -> Result<()> {
        while let Some(event) = self.next().await {
            event?;
        }
        Ok(())
    }

    fn hear(&mut self, news: BuildNews) {
        let lines = news.text.lines().filter(|line| !line.trim().is_empty());
        self.waiting.extend(lines.map(BuildEvent::parse));
        if let Some(image) = news.image {
            self.image = Some(shown(&image));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_the_steps_of_either_engine() {
        for line in ["Step 2/11 : RUN echo a:b", "STEP 2/11: RUN echo a:b"] {
            let step = BuildEvent::Step { number: 2, total: 11, instruction: "RUN echo a:b".to_owned() };
            assert_eq!(BuildEvent::parse(line), step);
        }
    }

    #[test]
    fn takes_what_only_looks_like_a_step_for_output() {
        for line in ["Step by step", "Step 1/x : FROM a", "Step 1 : FROM a", " Step 1/2 : FROM a"] {
            assert_eq!(BuildEvent::parse(line), BuildEvent::Line(line.to_owned()));
        }
    }

    #[test]
    fn shows_no_line_that_steers_a_terminal_and_none_without_an_end() {
        assert_eq!(BuildEvent::parse("\u{1b}[2J").to_string(), r"\u{1b}[2J");
        assert_eq!(BuildEvent::parse(&"x".repeat(10_000)).to_string().len(), MAX_SHOWN_CHARS);
    }
}
