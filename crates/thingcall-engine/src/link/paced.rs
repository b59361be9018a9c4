//! A command to a device whose calls are paced: it waits for its turn, and the next one for what ends it.
//!
//! **Invariants:** while it waits nothing was sent, and it is not written down. A turn ends with what the product says, at the
//! latest after `paced_turn_timeout`, also where the caller has hung up meanwhile. Calls of other products never come here.

use std::sync::atomic::Ordering;

use thingcall_core::{Answer, CallError, CallMode, CallStep, Command, Presence, Qos, Sent, Transport};
use tokio::time::Instant;

use super::Link;
use crate::lanes::{Ends, Turn};

impl Link<'_> {
    /// Waits for the device, then does what an unpaced command does.
    pub(super) async fn in_turn(&self, command: Command, ends: Ends) -> Result<Answer, CallError> {
        self.queued.store(true, Ordering::Relaxed);
        let waits = self.trace_waits();
        let turn = self.engine.lanes.turn(self.call, ends).await;
        self.queued.store(false, Ordering::Relaxed);
        let turn = turn.map_err(|why| self.no_turn(why))?;
        self.steps.note(CallStep::Turn, Instant::now());
        drop(waits);
        let answered = match self.call.mode {
            CallMode::Sync => self.ask(command, Some(&turn), Instant::now()).await,
            CallMode::Async => self.post(command, Some(&turn)).await,
        };
        // A command that is on its way has its turn until its answer comes.
        if !matches!(answered, Ok(Answer::Accepted)) {
            turn.release();
        }
        answered
    }

    /// Whether the turn of an asynchronous command is over once it was handed on so. One that is kept for a device that is
    /// away holds nobody up.
    pub(super) fn is_over(&self, turn: &Turn<'_>, how: Sent, transport: &dyn Transport) -> bool {
        let device = &self.call.device.key;
        match (turn.ends(), how) {
            (_, Sent::Kept) => transport.presence(device) == Presence::Offline,
            (Ends::ByAck, Sent::Acked) => true,
            // At QoS 0 nobody acknowledges anything.
            (Ends::ByAck, Sent::Sent) => self.call.qos == Qos::AtMostOnce,
            (Ends::ByAnswer, Sent::Acked | Sent::Sent) => false,
        }
    }
}
