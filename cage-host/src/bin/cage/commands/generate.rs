//! `cage completions` and `cage man`: what is made from the definition of the command line.

use std::fmt;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use serde::Serialize;

use crate::args::definition;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Page, print};

/// Options of `cage completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Options of `cage man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Folder to write them into; it is created when it is missing
    folder: PathBuf,
}

#[derive(Debug, Serialize)]
struct Written {
    folder: PathBuf,
    pages: usize,
}

impl Answer for Written {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(format_args!("{} manual pages in {}", self.pages, self.folder.display()))
    }
}

/// Prints a completion script.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "cage", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

/// Writes a manual page for the program and one for each command.
pub(crate) fn man(args: &ManArgs, context: &Context) -> Result<Exit, Failure> {
    let pages =
        write_pages(&args.folder).map_err(|error| Failure::File { path: args.folder.clone(), error })?;
    context.screen().answer(&Written { folder: args.folder.clone(), pages })?;
    Ok(Exit::Ok)
}

fn write_pages(folder: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(definition(), folder)?;
    Ok(std::fs::read_dir(folder)?.count())
}
