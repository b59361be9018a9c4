//! What a plugin's answer means for the caller.

use thingcall_core::{Answer, CallError, CallMode, Executed, ReplyBody};
use thingcall_plugin::abi::{CODE_ACCEPTED, CODE_SUCCESS};
use tracing::error;

use crate::fault::Fault;
use crate::mail::Completion;
use crate::metrics::CallEnd;

/// What became of a call's forwards.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many were made.
    pub(crate) forwards: u32,
    /// How many commands are durable and on their way.
    pub(crate) accepted: u32,
    /// How many failed before anything was sent.
    unsent: u32,
    /// The last failure of each kind.
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
                self.failures.retain(|known| Fault::of(known) != Fault::of(error));
                self.failures.push(error.clone());
            }
        }
    }

    const fn executed(&self) -> Executed {
        if self.forwards == 0 { Executed::No } else { Executed::Maybe }
    }

    /// The failure that this fault stands for, unless it says that nothing was sent while another forward may have been.
    fn failure(&mut self, fault: Fault) -> Option<CallError> {
        let all_unsent = self.unsent >= self.forwards;
        let fits = |error: &CallError| Fault::of(error) == fault && (all_unsent || error.executed() != Executed::No);
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
) -> (Result<Answer, CallError>, CallEnd) {
    let failed = |why: String, executed| Err(CallError::Plugin { why: format!("plugin {plugin}: {why}"), executed });
    match completion {
        Completion::Answered { code, .. } if is_accepted(mode, code, tally) => (Ok(Answer::Accepted), CallEnd::Ok),
        Completion::Answered { code: CODE_ACCEPTED, .. } => {
            let why = match mode {
                CallMode::Sync => "it answered a synchronous call with code 202, which is for asynchronous ones",
                CallMode::Async => "it answered with code 202, but no command of it is on its way",
            };
            (failed(why.to_owned(), tally.executed()), CallEnd::Error)
        }
        Completion::Answered { code, message, data } => {
            let result = if code == CODE_SUCCESS { CallEnd::Ok } else { CallEnd::Declined };
            (Ok(Answer::Replied(ReplyBody { code: code.into(), message, data })), result)
        }
        Completion::Broken(why) => (failed(why, tally.executed()), CallEnd::Error),
        Completion::Failed { fault, message } => {
            let result = if fault == Fault::Panic { CallEnd::Panic } else { CallEnd::Error };
            if let Some(error) = tally.failure(fault) {
                return (Err(error), result);
            }
            let why = match message.as_str() {
                "" => fault.words().to_owned(),
                // What code says when it breaks is for who runs it.
                panic if fault == Fault::Panic => {
                    error!(plugin, panic, "plugin code panicked");
                    fault.words().to_owned()
                }
                message => format!("{}: {message}", fault.words()),
            };
            (failed(why, tally.executed()), result)
        }
    }
}

/// In an asynchronous call 200 and 202 both say that the command is on its way, where there is one.
const fn is_accepted(mode: CallMode, code: i32, tally: &Tally) -> bool {
    matches!(mode, CallMode::Async) && matches!(code, CODE_SUCCESS | CODE_ACCEPTED) && tally.accepted > 0
}

#[cfg(test)]
mod tests;
