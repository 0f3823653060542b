//! Which engine an environment means: what the `docker` program would use, and then what else is usually there.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::address::{Address, Scheme};
use super::surroundings::{Surroundings, ThisProcess};
use crate::error::{IoContext as _, RequestError, Result};
use crate::sanitize::sanitize;

/// The socket of an engine that runs as root.
const SYSTEM_SOCKET: &str = "/var/run/docker.sock";

/// The context that stands for "no context".
const DEFAULT_CONTEXT: &str = "default";

/// Where a container engine listens, and how it is spoken to.
///
/// ```
/// let endpoint = cage_host::Endpoint::named("ssh://me@build-host")?;
/// assert_eq!(endpoint.to_string(), "ssh://me@build-host");
/// # Ok::<(), cage_host::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) address: Address,
    pub(crate) certificates: Option<Certificates>,
    origin: Origin,
}

/// The files for TLS, all in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificates {
    /// Whose signature the engine's certificate must have.
    pub(crate) authority: PathBuf,
    /// The certificate and the key by which the engine knows us.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

/// What named an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Caller,
    Variable,
    Context(String),
    Found,
}

impl Endpoint {
    /// Returns the endpoint that this process's environment means.
    ///
    /// It is, as for the `docker` program, what `DOCKER_HOST` names; or the context that `DOCKER_CONTEXT` or the
    /// configuration file names (in `DOCKER_CONFIG`, or in `~/.docker`); or the socket of this machine's engine. Where
    /// that one is missing or closed to this user, it is the first of these that is open: rootless Docker's
    /// (`$XDG_RUNTIME_DIR/docker.sock`), Docker Desktop's (`~/.docker/run/docker.sock`) and Podman's
    /// (`$XDG_RUNTIME_DIR/podman/podman.sock`, `/run/podman/podman.sock`).
    ///
    /// # Errors
    /// - [`RequestError::Endpoint`] for an address that is not understood.
    /// - [`RequestError::NoSuchContext`] for a context that does not exist.
    /// - [`RequestError::Certificate`] when a file that TLS needs is missing.
    /// - [`RequestError::Invalid`] or [`IoError`](crate::IoError) for a configuration file that cannot be read.
    pub fn from_env() -> Result<Self> {
        from_surroundings(&ThisProcess)
    }

    /// Returns the endpoint of an address: `unix:///path`, `tcp://host:port`, `http://host:port`,
    /// `https://host:port` or `ssh://user@host:port/path/of/socket`.
    ///
    /// Whether `tcp://` means TLS is said by `DOCKER_TLS_VERIFY`, and where the certificates are by `DOCKER_CERT_PATH`,
    /// as for the `docker` program; [`Endpoint::with_certificates`] says both without the environment. `ssh://` runs
    /// the program `ssh`, which must need no password, and `docker` over there.
    ///
    /// # Errors
    /// [`RequestError::Endpoint`] for an address that is not understood, [`RequestError::Certificate`] when a file
    /// that TLS needs is missing.
    pub fn named(address: &str) -> Result<Self> {
        named(&ThisProcess, address, Origin::Caller)
    }

    /// Returns the endpoint of a Docker context; `default` is the one of no context.
    ///
    /// # Errors
    /// Those of [`Endpoint::from_env`].
    pub fn of_context(name: &str) -> Result<Self> {
        of_context(&ThisProcess, name)
    }

    /// Uses TLS with the certificates in a folder: `ca.pem`, and `cert.pem` with `key.pem` for an engine that wants to
    /// know who asks. Without effect on sockets and ssh.
    ///
    /// # Errors
    /// [`RequestError::Certificate`] when `ca.pem`, or one of the other two, is missing.
    pub fn with_certificates(mut self, folder: impl AsRef<Path>) -> Result<Self> {
        if let Address::Tcp { .. } = self.address {
            self.certificates = Some(certificates(&ThisProcess, folder.as_ref())?);
        }
        Ok(self)
    }

    /// Returns what named this endpoint, as a fragment for people: "the context `build`".
    pub fn origin(&self) -> String {
        match &self.origin {
            Origin::Caller => "the caller".to_owned(),
            Origin::Variable => "DOCKER_HOST".to_owned(),
            Origin::Context(name) => format!("the context `{}`", sanitize(name)),
            Origin::Found => "the first socket that is open to this user".to_owned(),
        }
    }
}

/// Shows the address.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

fn from_surroundings(around: &impl Surroundings) -> Result<Endpoint> {
    if let Some(address) = around.variable("DOCKER_HOST") {
        return named(around, &address, Origin::Variable);
    }
    match around.variable("DOCKER_CONTEXT").map_or_else(|| current_context(around), |name| Ok(Some(name)))? {
        Some(name) => of_context(around, &name),
        None => Ok(local(around)),
    }
}

fn named(around: &impl Surroundings, address: &str, origin: Origin) -> Result<Endpoint> {
    let asked = around.variable("DOCKER_TLS_VERIFY").is_some();
    let address = Address::parse(address, asked)?;
    let certificates = match address {
        Address::Tcp { scheme: Scheme::Https, .. } => Some(usual_certificates(around)?),
        Address::Tcp { scheme: Scheme::Tcp, .. } if asked => Some(usual_certificates(around)?),
        Address::Tcp { scheme: Scheme::Tcp, .. } if around.variable("DOCKER_TLS").is_some() => {
            return Err(unverified(&address).into());
        }
        _ => None,
    };
    Ok(Endpoint { address, certificates, origin })
}

fn unverified(address: &Address) -> RequestError {
    let reason = "TLS that does not verify the engine protects nothing; set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or make the context with a `ca`";
    RequestError::Endpoint { endpoint: address.to_string(), reason: reason.to_owned() }
}

fn usual_certificates(around: &impl Surroundings) -> Result<Certificates> {
    let folder = around.variable("DOCKER_CERT_PATH").map_or_else(|| configuration(around), PathBuf::from);
    certificates(around, &folder)
}

fn certificates(around: &impl Surroundings, folder: &Path) -> Result<Certificates> {
    let there = |name: &str| -> Result<PathBuf> {
        let path = folder.join(name);
        if around.exists(&path) {
            return Ok(path);
        }
        Err(RequestError::Certificate { path, reason: "there is no such file".to_owned() }.into())
    };
    let none = !around.exists(&folder.join("cert.pem")) && !around.exists(&folder.join("key.pem"));
    let client = if none { None } else { Some((there("cert.pem")?, there("key.pem")?)) };
    Ok(Certificates { authority: there("ca.pem")?, client })
}

/// The folder of the `docker` program's configuration.
fn configuration(around: &impl Surroundings) -> PathBuf {
    let usual = || around.home().unwrap_or_default().join(".docker");
    around.variable("DOCKER_CONFIG").map_or_else(usual, PathBuf::from)
}

/// The part of the configuration file that is of interest here.
#[derive(Deserialize)]
struct Configuration {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

fn current_context(around: &impl Surroundings) -> Result<Option<String>> {
    let path = configuration(around).join("config.json");
    let text = match around.read(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other.context("read", &path)?,
    };
    let configuration: Configuration = parse(&path, &text)?;
    Ok(Some(configuration.current_context).filter(|name| !name.is_empty()))
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let reason = format!("{}: {error}", crate::sanitize::sanitize_path(path));
        RequestError::Invalid { what: "Docker configuration", reason }.into()
    })
}

/// What the `docker` program keeps of one context.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    name: String,
    #[serde(default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Default, Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

fn of_context(around: &impl Surroundings, name: &str) -> Result<Endpoint> {
    if name == DEFAULT_CONTEXT {
        return Ok(local(around));
    }
    let contexts = configuration(around).join("contexts");
    for folder in around.entries(&contexts.join("meta")) {
        let file = folder.join("meta.json");
        let Ok(text) = around.read(&file) else { continue };
        // Contexts of others are none of our business, not even broken ones.
        let Ok(context) = parse::<Context>(&file, &text) else { continue };
        if context.name == name {
            let endpoint = context.endpoints.docker.unwrap_or_default();
            let id = folder.file_name().unwrap_or_default();
            return context_endpoint(around, name, &endpoint, &contexts.join("tls").join(id).join("docker"));
        }
    }
    Err(RequestError::NoSuchContext { name: sanitize(name), folder: contexts }.into())
}

/// The folder's name is a hash of the context's, under which its TLS files lie too.
fn context_endpoint(
    around: &impl Surroundings,
    name: &str,
    endpoint: &ContextEndpoint,
    tls: &Path,
) -> Result<Endpoint> {
    let origin = Origin::Context(name.to_owned());
    if endpoint.host.is_empty() {
        return Ok(Endpoint { origin, ..local(around) });
    }
    let has_files = !around.entries(tls).is_empty();
    let address = Address::parse(&endpoint.host, has_files)?;
    let over_tls = match address {
        Address::Tcp { scheme: Scheme::Https, .. } => true,
        Address::Tcp { scheme: Scheme::Tcp, .. } => has_files || endpoint.skip_tls_verify,
        _ => false,
    };
    if over_tls && endpoint.skip_tls_verify {
        return Err(unverified(&address).into());
    }
    let certificates = if over_tls { Some(certificates(around, tls)?) } else { None };
    Ok(Endpoint { address, certificates, origin })
}

/// The first socket that is open to this user; or the first that is there, so that the error says why it is closed.
fn local(around: &impl Surroundings) -> Endpoint {
    let candidates = sockets(around);
    let open = candidates.iter().find(|path| around.is_writable(path));
    let there = open.or_else(|| candidates.iter().find(|path| around.exists(path)));
    let path = there.cloned().unwrap_or_else(|| PathBuf::from(SYSTEM_SOCKET));
    Endpoint { address: Address::Unix(path), certificates: None, origin: Origin::Found }
}

fn sockets(around: &impl Surroundings) -> Vec<PathBuf> {
    let runtime = around.variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let in_runtime = |name: &str| runtime.as_ref().map(|folder| folder.join(name));
    let desktop = around.home().map(|home| home.join(".docker/run/docker.sock"));
    let candidates = [
        Some(PathBuf::from(SYSTEM_SOCKET)),
        in_runtime("docker.sock"),
        desktop,
        in_runtime("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ];
    candidates.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
