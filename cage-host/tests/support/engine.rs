//! A Docker engine of the test's own, which may be stopped, killed and filled: on a small disk, in namespaces that go
//! with it. The network's namespace is no luxury: an engine told to have no bridge removes the `docker0` of others.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use cage_host::Host;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command as AsyncCommand};
use tokio::time::timeout;

use super::{image, skip};

/// Longest time for an engine to answer or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often an engine is started before it counts as one that cannot be. One start on a loop device, of some
/// thirty, lost sight of its disk: a file that it had just written was not there. Why is not known.
const STARTS: usize = 3;

/// Runs the rest with a small disk of the kind `$1` at `$2/disk` and a `/run` of its own, where engines find each
/// other's parts.
///
/// A second start enters the namespace of the first: the containers of the killed engine live on in it. The image of
/// the disk lies beside the disk: below it, each would keep the other alive when the folder is removed first, and the
/// loop device would never be free again.
const ON_A_SMALL_DISK: &str = r#"set -e
disk=$2/disk memory=$2/memory
if [ "$1" = tmpfs ]; then
    mount -t tmpfs -o size=1200m cage-test "$disk"
else
    mount -t tmpfs -o size=2g cage-test "$memory"
    truncate -s 1900M "$memory/image"
    "mkfs.$1" -q "$memory/image"
    mount -o loop "$memory/image" "$disk"
fi
mount -t tmpfs cage-test /run
shift 2; exec "$@""#;

/// The file system that an engine keeps containers on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// In memory.
    Plain,
    /// One that can limit each container.
    Btrfs,
    /// One that could limit each container if it had been mounted for that.
    Xfs,
}

/// A running `dockerd` that nobody else uses.
pub(crate) struct PrivateEngine {
    folder: TempDir,
    endpoint: String,
    /// Keeps the namespace while no engine runs in it.
    keeper: Child,
    engine: Child,
    disk: Disk,
    /// Whether containers go on while no engine runs.
    live_restore: bool,
}

impl PrivateEngine {
    /// Starts it and gives it the image; says loudly if that cannot be done here.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_on(Disk::Plain).await
    }

    /// Like [`PrivateEngine::start`], on any kind of disk.
    pub(crate) async fn start_on(disk: Disk) -> Option<Self> {
        let engine = Self::start_empty_on(disk).await?;
        engine.load_image();
        Some(engine)
    }

    /// Like [`PrivateEngine::start_on`], without an image.
    pub(crate) async fn start_empty_on(disk: Disk) -> Option<Self> {
        let look = r#"command -v "$1""#;
        let has = |program: &str| {
            let looked = Command::new("sh").args(["-c", look, "sh", program]).output();
            looked.is_ok_and(|output| output.status.success())
        };
        if !has("dockerd") || !rustix::process::geteuid().is_root() {
            return skip("an engine of its own needs root and `dockerd`");
        }
        if disk != Disk::Plain && !has(&format!("mkfs.{}", disk.file_system())) {
            return skip("disks with quotas need `mkfs.btrfs` and `mkfs.xfs`");
        }
        let mut starts = 1;
        loop {
            let mut engine = Self::begin(disk).await;
            let Err(why) = engine.answers().await else { return Some(engine) };
            assert!(starts < STARTS, "{why}");
            eprintln!("one more try: {why}");
            starts += 1;
        }
    }

    async fn begin(disk: Disk) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["disk", "memory"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        let mut keeper = AsyncCommand::new("unshare");
        keeper.args(["--mount", "--net", "sh", "-c", ON_A_SMALL_DISK, "sh", disk.file_system()]);
        keeper.arg(folder.path());
        let mut keeper = keeper
            .args(["sh", "-c", "echo ready; exec sleep infinity"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        ready(&mut keeper).await;
        let endpoint = format!("unix://{}", folder.path().join("docker.sock").display());
        let engine = dockerd(&keeper, &folder, &endpoint, disk, true);
        Self { folder, endpoint, keeper, engine, disk, live_restore: true }
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(&self.engine), signal).unwrap();
    }

    /// Kills it without a chance to say goodbye, and starts it again.
    pub(crate) async fn restart(&mut self) {
        self.signal(Signal::KILL);
        self.engine.wait().await.unwrap();
        // Its helper died with it, but the next engine would take that for running until somebody has collected it.
        let helper = self.folder.path().join("disk/exec/containerd/containerd.pid");
        std::fs::remove_file(inside(&self.keeper, &helper)).unwrap();
        self.start_again().await;
    }

    /// Lets it end as its owner would, and starts it again.
    pub(crate) async fn end_and_start(&mut self) {
        self.signal(Signal::TERM);
        timeout(PATIENCE, self.engine.wait()).await.expect("the engine does not end").unwrap();
        self.start_again().await;
    }

    /// From the next start on no container goes on without it.
    pub(crate) fn without_live_restore(&mut self) {
        self.live_restore = false;
    }

    async fn start_again(&mut self) {
        self.engine = dockerd(&self.keeper, &self.folder, &self.endpoint, self.disk, self.live_restore);
        self.answers().await.unwrap();
    }

    /// How much room its disk has, in bytes.
    pub(crate) fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::statvfs(inside(&self.keeper, &self.folder.path().join("disk"))).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Ends it; its disk goes with the last program in its namespace.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        timeout(PATIENCE, self.engine.wait()).await.expect("the engine does not end").unwrap();
        self.keeper.kill().await.unwrap();
    }

    /// Waits for its first answer; an error has all that is known of why there was none.
    async fn answers(&mut self) -> Result<(), String> {
        let answers = async {
            while Host::connect_to(&self.endpoint).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::select! {
            () = answers => return Ok(()),
            ended = self.engine.wait() => format!("the engine ended: {}", ended.unwrap()),
            () = tokio::time::sleep(PATIENCE) => "the engine does not answer".to_owned(),
        };
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let mounts = format!("/proc/{}/mountinfo", pid(&self.keeper).as_raw_nonzero());
        let mounts = std::fs::read_to_string(mounts).unwrap_or_else(|error| error.to_string());
        Err(format!("{ended}\n{log}\nmounts of its namespace:\n{mounts}"))
    }

    fn load_image(&self) {
        let mut save =
            Command::new("docker").args(["save", &image()]).stdout(Stdio::piped()).spawn().unwrap();
        let load = Command::new("docker")
            .args(["--host", &self.endpoint, "load"])
            .stdin(save.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(load.status.success() && save.wait().unwrap().success(), "{load:?}");
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        // After a failure its containers still run; the engine ends them with itself, unless it is stopped.
        if let (Some(id), true) = (self.engine.id(), std::thread::panicking()) {
            let remove = "kill -CONT $1; docker --host $2 ps --all --quiet | xargs --no-run-if-empty docker --host $2 rm --force";
            let _ = Command::new("sh").args(["-c", remove, "sh", &id.to_string(), &self.endpoint]).output();
            self.signal(Signal::TERM);
        }
    }
}

impl Disk {
    fn file_system(self) -> &'static str {
        match self {
            Self::Plain => "tmpfs",
            Self::Btrfs => "btrfs",
            Self::Xfs => "xfs",
        }
    }

    fn driver(self) -> &'static str {
        match self {
            Self::Plain | Self::Xfs => "overlay2",
            Self::Btrfs => "btrfs",
        }
    }
}

fn dockerd(keeper: &Child, folder: &TempDir, endpoint: &str, kind: Disk, live_restore: bool) -> Child {
    let disk = folder.path().join("disk");
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    AsyncCommand::new("nsenter")
        .args([
            "--mount",
            "--net",
            "--target",
            &pid(keeper).as_raw_nonzero().to_string(),
            "dockerd",
            "--host",
            endpoint,
        ])
        .arg("--data-root")
        .arg(disk.join("data"))
        .arg("--exec-root")
        .arg(disk.join("exec"))
        .arg("--pidfile")
        .arg(disk.join("pid"))
        .args(["--bridge", "none", "--iptables=false", "--ip6tables=false"])
        .args(["--storage-driver", kind.driver()])
        .arg(format!("--live-restore={live_restore}"))
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().unwrap().cast_signed()).unwrap()
}

/// A path as the programs in the namespace see it.
fn inside(keeper: &Child, path: &std::path::Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", pid(keeper).as_raw_nonzero()));
    root.join(path.strip_prefix("/").unwrap())
}

async fn ready(keeper: &mut Child) {
    use tokio::io::AsyncReadExt as _;
    let mut line = [0; 6];
    let read = keeper.stdout.as_mut().unwrap().read_exact(&mut line);
    timeout(PATIENCE, read).await.unwrap().expect("cannot mount a small disk");
}
