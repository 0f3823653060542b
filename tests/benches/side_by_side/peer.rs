//! The Python tool that this project replaces, from `PyPI`, in an environment and a home of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{docker, run};

/// What is compared with.
const PACKAGE: &str = "trusty-cage==0.13.0";

/// The image that the peer makes cages from; it takes no other name.
const IMAGE: &str = "trusty-cage:latest";

/// A made-up key: nothing here talks to a model.
const KEY: &str = "sk-ant-made-up-for-a-benchmark";

/// The installed peer.
#[derive(Debug)]
pub(crate) struct Peer {
    folder: PathBuf,
}

impl Peer {
    /// Installs it below `folder`, unless it is there, and builds its image.
    pub(crate) fn install(folder: &Path) -> Result<Self, String> {
        let peer = Self { folder: folder.to_owned() };
        if !peer.program("tc").is_file() {
            run(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
            run(Command::new(peer.program("pip")).args(["install", "--quiet", PACKAGE]))?;
        }
        for needed in ["rsync", "git"] {
            run(Command::new(needed).arg("--version"))?;
        }
        peer.build_image()?;
        Ok(peer)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join("venv/bin").join(name)
    }

    /// Prepares its command with arguments.
    pub(crate) fn tc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program("tc"));
        command.args(arguments).env("HOME", self.home()).env("ANTHROPIC_API_KEY", KEY);
        command.env("TRUSTY_CAGE_AUTO_REBUILD", "false").env("NO_COLOR", "1");
        command
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Returns one of the two scripts that run in its cages.
    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.context().join(name)
    }

    pub(crate) fn context(&self) -> PathBuf {
        self.folder.join("image")
    }

    /// Builds the image again; everything is cached, so this is what a build costs that changes nothing.
    pub(crate) fn build_image(&self) -> Result<(), String> {
        let context = self.context();
        let say = |error: std::io::Error| error.to_string();
        fs::create_dir_all(&context).map_err(say)?;
        fs::create_dir_all(self.home()).map_err(say)?;
        let find = "import trusty_cage.assets as a; print(next(iter(a.__path__)))";
        let assets = run(Command::new(self.program("python")).args(["-c", find]))?;
        for name in ["cage-send", "cage-wait"] {
            fs::copy(Path::new(assets.trim()).join(name), context.join(name)).map_err(say)?;
        }
        let dockerfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/side_by_side/peer.Dockerfile");
        let base = std::env::var("BASE_IMAGE").unwrap_or_else(|_| "debian:bookworm-slim".to_owned());
        let mut build = docker(&["build", "--quiet", "--network", "host", "--tag", IMAGE]);
        build.args(["--build-arg", &format!("BASE_IMAGE={base}"), "--file"]).arg(dockerfile).arg(context);
        run(&mut build).map(drop)
    }

    /// Creates a cage of the peer's from a folder.
    pub(crate) fn create(&self, name: &str, dir: &Path) -> Result<(), String> {
        let mut create =
            self.tc(&["create", "--name", name, "--no-attach", "--auth-mode", "api_key", "--dir"]);
        run(create.arg(dir)).map(drop)
    }

    /// Removes a cage of the peer's.
    pub(crate) fn destroy(&self, name: &str) -> Result<(), String> {
        run(&mut self.tc(&["destroy", name, "--yes"])).map(drop)
    }
}
