//! File systems of a test's own: mounted where nobody else sees them, and gone with the test.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skip::skip;

/// Names the folder for the run of a test that may mount.
const GROUND: &str = "CAGE_TEST_IN_OWN_MOUNTS";

/// How mounts of one's own are to be had: by root, or by a sudo that asks nothing, as CI machines have it.
const WAYS: [&str; 2] = ["unshare --mount", "sudo --non-interactive --preserve-env unshare --mount"];

/// Times an image is read in search of two readings that agree. Each takes milliseconds, and what a stopped program set
/// in motion in the kernel ends within a few of them.
const READINGS_MAX: usize = 1_000;

/// Runs the body of a test where its mounts are its own: in a second run of this one test, in a new mount namespace.
/// `test` is the test's full name. The body gets a folder in memory: a sync takes no time there, so that more happens
/// at once, and the machine's own disk has no part in the test.
///
/// Where that or a loop device cannot be had, as without root, the test is skipped, loudly.
///
/// # Panics
/// When the second run fails, or when the test would be skipped and `CAGE_REQUIRE_DOCKER=1` forbids it.
pub fn in_own_mounts(test: &str, body: impl FnOnce(&Path)) {
    if let Some(ground) = env::var_os(GROUND).map(PathBuf::from) {
        tmpfs(&ground);
        return body(&ground);
    }
    let Some(way) = WAYS.iter().find(|way| succeeds(shell(&format!("{way} losetup --find")))) else {
        return skip(test, "no file system can be mounted: that needs root, unshare and loop devices");
    };
    let ground = tempfile::tempdir().expect("a temporary folder can be made");
    let again = env::current_exe().expect("a test has a path");
    let mut command = shell(&format!("exec {way} \"$0\" \"$@\""));
    command.arg(again).args([test, "--exact", "--nocapture"]).env(GROUND, ground.path());
    let output = command.output().expect("there was a shell a moment ago");
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(stdout.contains("running 1 test"), "there is no test {test}:\n{stdout}{stderr}");
    assert!(output.status.success(), "{test}, in mounts of its own:\n{stdout}{stderr}");
    print!("{stdout}");
}

fn tmpfs(at: &Path) {
    run("mount", ["-t", "tmpfs", "tmpfs"].map(OsStr::new).into_iter().chain([at.as_os_str()]));
}

/// An overlayfs as Docker makes it: `parts` gets a lower folder, with what `prepare` puts there, and an upper one.
///
/// # Panics
/// When it cannot be mounted.
pub fn overlay(parts: &Path, at: &Path, prepare: impl FnOnce(&Path)) {
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| parts.join(name));
    for folder in [&lower, &upper, &work, &at.to_owned()] {
        fs::create_dir_all(folder).expect("a mount point can be made");
    }
    prepare(&lower);
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let fixed = ["-t", "overlay", "-o", &options, "overlay"].map(OsStr::new);
    run("mount", fixed.into_iter().chain([at.as_os_str()]));
}

/// An ext4 in a file, mounted.
#[derive(Debug)]
pub struct Ext4 {
    image: PathBuf,
    at: PathBuf,
}

impl Ext4 {
    /// Makes an empty one of so many MiB in a new folder, `folder`.
    ///
    /// # Panics
    /// When it cannot be made or mounted.
    pub fn make(folder: &Path, mebibytes: u64) -> Self {
        fs::create_dir_all(folder).expect("a folder can be made");
        let image = folder.join("image");
        let file = fs::File::create(&image).and_then(|file| file.set_len(mebibytes << 20));
        file.expect("an image can be made");
        // The usual block, also where the disk is small, and an inode for each: a mailbox holds many small files.
        let options = ["-q", "-F", "-b", "4096", "-i", "4096"].map(OsStr::new);
        run("mkfs.ext4", options.into_iter().chain([image.as_os_str()]));
        Self::mount(folder)
    }

    fn mount(folder: &Path) -> Self {
        let (image, at) = (folder.join("image"), folder.join("mounted"));
        fs::create_dir_all(&at).expect("a mount point can be made");
        // Otherwise ext4 writes after 5 s what nobody has synced, and some files at once, which hides a forgotten sync.
        let options = ["-o", "loop,commit=300,noauto_da_alloc"].map(OsStr::new);
        run("mount", options.into_iter().chain([image.as_os_str(), at.as_os_str()]));
        Self { image, at }
    }

    /// Returns its top folder.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Mounts, in a new folder `folder`, what a loss of power at this moment would leave: all that has been written to
    /// the device, and nothing that waits in memory.
    ///
    /// # Panics
    /// When the device is never at rest, or the copy cannot be mounted.
    #[must_use]
    pub fn after_a_loss_of_power(&self, folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(folder.join("image"), self.at_rest()).expect("an image can be written");
        Self::mount(folder)
    }

    /// Reads the image until two readings agree: what a device held between the two, it held at one moment.
    #[expect(clippy::panic, reason = "a panic is how a test fails")]
    fn at_rest(&self) -> Vec<u8> {
        let read = || fs::read(&self.image).expect("the image can be read");
        let mut before = read();
        for _ in 0..READINGS_MAX {
            let now = read();
            if now == before {
                return now;
            }
            before = now;
        }
        panic!("{} is never at rest", self.image.display());
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        // The loop device goes with the mount. One that is still busy goes with the test's namespace.
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

/// Goes through a shell, since the command itself may be missing.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn succeeds(mut command: Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) {
    let output = Command::new(program).args(arguments).output();
    let succeeded = output.as_ref().is_ok_and(|output| output.status.success());
    assert!(succeeded, "{program} failed: {output:?}");
}
