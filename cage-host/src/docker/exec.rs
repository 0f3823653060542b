//! One program in a container.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::sleep;

use super::client::Engine;
use super::error::Blame;
use crate::backend::{CageId, Chunk, Exec, Feeder, Running, Stdin};
use crate::error::{EngineError, Error, Result};

/// How often, and how many times, the exit code is asked for: the output ends a moment before the engine knows it.
const EXIT_POLL: Duration = Duration::from_millis(5);
const EXIT_POLLS: u32 = 2_000;

impl Engine {
    /// Starts a program with its streams attached.
    pub(crate) async fn exec(&self, id: &CageId, mut exec: Exec) -> Result<Running> {
        let exec_id = self.create_exec(id, &exec).await?;
        let operation = exec.operation;
        let started = self.call(operation, self.docker.start_exec(&exec_id, None)).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::Refused { operation, reason: "it detached the program".into() }.into());
        };
        let chunks = output.map(move |part| match part {
            Ok(LogOutput::StdOut { message }) => Ok(Chunk::Stdout(message)),
            // What is in no frame is the engine's own complaint about the program.
            Ok(
                LogOutput::StdErr { message } | LogOutput::Console { message } | LogOutput::StdIn { message },
            ) => Ok(Chunk::Stderr(message)),
            Err(error) => Err(Blame::from(error).into_error(operation)),
        });
        let stdin = std::mem::replace(&mut exec.stdin, Stdin::Empty);
        let engine = self.clone();
        let exit = async move { engine.exit_code(operation, &exec_id).await };
        Ok(Running::new(&exec, chunks.boxed(), exit.boxed(), Feeder::start(stdin, input)))
    }

    async fn create_exec(&self, id: &CageId, exec: &Exec) -> Result<String> {
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(exec.argv.clone()),
            env: Some(exec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            working_dir: Some(exec.cwd.clone()),
            ..ExecConfig::default()
        };
        let created = self.call(exec.operation, self.docker.create_exec(id.as_str(), config)).await?;
        Ok(created.id)
    }

    pub(super) async fn exit_code(&self, operation: &'static str, exec_id: &str) -> Result<i64> {
        for _ in 0..EXIT_POLLS {
            let state = match self.try_call(operation, self.docker.inspect_exec(exec_id)).await? {
                Ok(state) => state,
                // An engine that was started again has forgotten it; that says nothing about the container.
                Err(Blame::NotFound) => return Err(lost(operation, "the engine forgot the program")),
                Err(blame) => return Err(blame.into_error(operation)),
            };
            if let (Some(false), Some(code)) = (state.running, state.exit_code) {
                return Ok(code);
            }
            sleep(EXIT_POLL).await;
        }
        Err(lost(operation, "the program's output ended but the engine reports it as running"))
    }
}

fn lost(operation: &'static str, reason: &str) -> Error {
    EngineError::Lost { operation, reason: reason.to_owned() }.into()
}
