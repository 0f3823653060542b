//! Ctrl-C and its kin.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Lets a command take the next Ctrl-C as a request to talk instead of the program's end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pause(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    wanted: AtomicBool,
    pressed: Notify,
}

impl Pause {
    /// Waits for Ctrl-C; while this is waited for, Ctrl-C does not end the program.
    pub(crate) async fn pressed(&self) {
        self.0.wanted.store(true, Ordering::SeqCst);
        let _no_more = NoMore(self);
        self.0.pressed.notified().await;
    }

    fn take(&self) -> bool {
        let wanted = self.0.wanted.swap(false, Ordering::SeqCst);
        if wanted {
            self.0.pressed.notify_one();
        }
        wanted
    }
}

/// Gives Ctrl-C its usual meaning back when nobody waits for it any more.
struct NoMore<'a>(&'a Pause);

impl Drop for NoMore<'_> {
    fn drop(&mut self) {
        self.0.0.wanted.store(false, Ordering::SeqCst);
    }
}

/// Returns what waits for the first signal that nobody else wants, and gives its number.
pub(crate) fn listen(pause: Pause) -> io::Result<impl Future<Output = i32>> {
    let (interrupt, terminate, hang_up) =
        (SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup());
    let mut interrupts = signal(interrupt)?;
    let mut terminates = signal(terminate)?;
    let mut hang_ups = signal(hang_up)?;
    Ok(async move {
        loop {
            let kind = tokio::select! {
                _ = interrupts.recv() => interrupt,
                _ = terminates.recv() => terminate,
                _ = hang_ups.recv() => hang_up,
            };
            if kind != interrupt || !pause.take() {
                return kind.as_raw_value();
            }
        }
    })
}
