//! Creates a cage with folders beside its project, each a place of its own in the home, adds and removes one, and
//! compares each with its origin.

use cage_host::{CageSpec, DiffOptions, Host};
use clap::Parser;

/// Create a cage with extra folders
#[derive(Debug, Parser)]
struct Options {
    /// Folder that becomes the project
    project: String,
    /// Folders that go beside it, as PLACE=FOLDER
    #[arg(value_parser = place)]
    folders: Vec<(String, String)>,
    /// Name of the cage
    #[arg(long, default_value = "folders-example")]
    name: String,
    /// Image of the container
    #[arg(long, default_value = cage_host::DEFAULT_IMAGE)]
    image: String,
}

fn place(text: &str) -> Result<(String, String), &'static str> {
    let (place, folder) = text.split_once('=').ok_or("write PLACE=FOLDER")?;
    Ok((place.to_owned(), folder.to_owned()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let mut spec = CageSpec::from_dir(options.name, &options.project).image(options.image);
    for (place, folder) in &options.folders {
        spec = spec.folder(place, folder);
    }
    let cage = Host::connect().await?.create(spec).await?;
    println!("project: {} files", cage.arrival().files);
    for (place, arrival) in cage.folder_arrivals() {
        println!("{place}: {} files", arrival.files);
    }
    cage.add_folder("again", &options.project).await?;
    for folder in cage.folders().await? {
        let origin = folder.dir.ok_or("its path is no text")?;
        let changes = cage.diff_with(origin, DiffOptions::default().folder(&folder.place)).await?;
        println!("{}: {} changes", folder.place, changes.len());
    }
    cage.remove_folder("again").await?;
    cage.destroy().await?;
    Ok(())
}
