//! `cage attach` and `cage prompt`: the agent with its own screen.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use cage_host::{
    Cage, CageError, Error, InteractiveAgent, InteractiveError, MAX_TYPED_BYTES, TerminalSize, Turn,
};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use serde::Serialize;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::auth::{AuthMode, mode_for, sign_in_interactive};
use super::input::{assignment, read_text};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Page, Progress};

/// Options of `cage attach`.
#[derive(Debug, clap::Args)]
pub(crate) struct AttachArgs {
    /// Name of the cage
    name: String,
    #[command(flatten)]
    agent: Agent,
}

/// Options of `cage prompt`.
#[derive(Debug, clap::Args)]
pub(crate) struct PromptArgs {
    /// Name of the cage
    name: String,
    #[command(flatten)]
    words: Words,
    /// Longest time for the turn; it goes on after that
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    timeout: u64,
    #[command(flatten)]
    agent: Agent,
}

/// What is typed.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Words {
    /// What the agent is asked
    text: Option<String>,
    /// File with it, or - for the standard input
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
}

/// What the agent gets where none runs yet.
#[derive(Debug, clap::Args)]
struct Agent {
    /// How the agent signs in, if this starts it; as its cage was created for, or with whatever this environment has,
    /// unless given
    #[arg(long, value_enum)]
    auth_mode: Option<AuthMode>,
    /// Environment variable of the agent, if this starts it; credentials are passed on without this
    #[arg(long = "env", value_name = "K=V", value_parser = assignment)]
    env: Vec<(String, String)>,
    /// Model to use, if this starts the agent
    #[arg(long)]
    model: Option<String>,
}

impl AttachArgs {
    /// What somebody types who names a cage and nothing else.
    pub(super) fn to(name: &str) -> Self {
        Self { name: name.to_owned(), agent: Agent { auth_mode: None, env: Vec::new(), model: None } }
    }
}

#[derive(Debug, Serialize)]
struct Said<'a> {
    name: &'a str,
    session_id: &'a str,
    last_message: &'a str,
    duration_seconds: f64,
}

impl Answer for Said<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(self.last_message)
    }
}

/// Shows the agent's screen on this terminal until somebody detaches.
pub(crate) async fn attach(args: &AttachArgs, context: &Context) -> Result<Exit, Failure> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        let what = "attach needs a terminal on its standard input and output".to_owned();
        let hint = format!("cage prompt {} TEXT talks with the agent without one", args.name);
        return Err(Failure::Other { what, hint });
    }
    let cage = started(&args.name, context).await?;
    match start_agent(&cage, &args.agent, context).await {
        // Somebody comes to look at exactly that.
        Err(Failure::Host(Error::Cage(CageError::Interactive(
            error @ (InteractiveError::SignIn | InteractiveError::NoInputBox { .. }),
        )))) => context.screen().say(&error.to_string()),
        other => other?,
    }
    let ended = bridge(&cage).await?;
    context.screen().say(&format!("detached; the agent goes on, cage attach {} comes back to it", args.name));
    ended.map(|()| Exit::Ok).map_err(Failure::from)
}

/// Types a prompt and prints what the agent said at the end of its turn.
pub(crate) async fn prompt(args: &PromptArgs, context: &Context) -> Result<Exit, Failure> {
    let text = args.words.text()?;
    let cage = started(&args.name, context).await?;
    start_agent(&cage, &args.agent, context).await?;
    let progress = Progress::begin(context.screen(), "the agent works …");
    let turn = cage.interactive().prompt(&text, Duration::from_secs(args.timeout)).await?;
    drop(progress);
    context.screen().answer(&said(&args.name, &turn))?;
    Ok(Exit::Ok)
}

fn said<'a>(name: &'a str, turn: &'a Turn) -> Said<'a> {
    Said {
        name,
        session_id: turn.session_id(),
        last_message: turn.last_message(),
        duration_seconds: turn.duration().as_secs_f64(),
    }
}

/// Finds a cage; one that was stopped goes on.
async fn started(name: &str, context: &Context) -> Result<Cage, Failure> {
    let cage = context.cage(name).await?;
    cage.start().await?;
    Ok(cage)
}

async fn start_agent(cage: &Cage, agent: &Agent, context: &Context) -> Result<(), Failure> {
    let described = agent.described(mode_for(cage, agent.auth_mode).await?)?;
    let progress = Progress::begin(context.screen(), &format!("looking for the agent in {} …", cage.name()));
    let outcome = cage.interactive().start(&described).await;
    drop(progress);
    outcome.map_err(Failure::from)
}

impl Words {
    fn text(&self) -> Result<String, Failure> {
        match (&self.text, &self.prompt_file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(file)) => read_text(file, MAX_TYPED_BYTES),
            (None, None) => Ok(String::new()),
        }
    }
}

impl Agent {
    fn described(&self, mode: Option<AuthMode>) -> Result<InteractiveAgent, Failure> {
        let mut agent = sign_in_interactive(InteractiveAgent::new(), mode)?;
        for (name, value) in &self.env {
            agent = agent.env(name, value);
        }
        Ok(match &self.model {
            Some(model) => agent.model(model),
            None => agent,
        })
    }
}

/// Lends this terminal to the session. The outer result is about this terminal, the inner one about the session.
async fn bridge(cage: &Cage) -> Result<Result<(), Error>, Failure> {
    let raw = RawTerminal::begin().map_err(Failure::Runtime)?;
    let (sizes, size) = watch::channel(size());
    let mut changes = signal(SignalKind::window_change()).map_err(Failure::Runtime)?;
    let keys = keyboard().map_err(Failure::Runtime)?;
    let terminal = std::env::var("TERM").unwrap_or_default();
    let interactive = cage.interactive();
    let attached = interactive.attach(&terminal, size, keys, tokio::io::stdout());
    tokio::pin!(attached);
    let ended = loop {
        tokio::select! {
            ended = &mut attached => break ended,
            Some(()) = changes.recv() => { sizes.send_replace(self::size()); }
        }
    };
    drop(raw);
    Ok(ended)
}

/// Returns what is typed. A thread reads it that ends with the program: a read from a terminal cannot be given up.
fn keyboard() -> io::Result<UnixStream> {
    let (keys, mut typed) = std::os::unix::net::UnixStream::pair()?;
    keys.set_nonblocking(true)?;
    std::thread::spawn(move || io::copy(&mut io::stdin().lock(), &mut typed));
    UnixStream::from_std(keys)
}

/// Returns the size of this terminal; one that has none is a small one.
fn size() -> TerminalSize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            TerminalSize { columns: size.ws_col, rows: size.ws_row }
        }
        _ => TerminalSize { columns: 80, rows: 24 },
    }
}

/// This terminal with every key handed on as it is, until dropped.
struct RawTerminal(Termios);

impl RawTerminal {
    fn begin() -> io::Result<Self> {
        let usual = tcgetattr(io::stdin())?;
        let mut raw = usual.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(usual))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending. The rest leaves what an interrupted tmux cannot: its second screen,
        // the hidden cursor, the reports of focus and mouse, and bracketed pastes.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        let _ = io::stdout()
            .write_all(b"\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[?2004l");
        let _ = io::stdout().flush();
    }
}
