//! The forms of an engine's address.

use std::fmt;
use std::path::PathBuf;

use crate::error::RequestError;
use crate::sanitize::sanitize;

/// Where engines listen for plain HTTP and for TLS when an address names no port.
const PLAIN_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// An address that has been understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A socket file of this machine.
    Unix(PathBuf),
    /// A host and port for HTTP, with or without TLS.
    Tcp { authority: String, scheme: Scheme },
    /// A machine that is reached by the `ssh` program.
    Ssh(SshTarget),
}

/// How an address of a host and port was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `tcp://`: TLS if the environment asks for it.
    Tcp,
    /// `http://`: never TLS.
    Http,
    /// `https://`: always TLS.
    Https,
}

/// Whom `ssh` is asked for. Nothing in it begins with `-` or holds a character that a shell gives a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshTarget {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// The engine's socket over there, if it is not the usual one.
    pub(crate) socket: Option<String>,
}

impl Address {
    /// Understands an address. `tls` tells whether the environment asks for TLS, which decides the usual port.
    pub(crate) fn parse(text: &str, tls: bool) -> Result<Self, RequestError> {
        parse(text, tls)
            .map_err(|reason| RequestError::Endpoint { endpoint: shown(text), reason: reason.to_owned() })
    }
}

fn parse(text: &str, tls: bool) -> Result<Address, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it names no scheme")?;
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Address::Unix(PathBuf::from(rest))),
        "unix" => Err("the path of a socket begins with `/`"),
        "tcp" => tcp(rest, Scheme::Tcp, if tls { TLS_PORT } else { PLAIN_PORT }),
        "http" => tcp(rest, Scheme::Http, PLAIN_PORT),
        "https" => tcp(rest, Scheme::Https, TLS_PORT),
        "ssh" => ssh(rest).map(Address::Ssh),
        _ => Err("its scheme is not understood"),
    }
}

fn tcp(rest: &str, scheme: Scheme, usual_port: u16) -> Result<Address, &'static str> {
    if rest.contains('@') {
        return Err("a user or password in it is refused, since addresses are shown and logged");
    }
    let (host, port) = host_and_port(rest.strip_suffix('/').unwrap_or(rest))?;
    let port = port.unwrap_or(usual_port);
    Ok(Address::Tcp { authority: format!("{host}:{port}"), scheme })
}

fn ssh(rest: &str) -> Result<SshTarget, &'static str> {
    let (machine, socket) = match rest.find('/') {
        Some(at) => (&rest[..at], Some(&rest[at..]).filter(|path| *path != "/")),
        None => (rest, None),
    };
    let (user, machine) = match machine.rsplit_once('@') {
        Some((user, machine)) => (Some(user), machine),
        None => (None, machine),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err("a password in it is refused; let ssh use a key");
    }
    let (host, port) = host_and_port(machine)?;
    for word in [user, socket].into_iter().flatten() {
        plain(word, "/._-")?;
    }
    let host = host.trim_matches(['[', ']']).to_owned();
    Ok(SshTarget { user: user.map(str::to_owned), host, port, socket: socket.map(str::to_owned) })
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let bracketed = text.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match text[bracketed..].find(':') {
        Some(at) => (&text[..bracketed + at], Some(&text[bracketed + at + 1..])),
        None => (text, None),
    };
    plain(host, ".-_[]:%")?;
    if host.contains(':') && bracketed == 0 {
        return Err("an IPv6 address is written in brackets");
    }
    let number = |port: &str| port.parse().ok().filter(|port| *port != 0).ok_or("its port is no number");
    Ok((host.to_owned(), port.map(number).transpose()?))
}

/// Accepts letters, digits and a few more, but nothing that a program could take for an option.
fn plain(word: &str, more: &str) -> Result<(), &'static str> {
    if word.is_empty() {
        return Err("a part of it is empty");
    }
    if word.starts_with('-') {
        return Err("a part of it begins with `-`");
    }
    let known = |character: char| character.is_ascii_alphanumeric() || more.contains(character);
    if word.chars().all(known) { Ok(()) } else { Err("it holds a character that does not belong there") }
}

/// Returns an address that is safe to show, without a password that it may hold.
fn shown(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    match rest.rsplit_once('@') {
        Some((_, host)) if rest.contains(':') => sanitize(&format!("{scheme}://…@{host}")),
        _ => sanitize(text),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", crate::sanitize::sanitize_path(path)),
            Self::Tcp { authority, scheme: Scheme::Tcp } => write!(f, "tcp://{authority}"),
            Self::Tcp { authority, scheme: Scheme::Http } => write!(f, "http://{authority}"),
            Self::Tcp { authority, scheme: Scheme::Https } => write!(f, "https://{authority}"),
            Self::Ssh(target) => write!(f, "ssh://{target}"),
        }
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') { write!(f, "[{}]", self.host) } else { f.write_str(&self.host) }?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_every_form_and_shows_it_as_it_was_meant() {
        let forms = [
            ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
            ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("tcp://build-host/", "tcp://build-host:2375"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
            ("http://localhost:80", "http://localhost:80"),
            ("https://build_host", "https://build_host:2376"),
            ("ssh://build-host", "ssh://build-host"),
            ("ssh://me@10.0.0.1:2222/", "ssh://me@10.0.0.1:2222"),
            (
                "ssh://me@[fe80::1]:22/run/user/1000/docker.sock",
                "ssh://me@[fe80::1]:22/run/user/1000/docker.sock",
            ),
        ];
        for (text, meant) in forms {
            assert_eq!(Address::parse(text, false).unwrap().to_string(), meant);
        }
        assert_eq!(Address::parse("tcp://host", true).unwrap().to_string(), "tcp://host:2376");
    }

    #[test]
    fn rejects_what_it_does_not_understand() {
        let refused = [
            "",
            "/var/run/docker.sock",
            "unix://docker.sock",
            "npipe:////./pipe/docker_engine",
            "tcp://",
            "tcp://host:0",
            "tcp://host:http",
            "tcp://host/v1.41",
            "tcp://::1:2375",
            "tcp://a b",
            "fd://",
            "ssh://",
            "ssh://@host",
            "ssh://-oProxyCommand=x",
            "ssh://-l@host",
            "ssh://host/$(id)",
            "ssh://host/a b",
            "ssh://host:22:22",
        ];
        for text in refused {
            assert!(Address::parse(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn says_what_a_right_address_looks_like() {
        let error = Address::parse("localhost:2375", false).unwrap_err();
        insta::assert_snapshot!(error, @"cannot use `localhost:2375` as an engine's address: it names no scheme; write unix:///path, tcp://host:port, https://host:port or ssh://user@host");
    }

    #[test]
    fn never_shows_a_password() {
        for text in ["ssh://me:secret@host", "tcp://me:secret@host:1", "ftp://me:secret@host"] {
            let error = Address::parse(text, false).unwrap_err().to_string();
            assert!(!error.contains("secret") && error.contains("host"), "{error}");
        }
    }
}
