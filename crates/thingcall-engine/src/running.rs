//! Calls that have not ended: who looks at them, and who ends one.
//!
//! **Invariant:** a call that is ended so has one end, as any other: its caller is told whether the device may have executed it.

use std::collections::HashSet;

use thingcall_core::{CallId, CallMode, Ending, Executed, Outcome, Record, UnixMillis};

use crate::Engine;
use crate::failures::of_record;
use crate::waits::{RunningCall, WaitsFor};

impl Engine {
    /// The calls that wait for their turn or for their device, and those that plugins have in hand: so many of the oldest. Looks
    /// at every one.
    pub fn running_calls(&self, max: usize) -> Vec<RunningCall> {
        // A call whose turn comes meanwhile is found twice, and the second time it is told where it is.
        let queued = self.lanes.oldest_calls(max);
        let mut calls = self.pending.oldest_calls(max);
        let asked: HashSet<_> = calls.iter().map(|call| call.id).collect();
        calls.extend(queued.into_iter().filter(|call| !asked.contains(&call.id)));
        let asked: HashSet<_> = calls.iter().map(|call| call.id).collect();
        for held in self.hands.all() {
            let Some(plugin) = held.plugin.filter(|_| !asked.contains(&held.id)) else { continue };
            calls.push(RunningCall {
                id: held.id,
                request_id: held.request_id,
                device: held.device.key.clone(),
                service: held.service,
                mode: held.mode,
                waits_for: WaitsFor::Plugin(plugin),
                age: held.since.elapsed(),
            });
        }
        calls.sort_by_key(|call| std::cmp::Reverse(call.age));
        calls.truncate(max);
        calls
    }

    /// Ends a call that waits here, and says of what mode it is; `None` if none does. One that waits for its turn was not sent. What its device answers later
    /// is late.
    pub fn cancel(&self, id: CallId) -> Option<CallMode> {
        // In the order in which a call goes through them.
        let waited = self.hands.end(id).or_else(|| self.lanes.cancel(id));
        waited.or_else(|| self.pending.cancel(id).then_some(CallMode::Sync))
    }

    /// Ends an asynchronous call that is open: its command is withdrawn where it waits.
    pub fn cancel_recorded(&self, record: &Record, executed: Executed) {
        let why = match executed {
            Executed::No => "an operator ended the call before it was sent",
            Executed::Maybe | Executed::Yes => "an operator ended the call; the device may have executed it",
        };
        let (device, id, outcome) = (record.device.key.clone(), record.id, Outcome::Cancelled);
        self.journal.end(Ending::Failed { device, id, outcome, why: why.to_owned() });
        self.metrics.posted_ended(&record.device.key, record.transport, outcome);
        let ended = Record { message: Some(why.to_owned()), ended_at: Some(UnixMillis::now()), ..record.clone() };
        self.failures.ended(thingcall_core::Failure { executed, ..of_record(&ended, outcome) });
    }

    /// Whether this instance brings calls with such an id to their end.
    pub fn holds(&self, id: CallId) -> bool {
        self.slots.holds(id)
    }
}
