//! What a plugin's answer means for the caller.

use thingcall_core::{Answer, CallError, CallMode, Executed, ReplyBody};
use thingcall_plugin::abi::{
    CODE_ACCEPTED, CODE_SUCCESS, E_CANCELLED, E_INTERNAL, E_INVAL, E_LIMIT, E_OFFLINE, E_PANIC, E_SHUTDOWN, E_STALE,
    E_TIMEOUT, E_UNSUPPORTED,
};

use tracing::error;

use crate::call::Completion;
use crate::metrics::CallResult;
use crate::operation::status_of;

/// What became of a call's forwards.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many were made.
    pub(crate) forwards: u32,
    /// How many commands are durable and on their way.
    pub(crate) accepted: u32,
    /// How many failed before anything was sent.
    unsent: u32,
    /// The last failure of each status.
    failures: Vec<CallError>,
}

impl Tally {
    /// Notes how a forward ended.
    pub(crate) fn note(&mut self, end: &Result<Answer, CallError>) {
        match end {
            Ok(Answer::Accepted) => self.accepted = self.accepted.saturating_add(1),
            Ok(Answer::Replied(_)) => {}
            Err(error) => {
                self.unsent = self.unsent.saturating_add((error.executed() == Executed::No).into());
                self.failures.retain(|known| status_of(known) != status_of(error));
                self.failures.push(error.clone());
            }
        }
    }

    const fn executed(&self) -> Executed {
        if self.forwards == 0 { Executed::No } else { Executed::Maybe }
    }

    /// The failure of this status, unless it says that nothing was sent while another forward may have been.
    fn failure(&mut self, status: i32) -> Option<CallError> {
        let all_unsent = self.unsent >= self.forwards;
        let fits = |error: &CallError| status_of(error) == status && (all_unsent || error.executed() != Executed::No);
        let place = self.failures.iter().position(fits)?;
        Some(self.failures.swap_remove(place))
    }
}

/// What the caller is told, and how the call is counted.
pub(crate) fn answer(
    plugin: &str,
    mode: CallMode,
    tally: &mut Tally,
    completion: Completion,
) -> (Result<Answer, CallError>, CallResult) {
    let failed = |why: String, executed| Err(CallError::Plugin { why: format!("plugin {plugin}: {why}"), executed });
    match completion {
        Completion::Answered { code, .. } if is_accepted(mode, code, tally) => (Ok(Answer::Accepted), CallResult::Ok),
        Completion::Answered { code: CODE_ACCEPTED, .. } => {
            let why = match mode {
                CallMode::Sync => "it answered a synchronous call with code 202, which is for asynchronous ones",
                CallMode::Async => "it answered with code 202, but no command of it is on its way",
            };
            (failed(why.to_owned(), tally.executed()), CallResult::Error)
        }
        Completion::Answered { code, message, data } => {
            let result = if code == CODE_SUCCESS { CallResult::Ok } else { CallResult::Declined };
            (Ok(Answer::Replied(ReplyBody { code: code.into(), message, data })), result)
        }
        Completion::Broken(why) => (failed(why, tally.executed()), CallResult::Error),
        Completion::Failed { status, message } => {
            let result = if status == E_PANIC { CallResult::Panic } else { CallResult::Error };
            if let Some(error) = tally.failure(status) {
                return (Err(error), result);
            }
            let why = match message.as_str() {
                "" => words(status).to_owned(),
                // What code says when it breaks is for who runs it.
                panic if status == E_PANIC => {
                    error!(plugin, panic, "plugin code panicked");
                    words(status).to_owned()
                }
                message => format!("{}: {message}", words(status)),
            };
            (failed(why, tally.executed()), result)
        }
    }
}

/// In an asynchronous call 200 and 202 both say that the command is on its way, where there is one.
const fn is_accepted(mode: CallMode, code: i32, tally: &Tally) -> bool {
    matches!(mode, CallMode::Async) && matches!(code, CODE_SUCCESS | CODE_ACCEPTED) && tally.accepted > 0
}

/// A status in words.
pub(crate) const fn words(status: i32) -> &'static str {
    match status {
        E_STALE => "it used a call that had ended",
        E_INVAL => "it gave a bad argument",
        E_LIMIT => "it reached a limit",
        E_CANCELLED => "it gave the call up",
        E_TIMEOUT => "it got no answer in time",
        E_OFFLINE => "it found the device offline",
        E_PANIC => "its code panicked",
        E_UNSUPPORTED => "it does not support this",
        E_SHUTDOWN => "it stops",
        E_INTERNAL => "it failed",
        _ => "it failed with a status that does not exist",
    }
}

#[cfg(test)]
mod tests;
