//! Options of `cage run`.

use std::path::PathBuf;

use cage_host::CageSpec;

use crate::commands::create::{Place, name_of};
use crate::commands::launch::Limits;

/// Options of `cage run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
At the end a person is asked what to do with the result. With --yes nobody is asked: a completed task is exported and
its cage destroyed; after anything else the cage stays, so that nothing is lost. Ctrl-C while the agent works pauses to
ask; with nobody to ask it destroys the cage.")]
pub(crate) struct Args {
    /// What the agent is to do
    pub(super) task: String,
    /// Folder with the project, which the result is written back to
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(super) dir: PathBuf,
    /// Write the result into another folder
    #[arg(long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// Name of the cage; the folder's name and a number unless given
    #[arg(long)]
    name: Option<String>,
    /// Folder with the files that the agent may ask for
    #[arg(long, value_name = "DIR")]
    pub(super) answers: Option<PathBuf>,
    /// Ask nothing
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Leave the cage there at the end
    #[arg(long)]
    pub(super) keep: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    pub(super) limits: Limits,
}

impl Args {
    /// Makes a wish for a cage of these.
    pub(super) fn spec(&self) -> CageSpec {
        let name = self.name.clone().unwrap_or_else(|| {
            // Several runs in one folder need several names.
            name_of(Some(&self.dir), &std::process::id().to_string())
        });
        let spec = self.place.apply(CageSpec::from_dir(name, &self.dir));
        self.limits.auth_mode().map(Into::into).into_iter().fold(spec, CageSpec::auth_mode)
    }

    /// Where the result goes.
    pub(super) fn target(&self) -> PathBuf {
        self.output_dir.clone().unwrap_or_else(|| self.dir.clone())
    }
}
