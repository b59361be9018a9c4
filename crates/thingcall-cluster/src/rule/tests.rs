//! The rule, whatever happens in whatever order: instances that stand still, a store that does, answers that are slow or
//! lost, clocks that say another time and run at another speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use proptest::prelude::*;
use thingcall_core::testing::{MemoryLeases, instance};
use thingcall_core::{Instance, LeaseError, Leases};

use super::*;

const INSTANCES: usize = 3;

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// So many milliseconds go by.
    Pass(u64),
    /// An instance does what it would next; first, or last, it looks whether its leases are over.
    Act(usize, bool),
    /// The store answers what an instance asked.
    Answer(usize),
    /// What an instance asked is lost on its way, or the answer is.
    Lose(usize),
    /// An instance waits no longer for an answer. The store may still do what it was asked.
    GiveUp(usize),
    /// The store does something that nobody waits for any more.
    AnswerNobody,
    /// An instance stands still, or goes on.
    Stop(usize, bool),
    /// The store stands still, or goes on.
    StopStore(bool),
    /// An instance dies, and another begins in its place.
    Crash(usize),
    /// A slot has work, or none.
    Work(u8, bool),
}

fn event() -> impl Strategy<Value = Event> {
    let one = 0..INSTANCES;
    prop_oneof![
        6 => (0..3000u64).prop_map(Event::Pass),
        1 => (3000..15_000u64).prop_map(Event::Pass),
        12 => (one.clone(), any::<bool>()).prop_map(|(one, first)| Event::Act(one, first)),
        10 => one.clone().prop_map(Event::Answer),
        1 => one.clone().prop_map(Event::Lose),
        1 => one.clone().prop_map(Event::GiveUp),
        2 => Just(Event::AnswerNobody),
        1 => (one.clone(), any::<bool>()).prop_map(|(one, stop)| Event::Stop(one, stop)),
        1 => any::<bool>().prop_map(Event::StopStore),
        1 => one.prop_map(Event::Crash),
        1 => (0..4u8, any::<bool>()).prop_map(|(slot, work)| Event::Work(slot, work)),
    ]
}

/// A clock that says another time than the store's, by a minute or more, and runs faster or slower by less than a tenth.
#[derive(Debug, Clone, Copy)]
struct Clock {
    ahead_ms: u64,
    permille: u64,
}

fn clock() -> impl Strategy<Value = Clock> {
    (0..120_000u64, 905..1100u64).prop_map(|(ahead_ms, permille)| Clock { ahead_ms, permille })
}

#[derive(Debug)]
enum Answer {
    Taken(Lease),
    Renewed(Renewal),
    TookOver(Lease, Option<Lease>),
    Released(Vec<Lease>),
}

struct Asked {
    ask: Ask,
    at: Moment,
    answer: Option<Result<Answer, LeaseError>>,
}

struct One {
    me: Instance,
    rule: Rule,
    clock: Clock,
    stopped: bool,
    asked: Option<Asked>,
}

struct World {
    millis: Arc<AtomicU64>,
    store: MemoryLeases,
    store_stopped: bool,
    all: Vec<One>,
    /// What nobody waits for any more.
    abandoned: Vec<(Instance, Ask)>,
    runs: u64,
}

impl World {
    fn new(clocks: Vec<Clock>) -> Self {
        let millis = Arc::new(AtomicU64::new(0));
        let clock = millis.clone();
        let store = MemoryLeases::new(move || Duration::from_millis(clock.load(Ordering::Relaxed)));
        let mut world = Self { millis, store, store_stopped: false, all: Vec::new(), abandoned: Vec::new(), runs: 0 };
        for clock in clocks {
            let one = world.begin(clock);
            world.all.push(one);
        }
        world
    }

    fn begin(&mut self, clock: Clock) -> One {
        self.runs += 1;
        let me = Instance { run: self.runs, ..instance("one") };
        One { me, rule: Rule::new(None), clock, stopped: false, asked: None }
    }

    fn now(&self, clock: Clock) -> Moment {
        let millis = self.millis.load(Ordering::Relaxed);
        Duration::from_millis(clock.ahead_ms + millis * clock.permille / 1000)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Pass(millis) => {
                self.millis.fetch_add(millis, Ordering::Relaxed);
            }
            Event::Act(at, expires_first) => self.act(at, expires_first),
            Event::Answer(at) => self.answer(at),
            Event::Lose(at) => {
                if let Some(asked) = &mut self.all[at].asked {
                    asked.answer = Some(Err(LeaseError::Store("lost".to_owned())));
                }
            }
            Event::GiveUp(at) => {
                let now = self.now(self.all[at].clock);
                if let Some(Asked { ask, answer: None, .. }) = self.all[at].asked.take() {
                    self.abandoned.push((self.all[at].me.clone(), ask));
                }
                self.all[at].rule.failed(now);
            }
            Event::AnswerNobody => {
                if !self.store_stopped
                    && let Some((me, ask)) = self.abandoned.pop()
                {
                    let _unheard = perform(&self.store, &me, &ask);
                }
            }
            Event::Stop(at, stop) => self.all[at].stopped = stop,
            Event::StopStore(stop) => self.store_stopped = stop,
            Event::Crash(at) => self.all[at] = self.begin(self.all[at].clock),
            Event::Work(slot, work) => self.store.work(slot, work),
        }
    }

    fn act(&mut self, at: usize, expires_first: bool) {
        let now = self.now(self.all[at].clock);
        let one = &mut self.all[at];
        if one.stopped {
            return;
        }
        if expires_first {
            one.rule.expire(now);
        }
        match one.asked.take() {
            Some(Asked { at, answer: Some(answer), .. }) => one.take_in(answer, at, now),
            Some(waiting) => one.asked = Some(waiting),
            None => match one.rule.next(now) {
                Ask::Wait(_) => {}
                ask @ (Ask::Take(_) | Ask::Renew(_) | Ask::TakeOver(_) | Ask::Release(_)) => {
                    one.asked = Some(Asked { ask, at: now, answer: None });
                }
            },
        }
        one.rule.expire(now);
    }

    fn answer(&mut self, at: usize) {
        let one = &mut self.all[at];
        if let (false, Some(Asked { ask, answer: answer @ None, .. })) = (self.store_stopped, &mut one.asked) {
            *answer = Some(perform(&self.store, &one.me, ask));
        }
    }

    /// Each lease that an instance holds is the store's newest of its slot, and so nobody else's.
    fn check(&self) -> Result<(), TestCaseError> {
        let mut held = Vec::new();
        for one in &self.all {
            let now = self.now(one.clock);
            for lease in one.rule.leases().into_iter().filter(|lease| one.rule.holds(*lease, now)) {
                prop_assert!(self.store.is_valid(lease), "{lease:?} is over");
                prop_assert!(!held.contains(&lease.slot), "{lease:?} is held twice");
                held.push(lease.slot);
            }
        }
        Ok(())
    }

    /// All goes well from here on, for so long.
    fn heals(&mut self, time: Duration) -> Result<(), TestCaseError> {
        self.store_stopped = false;
        self.all.iter_mut().for_each(|one| one.stopped = false);
        for _ in 0..time.as_millis() / 100 {
            self.happens(Event::Pass(100));
            for at in 0..INSTANCES {
                self.answer(at);
                self.act(at, true);
            }
            self.check()?;
        }
        Ok(())
    }
}

impl One {
    fn take_in(&mut self, answer: Result<Answer, LeaseError>, at: Moment, now: Moment) {
        match answer {
            Ok(Answer::Taken(lease)) => self.rule.taken(lease, at),
            Ok(Answer::Renewed(renewal)) => drop(self.rule.renewed(&renewal, at)),
            Ok(Answer::TookOver(seen, lease)) => self.rule.took_over(seen, lease, at),
            Ok(Answer::Released(leases)) => self.rule.released(&leases),
            Err(_) => self.rule.failed(now),
        }
    }
}

fn perform(store: &MemoryLeases, me: &Instance, ask: &Ask) -> Result<Answer, LeaseError> {
    let answer = async {
        match ask {
            Ask::Take(wanted) => store.take(me, *wanted).await.map(Answer::Taken),
            Ask::Renew(leases) => store.renew(me, leases).await.map(Answer::Renewed),
            Ask::TakeOver(seen) => {
                store.take_over(me, seen.slot, seen.generation).await.map(|lease| Answer::TookOver(*seen, lease))
            }
            Ask::Release(leases) => store.release(leases).await.map(|()| Answer::Released(leases.clone())),
            Ask::Wait(_) => unreachable!("it asks nothing"),
        }
    };
    answer.now_or_never().expect("leases in memory never wait")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_lets_two_instances_hold_one_slot(
        clocks in proptest::collection::vec(clock(), INSTANCES),
        events in proptest::collection::vec(event(), 0..300),
    ) {
        let mut world = World::new(clocks);
        for event in events {
            world.happens(event);
            world.check()?;
        }
    }

    #[test]
    fn whatever_happened_each_gets_a_slot_and_every_slot_with_work_a_holder(
        clocks in proptest::collection::vec(clock(), INSTANCES),
        events in proptest::collection::vec(event(), 0..200),
    ) {
        let mut world = World::new(clocks);
        for event in events {
            world.happens(event);
        }
        world.heals(2 * (Lease::TIME + KEPT))?;
        let all = world.store.all().now_or_never().expect("it never waits").expect("it answers");
        for state in &all {
            prop_assert!(state.holder.is_some(), "nobody holds {state:?}");
            prop_assert!(state.work || !state.taken_over, "{state:?} is not given back");
        }
        for one in &world.all {
            prop_assert_eq!(one.rule.standing(world.now(one.clock)), Standing::Sure);
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

const fn lease(slot: u8, generation: u64) -> Lease {
    Lease { slot, generation }
}

#[test]
fn the_callers_senders_are_told_before_a_lease_is_over_and_all_stops_before_the_store_gives_it_away() {
    let mut rule = Rule::new(None);
    rule.taken(lease(0, 1), 100 * SECOND);
    let standing = |rule: &Rule, at: u32| rule.standing(at * SECOND);
    assert_eq!((standing(&rule, 104), rule.turns(104 * SECOND)), (Standing::Sure, Some(105 * SECOND)));
    assert_eq!((standing(&rule, 105), rule.turns(105 * SECOND)), (Standing::Doubtful, Some(109 * SECOND)));
    assert_eq!((standing(&rule, 109), rule.turns(109 * SECOND)), (Standing::Without, None));
    assert_eq!(rule.expire(108 * SECOND), []);
    assert_eq!(rule.expire(109 * SECOND), [lease(0, 1)]);
    assert_eq!(rule.next(109 * SECOND), Ask::Release(vec![lease(0, 1)]), "the next one need not wait for the store");
    rule.released(&[lease(0, 1)]);
    assert_eq!(rule.next(109 * SECOND), Ask::Take(Some(0)), "its devices' replies may still be on their way");
}

#[test]
fn an_answer_that_took_longer_than_the_lease_gives_nothing() {
    let mut rule = Rule::new(None);
    rule.taken(lease(0, 1), 100 * SECOND);
    assert!(!rule.holds(lease(0, 1), 109 * SECOND));
    assert_eq!(rule.expire(112 * SECOND), [lease(0, 1)]);
}

#[test]
fn who_loses_its_own_slot_holds_no_other() {
    let mut rule = Rule::new(None);
    rule.taken(lease(0, 1), 100 * SECOND);
    rule.took_over(lease(7, 3), Some(lease(7, 4)), 101 * SECOND);
    let renewal = Renewal { held: vec![lease(7, 4)], slots: Vec::new() };
    assert_eq!(rule.renewed(&renewal, 102 * SECOND).lost, [lease(0, 1), lease(7, 4)]);
    assert_eq!(rule.leases(), []);
}

/// So many slots with work, of which the first are held by somebody.
fn crowd(held: u8) -> Vec<SlotState> {
    let state = |slot| SlotState {
        slot,
        generation: 1,
        taken_over: false,
        left: Lease::TIME,
        work: true,
        holder: (slot < held).then(|| instance("another")),
    };
    (0..64).map(state).collect()
}

#[test]
fn what_is_taken_over_leaves_slots_to_instances_that_start() {
    let mut rule = Rule::new(None);
    rule.taken(lease(0, 1), 100 * SECOND);
    let mut asks = |held: u8| {
        rule.renewed(&Renewal { held: vec![lease(0, 1)], slots: crowd(held) }, 101 * SECOND);
        rule.next(101 * SECOND)
    };
    assert_eq!(asks(47), Ask::TakeOver(lease(47, 1)));
    assert_eq!(asks(48), Ask::Wait(103 * SECOND));
}

#[test]
fn what_was_taken_over_longest_ago_is_given_back_where_few_slots_are_left() {
    let mut rule = Rule::new(None);
    rule.taken(lease(0, 1), 100 * SECOND);
    (1..=4).for_each(|slot| rule.took_over(lease(slot, 0), Some(lease(slot, 1)), (100 + u32::from(slot)) * SECOND));
    let mut given = |held: u8, at: u32| {
        let ours = rule.leases();
        rule.renewed(&Renewal { held: ours, slots: crowd(held) }, at * SECOND).crowded
    };
    assert_eq!(given(56, 200), []);
    assert_eq!(given(58, 117), [lease(1, 1), lease(2, 1)], "two are missing");
    assert_eq!(given(64, 118), [lease(3, 1)], "the last is not held for long");
    assert_eq!(rule.next(118 * SECOND), Ask::Release([1, 2, 3].map(|slot| lease(slot, 1)).to_vec()));
}
