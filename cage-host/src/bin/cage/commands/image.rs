//! `cage build-image`.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;

use cage_host::{BuildEvent, DEFAULT_IMAGE, Host, ImageSpec};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Page, Progress, Screen};

/// Lines of a step's output that are shown when it fails.
const LINES_OF_A_FAILURE: usize = 20;

/// Options of `cage build-image`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder with the Dockerfile and the two programs in dist/
    #[arg(default_value = ".")]
    context: PathBuf,
    /// Name of the image
    #[arg(long, default_value = DEFAULT_IMAGE)]
    tag: String,
    /// Argument of the Dockerfile; it stays readable in the image
    #[arg(long = "build-arg", value_name = "NAME=VALUE", value_parser = super::input::assignment)]
    arguments: Vec<(String, String)>,
    /// Let the build use the host's network
    #[arg(long)]
    host_network: bool,
}

#[derive(Debug, Serialize)]
struct Built {
    image: String,
}

impl Answer for Built {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(format_args!("built {}", self.image))
    }
}

/// Builds the image.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let mut spec = ImageSpec::from_context(&args.context).tag(&args.tag);
    for (name, value) in args.arguments {
        spec = spec.build_arg(name, value);
    }
    if args.host_network {
        spec = spec.host_network();
    }
    build(screen, context.host().await?, spec, &args.tag).await?;
    screen.answer(&Built { image: args.tag })?;
    Ok(Exit::Ok)
}

/// Builds an image and shows how far it is.
pub(super) async fn build(screen: Screen, host: &Host, spec: ImageSpec, tag: &str) -> Result<(), Failure> {
    let progress = Progress::begin(screen, &format!("building {tag} …"));
    let mut build = host.start_build(spec)?;
    let mut said = VecDeque::new();
    while let Some(event) = build.next().await {
        match event {
            Ok(step @ BuildEvent::Step { .. }) => {
                said.clear();
                progress.step(&step.to_string());
            }
            Ok(event) => {
                said.push_back(event.to_string());
                said.drain(..said.len().saturating_sub(LINES_OF_A_FAILURE));
                progress.detail(&event.to_string());
            }
            Err(error) => {
                drop(progress);
                for line in &said {
                    screen.say(line);
                }
                return Err(error.into());
            }
        }
    }
    Ok(())
}
