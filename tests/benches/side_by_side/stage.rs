//! The cages of both sides, and what removes them.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use cage_host::{Cage, CageSpec, Error, Host, RequestError};
use cage_tests::places;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::peer::Peer;

/// What all rows share: a connection, the peer if it can be had, and folders.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) host: Host,
    /// The peer, or why there is none.
    pub(crate) peer: Result<Peer, String>,
    pub(crate) temp: TempDir,
    /// The minimal program that a send is measured against.
    pub(crate) minimal: PathBuf,
    /// What is removed at the end, also of a run that fails.
    cages: RefCell<Vec<String>>,
    peers: RefCell<Vec<String>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let host = runtime.block_on(Host::connect()).unwrap();
        let peer = Peer::install(&places::root().join("target/bench/peer"));
        if let Err(why) = &peer {
            println!("the peer is NOT measured: {why}");
        }
        let temp = tempfile::tempdir().unwrap();
        let minimal = crate::programs::build_minimal(temp.path());
        Self { runtime, host, peer, temp, minimal, cages: RefCell::default(), peers: RefCell::default() }
    }

    /// Creates a cage of ours that is removed at the end.
    pub(crate) fn cage(&self, spec: CageSpec) -> Cage {
        let cage = self.runtime.block_on(self.host.create(spec.image(places::image())));
        let cage = cage.unwrap_or_else(|error| panic!("{error}; `docker rm --force` what an ended run left"));
        self.cages.borrow_mut().push(cage.name().to_string());
        cage
    }

    /// Creates a cage of the peer's that is removed at the end, and returns its container.
    pub(crate) fn peer_cage(&self, name: &str, dir: &Path) -> Result<String, String> {
        self.expect_peer_cage(name)?.create(name, dir)?;
        Ok(container(name))
    }

    /// Returns the peer to create a cage with, which is removed at the end.
    pub(crate) fn expect_peer_cage(&self, name: &str) -> Result<&Peer, String> {
        let peer = self.peer.as_ref().map_err(Clone::clone)?;
        self.peers.borrow_mut().push(name.to_owned());
        // What an ended run left; there is seldom anything.
        let _ = peer.destroy(name);
        Ok(peer)
    }

    /// Makes a folder with so many files of about a kilobyte, a hundred in each folder.
    pub(crate) fn tree(&self, name: &str, files: usize) -> PathBuf {
        let root = self.temp.path().join(name);
        for number in 0..files {
            let folder = root.join(format!("part{:03}", number / 100));
            if number % 100 == 0 {
                fs::create_dir_all(&folder).unwrap();
            }
            let text = format!("// file {number}\n").repeat(64);
            fs::write(folder.join(format!("file{number:05}.rs")), text).unwrap();
        }
        root
    }
}

/// Returns the name of a cage's container; the peer names its own the same way.
pub(crate) fn container(name: &str) -> String {
    format!("isolated-dev-{name}")
}

impl Drop for Stage {
    fn drop(&mut self) {
        for name in self.cages.take() {
            let destroyed = async { self.host.cage(&name).await?.destroy().await };
            match self.runtime.block_on(destroyed) {
                // Some were destroyed on the way.
                Ok(()) | Err(Error::Request(RequestError::NoSuchCage { .. })) => {}
                Err(error) => println!("left behind: {error}"),
            }
        }
        for name in self.peers.take() {
            let _ = self.peer.as_ref().map(|peer| peer.destroy(&name));
        }
    }
}
