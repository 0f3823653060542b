//! `cage create`.

use std::fmt;
use std::path::{Path, PathBuf};

use cage_host::{Cage, CageSpec, DEFAULT_IMAGE, MAX_NAME_BYTES, Network};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, NAME, Page, Progress, bytes_in_words};

/// Options of `cage create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder with the project; without one the project is empty
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Name of the cage; the folder's name unless given
    #[arg(long)]
    name: Option<String>,
    /// Do not attach to the new cage
    #[arg(long)]
    no_attach: bool,
    #[command(flatten)]
    place: Place,
}

/// What the container is like.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Image to create from
    #[arg(long, default_value = DEFAULT_IMAGE)]
    image: String,
    /// Memory limit, in MiB
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Processor limit, for example 1.5
    #[arg(long)]
    cpus: Option<f64>,
    /// Limit on processes and threads
    #[arg(long)]
    pids: Option<u32>,
    /// No network at all
    #[arg(long)]
    no_network: bool,
}

#[derive(Debug, Serialize)]
struct Created {
    name: String,
    files: u64,
    bytes: u64,
    left_out: Vec<String>,
}

impl Place {
    /// Adds these wishes to a cage's.
    pub(crate) fn apply(&self, mut spec: CageSpec) -> CageSpec {
        spec = spec.image(&self.image);
        if let Some(mebibytes) = self.memory {
            spec = spec.memory_bytes(mebibytes.saturating_mul(1 << 20));
        }
        if let Some(cpus) = self.cpus {
            spec = spec.cpus(cpus);
        }
        if let Some(pids) = self.pids {
            spec = spec.pids(pids);
        }
        if self.no_network { spec.network(Network::None) } else { spec }
    }
}

impl From<&Cage> for Created {
    fn from(cage: &Cage) -> Self {
        let arrival = cage.arrival();
        let left_out = arrival.left_out.iter().map(|path| path.display().to_string()).collect();
        Self { name: cage.name().to_string(), files: arrival.files, bytes: arrival.bytes, left_out }
    }
}

impl Answer for Created {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "created")?;
        page.text(" ")?;
        page.styled(NAME, &self.name)?;
        page.line(format_args!(" with {} files, {}", self.files, bytes_in_words(self.bytes)))?;
        self.left_out
            .iter()
            .try_for_each(|path| page.line(format_args!("  left out {path}: no regular file")))?;
        page.line(format_args!("next:  cage launch {} -p \"…\"", self.name))
    }
}

/// Creates a cage.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let name = args.name.clone().unwrap_or_else(|| name_of(args.dir.as_deref(), ""));
    let spec = match &args.dir {
        Some(dir) => CageSpec::from_dir(name, dir),
        None => CageSpec::empty(name),
    };
    let cage = create(context, args.place.apply(spec)).await?;
    context.screen().answer(&Created::from(&cage))?;
    Ok(Exit::Ok)
}

/// Creates a cage and shows how far it is.
pub(super) async fn create(context: &Context, spec: CageSpec) -> Result<Cage, Failure> {
    let host = context.host().await?;
    let _progress = Progress::begin(context.screen(), "creating a cage …");
    Ok(host.create(spec).await?)
}

/// Makes a name of a folder's, and an ending if there is one.
pub(super) fn name_of(dir: Option<&Path>, ending: &str) -> String {
    let whole = dir.and_then(|dir| dir.canonicalize().ok());
    let folder = whole.as_deref().and_then(Path::file_name).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = folder.to_string_lossy().chars().map(plain).collect();
    let words: Vec<_> = text.split('-').filter(|word| !word.is_empty()).collect();
    let room = MAX_NAME_BYTES - ending.len() - 1;
    let name: String = words.join("-").chars().take(room).collect();
    let name = if name.is_empty() { "cage" } else { name.trim_end_matches('-') };
    if ending.is_empty() { name.to_owned() } else { format!("{name}-{ending}") }
}
