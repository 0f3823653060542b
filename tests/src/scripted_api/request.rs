//! What the scripted API was asked: kept as it came, told apart, searchable.

use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

/// The header in which Claude Code names its session; the same on every request of one conversation.
const SESSION_HEADER: &str = "x-claude-code-session-id";

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The next step of the agent's conversation: it offers tools. Only this one consumes a turn.
    Conversation,
    /// A call that the CLI makes on the side (a title, a summary, a warm-up): it offers no tools.
    Side,
    /// A count of tokens.
    CountTokens,
    /// Anything else: a look whether the server is there, a list of models.
    Other,
}

/// One request that the scripted API answered.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    method: Method,
    path: String,
    session_id: Option<String>,
    body: Value,
}

impl RecordedRequest {
    /// Keeps what a test may ask about. A body that is no JSON is kept as a string.
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let session_id = headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok());
        let body = serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
        Self {
            method: method.clone(),
            path: uri.path().to_owned(),
            session_id: session_id.map(str::to_owned),
            body,
        }
    }

    /// What it was for.
    pub fn purpose(&self) -> Purpose {
        match (self.method.as_str(), self.path.as_str()) {
            ("POST", "/v1/messages") if self.offers_tools() => Purpose::Conversation,
            ("POST", "/v1/messages") => Purpose::Side,
            ("POST", "/v1/messages/count_tokens") => Purpose::CountTokens,
            _ => Purpose::Other,
        }
    }

    /// The path it was sent to, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The session of the agent that sent it, as Claude Code names it.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The body as it came.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// The model it asks for.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// Whether it wants the answer as a stream of events.
    pub fn wants_stream(&self) -> bool {
        self.body["stream"] == true
    }

    /// Every text that the model was given, oldest first: instructions, tool results, what hooks add in between.
    pub fn told(&self) -> Vec<&str> {
        self.messages(|role| role != "assistant").flat_map(texts).collect()
    }

    /// Every text that the model itself said so far, oldest first.
    pub fn said(&self) -> Vec<&str> {
        self.messages(|role| role == "assistant").flat_map(texts).collect()
    }

    /// What the tools gave back so far, oldest first.
    pub fn tool_results(&self) -> Vec<&str> {
        self.messages(|role| role == "user")
            .flat_map(blocks)
            .filter(|block| block["type"] == "tool_result")
            .flat_map(|block| texts(&block["content"]))
            .collect()
    }

    /// Whether `text` stands anywhere in what the model was told, tool results included.
    pub fn mentions(&self, text: &str) -> bool {
        self.told().iter().any(|told| told.contains(text))
    }

    fn offers_tools(&self) -> bool {
        self.body["tools"].as_array().is_some_and(|tools| !tools.is_empty())
    }

    /// The contents of the messages from a role that `wanted` picks.
    fn messages(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = &Value> {
        let messages = self.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let picked = messages.iter().filter(move |message| message["role"].as_str().is_some_and(&wanted));
        picked.map(|message| &message["content"])
    }
}

/// The blocks of a message's content; a bare string has none.
fn blocks(content: &Value) -> &[Value] {
    content.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a message's content: a string, or blocks of text and of tool results.
fn texts(content: &Value) -> Vec<&str> {
    match content.as_str() {
        Some(text) => vec![text],
        None => blocks(content).iter().flat_map(block_texts).collect(),
    }
}

fn block_texts(block: &Value) -> Vec<&str> {
    match block["type"].as_str() {
        Some("tool_result") => texts(&block["content"]),
        _ => block["text"].as_str().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn post(path: &str, body: &Value) -> RecordedRequest {
        let uri = path.parse().unwrap();
        RecordedRequest::new(&Method::POST, &uri, &HeaderMap::new(), body.to_string().as_bytes())
    }

    fn conversation() -> RecordedRequest {
        post(
            "/v1/messages?beta=true",
            &json!({ "tools": [{ "name": "Bash" }], "messages": [
                { "role": "user", "content": "add a flag" },
                { "role": "system", "content": "a reminder" },
                { "role": "assistant", "content": [{ "type": "text", "text": "Looking." }, { "type": "tool_use" }] },
                { "role": "user", "content": [
                    { "type": "tool_result", "content": [{ "type": "text", "text": "main.rs" }] },
                    { "type": "tool_result", "content": "lib.rs" },
                    { "type": "text", "text": "go on" },
                ] },
            ] }),
        )
    }

    #[test]
    fn tells_the_conversation_from_calls_on_the_side() {
        assert_eq!(conversation().purpose(), Purpose::Conversation);
        assert_eq!(post("/v1/messages", &json!({ "tools": [] })).purpose(), Purpose::Side);
        assert_eq!(post("/v1/messages/count_tokens", &json!({})).purpose(), Purpose::CountTokens);
        assert_eq!(post("/v1/models", &json!({})).purpose(), Purpose::Other);
    }

    #[test]
    fn finds_what_the_model_was_told_in_every_shape_of_content() {
        let request = conversation();
        assert_eq!(request.told(), ["add a flag", "a reminder", "main.rs", "lib.rs", "go on"]);
        assert_eq!(request.tool_results(), ["main.rs", "lib.rs"]);
        assert_eq!(request.said(), ["Looking."]);
        assert!(request.mentions("reminder") && !request.mentions("Looking"));
    }

    #[test]
    fn keeps_a_body_that_is_no_json() {
        let uri = "/v1/messages".parse().unwrap();
        let request = RecordedRequest::new(&Method::POST, &uri, &HeaderMap::new(), b"\xffnope");
        assert_eq!(request.body(), "\u{fffd}nope");
        assert_eq!(request.purpose(), Purpose::Side);
    }
}
