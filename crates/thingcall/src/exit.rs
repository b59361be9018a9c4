//! The exit status: 0 where all went well, 1 where it did not, 2 where the command was used wrongly.

use std::process::ExitCode;

/// The command was used wrongly: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

/// The exit status that goes with a failure.
pub(crate) fn exit_of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if error.is::<WrongUse>() { 2 } else { 1 })
}
