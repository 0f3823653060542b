//! What an agent signs in with, and how it gets there.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::place::Place;
use super::secret::Secret;
use crate::backend::{Exec, Stdin};
use crate::error::{IoContext as _, RequestError, Result};

pub(super) const API_KEY: &str = "ANTHROPIC_API_KEY";
const AUTH_TOKEN: &str = "ANTHROPIC_AUTH_TOKEN";
const OAUTH_TOKEN: &str = "CLAUDE_CODE_OAUTH_TOKEN";

/// The address of a gateway, which may sign in on the agent's behalf.
const BASE_URL: &str = "ANTHROPIC_BASE_URL";

/// Variables that sign the agent in.
const CREDENTIALS: [&str; 3] = [API_KEY, AUTH_TOKEN, OAUTH_TOKEN];

/// What stands where Claude Code wants a token before it talks to a gateway that needs none.
const NO_TOKEN: &str = "signed-in-by-the-gateway";

/// Largest file of credentials, in bytes; Claude Code's has less than two thousand.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const COPY: &str = "copy the credentials file";
const COPY_DEADLINE: Duration = Duration::from_secs(30);

/// Writes standard input to Claude Code's credentials file in the home `$1`, readable by its user alone, in one step.
const COPY_SCRIPT: &str = "set -e
umask 077
mkdir -p \"$1/.claude\" && cd \"$1/.claude\"
rm -f .credentials.json.next
cat > .credentials.json.next
chmod 600 .credentials.json.next
mv .credentials.json.next .credentials.json";

/// Says whether a variable holds a credential of the agent.
pub(crate) fn is_credential(variable: &str) -> bool {
    CREDENTIALS.contains(&variable)
}

/// What an agent signs in with.
///
/// A key or token reaches the agent through the environment of its own processes. It is on no command line, in no
/// file, and in nothing that the engine shows of the container. The agent itself can read it: with
/// [`Credential::gateway`] there is none in the cage to be read.
///
/// `Debug` shows the names of the variables but not their values.
///
/// ```
/// use cage_host::{Credential, Task};
///
/// let task = Task::new("add a --json flag").credential(Credential::api_key("sk-made-up"));
/// assert!(!format!("{task:?}").contains("sk-made-up"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Credential(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Variables of the agent's environment.
    Env(Vec<(String, Secret)>),
    /// A file of the host that is copied into the cage.
    Subscription(PathBuf),
}

impl Credential {
    /// Signs in with an API key.
    pub fn api_key(key: impl Into<String>) -> Self {
        Self::variable(API_KEY, key)
    }

    /// Signs in with a long-lived OAuth token, as `claude setup-token` prints it. It is not refreshed, so several
    /// cages can share it.
    pub fn oauth_token(token: impl Into<String>) -> Self {
        Self::variable(OAUTH_TOKEN, token)
    }

    /// Signs in through a gateway that adds the credential itself, at a URL that the cage can reach. The host's own
    /// address is `host.docker.internal` in a cage whose network is open.
    ///
    /// No credential is in the cage. Claude Code sends a made-up bearer token, which the gateway replaces. A URL with
    /// a credential in it is refused at launch.
    pub fn gateway(url: impl Into<String>) -> Self {
        Self::variable(BASE_URL, url)
    }

    /// Signs in with a subscription: the file, usually `~/.claude/.credentials.json`, is copied into the cage at each
    /// launch, readable by its user alone (mode 600). At most 64 KiB.
    ///
    /// Claude Code refreshes its tokens in that file, and a refresh token works once. So do not give one file to
    /// several cages that work at the same time; an OAuth token or a gateway is for that. When the host's file is
    /// newer, [`Cage::refresh_credential`](crate::Cage::refresh_credential) copies it again.
    pub fn subscription(file: impl Into<PathBuf>) -> Self {
        Self(Kind::Subscription(file.into()))
    }

    /// Takes what this process has in its own environment: `ANTHROPIC_API_KEY`, `ANTHROPIC_AUTH_TOKEN`,
    /// `CLAUDE_CODE_OAUTH_TOKEN`, and the gateway's address in `ANTHROPIC_BASE_URL`.
    ///
    /// # Errors
    /// [`RequestError::NoCredential`] when none of them is set.
    pub fn from_host() -> Result<Self, RequestError> {
        let variables = from_host();
        if variables.is_empty() { Err(RequestError::NoCredential) } else { Ok(Self(Kind::Env(variables))) }
    }

    fn variable(name: &str, value: impl Into<String>) -> Self {
        Self(Kind::Env(vec![(name.to_owned(), Secret::new(value))]))
    }

    /// Returns the variables that it puts into the agent's environment.
    pub(crate) fn env(&self) -> impl Iterator<Item = (String, String)> {
        let variables = match &self.0 {
            Kind::Env(variables) => variables.as_slice(),
            Kind::Subscription(_) => &[],
        };
        variables.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()))
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.0, Kind::Subscription(_))
    }
}

/// Returns the variables of this process that sign an agent in.
pub(crate) fn from_host() -> Vec<(String, Secret)> {
    let names = CREDENTIALS.into_iter().chain([BASE_URL]);
    let set = names.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    set.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, Secret::new(value))).collect()
}

/// Says whether an environment signs the agent in, by itself or through a gateway.
pub(super) fn signs_in(env: &[(String, String)]) -> bool {
    env.iter().any(|(name, value)| (is_credential(name) || name == BASE_URL) && !value.is_empty())
}

/// Adds what Claude Code wants to see before it talks to a gateway, unless there is a real credential.
pub(crate) fn complete(mut env: Vec<(String, String)>) -> Vec<(String, String)> {
    let has = |wanted: fn(&str) -> bool| env.iter().any(|(name, value)| wanted(name) && !value.is_empty());
    if has(|name| name == BASE_URL) && !has(is_credential) {
        env.push((AUTH_TOKEN.to_owned(), NO_TOKEN.to_owned()));
    }
    env
}

/// Refuses a gateway's address that carries a credential, or is none.
pub(crate) fn check_gateway(env: &[(String, String)]) -> Result<(), RequestError> {
    let invalid = |reason: &str| Err(RequestError::Invalid { what: "gateway", reason: reason.to_owned() });
    for (_, address) in env.iter().filter(|(name, value)| name == BASE_URL && !value.is_empty()) {
        // The address itself is not shown: it may hold what must not be.
        let Ok(url) = url::Url::parse(address) else { return invalid("the address is no URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return invalid("use an address that begins with http:// or https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return invalid("the address holds a credential; let the gateway add it");
        }
    }
    Ok(())
}

/// Copies a subscription's file into a cage; a credential of another kind needs no copy.
pub(crate) async fn copy_file(place: &Place, credential: &Credential) -> Result<()> {
    let Kind::Subscription(path) = &credential.0 else { return Ok(()) };
    let bytes = read(path)?;
    let argv = ["sh", "-c", COPY_SCRIPT, "sh", place.layout.home()];
    let exec = Exec::new(COPY, argv, COPY_DEADLINE).stdin(Stdin::Bytes(bytes.into()));
    place.exec(exec).await?.success().await
}

/// Copies a subscription's file again; no other credential of a running agent can be changed.
pub(super) async fn refresh(place: &Place, credential: &Credential) -> Result<()> {
    if !credential.is_file() {
        let reason = "only a subscription's file can be refreshed; the variables of a running agent cannot be changed, \
                      so launch it again";
        return Err(RequestError::Invalid { what: "credential", reason: reason.to_owned() }.into());
    }
    copy_file(place, credential).await
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let refused = |reason: &str| {
        let reason = format!("`{}` {reason}", path.display());
        Err(RequestError::Invalid { what: "credentials file", reason }.into())
    };
    // Before it is opened: opening a FIFO would wait for its writer.
    if !path.metadata().context("look at", path)?.is_file() {
        return refused("is no regular file");
    }
    let mut bytes = Vec::new();
    let file = File::open(path).context("read", path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return refused(&format!("has more than the limit of {FILE_BYTES_MAX} bytes"));
    }
    match serde_json::from_slice(&bytes) {
        Ok(serde_json::Value::Object(_)) => Ok(bytes),
        // The parser's own words could show a part of it.
        _ => refused("is no JSON object, as Claude Code writes it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn shows_no_value_in_debug_output() {
        for credential in [Credential::api_key("the-key"), Credential::oauth_token("the-key")] {
            let shown = format!("{credential:?} {credential:#?}");
            assert!(!shown.contains("the-key") && shown.contains("(hidden)"), "{shown}");
        }
    }

    #[test]
    fn puts_nothing_secret_into_the_environment_for_a_gateway() {
        let gateway: Vec<_> = Credential::gateway("http://10.0.0.1:8080").env().collect();
        let completed = complete(gateway);
        assert_eq!(
            completed,
            env(&[("ANTHROPIC_BASE_URL", "http://10.0.0.1:8080"), ("ANTHROPIC_AUTH_TOKEN", NO_TOKEN)])
        );
    }

    #[test]
    fn leaves_a_real_credential_beside_a_gateway_alone() {
        let both = env(&[("ANTHROPIC_BASE_URL", "http://10.0.0.1"), ("ANTHROPIC_API_KEY", "k")]);
        assert_eq!(complete(both.clone()), both);
    }

    #[test]
    fn rejects_a_gateway_with_a_credential_in_its_address_without_showing_it() {
        let error = check_gateway(&env(&[(BASE_URL, "https://user:the-key@gateway")])).unwrap_err();
        insta::assert_snapshot!(error, @"invalid gateway: the address holds a credential; let the gateway add it");
        let error = check_gateway(&env(&[(BASE_URL, "the-key")])).unwrap_err();
        insta::assert_snapshot!(error, @"invalid gateway: the address is no URL");
        assert!(check_gateway(&env(&[(BASE_URL, "ftp://gateway")])).is_err());
    }

    #[test]
    fn rejects_a_credentials_file_that_is_none_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        for content in ["the-key", "[\"the-key\"]", &format!("{{\"the-key\":\"{}\"}}", "x".repeat(70_000))] {
            std::fs::write(&file, content).unwrap();
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains("file") && !error.contains("the-key"), "{error}");
        }
        assert!(read(dir.path()).is_err());
        std::fs::write(&file, r#"{"claudeAiOauth":{}}"#).unwrap();
        assert_eq!(read(&file).unwrap(), br#"{"claudeAiOauth":{}}"#);
    }
}
