//! Deliveries that are out, and what becomes of them.
//!
//! **Invariant:** each delivery is told of as settled exactly once. At most `unsettled_max` are remembered, those that timed
//! out among them; these give way where there is no place.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::limits::Limits;
use crate::machine::{DeliveryId, Event, Outcome};

#[derive(Debug)]
struct Entry {
    sent_at: Duration,
    /// It counts as accepted when so many bytes were taken by the socket.
    done_at_byte: Option<u64>,
    /// What the consumer calls it, where that is not its number.
    name: Option<Box<str>>,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    out: BTreeMap<u64, Entry>,
    next: u64,
    /// All below have timed out, and are `overdue` in number.
    in_time_from: u64,
    overdue: usize,
    unsettled_max: usize,
    acknowledgement_timeout: Duration,
}

impl Ledger {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            out: BTreeMap::new(),
            next: 0,
            in_time_from: 0,
            overdue: 0,
            unsettled_max: limits.unsettled_max,
            acknowledgement_timeout: limits.acknowledgement_timeout,
        }
    }

    /// How many more may be out.
    pub(crate) fn room(&self) -> usize {
        self.unsettled_max.saturating_sub(self.out.len().saturating_sub(self.overdue))
    }

    /// The number that the next delivery gets.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn open(&mut self, name: Option<&str>, now: Duration) -> DeliveryId {
        if self.out.len() >= self.unsettled_max && self.overdue > 0 && self.out.pop_first().is_some() {
            self.overdue -= 1;
        }
        let id = self.next;
        self.next += 1;
        self.out.insert(id, Entry { sent_at: now, done_at_byte: None, name: name.map(Box::from) });
        DeliveryId(id)
    }

    /// It is all in the output now, which ends at this byte; the consumer will not settle it.
    pub(crate) fn done_when_taken(&mut self, id: DeliveryId, at_byte: u64) {
        if let Some(entry) = self.out.get_mut(&id.0) {
            entry.done_at_byte = Some(at_byte);
        }
    }

    /// The socket took so many bytes since its start.
    pub(crate) fn taken(&mut self, bytes: u64, events: &mut VecDeque<Event>) {
        while let Some((&id, entry)) = self.out.first_key_value()
            && entry.done_at_byte.is_some_and(|end| end <= bytes)
        {
            self.settle(id..=id, Outcome::Accepted, events);
        }
    }

    /// The newest delivery that the consumer calls so.
    pub(crate) fn named(&self, name: &str) -> Option<u64> {
        self.out.iter().rev().find(|(_, entry)| entry.name.as_deref() == Some(name)).map(|(id, _)| *id)
    }

    pub(crate) fn oldest(&self) -> Option<u64> {
        self.out.first_key_value().map(|(id, _)| *id)
    }

    /// Settles those of a range that are out; how many there were.
    pub(crate) fn settle(
        &mut self,
        range: RangeInclusive<u64>,
        outcome: Outcome,
        events: &mut VecDeque<Event>,
    ) -> usize {
        if range.is_empty() {
            return 0;
        }
        let mut settled = 0;
        while let Some((&id, _)) = self.out.range(range.clone()).next() {
            self.out.remove(&id);
            settled += 1;
            let delivery = DeliveryId(id);
            if id < self.in_time_from {
                self.overdue -= 1;
                events.push_back(Event::Late { delivery, outcome });
            } else {
                events.push_back(Event::Settled { delivery, outcome });
            }
        }
        settled
    }

    /// Link or connection are gone.
    pub(crate) fn give_back(&mut self, events: &mut VecDeque<Event>) {
        let out = std::mem::take(&mut self.out);
        self.overdue = 0;
        let in_time = out.into_keys().filter(|id| *id >= self.in_time_from);
        events.extend(in_time.map(|id| Event::Settled { delivery: DeliveryId(id), outcome: Outcome::Gone }));
    }

    pub(crate) fn time_out(&mut self, now: Duration, events: &mut VecDeque<Event>) {
        while let Some((id, due)) = self.first_due()
            && due <= now
        {
            self.in_time_from = id + 1;
            self.overdue += 1;
            events.push_back(Event::Settled { delivery: DeliveryId(id), outcome: Outcome::TimedOut });
        }
    }

    /// When the next one times out.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.first_due().map(|(_, due)| due)
    }

    fn first_due(&self) -> Option<(u64, Duration)> {
        let (id, entry) = self.out.range(self.in_time_from..).next()?;
        // What only waits for the socket ends with it.
        entry.done_at_byte.is_none().then(|| (*id, entry.sent_at + self.acknowledgement_timeout))
    }
}
