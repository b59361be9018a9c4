//! The one link: its credit, its numbers, and the delivery that is under way on it.

use std::ops::RangeInclusive;

use super::heard::{Attach, Flow};
use super::said::LinkFlow;
use super::session::behind;
use super::transfer::Outgoing;

/// Settle mode of a sender that settles what it sends.
const SETTLED: u8 = 1;

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) channel: u16,
    pub(crate) handle: u32,
    /// The consumer asked for deliveries that are settled when they come: at most once.
    pub(crate) presettled: bool,
    pub(crate) message_bytes_max: u64,
    /// What of a delivery has not gone out yet.
    pub(crate) outgoing: Option<Outgoing>,
    initial_count: u32,
    count: u32,
    credit: u32,
    drain: bool,
    /// The first delivery of this link, in our numbers and in the session's.
    first: (u64, u32),
}

impl Link {
    pub(crate) fn new(channel: u16, attach: &Attach<'_>, initial_count: u32, first: (u64, u32)) -> Self {
        Self {
            channel,
            handle: attach.handle,
            presettled: attach.snd_settle_mode == Some(SETTLED),
            message_bytes_max: attach.message_bytes_max,
            outgoing: None,
            initial_count,
            count: initial_count,
            credit: 0,
            drain: false,
            first,
        }
    }

    pub(crate) fn credit(&self) -> u32 {
        self.credit
    }

    /// Takes what the consumer says of credit. It may not have seen our last deliveries yet: they count against it.
    pub(crate) fn hear(&mut self, flow: &Flow) {
        if let Some(credit) = flow.link_credit {
            let seen = flow.delivery_count.unwrap_or(self.initial_count);
            self.credit = credit.saturating_sub(behind(seen, self.count));
        }
        self.drain = flow.drain;
    }

    /// A delivery begins.
    pub(crate) fn deliver(&mut self) {
        self.count = self.count.wrapping_add(1);
        self.credit = self.credit.saturating_sub(1);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain
    }

    /// Where all credit is used, or nothing more is there, a consumer that drains is told so; once.
    pub(crate) fn drained(&mut self, nothing_to_send: bool) -> bool {
        let done = self.drain && self.outgoing.is_none() && (nothing_to_send || self.credit == 0);
        if done {
            self.count = self.count.wrapping_add(self.credit);
            self.credit = 0;
            self.drain = false;
        }
        done
    }

    pub(crate) fn flow(&self, drain: bool) -> LinkFlow {
        LinkFlow { handle: self.handle, delivery_count: self.count, credit: self.credit, drain }
    }

    /// Our numbers for the session's `first..=last`, as far as they were sent on this link; `next` is our next number.
    pub(crate) fn ours(&self, first: u32, last: u32, next: u64) -> Option<RangeInclusive<u64>> {
        let (ours, sessions) = self.first;
        let sent = next.saturating_sub(ours);
        #[expect(clippy::cast_possible_truncation, reason = "the session's numbers wrap")]
        let next_of_session = sessions.wrapping_add(sent as u32);
        let (from, to) = (behind(first, next_of_session), behind(last, next_of_session));
        let spans = last.wrapping_sub(first) < 1 << 31;
        // A last one that was not sent yet stands for the newest.
        let to = u64::from(to.max(1));
        if from == 0 || !spans || to > sent {
            return None;
        }
        Some(next.saturating_sub(u64::from(from)).max(ours)..=next.saturating_sub(to))
    }

    /// The session's number for one of ours.
    pub(crate) fn sessions(&self, number: u64) -> u32 {
        let (ours, sessions) = self.first;
        #[expect(clippy::cast_possible_truncation, reason = "the session's numbers wrap")]
        let distance = number.wrapping_sub(ours) as u32;
        sessions.wrapping_add(distance)
    }
}
