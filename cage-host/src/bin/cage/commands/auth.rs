//! `cage auth`, and what an agent signs in with.

use std::fmt;
use std::path::PathBuf;

use cage_host::Credential;
use clap::ValueEnum;
use serde::Serialize;

use super::interactive::{self, AttachArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, Page};

/// Where Claude Code keeps a subscription's credentials, below the home.
const SUBSCRIPTION: &str = ".claude/.credentials.json";

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
    /// How the agent signs in
    #[arg(long, value_enum, default_value = "subscription")]
    auth_mode: AuthMode,
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
            Self::Gateway => Credential::gateway(variable("ANTHROPIC_BASE_URL")?),
            Self::Subscription => {
                Credential::subscription(PathBuf::from(variable("HOME")?).join(SUBSCRIPTION))
            }
        })
    }
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
    let credential = args.auth_mode.credential()?;
    let cage = context.cage(&args.name).await?;
    let refreshed = args.auth_mode == AuthMode::Subscription;
    if refreshed {
        cage.refresh_credential(&credential).await?;
    }
    context.screen().answer(&SignedIn { name: &args.name, auth_mode: args.auth_mode, refreshed })?;
    Ok(Exit::Ok)
}
