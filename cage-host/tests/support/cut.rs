//! A way to the engine that ends a program at the n-th thing it says to the engine or hears from it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the engine listens that the tests use.
const ENGINE: &str = "/var/run/docker.sock";

/// How requests and answers begin; everything else belongs to the one before, or to a stream.
const BEGINNINGS: [&[u8]; 6] = [b"GET /", b"POST /", b"DELETE /", b"HEAD /", b"PUT /", b"HTTP/1.1 "];

/// What has been seen of requests and answers, and at which of them it ends.
struct Cut {
    at: usize,
    seen: AtomicUsize,
    reached: Notify,
}

/// Runs a program that reaches the engine through `DOCKER_HOST`, and kills it right before its `at`-th request leaves
/// or right before the answer arrives, counted together. Says whether it got that far; if not, it has ended well.
pub(crate) async fn killed_at(at: usize, program: &mut Command) -> bool {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("docker.sock");
    let cut = Arc::new(Cut { at, seen: AtomicUsize::new(0), reached: Notify::new() });
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = tokio::spawn(serve(listener, Arc::clone(&cut)));
    let mut child = program
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let killed = tokio::select! {
        () = cut.reached.notified() => true,
        ended = timeout(PATIENCE, child.wait()) => {
            let status = ended.expect("the program does not end").unwrap();
            assert!(status.success(), "at {at}: {status}");
            false
        }
    };
    child.kill().await.unwrap();
    serving.abort();
    killed
}

async fn serve(listener: UnixListener, cut: Arc<Cut>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let engine = UnixStream::connect(Path::new(ENGINE)).await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_engine, to_engine) = engine.into_split();
        tokio::spawn(pass_on(from_client, to_engine, Arc::clone(&cut)));
        tokio::spawn(pass_on(from_engine, to_client, Arc::clone(&cut)));
    }
}

async fn pass_on(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, cut: Arc<Cut>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let piece = &buffer[..read];
        if BEGINNINGS.iter().any(|beginning| piece.starts_with(beginning)) {
            let before = cut.seen.fetch_add(1, Ordering::SeqCst);
            if before + 1 >= cut.at {
                cut.reached.notify_one();
                // Nothing passes any more until the program is dead.
                return std::future::pending().await;
            }
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
