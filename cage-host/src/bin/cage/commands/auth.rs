//! `cage auth`, and what an agent signs in with.

use std::fmt;
use std::path::PathBuf;

use cage_host::{Cage, Credential, InteractiveAgent, Task};
use clap::ValueEnum;
use serde::Serialize;

use super::interactive::{self, AttachArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, Page};

/// Where Claude Code keeps a subscription's credentials, below the home.
const SUBSCRIPTION: &str = ".claude/.credentials.json";

/// The address of the API, or of the gateway that signs in.
const BASE_URL: &str = "ANTHROPIC_BASE_URL";

/// How an agent signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[expect(clippy::doc_markdown, reason = "these lines are help texts")]
pub(crate) enum AuthMode {
    /// ANTHROPIC_API_KEY
    ApiKey,
    /// CLAUDE_CODE_OAUTH_TOKEN
    OauthToken,
    /// A copy of ~/.claude/.credentials.json
    Subscription,
    /// ANTHROPIC_BASE_URL, where a gateway adds the credential
    Gateway,
}

/// Options of `cage auth`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// How the agent signs in; as the cage was created for, or else with a subscription, unless given
    #[arg(long, value_enum)]
    auth_mode: Option<AuthMode>,
    /// Attach to the agent, to type /login there
    #[arg(long)]
    login: bool,
}

#[derive(Debug, Serialize)]
struct SignedIn<'a> {
    name: &'a str,
    auth_mode: AuthMode,
    refreshed: bool,
}

impl Answer for SignedIn<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, if self.refreshed { "copied" } else { "there" })?;
        let what =
            if self.refreshed { "the credentials into" } else { "is a credential for the next launch in" };
        page.line(format_args!(" {what} {}", self.name))
    }
}

impl AuthMode {
    /// Finds the credential of this mode on this machine.
    pub(crate) fn credential(self) -> Result<Credential, Failure> {
        Ok(match self {
            Self::ApiKey => Credential::api_key(variable("ANTHROPIC_API_KEY")?),
            Self::OauthToken => Credential::oauth_token(variable("CLAUDE_CODE_OAUTH_TOKEN")?),
            Self::Gateway => Credential::gateway(variable(BASE_URL)?),
            Self::Subscription => {
                Credential::subscription(PathBuf::from(variable("HOME")?).join(SUBSCRIPTION))
            }
        })
    }

    /// Returns where the API is, if this environment says so: it is no credential, so it goes along with every other
    /// one.
    fn address(self) -> Option<String> {
        variable(BASE_URL).ok().filter(|_| self != Self::Gateway)
    }
}

impl From<AuthMode> for cage_host::AuthMode {
    fn from(mode: AuthMode) -> Self {
        match mode {
            AuthMode::ApiKey => Self::ApiKey,
            AuthMode::OauthToken => Self::OauthToken,
            AuthMode::Subscription => Self::Subscription,
            AuthMode::Gateway => Self::Gateway,
        }
    }
}

impl TryFrom<cage_host::AuthMode> for AuthMode {
    type Error = Failure;

    fn try_from(mode: cage_host::AuthMode) -> Result<Self, Failure> {
        Self::from_str(mode.as_str(), false).map_err(|_| Failure::Other {
            what: format!("the cage was created for the auth mode {mode}, which this command does not know"),
            hint: "choose another with --auth-mode".to_owned(),
        })
    }
}

/// Returns the mode of the command line, or else the one that the cage was created for.
pub(super) async fn mode_for(cage: &Cage, given: Option<AuthMode>) -> Result<Option<AuthMode>, Failure> {
    match given {
        Some(mode) => Ok(Some(mode)),
        None => cage.auth_mode().await?.map(AuthMode::try_from).transpose(),
    }
}

/// Has an agent on a task sign in that way, or with whatever this environment has.
pub(super) fn sign_in(task: Task, mode: Option<AuthMode>) -> Result<Task, Failure> {
    let Some(mode) = mode else { return Ok(task.env_from_host()) };
    let task = task.credential(mode.credential()?);
    Ok(mode.address().into_iter().fold(task, |task, address| task.env(BASE_URL, address)))
}

/// Has an interactive agent sign in that way, or with whatever this environment has.
pub(super) fn sign_in_interactive(
    agent: InteractiveAgent,
    mode: Option<AuthMode>,
) -> Result<InteractiveAgent, Failure> {
    let Some(mode) = mode else { return Ok(agent.env_from_host()) };
    let agent = agent.credential(mode.credential()?);
    Ok(mode.address().into_iter().fold(agent, |agent, address| agent.env(BASE_URL, address)))
}

fn variable(name: &str) -> Result<String, Failure> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| Failure::Other {
        what: format!("{name} is not set, so the agent could not sign in that way"),
        hint: format!("set {name}, or choose another --auth-mode"),
    })
}

/// Copies a subscription's credentials into the cage again; of the other modes it sees whether they are there.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.login {
        return interactive::attach(&AttachArgs::to(&args.name), context).await;
    }
    let cage = context.cage(&args.name).await?;
    let auth_mode = mode_for(&cage, args.auth_mode).await?.unwrap_or(AuthMode::Subscription);
    let credential = auth_mode.credential()?;
    let refreshed = auth_mode == AuthMode::Subscription;
    if refreshed {
        cage.refresh_credential(&credential).await?;
    }
    context.screen().answer(&SignedIn { name: &args.name, auth_mode, refreshed })?;
    Ok(Exit::Ok)
}
