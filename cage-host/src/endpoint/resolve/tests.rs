//! No variable of this process and no file of this machine is looked at here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::*;
use crate::error::Error;

#[derive(Default)]
struct Made {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
    closed: BTreeSet<&'static str>,
}

impl Made {
    fn set(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.insert(name, value);
        self
    }

    fn file(mut self, path: &'static str, text: &'static str) -> Self {
        self.files.insert(path, text);
        self
    }

    /// A socket that this user may not write to.
    fn closed(mut self, path: &'static str) -> Self {
        self.closed.insert(path);
        self.file(path, "")
    }

    /// A context named `build`, kept under a name that only the `docker` program understands.
    fn context(self, meta: &'static str) -> Self {
        self.file("/home/me/.docker/contexts/meta/4f/meta.json", meta)
            .file("/home/me/.docker/contexts/meta/00/meta.json", "not JSON")
    }

    fn certificates(self) -> Self {
        self.file("/certs/ca.pem", "").file("/certs/cert.pem", "").file("/certs/key.pem", "")
    }

    fn resolve(&self) -> Result<Endpoint> {
        from_surroundings(self)
    }

    fn chosen(&self) -> String {
        let endpoint = self.resolve().unwrap();
        let tls = if endpoint.certificates.is_some() { " with TLS" } else { "" };
        format!("{endpoint}{tls} by {}", endpoint.origin())
    }

    fn refused(&self) -> String {
        self.resolve().unwrap_err().to_string()
    }
}

impl Surroundings for Made {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|&value| value.to_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/me".into())
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(path.to_str().unwrap());
        text.map(|&text| text.to_owned()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn entries(&self, path: &Path) -> Vec<PathBuf> {
        let below = self.files.keys().filter_map(|file| Path::new(file).strip_prefix(path).ok());
        let names: BTreeSet<_> = below.filter_map(|rest| rest.components().next()).collect();
        names.into_iter().map(|name| path.join(name)).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.contains_key(path.to_str().unwrap())
    }

    fn is_writable(&self, path: &Path) -> bool {
        self.exists(path) && !self.closed.contains(path.to_str().unwrap())
    }
}

const BUILD: &str = r#"{"Name":"build","Metadata":{},"Endpoints":{"docker":{"Host":"ssh://me@build","SkipTLSVerify":false}}}"#;

const OVER_TLS: &str = r#"{"Name":"build","Endpoints":{"docker":{"Host":"tcp://build:2376"}}}"#;

#[test]
fn asks_the_variable_before_any_context() {
    let around =
        Made::default().set("DOCKER_HOST", "tcp://10.0.0.1").set("DOCKER_CONTEXT", "build").context(BUILD);
    assert_eq!(around.chosen(), "tcp://10.0.0.1:2375 by DOCKER_HOST");
}

#[test]
fn asks_the_named_context_before_the_current_one() {
    let current = Made::default()
        .context(BUILD)
        .file("/home/me/.docker/config.json", r#"{"auths":{},"currentContext":"build"}"#);
    assert_eq!(current.chosen(), "ssh://me@build by the context `build`");
    let named = current.set("DOCKER_CONTEXT", "default").file(SYSTEM_SOCKET, "");
    assert_eq!(named.chosen(), "unix:///var/run/docker.sock by the first socket that is open to this user");
}

#[test]
fn reads_the_configuration_where_the_variable_says() {
    let around = Made::default()
        .set("DOCKER_CONFIG", "/etc/mine")
        .file("/etc/mine/config.json", r#"{"currentContext":"build"}"#)
        .file("/etc/mine/contexts/meta/4f/meta.json", BUILD);
    assert_eq!(around.chosen(), "ssh://me@build by the context `build`");
}

#[test]
fn takes_the_first_socket_that_is_open_to_the_user() {
    let mut around = Made::default().set("XDG_RUNTIME_DIR", "/run/user/7");
    let from_last_to_first = [
        "/run/podman/podman.sock",
        "/run/user/7/podman/podman.sock",
        "/home/me/.docker/run/docker.sock",
        "/run/user/7/docker.sock",
        SYSTEM_SOCKET,
    ];
    for socket in from_last_to_first {
        around = around.file(socket, "");
        assert_eq!(around.resolve().unwrap().to_string(), format!("unix://{socket}"));
    }
    around = around.closed(SYSTEM_SOCKET);
    assert_eq!(around.resolve().unwrap().to_string(), "unix:///run/user/7/docker.sock");
}

#[test]
fn names_the_usual_socket_when_none_is_open() {
    assert_eq!(Made::default().resolve().unwrap().to_string(), "unix:///var/run/docker.sock");
    let closed = Made::default().closed("/run/podman/podman.sock");
    assert_eq!(closed.resolve().unwrap().to_string(), "unix:///run/podman/podman.sock");
}

#[test]
fn uses_tls_when_the_variables_ask_for_it() {
    let around = Made::default().certificates().set("DOCKER_CERT_PATH", "/certs");
    let verify = around.set("DOCKER_HOST", "tcp://build").set("DOCKER_TLS_VERIFY", "1");
    assert_eq!(verify.chosen(), "tcp://build:2376 with TLS by DOCKER_HOST");
    let socket = verify.set("DOCKER_HOST", "unix:///a.sock");
    assert_eq!(socket.chosen(), "unix:///a.sock by DOCKER_HOST");
}

#[test]
fn uses_the_certificates_of_a_context() {
    let folder = "/home/me/.docker/contexts/tls/4f/docker";
    let around = Made::default()
        .set("DOCKER_CONTEXT", "build")
        .context(OVER_TLS)
        .file("/home/me/.docker/contexts/tls/4f/docker/ca.pem", "");
    let certificates = around.resolve().unwrap().certificates.unwrap();
    assert_eq!(certificates, Certificates { authority: Path::new(folder).join("ca.pem"), client: None });
}

#[test]
fn speaks_plainly_with_a_context_that_has_no_certificates() {
    let around = Made::default().set("DOCKER_CONTEXT", "build").context(OVER_TLS);
    assert_eq!(around.chosen(), "tcp://build:2376 by the context `build`");
}

#[test]
fn rejects_a_context_that_does_not_exist() {
    let around = Made::default().set("DOCKER_CONTEXT", "biuld").context(BUILD);
    insta::assert_snapshot!(around.refused(), @"no Docker context `biuld` exists in `/home/me/.docker/contexts`; `docker context ls` lists them, DOCKER_CONTEXT names another");
}

#[test]
fn rejects_certificates_that_are_missing() {
    let ask = || Made::default().set("DOCKER_HOST", "https://build").set("DOCKER_CERT_PATH", "/certs");
    insta::assert_snapshot!(ask().refused(), @"cannot use the certificate file `/certs/ca.pem`: there is no such file; DOCKER_CERT_PATH names the folder with ca.pem, and with cert.pem and key.pem for an engine that wants to know who asks");
    let half = ask().file("/certs/ca.pem", "").file("/certs/cert.pem", "");
    assert!(half.refused().contains("/certs/key.pem"), "{}", half.refused());
}

#[test]
fn rejects_tls_that_verifies_nothing() {
    let variable = Made::default().set("DOCKER_HOST", "tcp://build").set("DOCKER_TLS", "1");
    let context = Made::default()
        .set("DOCKER_CONTEXT", "build")
        .context(r#"{"Name":"build","Endpoints":{"docker":{"Host":"tcp://build","SkipTLSVerify":true}}}"#);
    for around in [variable, context] {
        let error = around.resolve().unwrap_err();
        assert!(matches!(error, Error::Request(RequestError::Endpoint { .. })), "{error}");
    }
}

#[test]
fn rejects_a_configuration_that_is_no_json() {
    let around = Made::default().file("/home/me/.docker/config.json", "{");
    insta::assert_snapshot!(around.refused(), @"invalid Docker configuration: /home/me/.docker/config.json: EOF while parsing an object at line 1 column 1");
}
