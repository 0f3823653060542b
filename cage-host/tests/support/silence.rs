//! A way to the real engine that goes silent at a chosen call, as a stuck engine does: it accepts and never answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
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
        let (stop, stopped) = oneshot::channel();
        let count = Arc::clone(&calls);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = UnixListener::from_std(listener).unwrap();
                tokio::select! {
                    () = pass_on(&listener, &count, &limit, &tell) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { folder, calls, silent_from, reached, stop: Some(stop), thread: Some(thread) }
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

async fn pass_on(
    listener: &UnixListener,
    calls: &AtomicUsize,
    limit: &watch::Receiver<usize>,
    tell: &watch::Sender<bool>,
) {
    let mut unanswered = Vec::new();
    while let Ok((mut client, _)) = listener.accept().await {
        if calls.fetch_add(1, Ordering::SeqCst) >= *limit.borrow() {
            unanswered.push(client);
            tell.send_replace(true);
            continue;
        }
        let mut silence = tell.subscribe();
        tokio::spawn(async move {
            let mut engine = UnixStream::connect(docker_socket()).await.unwrap();
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
