//! The scripted Messages API seen by a plain HTTP client: the bytes that the CLI relies on; and the program that serves
//! it.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode};
use cage_tests::run::Run;
use cage_tests::scripted_api::{Purpose, Script, ScriptedApi, Turn};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Long enough for a local server on a busy machine, short enough for a test.
const DEADLINE: Duration = Duration::from_secs(10);

struct Answer {
    status: StatusCode,
    content_type: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

async fn serve(turns: impl IntoIterator<Item = Turn>) -> ScriptedApi {
    ScriptedApi::start(LOOPBACK, Script::new(turns)).await.expect("loopback has a free port")
}

async fn request(api: &ScriptedApi, method: Method, path: &str, body: &Value) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", api.base_url()))
        .header("content-type", "application/json")
        .header("x-claude-code-session-id", "session-1")
        .body(Full::from(body.to_string()))
        .expect("a valid request");
    let response = client.request(request).await.expect("an answer");
    let status = response.status();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    Answer {
        status,
        content_type: content_type.unwrap_or_default(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// One step of a conversation, as the CLI posts it.
fn step(stream: bool, text: &str) -> Value {
    json!({
        "model": "claude-test",
        "stream": stream,
        "tools": [{ "name": "Bash" }],
        "messages": [{ "role": "user", "content": text }],
    })
}

async fn converse(api: &ScriptedApi, text: &str) -> Answer {
    request(api, Method::POST, "/v1/messages?beta=true", &step(true, text)).await
}

#[tokio::test]
async fn streams_events_whose_names_are_their_types() {
    let api = serve([Turn::bash("ls", "List")]).await;
    let answer = converse(&api, "hello").await;
    assert_eq!((answer.status, answer.content_type.as_str()), (StatusCode::OK, "text/event-stream"));
    let events: Vec<&str> = answer.body.split_terminator("\n\n").collect();
    for event in &events {
        let (name, data) = event.split_once('\n').expect("two lines");
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
        assert_eq!(Some(name), data["type"].as_str().map(|name| format!("event: {name}")).as_deref());
    }
    assert!(events[0].starts_with("event: message_start\n"), "{}", answer.body);
    assert_eq!(*events.last().expect("events"), "event: message_stop\ndata: {\"type\":\"message_stop\"}");
}

#[tokio::test]
async fn answers_whole_where_no_stream_is_wanted() {
    let api = serve([Turn::say("Done.")]).await;
    let answer = request(&api, Method::POST, "/v1/messages", &step(false, "hello")).await;
    assert_eq!(answer.json()["content"], json!([{ "type": "text", "text": "Done." }]));
    assert_eq!(answer.json()["model"], "claude-test");
}

#[tokio::test]
async fn plays_turns_in_order_and_records_what_was_asked() {
    let api = serve([Turn::status(529), Turn::say("Back again.")]).await;
    let first = converse(&api, "one").await;
    assert_eq!(first.status.as_u16(), 529);
    assert_eq!(first.json()["error"]["type"], "overloaded_error");
    assert!(converse(&api, "two").await.body.contains("Back again."));
    let requests = api.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].mentions("one") && requests[1].mentions("two"));
    assert_eq!(requests[1].session_id(), Some("session-1"));
}

#[tokio::test]
async fn marks_itself_overrun_only_after_the_last_turn() {
    let api = serve([Turn::say("Only this.")]).await;
    assert_eq!((api.overrun(), api.unplayed()), (false, 1));
    converse(&api, "one").await;
    assert_eq!((api.overrun(), api.unplayed()), (false, 0));
    let answer = request(&api, Method::POST, "/v1/messages", &step(false, "two")).await;
    assert!(answer.body.contains("no turn left"), "{}", answer.body);
    assert!(api.overrun());
}

#[tokio::test]
async fn spends_no_turn_on_calls_on_the_side() {
    let api = serve([Turn::say("The turn.")]).await;
    let title = json!({ "model": "small", "messages": [{ "role": "user", "content": "title?" }] });
    assert_eq!(request(&api, Method::POST, "/v1/messages", &title).await.json()["content"][0]["text"], "ok");
    let count = request(&api, Method::POST, "/v1/messages/count_tokens?beta=true", &title).await;
    assert!(count.json()["input_tokens"].is_u64());
    assert_eq!(request(&api, Method::HEAD, "/", &json!(null)).await.status, StatusCode::OK);
    assert_eq!(request(&api, Method::GET, "/v1/nothing", &json!(null)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(api.unplayed(), 1);
    assert_eq!(api.requests_for(Purpose::Side).len(), 1);
}

#[tokio::test]
async fn answers_garbage_that_is_no_event() {
    let api = serve([Turn::garbage()]).await;
    let answer = converse(&api, "hello").await;
    assert_eq!((answer.status, answer.content_type.as_str()), (StatusCode::OK, "text/event-stream"));
    assert!(!answer.body.contains("event:") && !answer.body.contains("data:"), "{}", answer.body);
}

#[tokio::test]
async fn leaves_a_request_hanging_until_it_is_dropped() {
    let api = serve([Turn::hang()]).await;
    let url = api.base_url();
    let hanging = tokio::spawn({
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let body = Full::from(step(true, "hello").to_string());
        let request = Request::post(format!("{url}/v1/messages")).body(body).expect("a valid request");
        client.request(request)
    });
    tokio::time::timeout(DEADLINE, api.wait_for_turns(1)).await.expect("the request arrives");
    assert!(!hanging.is_finished());
    drop(api);
    let answer = tokio::time::timeout(DEADLINE, hanging).await.expect("let go").expect("no panic");
    assert_eq!(answer.expect("an answer").status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn takes_a_request_larger_than_the_frameworks_default() {
    let api = serve([Turn::say("Read it all.")]).await;
    let long = "x".repeat(5 * 1024 * 1024);
    assert!(converse(&api, &long).await.body.contains("message_stop"));
    assert!(api.requests()[0].mentions(&long));
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_scripted-api");

#[tokio::test]
async fn the_program_prints_its_address_first_and_tells_what_was_left_unplayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script.json");
    std::fs::write(&script, r#"{"turns": [{"say": "one"}]}"#).expect("a script");
    let mut command = Command::new(PROGRAM);
    command.arg(&script).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut server = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("in time").expect("text");
    assert!(line.as_deref().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{line:?}");
    let pid = server.id().expect("it runs").to_string();
    let _ = Run::new("kill").args(["-TERM", &pid]).finish().await.exits_with(0);
    let ended = server.wait_with_output().await.expect("an end");
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(complaint, "scripted-api: the agent left 1 turn(s) of the script unplayed\n");
}

#[tokio::test]
async fn the_program_rejects_a_script_that_it_cannot_play() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bad.json"), r#"{"turns": [{"status": 200}]}"#).expect("a script");
    for (script, complaint) in [
        ("none.json", "reading the script none.json: No such file or directory"),
        ("bad.json", "the file bad.json is no script: 200 is no HTTP error status (400 to 599)"),
    ] {
        let finished = Run::new(PROGRAM).args([script]).folder(&folder).finish().await.exits_with(1);
        assert!(finished.stderr().starts_with(&format!("scripted-api: {complaint}")), "{finished}");
    }
}
