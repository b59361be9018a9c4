//! A session's windows, counted in frames.
//!
//! **Invariant:** numbers are serial (RFC 1982): they wrap, and only their distance counts.

use super::heard::{Begin, Flow};
use super::said::Windows;

/// How many transfers we say that we would take. No consumer may send one, so it never shrinks.
const INCOMING_WINDOW: u32 = 2048;
/// How many we may send as far as we know.
const OUTGOING_WINDOW: u32 = i32::MAX as u32;

#[derive(Debug)]
pub(crate) struct Session {
    channel: u16,
    /// The number that our first transfer had.
    initial_outgoing: u32,
    next_outgoing: u32,
    next_incoming: u32,
    /// Frames that the peer still takes.
    window: u32,
    /// The number of the next delivery. It goes on over the links of the session.
    next_delivery: u32,
}

/// How far a serial number is behind another; 0 where it is ahead.
pub(crate) fn behind(number: u32, of: u32) -> u32 {
    let distance = of.wrapping_sub(number);
    if distance < 1 << 31 { distance } else { 0 }
}

impl Session {
    pub(crate) fn new(channel: u16, begin: &Begin, first: u32) -> Self {
        Self {
            channel,
            initial_outgoing: first,
            next_outgoing: first,
            next_incoming: begin.next_outgoing_id,
            window: begin.incoming_window,
            next_delivery: first,
        }
    }

    pub(crate) fn channel(&self) -> u16 {
        self.channel
    }

    pub(crate) fn has_window(&self) -> bool {
        self.window > 0
    }

    pub(crate) fn next_delivery(&self) -> u32 {
        self.next_delivery
    }

    /// Numbers a delivery.
    pub(crate) fn deliver(&mut self) -> u32 {
        let number = self.next_delivery;
        self.next_delivery = number.wrapping_add(1);
        number
    }

    /// A frame of a transfer is sent.
    pub(crate) fn transfer(&mut self) {
        self.next_outgoing = self.next_outgoing.wrapping_add(1);
        self.window = self.window.saturating_sub(1);
    }

    pub(crate) fn hear(&mut self, flow: &Flow) {
        let seen = flow.next_incoming_id.unwrap_or(self.initial_outgoing);
        self.window = flow.incoming_window.saturating_sub(behind(seen, self.next_outgoing));
        self.next_incoming = flow.next_outgoing_id;
    }

    pub(crate) fn windows(&self) -> Windows {
        Windows {
            next_incoming_id: self.next_incoming,
            incoming_window: INCOMING_WINDOW,
            next_outgoing_id: self.next_outgoing,
            outgoing_window: OUTGOING_WINDOW,
        }
    }
}
