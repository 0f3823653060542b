//! The connection to the engine.

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use tokio::time::timeout;

use super::error::{self, Blame};
use super::transport::open;
use crate::endpoint::Endpoint;
use crate::error::{EngineError, Result};

/// Longest time for one call to the engine; a stuck daemon accepts connections and never answers.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// Longest time for the first answer: an engine that is alive gives it in milliseconds.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// A Docker engine that has answered.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(super) docker: Docker,
    pub(super) endpoint: Arc<Endpoint>,
    /// Processors that the engine has; it refuses a container that asks for more.
    pub(super) cpus: i64,
    /// What of a container it cannot limit, though it takes a limit without a word.
    pub(crate) unlimited: Option<String>,
}

impl Engine {
    /// Connects to an endpoint and agrees on the API version.
    pub(crate) async fn connect(endpoint: &Endpoint) -> Result<Self> {
        let unreachable =
            |reason: String| EngineError::Unreachable { endpoint: endpoint.to_string(), reason };
        let docker = open(endpoint)?;
        let sign_of_life = timeout(CONNECT_DEADLINE, docker.ping())
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", CONNECT_DEADLINE.as_secs())))?;
        // Who refuses is alive.
        if let Err(Blame::Transport(reason)) = sign_of_life.map_err(Blame::from) {
            return Err(unreachable(reason).into());
        }
        // Podman asks half a dozen programs for their versions before it tells its own, seconds on a busy machine.
        let negotiated = timeout(CALL_DEADLINE, docker.negotiate_version())
            .await
            .map_err(|_| unreachable(format!("no version within {} s", CALL_DEADLINE.as_secs())))?
            .map_err(|error| unreachable(error::root_cause(&error)))?;
        let endpoint = Arc::new(endpoint.clone());
        let engine = Self { docker: negotiated, endpoint, cpus: i64::MAX, unlimited: None };
        let info = engine.call("describe itself", engine.docker.info()).await?;
        let cpus = info.ncpu.unwrap_or(i64::MAX);
        let unlimited = engine.unlimited(info);
        Ok(Self { cpus, unlimited, ..engine })
    }

    /// Awaits one call, no longer than [`CALL_DEADLINE`].
    pub(super) async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T> {
        self.try_call(operation, call).await?.map_err(|blame| blame.into_error(operation))
    }

    /// Like [`Engine::call`], with the engine's refusals left for the caller to judge.
    pub(super) async fn try_call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<Result<T, Blame>> {
        let answer = timeout(CALL_DEADLINE, call)
            .await
            .map_err(|_| EngineError::TimedOut { operation, after: CALL_DEADLINE })?;
        Ok(answer.map_err(Blame::from))
    }
}
