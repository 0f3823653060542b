//! Why supervision could not begin or go on.

use std::path::PathBuf;

use cage_proto::exit_code::Exit;
use cage_proto::mailbox::{NoHome, PublishError, StorageError};

use super::agents::AgentError;
use crate::delivery::DeskError;
use crate::files::FileError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SuperviseError {
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error("{0} supervises an agent in this cage already; end it first, or send it a task_revision")]
    Running(String),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("the task file {} is empty", .0.display())]
    EmptyTask(PathBuf),
    #[error("there is no task file {}; write the task there first", .0.display())]
    NoTask(PathBuf),
    #[error("the task file {} is not UTF-8", .0.display())]
    TaskNotText(PathBuf),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error("could not send going_idle")]
    GoingIdle(#[source] PublishError),
    #[error("could not watch for signals")]
    Signals(#[source] std::io::Error),
}

impl SuperviseError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Running(_) => Exit::Rejected,
            Self::NoHome(_)
            | Self::Agent(_)
            | Self::EmptyTask(_)
            | Self::NoTask(_)
            | Self::TaskNotText(_) => Exit::Usage,
            Self::Storage(_) | Self::File(_) | Self::Desk(_) | Self::GoingIdle(_) | Self::Signals(_) => {
                Exit::Storage
            }
        }
    }
}
