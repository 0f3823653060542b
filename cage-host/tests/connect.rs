//! Engines that are reached in other ways than by the local socket, with the same story told at each.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::process::{Command, Output};

use cage_host::{CageSpec, Endpoint, EngineError, Error, Host, Network};
use support::sshd::Sshd;
use support::tls::{TlsEngine, certificates};
use support::{Stage, example, image, write_tree};

/// Everything that takes a different way through the API: calls, a body as a stream, an exec with input and output.
async fn story(host: &Host, name: &str) {
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("a.txt", "hello\n")]);
    let spec = CageSpec::from_dir(name, project.path()).image(image()).network(Network::None);
    let cage = host.create(spec).await.unwrap();
    assert_eq!(cage.arrival().files, 1);
    assert!(host.list().await.unwrap().iter().any(|cage| cage.name.as_str() == name && cage.running));
    assert!(cage.diff(project.path()).await.unwrap().is_empty());
    cage.destroy().await.unwrap();
    assert!(!host.list().await.unwrap().iter().any(|cage| cage.name.as_str() == name));
}

/// Where the environment decides, a process of its own has to be asked.
#[tokio::test]
#[ignore = "the test over ssh runs it in an environment that means another engine"]
async fn tells_the_story_at_the_engine_of_the_environment() {
    let host = Host::connect().await.unwrap();
    story(&host, &std::env::var("CAGE_TEST_NAME").unwrap()).await;
}

/// Runs the example with these variables and nothing else that says which engine is meant.
fn doctor(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(example("doctor"));
    for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn speaks_tls_with_an_engine_that_wants_to_know_who_asks() {
    let Some(stage) = Stage::docker().await else { return };
    let engine = TlsEngine::start().await;
    let endpoint =
        Endpoint::named(&engine.address).unwrap().with_certificates(engine.certificates.path()).unwrap();
    story(&Host::connect_at(&endpoint).await.unwrap(), &stage.name("tls")).await;
}

#[tokio::test]
async fn rejects_an_engine_with_a_certificate_of_another_authority() {
    let Some(_stage) = Stage::docker().await else { return };
    let (engine, others) = (TlsEngine::start().await, certificates());
    let endpoint = Endpoint::named(&engine.address).unwrap().with_certificates(others.path()).unwrap();
    let error = Host::connect_at(&endpoint).await.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn says_that_the_engine_wants_a_certificate() {
    let Some(_stage) = Stage::docker().await else { return };
    let engine = TlsEngine::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(engine.certificates.path().join("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let endpoint = Endpoint::named(&engine.address).unwrap().with_certificates(folder.path()).unwrap();
    let error = Host::connect_at(&endpoint).await.unwrap_err();
    assert!(matches!(error, Error::Engine(EngineError::Unreachable { .. })), "{error}");
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_the_certificates_by_the_variables_of_the_docker_program() {
    let Some(_stage) = Stage::docker().await else { return };
    let engine = TlsEngine::start().await;
    let folder = engine.certificates.path().to_str().unwrap();
    let variables =
        [("DOCKER_HOST", &*engine.address), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", folder)];
    let said = text(&doctor(&variables));
    assert!(said.contains("named by DOCKER_HOST, over TLS") && said.contains("Docker Engine"), "{said}");
}

/// The context is made by the `docker` program itself, so its files are what they really are.
#[tokio::test(flavor = "multi_thread")]
async fn finds_the_engine_of_a_context_that_the_docker_program_made() {
    let Some(_stage) = Stage::docker().await else { return };
    let engine = TlsEngine::start().await;
    let configuration = tempfile::tempdir().unwrap();
    let folder = configuration.path().to_str().unwrap();
    let file = |name| engine.certificates.path().join(name).display().to_string();
    let (ca, cert, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    let wish = format!("host={},ca={ca},cert={cert},key={key}", engine.address);
    for arguments in [&["context", "create", "build", "--docker", &wish][..], &["context", "use", "build"]] {
        let made = Command::new("docker").env("DOCKER_CONFIG", folder).args(arguments).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let said = text(&doctor(&[("DOCKER_CONFIG", folder)]));
    assert!(
        said.contains("named by the context `build`, over TLS") && said.contains("Docker Engine"),
        "{said}"
    );
    let said = text(&doctor(&[("DOCKER_CONFIG", folder), ("DOCKER_CONTEXT", "biuld")]));
    assert!(said.starts_with("bad      endpoint         no Docker context `biuld` exists"), "{said}");
}

#[tokio::test]
async fn tells_the_whole_story_over_ssh() {
    let Some(stage) = Stage::docker().await else { return };
    let Some(server) = Sshd::start() else { return };
    let (path, address) = (server.path(), server.address());
    let told = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "tells_the_story_at_the_engine_of_the_environment", "--nocapture"])
        .envs([("PATH", &path), ("DOCKER_HOST", &address), ("CAGE_TEST_NAME", &stage.name("ssh"))])
        .output()
        .unwrap();
    assert!(told.status.success() && text(&told).contains("1 passed"), "{told:?}");
    server.lock_out();
    let said = text(&doctor(&[("PATH", &path), ("DOCKER_HOST", &address)]));
    assert!(said.contains("ssh: ") && said.contains("Permission denied (publickey)"), "{said}");
}
