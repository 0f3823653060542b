//! One program in a container with a terminal of its own.

use bollard::exec::{ResizeExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::{FutureExt as _, StreamExt as _};

use super::client::Engine;
use super::error::Blame;
use crate::backend::{CageId, Exec};
use crate::error::{EngineError, Result};
use crate::interactive::{Terminal, TerminalSize};

impl Engine {
    /// Starts a program whose three streams are one terminal.
    pub(crate) async fn terminal(&self, id: &CageId, exec: Exec) -> Result<Terminal> {
        let operation = exec.operation;
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(true),
            cmd: Some(exec.argv),
            env: Some(exec.env.into_iter().map(|(name, value)| format!("{name}={value}")).collect()),
            working_dir: Some(exec.cwd),
            ..ExecConfig::default()
        };
        let created = self.call(operation, self.docker.create_exec(id.as_str(), config)).await?;
        let options = bollard::exec::StartExecOptions { tty: true, ..Default::default() };
        let started = self.call(operation, self.docker.start_exec(&created.id, Some(options))).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::Refused { operation, reason: "it detached the program".into() }.into());
        };
        let output = output.map(move |part| match part {
            Ok(part) => Ok(part.into_bytes()),
            Err(error) => Err(Blame::from(error).into_error(operation)),
        });
        let (engine, exec_id) = (self.clone(), created.id.clone());
        let resize = move |size| resize(engine.clone(), operation, exec_id.clone(), size).boxed();
        let (engine, exec_id) = (self.clone(), created.id);
        let exit = async move { engine.exit_code(operation, &exec_id).await };
        Ok(Terminal {
            output: output.boxed(),
            input: Box::new(input),
            resize: Box::new(resize),
            exit: exit.boxed(),
        })
    }
}

async fn resize(engine: Engine, operation: &'static str, exec_id: String, size: TerminalSize) -> Result<()> {
    let options = ResizeExecOptions { height: size.rows, width: size.columns };
    engine.call(operation, engine.docker.resize_exec(&exec_id, options)).await
}
