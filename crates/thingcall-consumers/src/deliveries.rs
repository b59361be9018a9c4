//! What a connection has sent and what became of it, on its way to the log.
//!
//! **Invariant:** each message that was sent is told to the log as settled or as given back, once; a late acceptance
//! settles one that was given back too, unless another instance's consumer has it by then.

use std::collections::BTreeMap;
use std::time::Duration;

use thingcall_core::{GivenBack, MessageLog, UnixMillis};
use thingcall_subscription::{DeliveryId, Outcome};

use crate::group::{Handed, Member};
use crate::metrics::{Fate, Metrics, Source};

#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    out: BTreeMap<DeliveryId, Sent>,
    /// Of them, those that timed out: they are remembered for a late answer alone.
    overdue: usize,
    settled: Vec<i64>,
    back: Vec<GivenBack>,
}

#[derive(Debug)]
struct Sent {
    place: i64,
    fresh: bool,
    overdue: bool,
}

impl Deliveries {
    pub(crate) fn sent(&mut self, delivery: DeliveryId, handed: &Handed, unsettled_max: usize, metrics: &Metrics) {
        let Handed { taken, fresh } = handed;
        self.out.insert(delivery, Sent { place: taken.message.place, fresh: *fresh, overdue: false });
        metrics.unsettled.inc();
        metrics.sent[if taken.tries == 0 { Source::New } else { Source::Backlog }].inc();
        // The machine forgets as many.
        while self.out.len() > unsettled_max && self.overdue > 0 {
            let Some((first, _)) = self.out.iter().find(|(_, sent)| sent.overdue) else { break };
            let first = *first;
            self.out.remove(&first);
            self.overdue -= 1;
        }
    }

    /// It ended this way; what is not done is tried again after this time.
    pub(crate) fn ended(
        &mut self,
        delivery: DeliveryId,
        outcome: Outcome,
        again_after: Duration,
        (member, metrics): (&Member, &Metrics),
    ) {
        let Some(sent) = self.out.get_mut(&delivery) else { return };
        let (place, fresh) = (sent.place, sent.fresh);
        if outcome == Outcome::TimedOut {
            sent.overdue = true;
            self.overdue += 1;
        } else {
            self.out.remove(&delivery);
        }
        metrics.unsettled.dec();
        metrics.settled[Fate::from(outcome)].inc();
        if outcome.is_done() {
            member.consumed(fresh);
            self.settled.push(place);
        } else {
            self.comes_back(place, again_after, true, why(outcome));
        }
    }

    /// It had timed out and was settled after all.
    pub(crate) fn late(&mut self, delivery: DeliveryId, outcome: Outcome, member: &Member) {
        let Some(sent) = self.out.remove(&delivery) else { return };
        self.overdue = self.overdue.saturating_sub(1);
        if outcome.is_done() {
            member.consumed(sent.fresh);
            self.settled.push(sent.place);
        }
    }

    /// It could not be sent to this client at all.
    pub(crate) fn too_large(&mut self, place: i64, again_after: Duration, metrics: &Metrics) {
        metrics.settled[Fate::TooLarge].inc();
        self.comes_back(place, again_after, false, "the consumer takes none of that size");
    }

    /// Tells the log.
    pub(crate) fn report(&mut self, log: &dyn MessageLog, member: &Member) {
        if !self.settled.is_empty() {
            log.settle(member.reader(), &self.settled);
            self.settled.clear();
        }
        if !self.back.is_empty() {
            log.give_back(member.reader(), std::mem::take(&mut self.back));
        }
    }

    fn comes_back(&mut self, place: i64, after: Duration, tried: bool, why: &str) {
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let again_at = UnixMillis(UnixMillis::now().0.saturating_add(after));
        self.back.push(GivenBack { place, again_at: Some(again_at), tried, why: why.to_owned() });
    }
}

fn why(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Rejected => "the consumer rejected it",
        Outcome::Released => "the consumer released it",
        Outcome::Modified => "the consumer gave it back as tried",
        Outcome::Unsaid => "the consumer settled it without saying how",
        Outcome::Gone => "the consumer's link or connection ended first",
        Outcome::TimedOut => "the consumer did not settle it in time",
    }
}
