//! A git server of the test's own, at the address by which containers reach this machine.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::image;

/// Serves one repository with two commits on `main` and a branch `other`; it ends when dropped.
pub(crate) struct GitServer {
    address: SocketAddr,
    folder: TempDir,
    serving: JoinHandle<()>,
}

impl GitServer {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_repository(&folder.path().join("repo"));
        let listener = TcpListener::bind((gateway(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = folder.path().to_owned();
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                answer(connection, &base);
            }
        });
        Self { address, folder, serving }
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("git://{}/{repository}", self.address)
    }

    /// Asks git about the repository.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder.path().join("repo"), arguments)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A server that takes connections and says nothing.
pub(crate) async fn silent_server() -> (String, TcpListener) {
    let listener = TcpListener::bind((gateway(), 0)).await.unwrap();
    (format!("git://{}/repo", listener.local_addr().unwrap()), listener)
}

/// The address of this machine for containers on Docker's default network.
fn gateway() -> IpAddr {
    let arguments =
        ["run", "--rm", "--add-host", "gateway:host-gateway", &image(), "getent", "ahostsv4", "gateway"];
    let output = Command::new("docker").args(arguments).output().unwrap();
    let hosts = String::from_utf8(output.stdout).unwrap();
    hosts.split_whitespace().next().unwrap().parse().unwrap()
}

fn answer(connection: TcpStream, base: &Path) {
    let connection = connection.into_std().unwrap();
    connection.set_nonblocking(false).unwrap();
    let (input, output) = (connection.try_clone().unwrap(), connection);
    let mut daemon = Command::new("git")
        .args(["daemon", "--inetd", "--export-all"])
        .arg(format!("--base-path={}", base.display()))
        .arg(base)
        .stdin(std::os::fd::OwnedFd::from(input))
        .stdout(std::os::fd::OwnedFd::from(output))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::spawn(move || daemon.wait());
}

fn make_repository(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    for (file, content) in [("first.txt", "one"), ("second.txt", "two")] {
        std::fs::write(folder.join(file), content).unwrap();
        commit(folder, file);
    }
    git(folder, &["checkout", "--quiet", "-b", "other"]);
    std::fs::write(folder.join("other.txt"), "three").unwrap();
    commit(folder, "other");
    git(folder, &["checkout", "--quiet", "main"]);
}

fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "--all"]);
    let name = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"];
    git(folder, &[&name[..], &["commit", "--quiet", "--message", message]].concat());
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
