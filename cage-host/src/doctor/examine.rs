//! Asks an engine what it is made of.

use super::checks::{judge, judge_endpoint};
use super::report::{Finding, Report, Subject};
use crate::backend::Backend;
use crate::cage::DEFAULT_IMAGE;
use crate::docker::Engine;
use crate::endpoint::Endpoint;
use crate::error::Error;

/// Chooses an engine as [`Host::connect`](crate::Host::connect) does, and examines it.
///
/// It never fails: an engine that cannot be chosen, reached or asked is a finding. It takes at most three and a half
/// minutes, usually milliseconds.
///
/// ```no_run
/// # async fn story() {
/// let report = cage_host::doctor().await;
/// print!("{report}");
/// # }
/// ```
pub async fn doctor() -> Report {
    let endpoint = match Endpoint::from_env() {
        Ok(endpoint) => endpoint,
        Err(error) => {
            return Report { findings: vec![unfit(Subject::Endpoint, &error)], ..Report::default() };
        }
    };
    match Engine::connect(&endpoint).await {
        Ok(engine) => examine(&Backend::Docker(engine)).await,
        Err(error) => {
            let findings = vec![judge_endpoint(&endpoint), unfit(Subject::Engine, &error)];
            Report { endpoint: Some(endpoint.to_string()), engine: None, findings }
        }
    }
}

/// Examines where a host keeps its cages.
pub(crate) async fn examine(backend: &Backend) -> Report {
    match backend {
        Backend::Docker(engine) => examine_engine(engine).await,
        Backend::Embedded(_) => {
            let found = "plain folders of this machine: cages are not isolated from it";
            let advice = "use it for tests and a first look; connect to Docker or Podman for agents";
            Report { findings: vec![Finding::warning(Subject::Engine, found, advice)], ..Report::default() }
        }
    }
}

async fn examine_engine(engine: &Engine) -> Report {
    let mut report = Report { endpoint: Some(engine.endpoint().to_string()), ..Report::default() };
    report.findings.push(judge_endpoint(engine.endpoint()));
    match engine.facts().await {
        Ok(facts) => {
            report.findings.extend(judge(&facts));
            report.findings.push(image(engine).await);
            report.engine = Some(facts);
        }
        Err(error) => report.findings.push(unfit(Subject::Engine, &error)),
    }
    report
}

async fn image(engine: &Engine) -> Finding {
    match engine.has_image(DEFAULT_IMAGE).await {
        Ok(true) => Finding::good(Subject::Image, format!("{DEFAULT_IMAGE} exists")),
        Ok(false) => Finding::bad(
            Subject::Image,
            format!("{DEFAULT_IMAGE} does not exist"),
            "run `make image`, or name another image when you create a cage",
        ),
        Err(error) => unfit(Subject::Image, &error),
    }
}

/// An error says what happened and, behind the last semicolon, what to do.
fn unfit(subject: Subject, error: &Error) -> Finding {
    let text = error.to_string();
    let (found, advice) = text.split_once("; ").unwrap_or((&text, "restart the engine if this repeats"));
    Finding::bad(subject, found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EngineError;

    #[test]
    fn makes_a_finding_with_advice_of_an_error() {
        let reason = "no such file".to_owned();
        let error = EngineError::Unreachable { endpoint: "unix:///a.sock".to_owned(), reason }.into();
        insta::assert_snapshot!(unfit(Subject::Engine, &error), @r"
        bad      engine           no Docker engine answers at unix:///a.sock (no such file)
                                  → start Docker or set DOCKER_HOST
        ");
    }
}
