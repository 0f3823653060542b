//! Another machine that is this one: an ssh server on loopback with keys and settings of its own.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{skip, write_tree};

/// Where `sshd` is found by users whose `PATH` has no programs of root.
const SSHD: [&str; 2] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"];

/// A running `sshd`, and a client that knows it.
pub(crate) struct Sshd {
    folder: TempDir,
    server: Child,
    port: u16,
}

impl Sshd {
    /// Starts it, or says loudly that it cannot be done here.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = SSHD.into_iter().find(|path| Path::new(path).is_file()) else {
            return skip("no `sshd`: install openssh-server");
        };
        let folder = tempfile::tempdir().unwrap();
        for key in ["host", "client"] {
            keygen(folder.path(), key);
        }
        // Without it a server of root's does not start; a service manager makes it elsewhere.
        let _ = std::fs::create_dir("/run/sshd");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        write_settings(folder.path(), port);
        let mut server = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(folder.path().join("sshd_config"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until_it_listens(&mut server);
        Some(Self { folder, server, port })
    }

    /// The address of the engine of that machine.
    pub(crate) fn address(&self) -> String {
        format!("ssh://127.0.0.1:{}", self.port)
    }

    /// A `PATH` on which `ssh` knows the key and the server, and never looks at the user's own settings.
    pub(crate) fn path(&self) -> String {
        format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap())
    }

    /// Makes the server forget the client.
    pub(crate) fn lock_out(&self) {
        std::fs::write(self.folder.path().join("client.pub"), "").unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn keygen(folder: &Path, name: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(folder.join(name))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

fn write_settings(folder: &Path, port: u16) {
    let at = |name: &str| folder.join(name).display().to_string();
    let server = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n",
        at("host"),
        at("client.pub"),
    );
    let client = format!(
        "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n",
        at("client"),
        at("known_hosts"),
    );
    let key = std::fs::read_to_string(at("host.pub")).unwrap();
    let known = format!("[127.0.0.1]:{port} {key}");
    let ssh = format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", real_ssh().display(), at("ssh_config"));
    write_tree(
        folder,
        &[("sshd_config", &server), ("ssh_config", &client), ("known_hosts", &known), ("ssh", &ssh)],
    );
    std::fs::set_permissions(at("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn real_ssh() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join("ssh")).find(|ssh| ssh.is_file()).unwrap()
}

/// It says so on its error output; what it says later is read, so that it never waits.
fn wait_until_it_listens(server: &mut Child) {
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let said: Vec<_> =
        lines.by_ref().map_while(Result::ok).take_while(|line| !line.contains("listening")).collect();
    let running = server.try_wait().unwrap().is_none();
    assert!(running, "sshd does not start: {said:?}");
    std::thread::spawn(move || lines.for_each(drop));
}
