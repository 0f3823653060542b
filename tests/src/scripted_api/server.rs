//! The HTTP edge: binds, records, answers each request with what the script says.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

use super::reply::{Content, INPUT_TOKENS_PER_REPLY, Reply};
use super::request::{Purpose, RecordedRequest};
use super::script::{ErrorStatus, Script, Turn};

/// The largest request body taken, in bytes: what the real API takes.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// What the model "says" when a request finds the script used up.
const OVERRUN_TEXT: &str = "The script has no turn left: the agent asked more often than the test expected.";

/// What the model "says" to a call on the side, whatever it wanted.
const SIDE_TEXT: &str = "ok";

/// A body that no reader of event streams can make sense of.
const GARBAGE: &[u8] = b"\x00\xff<html>502 Bad Gateway</html>\n{\"type\": \"mess";

/// A running server that plays one script.
///
/// It stops, and lets go of every request that it left hanging, when the handle is dropped.
#[derive(Debug)]
pub struct ScriptedApi {
    address: SocketAddr,
    run: Arc<Run>,
}

impl ScriptedApi {
    /// Starts a server on a free port of `address`: loopback for agents on this machine, the address of Docker's
    /// bridge for agents in containers.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(address: IpAddr, script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let run = Arc::new(Run::new(script));
        let app = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(Arc::clone(&run));
        let mut stopped = run.stopped.subscribe();
        let shutdown = async move {
            // An error means that the sender is gone, which is a reason to stop as well.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(shutdown).into_future());
        Ok(Self { address, run })
    }

    /// The value for `ANTHROPIC_BASE_URL`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests of the agent's conversation so far, in the order they came: one per turn played.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.requests_for(Purpose::Conversation)
    }

    /// The requests with this purpose so far, in the order they came.
    pub fn requests_for(&self, purpose: Purpose) -> Vec<RecordedRequest> {
        let record = self.run.record();
        record.iter().filter(|request| request.purpose() == purpose).cloned().collect()
    }

    /// Waits until `turns` turns have been asked for in all; give it a deadline with [`tokio::time::timeout`].
    pub async fn wait_for_turns(&self, turns: usize) {
        let mut played = self.run.played.subscribe();
        // The sender lives in `self.run`, so the channel stays open as long as this borrow.
        let _ = played.wait_for(|played| *played >= turns).await;
    }

    /// Whether the agent asked for more turns than the script has.
    pub fn overrun(&self) -> bool {
        let asked = *self.run.played.borrow();
        asked > 0 && self.run.script.turn(asked - 1).is_none()
    }

    /// How many turns of the script the agent never asked for.
    pub fn unplayed(&self) -> usize {
        self.run.script.len().saturating_sub(*self.run.played.borrow())
    }
}

impl Drop for ScriptedApi {
    fn drop(&mut self) {
        self.run.stopped.send_replace(true);
    }
}

/// One run of a script: what was asked and how far it got.
#[derive(Debug)]
struct Run {
    script: Script,
    record: Mutex<Vec<RecordedRequest>>,
    /// How many turns were asked for, those beyond the end of the script included.
    played: watch::Sender<usize>,
    stopped: watch::Sender<bool>,
}

impl Run {
    fn new(script: Script) -> Self {
        let record = Mutex::default();
        Self { script, record, played: watch::Sender::new(0), stopped: watch::Sender::new(false) }
    }

    fn record(&self) -> MutexGuard<'_, Vec<RecordedRequest>> {
        // Nothing panics while it holds the lock; if it did, the record would still be whole.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records `request`; how many with the same purpose came before it.
    fn take(&self, request: &RecordedRequest) -> usize {
        let purpose = request.purpose();
        let mut record = self.record();
        let index = record.iter().filter(|earlier| earlier.purpose() == purpose).count();
        record.push(request.clone());
        if purpose == Purpose::Conversation {
            self.played.send_replace(index + 1);
        }
        index
    }
}

/// Answers any request.
async fn answer(
    State(run): State<Arc<Run>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = RecordedRequest::new(&method, &uri, &headers, &body);
    let index = run.take(&request);
    match request.purpose() {
        Purpose::Conversation => play(&run, &request, index).await,
        Purpose::Side => say(&request, SIDE_TEXT),
        Purpose::CountTokens => Json(json!({ "input_tokens": INPUT_TOKENS_PER_REPLY })).into_response(),
        Purpose::Other if request.path() == "/" => StatusCode::OK.into_response(),
        Purpose::Other => fail(ErrorStatus::NOT_FOUND),
    }
}

/// Plays the turn with this index.
async fn play(run: &Run, request: &RecordedRequest, index: usize) -> Response {
    match run.script.turn(index) {
        None => say(request, OVERRUN_TEXT),
        Some(Turn::Say(text)) => say(request, text),
        Some(Turn::Bash { command, description }) => {
            call_tool(request, "Bash", json!({ "command": command, "description": description }))
        }
        Some(Turn::Tool { name, input }) => call_tool(request, name, input.clone()),
        Some(Turn::Status(status)) => fail(*status),
        Some(Turn::Garbage) => ([(header::CONTENT_TYPE, "text/event-stream")], GARBAGE).into_response(),
        Some(Turn::Hang) => {
            // The only answer is the end of the server, and by then nobody reads it.
            let _ = run.stopped.subscribe().wait_for(|stopped| *stopped).await;
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn say(request: &RecordedRequest, text: &str) -> Response {
    send(request, Content::Text(text.to_owned()))
}

fn call_tool(request: &RecordedRequest, name: &str, input: Value) -> Response {
    send(request, Content::ToolUse { name: name.to_owned(), input })
}

/// Sends one message of the model in the form that `request` wants.
fn send(request: &RecordedRequest, content: Content) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let reply = Reply { id, model: request.model().to_owned(), content };
    if !request.wants_stream() {
        return Json(reply.whole()).into_response();
    }
    let events = reply.events().into_iter().map(|event| {
        let name = event["type"].as_str().unwrap_or_default().to_owned();
        Event::default().event(name).json_data(event)
    });
    Sse::new(stream::iter(events)).into_response()
}

fn fail(status: ErrorStatus) -> Response {
    let kind = status.error_type();
    let error = json!({ "type": kind, "message": format!("scripted: {kind}") });
    (status.code(), Json(json!({ "type": "error", "error": error }))).into_response()
}
