//! A way to the real engine that goes silent at a chosen call, as a stuck engine does: it accepts and never answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};

use super::docker_socket;

/// The way. It has a clock of its own, so that a test may stop the one of the library.
pub(crate) struct SilentEngine {
    folder: TempDir,
    calls: Arc<AtomicUsize>,
    /// The call from which on nothing is passed on.
    silent_from: watch::Sender<usize>,
    reached: watch::Receiver<bool>,
    /// What is in the calls that are not answered.
    about: watch::Sender<Option<String>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SilentEngine {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let (silent_from, limit) = watch::channel(usize::MAX);
        let (tell, reached) = watch::channel(false);
        let (about, subject) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let count = Arc::clone(&calls);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = UnixListener::from_std(listener).unwrap();
                tokio::select! {
                    () = pass_on(&listener, &count, &limit, &tell, &subject) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { folder, calls, silent_from, reached, about, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("engine.sock").display())
    }

    /// How many calls there have been; each is a connection.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Answers some more calls and then nothing, not even what is under way.
    pub(crate) fn silence_after(&self, more: usize) {
        self.silent_from.send_replace(self.calls() + more);
    }

    /// Does not answer calls with this in their first line from now on.
    pub(crate) fn silence_about(&self, text: &str) {
        self.about.send_replace(Some(text.to_owned()));
    }

    /// Waits until a call is not answered.
    pub(crate) async fn is_silent(&self) {
        self.reached.clone().wait_for(|reached| *reached).await.unwrap();
    }
}

impl Drop for SilentEngine {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Reads the beginning of a call, which holds its first line.
async fn begin(client: &mut UnixStream) -> Vec<u8> {
    let mut begin = vec![0; 4096];
    let read = client.read(&mut begin).await.unwrap_or_default();
    begin.truncate(read);
    begin
}

async fn pass_on(
    listener: &UnixListener,
    calls: &AtomicUsize,
    limit: &watch::Receiver<usize>,
    tell: &watch::Sender<bool>,
    about: &watch::Receiver<Option<String>>,
) {
    let mut unanswered = Vec::new();
    while let Ok((mut client, _)) = listener.accept().await {
        if calls.fetch_add(1, Ordering::SeqCst) >= *limit.borrow() {
            unanswered.push(client);
            tell.send_replace(true);
            continue;
        }
        let mut silence = tell.subscribe();
        let about = about.borrow().clone();
        tokio::spawn(async move {
            let mut engine = UnixStream::connect(docker_socket()).await.unwrap();
            let begin = begin(&mut client).await;
            if about.is_some_and(|about| String::from_utf8_lossy(&begin).contains(&about)) {
                std::future::pending::<()>().await;
            }
            engine.write_all(&begin).await.unwrap();
            let ended = tokio::select! {
                _ = copy_bidirectional(&mut client, &mut engine) => true,
                _ = silence.wait_for(|silent| *silent) => false,
            };
            if !ended {
                std::future::pending::<()>().await;
            }
        });
    }
}
