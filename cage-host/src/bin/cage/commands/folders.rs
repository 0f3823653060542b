//! Which folders of a cage a command is about, and which of this machine they belong to.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cage_host::{Cage, DiffOptions, RequestError};

use super::made_folder::MadeFolder;
use crate::failure::Failure;

/// Options that choose folders.
#[derive(Debug, clap::Args)]
pub(super) struct Folders {
    /// Folder of this machine; the current one unless given, and for an extra folder the one that it was copied from
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Extra folder of the cage instead of the project; repeatable
    #[arg(long, value_name = "NAME")]
    dir: Vec<String>,
    /// The project and every extra folder
    #[arg(long, conflicts_with = "dir")]
    all: bool,
}

/// A folder of a cage with the one of this machine that it belongs to.
#[derive(Debug)]
pub(super) struct Pair {
    /// Its place in the cage's home; `None` for the project.
    place: Option<String>,
    pub(super) dir: PathBuf,
}

impl Folders {
    /// Says whether the answer is a list, even if it turns out to be one of a single folder.
    pub(super) fn are_many(&self) -> bool {
        self.all || self.dir.len() > 1
    }

    /// Makes the folder of this machine that was named, if it is missing.
    pub(super) fn make_output_dir(&self) -> Result<MadeFolder, Failure> {
        self.output_dir.as_deref().map_or_else(|| Ok(MadeFolder::default()), MadeFolder::make)
    }

    /// Checks that the folder of this machine that was named is there.
    pub(super) fn check_output_dir(&self) -> Result<(), Failure> {
        let Some(dir) = self.output_dir.as_deref().filter(|dir| !dir.exists()) else { return Ok(()) };
        let reason = format!(
            "`{}` does not exist, so there is nothing to compare with; `cage export` makes it",
            dir.display()
        );
        Err(cage_host::Error::from(RequestError::Invalid { what: "--output-dir", reason }).into())
    }

    /// Finds the folders that are meant.
    pub(super) async fn of(&self, cage: &Cage) -> Result<Vec<Pair>, Failure> {
        if self.dir.len() > 1 && self.output_dir.is_some() {
            let both =
                "--output-dir is one folder, and --dir names several; export them one by one".to_owned();
            return Err(Failure::Usage(both));
        }
        let project = || Pair { place: None, dir: self.output_dir.clone().unwrap_or_else(|| ".".into()) };
        if self.all {
            let extra = cage.folders().await?.into_iter();
            let extra = extra.map(|folder| origin(folder.place, folder.dir)).collect::<Result<Vec<_>, _>>();
            return Ok(std::iter::once(project()).chain(extra?).collect());
        }
        match (&self.dir[..], &self.output_dir) {
            ([], _) => Ok(vec![project()]),
            ([place], Some(dir)) => Ok(vec![Pair { place: Some(place.clone()), dir: dir.clone() }]),
            (places, _) => with_origins(places, cage).await,
        }
    }
}

async fn with_origins(places: &[String], cage: &Cage) -> Result<Vec<Pair>, Failure> {
    let known = cage.folders().await?;
    let find = |place: &String| {
        let folder = known.iter().find(|folder| folder.place == *place).ok_or_else(|| {
            let cage = cage.name().to_string();
            Failure::from(cage_host::Error::from(RequestError::NoSuchFolder { cage, place: place.clone() }))
        })?;
        origin(place.clone(), folder.dir.clone())
    };
    places.iter().map(find).collect()
}

fn origin(place: String, dir: Option<PathBuf>) -> Result<Pair, Failure> {
    let dir = dir.ok_or_else(|| Failure::Other {
        what: format!("nobody knows where the extra folder {place} came from"),
        hint: format!("say it: --dir {place} --output-dir DIR"),
    })?;
    Ok(Pair { place: Some(place), dir })
}

impl Pair {
    /// Says what a diff looks at; with `protected`, in caches too.
    pub(super) fn options(&self, protected: bool) -> DiffOptions {
        let options = DiffOptions::default().protected(protected);
        match &self.place {
            Some(place) => options.folder(place),
            None => options,
        }
    }
}

/// Returns the name that a folder has on this machine, as the place of its copy in a cage.
pub(super) fn place_of(dir: &Path) -> String {
    let name = dir.canonicalize().ok().as_deref().and_then(Path::file_name).map(OsStr::to_os_string);
    name.and_then(|name| name.into_string().ok()).unwrap_or_default()
}
