//! The rule by which an instance knows that it holds a slot, and what it asks the store next. Pure: time is passed in.
//!
//! **Invariant:** while [`Rule::holds`] says so, the store holds the lease for this instance and gives it to nobody else.
//! An instance counts from *before* it asked, by its own clock, which only goes forward and is set by nobody, and stops
//! [`MARGIN`] before the store does. So neither a slow answer, nor one that is lost, nor a process or a store that stood
//! still lets two hold one slot; only a clock that runs slower than the store's by more than a tenth would.

use std::time::Duration;

use thingcall_core::{CallId, Lease, Renewal, SlotState};

/// A moment by the instance's own clock: how long after some start.
pub(crate) type Moment = Duration;

/// So long before its end a lease counts as over.
pub(crate) const MARGIN: Duration = Duration::from_secs(1);
/// A lease that was not renewed for so long is in doubt: those that send calls are told before it is over.
pub(crate) const DOUBT: Duration = Duration::from_secs(5);
/// A slot that was taken over stays so long at least: late replies to its synchronous calls find somebody.
pub(crate) const KEPT: Duration = Duration::from_secs(15);
/// All there are.
const SLOTS: usize = CallId::SLOT_MAX as usize + 1;
/// So many slots stay free for instances that start: nothing is taken over that would leave fewer.
const FREE_MIN: usize = 16;
/// With fewer, slots that were taken over are given back, the one held longest first.
const FREE_LOW: usize = 8;
/// After something failed.
const PAUSE: Duration = Duration::from_millis(500);

/// What an instance holds, and what it knows of the other slots.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    wanted: Option<u8>,
    own: Option<Held>,
    taken_over: Vec<Held>,
    /// Held no more, and not given back yet.
    to_release: Vec<Lease>,
    /// Nobody's, with work, as last seen.
    orphans: Vec<Lease>,
    /// When the leases are renewed next.
    renewal: Moment,
    /// Nothing is asked before.
    pause: Moment,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    lease: Lease,
    /// From when its time counts.
    asked: Moment,
    /// When it was taken.
    since: Moment,
}

/// What to ask the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A slot for new calls.
    Take(Option<u8>),
    /// To renew all these.
    Renew(Vec<Lease>),
    /// To take this one over, which was last seen so.
    TakeOver(Lease),
    /// To take these back.
    Release(Vec<Lease>),
    /// Nothing, before then.
    Wait(Moment),
}

/// What a renewal found held no more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The store says that they are over; all that are held, where the own one is.
    pub(crate) lost: Vec<Lease>,
    /// Nothing is left to do in them: they are given back next.
    pub(crate) idle: Vec<Lease>,
    /// Instances that start need them: they are given back next, whatever is left to do.
    pub(crate) crowded: Vec<Lease>,
}

/// How sure it is of its own slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its lease is renewed.
    Sure,
    /// Its lease was not renewed for a while, and is not over yet.
    Doubtful,
    /// It has none.
    Without,
}

impl Held {
    fn new(lease: Lease, asked: Moment) -> Self {
        Self { lease, asked, since: asked }
    }

    fn ends(self) -> Moment {
        self.asked + (Lease::TIME - MARGIN)
    }
}

impl Rule {
    /// Nothing is held. `wanted` is the slot that is asked for first.
    pub(crate) fn new(wanted: Option<u8>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Whether this lease is held now.
    pub(crate) fn holds(&self, lease: Lease, now: Moment) -> bool {
        self.held().any(|held| held.lease == lease && now < held.ends())
    }

    /// All that is held, the own one first.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        self.held().map(|held| held.lease).collect()
    }

    /// The lease of the own slot, and from when its time counts.
    pub(crate) fn own(&self) -> Option<(Lease, Moment)> {
        self.own.map(|own| (own.lease, own.asked))
    }

    pub(crate) fn standing(&self, now: Moment) -> Standing {
        match self.own {
            None => Standing::Without,
            Some(own) if now >= own.ends() => Standing::Without,
            Some(own) if now >= own.asked + DOUBT => Standing::Doubtful,
            Some(_) => Standing::Sure,
        }
    }

    /// When [`Self::expire`] is to be asked again, or [`Self::standing`] changes.
    pub(crate) fn turns(&self, now: Moment) -> Option<Moment> {
        let doubt = self.own.map(|own| own.asked + DOUBT);
        let ends = self.held().map(|held| held.ends());
        ends.chain(doubt).filter(|turn| *turn > now).min()
    }

    /// What to ask now, where nothing is under way.
    pub(crate) fn next(&self, now: Moment) -> Ask {
        if now < self.pause {
            return Ask::Wait(self.pause);
        }
        if self.own.is_some() && now >= self.renewal {
            return Ask::Renew(self.leases());
        }
        if !self.to_release.is_empty() {
            return Ask::Release(self.to_release.clone());
        }
        match (self.own, self.orphans.first()) {
            (None, _) => Ask::Take(self.wanted),
            (Some(_), Some(orphan)) => Ask::TakeOver(*orphan),
            (Some(_), None) => Ask::Wait(self.renewal),
        }
    }

    /// A slot was leased; it was asked for then.
    pub(crate) fn taken(&mut self, lease: Lease, asked: Moment) {
        self.own = Some(Held::new(lease, asked));
        self.wanted = self.wanted.or(Some(lease.slot));
        self.renewal = asked + Lease::RENEWED_EACH;
    }

    /// The store renewed what it says; it was asked then.
    pub(crate) fn renewed(&mut self, renewal: &Renewal, asked: Moment) -> Gone {
        let ours = |held: &Held| renewal.held.contains(&held.lease);
        self.renewal = asked + Lease::RENEWED_EACH;
        if !self.own.as_ref().is_some_and(ours) {
            return Gone { lost: self.let_go_of_all(), ..Gone::default() };
        }
        let lost = self.taken_over.extract_if(.., |held| !ours(held)).map(|held| held.lease).collect();
        self.own.iter_mut().chain(&mut self.taken_over).for_each(|held| held.asked = asked);
        let free = SLOTS.saturating_sub(renewal.slots.iter().filter(|state| state.holder.is_some()).count());
        let orphans = renewal.slots.iter().filter(|state| state.holder.is_none() && state.work);
        let orphans = orphans.take(free.saturating_sub(FREE_MIN));
        self.orphans = orphans.map(|state| Lease { slot: state.slot, generation: state.generation }).collect();
        Gone { lost, idle: self.give_back(&renewal.slots, asked), crowded: self.make_room(free, asked) }
    }

    /// The slot was taken over, or another instance was quicker; it was asked for then.
    pub(crate) fn took_over(&mut self, seen: Lease, lease: Option<Lease>, asked: Moment) {
        self.orphans.retain(|orphan| *orphan != seen);
        self.taken_over.extend(lease.map(|lease| Held::new(lease, asked)));
    }

    /// The store took these back.
    pub(crate) fn released(&mut self, leases: &[Lease]) {
        self.to_release.retain(|lease| !leases.contains(lease));
    }

    /// Whatever was asked had no answer, or a bad one.
    pub(crate) fn failed(&mut self, now: Moment) {
        self.pause = now + PAUSE;
    }

    /// Takes none of them over.
    pub(crate) fn forget_orphans(&mut self) {
        self.orphans.clear();
    }

    /// Stops holding what is over by now. All goes with the own slot: who cannot renew that one cannot renew the others.
    pub(crate) fn expire(&mut self, now: Moment) -> Vec<Lease> {
        let over = |held: &Held| now >= held.ends();
        if self.own.is_none_or(|own| over(&own)) {
            return self.let_go_of_all();
        }
        let gone: Vec<_> = self.taken_over.extract_if(.., |held| over(held)).map(|held| held.lease).collect();
        self.to_release.extend(&gone);
        gone
    }

    /// Stops holding anything; it is given back next.
    pub(crate) fn let_go_of_all(&mut self) -> Vec<Lease> {
        let leases = self.leases();
        (self.own, self.orphans) = (None, Vec::new());
        self.taken_over.clear();
        self.to_release.extend(&leases);
        leases
    }

    fn held(&self) -> impl Iterator<Item = Held> {
        self.own.into_iter().chain(self.taken_over.iter().copied())
    }

    /// Stops holding those that were taken over and have nothing left to do; they are given back next.
    fn give_back(&mut self, slots: &[SlotState], now: Moment) -> Vec<Lease> {
        let has_work = |lease: Lease| slots.iter().any(|state| state.slot == lease.slot && state.work);
        let idle = |held: &mut Held| now >= held.since + KEPT && !has_work(held.lease);
        let idle: Vec<_> = self.taken_over.extract_if(.., idle).map(|held| held.lease).collect();
        self.to_release.extend(&idle);
        idle
    }

    /// Stops holding some that were taken over, where few are left for others; they are given back next.
    fn make_room(&mut self, free: usize, now: Moment) -> Vec<Lease> {
        let longest = self.taken_over.iter().take_while(|held| now >= held.since + KEPT);
        let few = longest.count().min(FREE_LOW.saturating_sub(free));
        let given: Vec<_> = self.taken_over.drain(..few).map(|held| held.lease).collect();
        self.to_release.extend(&given);
        given
    }
}

#[cfg(test)]
mod tests;
