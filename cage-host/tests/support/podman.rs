//! A Podman of the test's own: its socket in a folder, its storage on a small disk, in namespaces that go with it.

use std::process::{Command, Stdio};
use std::time::Duration;

use cage_host::Host;
use tempfile::TempDir;
use tokio::process::{Child, Command as AsyncCommand};
use tokio::time::timeout;

use super::{image, skip};

/// Longest time for it to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs Podman in the folder `$1`. What it asks for by itself, more open files than some machines let even root have,
/// is none of the library's business.
const SERVICE: &str = r#"mount -t tmpfs -o size=1500m cage-test "$1/disk" && mount -t tmpfs cage-test /run || exit 99
printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n' > "$1/containers.conf"
CONTAINERS_CONF=$1/containers.conf podman --root "$1/disk/root" --runroot "$1/disk/run" \
    system service --time=0 "unix://$1/podman.sock"
exit $?"#;

/// Runs Podman in the folder `$1` as a user who owns nothing else, and has no range of users for containers either.
const SERVICE_WITHOUT_ROOT: &str = r#"mount -t tmpfs cage-test /run && cd "$1" || exit 99
setpriv --reuid=65534 --regid=65534 --clear-groups env --ignore-environment "PATH=$PATH" "HOME=$1" \
    "XDG_RUNTIME_DIR=$1" podman system service --time=0 "unix://$1/podman.sock"
exit $?"#;

/// The shell of the service is the first process of its namespace, so that all others end with it.
const NAMESPACES: [&str; 6] = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// The user of that service.
const NOBODY: u32 = 65_534;

/// A running service; containers in it end with it.
pub(crate) struct Podman {
    folder: TempDir,
    service: Child,
}

impl Podman {
    /// Starts it and gives it the image, or says loudly that it cannot be done here.
    pub(crate) async fn start() -> Option<Self> {
        let podman = Self::start_service(SERVICE).await?;
        podman.load_image();
        Some(podman)
    }

    /// Starts one that is not root and has no image; says loudly if that cannot be done here.
    pub(crate) async fn start_without_root() -> Option<Self> {
        Self::start_service(SERVICE_WITHOUT_ROOT).await
    }

    async fn start_service(script: &str) -> Option<Self> {
        let there = Command::new("podman").arg("--version").output().is_ok_and(|done| done.status.success());
        if !there || !rustix::process::geteuid().is_root() {
            return skip("a Podman of its own needs root and `podman`");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("disk")).unwrap();
        if script == SERVICE_WITHOUT_ROOT {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let service = AsyncCommand::new("unshare")
            .args(NAMESPACES)
            .args(["sh", "-c", script, "sh"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let podman = Self { folder, service };
        podman.answers().await;
        Some(podman)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("podman.sock").display())
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        self.service.kill().await.unwrap();
    }

    async fn answers(&self) {
        let answers = async {
            while Host::connect_to(&self.address()).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, answers).await.expect("Podman does not answer");
    }

    fn load_image(&self) {
        let mut save =
            Command::new("docker").args(["save", &image()]).stdout(Stdio::piped()).spawn().unwrap();
        let load = Command::new("docker")
            .args(["--host", &self.address(), "load"])
            .stdin(save.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(load.status.success() && save.wait().unwrap().success(), "{load:?}");
    }
}
