//! `cage create`.

use std::fmt;
use std::path::{Path, PathBuf};

use cage_host::{
    Arrival, Cage, CageSpec, CreateEvent, CreatePlan, DEFAULT_IMAGE, GitRepo, MAX_NAME_BYTES, Network,
    PlannedCopy,
};
use serde::Serialize;

use super::auth::AuthMode;
use super::dockerfile;
use super::folders::place_of;
use super::interactive::{self, AttachArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, NAME, Page, Progress, bytes_in_words, count};

/// Options of `cage create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Repository to clone, inside the cage; ssh addresses become https
    #[arg(conflicts_with = "dir")]
    url: Option<String>,
    /// Folder with the project; without one and without a URL the project is empty
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Branch or tag to clone
    #[arg(long, requires = "url")]
    branch: Option<String>,
    /// Name of the cage; the folder's or the repository's unless given
    #[arg(long)]
    name: Option<String>,
    /// Another folder to copy into the cage, beside the project; repeatable
    #[arg(long, value_name = "DIR")]
    add_dir: Vec<PathBuf>,
    /// How the agent will sign in, also later: a subscription is copied now, of the rest it is seen whether they are
    /// there
    #[arg(long, value_enum)]
    auth_mode: Option<AuthMode>,
    /// Build the image from this file first, with its folder as the context
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "dry_run"])]
    dockerfile: Option<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do not attach to the new cage; without a terminal nobody does
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
    /// Limit on what is written to the disk, in MiB, where the engine can
    #[arg(long, value_name = "MIB")]
    disk: Option<u64>,
    /// Runtime of the container, for example runsc
    #[arg(long)]
    runtime: Option<String>,
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
    folders: Vec<Folder>,
    /// The image that was built for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
}

/// An extra folder in a new cage.
#[derive(Debug, Serialize)]
struct Folder {
    place: String,
    files: u64,
    bytes: u64,
}

/// What creating would do.
#[derive(Debug, Serialize)]
struct Planned {
    #[serde(skip)]
    text: String,
    name: String,
    container: String,
    image: String,
    repository: Option<String>,
    copies: Vec<PlannedFolder>,
    memory_bytes: u64,
    cpus: f64,
    pids: u32,
}

#[derive(Debug, Serialize)]
struct PlannedFolder {
    place: String,
    dir: PathBuf,
    files: u64,
    bytes: u64,
}

impl From<CreatePlan> for Planned {
    fn from(plan: CreatePlan) -> Self {
        let copy = |copy: &PlannedCopy| PlannedFolder {
            place: copy.place.clone(),
            dir: copy.dir.clone(),
            files: copy.arrival.files,
            bytes: copy.arrival.bytes,
        };
        Self {
            text: plan.to_string(),
            name: plan.name.to_string(),
            copies: plan.copies.iter().map(copy).collect(),
            container: plan.container,
            image: plan.image,
            repository: plan.repository,
            memory_bytes: plan.memory_bytes,
            cpus: plan.cpus,
            pids: plan.pids,
        }
    }
}

impl Answer for Planned {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(self.text.trim_end())
    }
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
        if let Some(mebibytes) = self.disk {
            spec = spec.disk_bytes(mebibytes.saturating_mul(1 << 20));
        }
        if let Some(runtime) = &self.runtime {
            spec = spec.runtime(runtime);
        }
        if self.no_network { spec.network(Network::None) } else { spec }
    }
}

impl From<&Cage> for Created {
    fn from(cage: &Cage) -> Self {
        let arrival = cage.arrival();
        let left_out = arrival.left_out.iter().map(|path| path.display().to_string()).collect();
        let folder = |(place, arrival): &(String, Arrival)| Folder {
            place: place.clone(),
            files: arrival.files,
            bytes: arrival.bytes,
        };
        Self {
            name: cage.name().to_string(),
            files: arrival.files,
            bytes: arrival.bytes,
            left_out,
            folders: cage.folder_arrivals().iter().map(folder).collect(),
            image: None,
        }
    }
}

impl Answer for Created {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "created")?;
        page.text(" ")?;
        page.styled(NAME, &self.name)?;
        page.line(format_args!(" with {}, {}", count(self.files, "file"), bytes_in_words(self.bytes)))?;
        self.left_out
            .iter()
            .try_for_each(|path| page.line(format_args!("  left out {path}: no regular file")))?;
        if let Some(image) = &self.image {
            page.line(format_args!("  from {image}, which stays for the next one"))?;
        }
        for folder in &self.folders {
            page.line(format_args!("  beside it {} with {}", folder.place, count(folder.files, "file")))?;
        }
        page.line(format_args!("next:  cage launch {} -p \"…\"", self.name))
    }
}

/// Creates a cage, or says what creating it would do.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let mut spec = args.spec();
    if args.dry_run {
        let plan = context.host().await?.plan(&spec).await?;
        context.screen().answer(&Planned::from(plan))?;
        return Ok(Exit::Ok);
    }
    let credential = args.auth_mode.map(AuthMode::credential).transpose()?;
    let image = match &args.dockerfile {
        Some(file) => Some(dockerfile::build(file, &spec, context).await?),
        None => None,
    };
    if let Some(image) = &image {
        spec = spec.image(image);
    }
    let cage = create(context, spec).await?;
    if let (Some(AuthMode::Subscription), Some(credential)) = (args.auth_mode, &credential)
        && let Err(error) = cage.refresh_credential(credential).await
    {
        // What was asked for does not exist without it.
        cage.destroy().await?;
        return Err(error.into());
    }
    context.screen().answer(&Created { image, ..Created::from(&cage) })?;
    if args.no_attach || !context.screen().is_a_desk() {
        return Ok(Exit::Ok);
    }
    interactive::attach(&AttachArgs::to(cage.name().as_str()), context).await
}

impl Args {
    fn spec(&self) -> CageSpec {
        let name = self.name.clone().unwrap_or_else(|| self.derived_name());
        let spec = match (&self.url, &self.dir) {
            (Some(url), _) => CageSpec::from_git(name, self.repository(url)),
            (None, Some(dir)) => CageSpec::from_dir(name, dir),
            (None, None) => CageSpec::empty(name),
        };
        let spec =
            self.auth_mode.map(Into::into).into_iter().fold(self.place.apply(spec), CageSpec::auth_mode);
        self.add_dir.iter().fold(spec, |spec, dir| spec.folder(place_of(dir), dir))
    }

    fn repository(&self, url: &str) -> GitRepo {
        let repository = GitRepo::new(url);
        match &self.branch {
            Some(branch) => repository.branch(branch),
            None => repository,
        }
    }

    fn derived_name(&self) -> String {
        let last = |url: &String| url.trim_end_matches('/').rsplit(['/', ':']).next().map(str::to_owned);
        match self.url.as_ref().and_then(last) {
            Some(last) => name_from(last.trim_end_matches(".git"), ""),
            None => name_of(self.dir.as_deref(), ""),
        }
    }
}

/// Creates a cage and shows how far it is.
pub(super) async fn create(context: &Context, spec: CageSpec) -> Result<Cage, Failure> {
    let host = context.host().await?;
    let progress = Progress::begin(context.screen(), "creating a cage …");
    let mut creation = host.start_create(spec);
    while let Some(event) = creation.next().await {
        match event {
            CreateEvent::Packing { .. } | CreateEvent::Cloning { .. } => progress.detail(&event.to_string()),
            event => progress.step(&event.to_string()),
        }
    }
    Ok(creation.finish().await?)
}

/// Makes a name of a folder's, and an ending if there is one.
pub(super) fn name_of(dir: Option<&Path>, ending: &str) -> String {
    let whole = dir.and_then(|dir| dir.canonicalize().ok());
    let folder = whole.as_deref().and_then(Path::file_name).unwrap_or_default();
    name_from(&folder.to_string_lossy(), ending)
}

/// Makes a name of any text: what a name cannot hold becomes a hyphen.
pub(super) fn name_from(text: &str, ending: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().map(plain).collect();
    let words: Vec<_> = text.split('-').filter(|word| !word.is_empty()).collect();
    let room = MAX_NAME_BYTES - ending.len() - 1;
    let name: String = words.join("-").chars().take(room).collect();
    let name = if name.is_empty() { "cage" } else { name.trim_end_matches('-') };
    if ending.is_empty() { name.to_owned() } else { format!("{name}-{ending}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_name_of_any_text() {
        let names = ["My Project", "--x__y--", "täglich", "", "日本"].map(|text| name_from(text, ""));
        assert_eq!(names, ["my-project", "x-y", "t-glich", "cage", "cage"]);
        for text in ["x".repeat(200), "x-".repeat(100)] {
            assert!(cage_host::CageName::new(name_from(&text, "12345")).is_ok(), "{text}");
        }
    }
}
