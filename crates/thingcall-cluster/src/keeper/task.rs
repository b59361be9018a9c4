//! The task itself.
//!
//! **Invariants:** one question is under way at a time, and none keeps the task from letting go in time. What is lost is
//! lost in this order: readiness, ids for new calls, replies, calls that wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thingcall_core::{Condition, Instance, Lease, LeaseError, Leases, PeerText, Renewal, Slots};
use thingcall_metrics::gauge_of;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::asking::{Answer, Came, asked, prepared};
use crate::differing::each_once;
use crate::metrics::{Metrics, Went};
use crate::rule::{Ask, MARGIN, Moment, Rule, Standing};
use crate::seen::Seen;
use crate::{Begin, Holder, Taken, Unlike, at_odds, differing};

/// Before what is in a slot is looked at again.
const PREPARE_PAUSE: Duration = Duration::from_millis(500);
/// Of what instances are at odds in, in a log line.
const ODDS_CHARS_MAX: usize = 500;
/// What a stop leaves for giving the slots back; they end by themselves else.
const RELEASE_TIME: Duration = Duration::from_secs(2);

pub(super) struct Task {
    pub(super) leases: Arc<dyn Leases>,
    pub(super) slots: Slots,
    pub(super) me: Instance,
    pub(super) condition: Arc<Condition>,
    pub(super) metrics: Arc<Metrics>,
    /// Moments are counted from here.
    pub(super) began: Instant,
    pub(super) rule: Rule,
    pub(super) seen: Seen,
    pub(super) holders: watch::Receiver<Option<Arc<dyn Holder>>>,
    pub(super) own: watch::Sender<Option<u8>>,
    pub(super) until: Arc<Mutex<Option<Instant>>>,
    pub(super) draining: CancellationToken,
    pub(super) running: JoinSet<Came>,
    /// A question is among `running`.
    pub(super) asking: bool,
    /// What was logged last.
    pub(super) told: Standing,
    /// Why the last question failed.
    pub(super) why: String,
}

impl Task {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut holders = self.holders.clone();
        loop {
            let now = self.now();
            self.expire(now);
            self.show(now);
            let waits = self.ask(now);
            let turn = waits.into_iter().chain(self.rule.turns(now)).min().map(|turn| self.began + turn);
            tokio::select! {
                () = stop.cancelled() => break,
                Some(came) = self.running.join_next() => self.came(came),
                Ok(()) = holders.changed() => self.prepare_all(),
                () = sleep_until(turn.unwrap_or_else(Instant::now)), if turn.is_some() => {}
            }
        }
        self.running.abort_all();
        // It is no fault that is told.
        "this instance ends".clone_into(&mut self.why);
        self.told = Standing::Without;
        let leases = self.rule.let_go_of_all();
        self.lose();
        let released = timeout(RELEASE_TIME, self.leases.release(&leases)).await;
        if !matches!(released, Ok(Ok(()))) {
            warn!("the slots could not be given back; others may have them when their leases are over");
        }
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    fn holder(&self) -> Option<Arc<dyn Holder>> {
        self.holders.borrow().clone()
    }

    /// Lets go of what is over.
    fn expire(&mut self, now: Moment) {
        let gone = self.rule.expire(now);
        self.let_go(&gone);
    }

    /// Says what this instance is now: to those who send calls, and to people.
    fn show(&mut self, now: Moment) {
        let standing = self.rule.standing(now);
        let (why, slot) = (&self.why, self.rule.own().map(|(lease, _)| lease.slot));
        match (standing, self.slots.own()) {
            (Standing::Sure, Some(_)) => self.condition.holds(),
            (Standing::Sure, None) => self.condition.fails(format!(
                "slot {} is leased, and the server looks at what is in it from before",
                slot.unwrap_or_default()
            )),
            (Standing::Doubtful, _) => self.condition.fails(format!(
                "the lease of slot {} cannot be renewed: {why}; soon no calls are taken. See that the store answers",
                slot.unwrap_or_default()
            )),
            (Standing::Without, _) => self.condition.fails(format!(
                "no slot is leased, so no calls are taken: {why}. It goes on by itself when the store gives one"
            )),
        }
        match (self.told, standing) {
            (Standing::Sure, Standing::Doubtful) => warn!(why, "the lease cannot be renewed"),
            (Standing::Sure | Standing::Doubtful, Standing::Without) => {
                error!(why, "the lease is over; calls are refused until the store gives another one");
            }
            (Standing::Doubtful | Standing::Without, Standing::Sure) => info!(slot, "the lease is renewed again"),
            (Standing::Sure, Standing::Sure)
            | (Standing::Doubtful, Standing::Doubtful)
            | (Standing::Without, Standing::Without | Standing::Doubtful) => {}
        }
        self.told = standing;
        self.metrics.held.set(gauge_of(self.slots.held().count()));
    }

    /// Asks the store what the rule says, unless something is under way. Gives the moment before which nothing is asked.
    fn ask(&mut self, now: Moment) -> Option<Moment> {
        if self.asking {
            return None;
        }
        let holder = self.holder();
        if holder.is_none() || self.draining.is_cancelled() {
            self.rule.forget_orphans();
        }
        let ask = match self.rule.next(now) {
            Ask::Wait(until) => return Some(until),
            ask @ (Ask::Take(_) | Ask::Renew(_) | Ask::TakeOver(_) | Ask::Release(_)) => ask,
        };
        let mut me = self.me.clone();
        if let Some(holder) = holder {
            holder.tell(&mut me);
        }
        self.asking = true;
        self.running.spawn(asked(self.leases.clone(), me, ask, now));
        None
    }

    fn came(&mut self, came: Result<Came, JoinError>) {
        match came {
            Ok(Came::Answer { ask, asked, answer }) => {
                self.asking = false;
                self.answered(&ask, asked, answer);
            }
            Ok(Came::Prepared { lease, taken, begin }) => self.prepared(lease, taken, begin),
            // Of a fault of ours nothing is known: as if all had been lost.
            Err(fault) => {
                error!(%fault, "leases: a task failed");
                self.asking = false;
                self.why = "a fault of the server's own; the log says which".to_owned();
                self.rule.failed(self.now());
                let gone = self.rule.let_go_of_all();
                self.let_go(&gone);
            }
        }
    }

    fn answered(&mut self, ask: &Ask, asked: Moment, answer: Result<Answer, LeaseError>) {
        let renewal = matches!(ask, Ask::Renew(_));
        match answer {
            Ok(Answer::Taken(lease)) => {
                info!(slot = lease.slot, "slot leased");
                self.rule.taken(lease, asked);
                self.rests_on_it();
                self.prepare(lease, true);
            }
            Ok(Answer::Renewed(renewal)) => self.renewed(&renewal, asked),
            Ok(Answer::TookOver(seen, lease)) => {
                self.rule.took_over(seen, lease, asked);
                if let Some(lease) = lease {
                    self.prepare(lease, false);
                }
            }
            Ok(Answer::Released(leases)) => self.rule.released(&leases),
            Err(problem) => {
                if renewal {
                    self.metrics.renewals[Went::Failed].inc();
                }
                self.why = problem.to_string();
                self.rule.failed(self.now());
            }
        }
    }

    fn renewed(&mut self, renewal: &Renewal, asked: Moment) {
        let gone = self.rule.renewed(renewal, asked);
        self.rests_on_it();
        let lost = self.rule.own().is_none();
        if lost {
            "another instance has it, or it was over when it was to be renewed".clone_into(&mut self.why);
        }
        self.metrics.renewals[if lost { Went::Lost } else { Went::Well }].inc();
        self.let_go(&gone.lost);
        self.metrics.given_back.inc_by((gone.idle.len() + gone.crowded.len()) as u64);
        gone.idle
            .iter()
            .for_each(|lease| info!(slot = lease.slot, "nothing is left to do in a slot that was taken over"));
        self.let_go(&gone.idle);
        for lease in &gone.crowded {
            warn!(
                slot = lease.slot,
                "a slot that was taken over is given back though calls in it are open: few slots are left for instances that start"
            );
        }
        self.let_go(&gone.crowded);
        self.seen.look_at(&renewal.slots, asked);
        let instances = each_once(renewal.slots.iter().filter_map(|state| state.holder.as_ref()));
        self.metrics.instances.set(gauge_of(instances.len()));
        self.compare(&instances, asked);
    }

    /// Tells of plugins that are not the same everywhere, and of what else is wrong between instances.
    fn compare(&mut self, instances: &[&Instance], now: Moment) {
        let differing = differing(instances);
        for (unlike, gauge) in &self.metrics.differing {
            let now = gauge_of(differing.iter().filter(|one| one.unlike == unlike).count());
            if unlike == Unlike::Sha256 && now > gauge.get() {
                let plugins: Vec<_> =
                    differing.iter().filter(|one| one.unlike == unlike).map(|one| &one.plugin).collect();
                warn!(
                    ?plugins,
                    "plugins are not the same on all instances; `thingcall instances` shows how they differ"
                );
            }
            gauge.set(now);
        }
        let odds = self.seen.lasting(at_odds(instances), now);
        if gauge_of(odds.len()) > self.metrics.at_odds.get() {
            odds.iter().for_each(|why| warn!(why = %PeerText::at_most(why, ODDS_CHARS_MAX), "instances are at odds"));
        }
        self.metrics.at_odds.set(gauge_of(odds.len()));
    }

    /// Until when new calls may have ids of the own slot.
    pub(super) fn rests_on_it(&self) {
        let own = self.rule.own().map(|(_, asked)| self.began + asked);
        let time = Lease::TIME - MARGIN;
        if let Some(asked) = own {
            self.slots.last(asked.into_std(), time);
        }
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = own.map(|asked| asked + time);
    }

    fn let_go(&mut self, gone: &[Lease]) {
        if gone.is_empty() {
            return;
        }
        if self.rule.own().is_none() {
            self.metrics.lost.inc();
            self.rests_on_it();
            return self.lose();
        }
        for lease in gone {
            self.slots.let_go(lease.slot);
            self.holder().iter().for_each(|holder| holder.let_go(lease.slot));
        }
    }

    /// Holds nothing any more: readiness first.
    fn lose(&mut self) {
        self.show(self.now());
        self.own.send_replace(None);
        self.slots.let_go_of_all();
        self.holder().iter().for_each(|holder| holder.lost());
    }

    /// Somebody is there to work in the slots that were leased.
    fn prepare_all(&mut self) {
        let own = self.rule.own().map(|(lease, _)| lease);
        for lease in self.rule.leases() {
            self.prepare(lease, Some(lease) == own);
        }
    }

    fn prepare(&mut self, lease: Lease, own: bool) {
        let Some(holder) = self.holder() else { return };
        let taken = Taken { slot: lease.slot, own, from: self.seen.holder(lease.slot).map(str::to_owned) };
        self.running.spawn(prepared(holder, lease, taken, Duration::ZERO));
    }

    /// The slot is held from now on, if its lease still is.
    fn prepared(&mut self, lease: Lease, taken: Taken, begin: Result<Begin, String>) {
        let now = self.now();
        if !self.rule.holds(lease, now) {
            return;
        }
        let begin = match begin {
            Ok(begin) => begin,
            Err(why) => {
                warn!(slot = lease.slot, why, "what is in the slot from before cannot be read; tries again");
                self.why = why;
                let Some(holder) = self.holder() else { return };
                self.running.spawn(prepared(holder, lease, taken, PREPARE_PAUSE));
                return;
            }
        };
        if taken.own {
            self.slots.set_own(lease.slot);
        } else {
            self.slots.take(lease.slot);
            let since = self.seen.since(lease.slot).unwrap_or(now);
            self.metrics.takeover.observe((now - since).as_secs_f64());
            info!(slot = lease.slot, from = taken.from, "slot taken over: its calls are brought to their end here");
        }
        begin();
        if taken.own {
            self.own.send_replace(Some(lease.slot));
        }
    }
}
