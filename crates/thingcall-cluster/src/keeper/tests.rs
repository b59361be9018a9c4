//! What an instance holds while its store answers, stands still, goes on, and while others die.

use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::testing::{MemoryLeases, instance};
use thingcall_core::{CallId, Lease, LoadedPlugin, Renewal, SlotState};
use tokio::time::sleep;

use super::*;
use crate::{Begin, Taken};

const SECOND: Duration = Duration::from_secs(1);

/// A store that may stand still: what is asked then is done when it goes on.
struct Store {
    leases: MemoryLeases,
    stands: watch::Sender<bool>,
}

impl Store {
    async fn answers(&self) -> &MemoryLeases {
        let mut stands = self.stands.subscribe();
        let _goes_on = stands.wait_for(|stands| !stands).await;
        &self.leases
    }
}

#[async_trait]
impl Leases for Store {
    async fn take(&self, me: &Instance, wanted: Option<u8>) -> Result<Lease, LeaseError> {
        self.answers().await.take(me, wanted).await
    }
    async fn renew(&self, me: &Instance, held: &[Lease]) -> Result<Renewal, LeaseError> {
        self.answers().await.renew(me, held).await
    }
    async fn take_over(&self, me: &Instance, slot: u8, seen: u64) -> Result<Option<Lease>, LeaseError> {
        self.answers().await.take_over(me, slot, seen).await
    }
    async fn release(&self, held: &[Lease]) -> Result<(), LeaseError> {
        self.answers().await.release(held).await
    }
    async fn all(&self) -> Result<Vec<SlotState>, LeaseError> {
        self.answers().await.all().await
    }
}

/// Notes what it is told, and what was held by then.
struct Noting {
    slots: Slots,
    conditions: Conditions,
    notes: Arc<Mutex<Vec<String>>>,
    /// Why nothing can be looked at.
    fault: Mutex<Option<String>>,
}

impl Noting {
    fn note(&self, what: &str) {
        note(&self.notes, what, &self.slots);
    }
}

fn note(notes: &Mutex<Vec<String>>, what: &str, slots: &Slots) {
    let held: Vec<_> = slots.held().collect();
    notes.lock().unwrap().push(format!("{what}, held {held:?}"));
}

#[async_trait]
impl Holder for Noting {
    fn tell(&self, me: &mut Instance) {
        me.calls = 7;
    }

    async fn prepare(&self, taken: &Taken) -> Result<Begin, String> {
        self.note(&format!("prepares {} from {:?}", taken.slot, taken.from));
        if let Some(why) = &*self.fault.lock().unwrap() {
            return Err(why.clone());
        }
        let (notes, slots, slot) = (self.notes.clone(), self.slots.clone(), taken.slot);
        Ok(Box::new(move || note(&notes, &format!("begins {slot}"), &slots)))
    }

    fn let_go(&self, slot: u8) {
        self.note(&format!("lets {slot} go"));
    }

    fn lost(&self) {
        let ready = if lease(&self.conditions).is_none() { "ready" } else { "not ready" };
        self.note(&format!("lost while {ready}"));
    }
}

struct Bench {
    store: Arc<Store>,
    slots: Slots,
    conditions: Conditions,
    metering: Registry,
    keeper: Keeper,
    notes: Arc<Mutex<Vec<String>>>,
    holder: Arc<Noting>,
}

async fn bench() -> Bench {
    let began = Instant::now();
    let leases = MemoryLeases::new(move || began.elapsed());
    let store = Arc::new(Store { leases, stands: watch::Sender::new(false) });
    let (slots, conditions, metering) = (Slots::default(), Conditions::default(), Registry::new());
    let keeper = Keeper::start(KeeperParts {
        leases: store.clone(),
        slots: slots.clone(),
        me: instance("me"),
        wanted: None,
        conditions: &conditions,
        metering: &metering,
    });
    let keeper = keeper.await.unwrap();
    let notes = Arc::default();
    let (in_slots, shown, noted) = (slots.clone(), conditions.clone(), Arc::clone(&notes));
    let holder = Arc::new(Noting { slots: in_slots, conditions: shown, notes: noted, fault: Mutex::default() });
    Bench { store, slots, conditions, metering, keeper, notes, holder }
}

/// Why the lease is not sure.
fn lease(conditions: &Conditions) -> Option<String> {
    conditions.states().into_iter().find(|state| state.name == "lease").unwrap().failure
}

impl Bench {
    async fn serve(&self) {
        self.keeper.serve(self.holder.clone()).await;
    }

    fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap())
    }

    fn failure(&self) -> Option<String> {
        lease(&self.conditions)
    }

    async fn state(&self, slot: u8) -> Option<SlotState> {
        self.store.leases.all().await.unwrap().into_iter().find(|state| state.slot == slot)
    }

    fn metric(&self, series: &str) -> f64 {
        self.keeper.refresh_metrics();
        let text = prometheus::TextEncoder::new().encode_to_string(&self.metering.gather()).unwrap();
        let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no series {series}")).rsplit(' ').next().unwrap().parse().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_held_from_when_somebody_works_in_it_and_renewed_meanwhile() {
    let bench = bench().await;
    sleep(30 * SECOND).await;
    assert_eq!((bench.slots.own(), bench.notes()), (None, vec![]));
    assert!(bench.state(0).await.unwrap().left > 7 * SECOND, "a start may take its time");
    bench.serve().await;
    assert_eq!(bench.slots.own(), Some(0));
    assert_eq!(bench.notes(), ["prepares 0 from Some(\"me\"), held []", "begins 0, held [0]"]);
    sleep(30 * SECOND).await;
    let state = bench.state(0).await.unwrap();
    assert_eq!((state.holder.unwrap().calls, bench.failure()), (7, None));
    let renewed = bench.metric(r#"thingcall_lease_renewals_total{result="renewed"}"#);
    assert!((29.0..=31.0).contains(&renewed), "{renewed} in a minute");
    let left = bench.metric("thingcall_lease_left_seconds");
    assert!(left > 6.5 && left <= 9.0, "{left}");
}

#[tokio::test(start_paused = true)]
async fn while_the_store_stands_still_readiness_fails_then_all_is_lost_before_the_lease_is_over_and_it_goes_on_by_itself()
 {
    let bench = bench().await;
    bench.serve().await;
    sleep(SECOND).await;
    bench.notes();
    bench.store.stands.send_replace(true);
    let mut told = Vec::new();
    let lost = loop {
        sleep(SECOND / 10).await;
        let left = bench.state(0).await.map(|state| state.left);
        if told.is_empty() && bench.failure().is_some() {
            told.push(left);
            assert_eq!(bench.slots.own(), Some(0), "calls are taken yet");
        }
        if bench.slots.own().is_none() {
            break left.expect("the store still holds it for us");
        }
    };
    assert!(told[0].unwrap() >= 4 * SECOND, "readiness long before: {told:?}");
    assert!(lost >= SECOND / 2, "before the lease is over: {lost:?}");
    assert!(!bench.slots.holds(CallId::new(0, 1)), "replies are not ours");
    assert_eq!(bench.notes().len(), 1, "told once");
    let failure = bench.failure().unwrap();
    assert!(failure.contains("no answer within 2s"), "{failure}");
    sleep(60 * SECOND).await;
    assert_eq!((bench.slots.own(), bench.metric("thingcall_lease_left_seconds")), (None, 0.0));
    bench.store.stands.send_replace(false);
    sleep(3 * SECOND).await;
    assert_eq!((bench.slots.own(), bench.failure()), (Some(0), None));
    assert_eq!(bench.metric("thingcall_leases_lost_total"), 1.0);
    assert!(bench.metric(r#"thingcall_lease_renewals_total{result="failed"}"#) >= 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_another_took_is_lost_at_once() {
    let bench = bench().await;
    bench.serve().await;
    bench.notes();
    let mine = Lease { slot: 0, generation: 1 };
    bench.store.leases.release(&[mine]).await.unwrap();
    bench.store.leases.take(&instance("other"), Some(0)).await.unwrap();
    sleep(2 * SECOND + SECOND / 10).await;
    assert_eq!(bench.slots.held().collect::<Vec<_>>(), [1], "another one, and nothing beside it");
    let notes = bench.notes();
    assert_eq!(notes[0], "lost while not ready, held []");
    assert_eq!(bench.metric(r#"thingcall_lease_renewals_total{result="lost"}"#), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_slot_of_one_that_died_is_taken_over_in_time_and_given_back_when_its_calls_have_ended() {
    let bench = bench().await;
    bench.serve().await;
    let dead = bench.store.leases.take(&instance("dead"), None).await.unwrap();
    bench.store.leases.work(dead.slot, true);
    bench.notes();
    let died = Instant::now();
    while !bench.slots.holds(CallId::new(dead.slot, 1)) {
        sleep(SECOND / 10).await;
        assert!(died.elapsed() < 15 * SECOND, "not in time");
    }
    assert!(died.elapsed() >= Lease::TIME, "not while it is leased");
    assert_eq!(bench.notes(), ["prepares 1 from Some(\"dead\"), held [0]", "begins 1, held [0, 1]"]);
    assert_eq!((bench.slots.own(), bench.metric("thingcall_slots_held")), (Some(0), 2.0));
    assert_eq!(bench.metric("thingcall_slot_takeover_seconds_count"), 1.0);
    let state = bench.state(1).await.unwrap();
    assert!(state.taken_over && state.holder.unwrap().name == "me");
    bench.store.leases.work(dead.slot, false);
    sleep(5 * SECOND).await;
    assert!(bench.slots.holds(CallId::new(1, 1)), "late replies to its synchronous calls may come yet");
    sleep(15 * SECOND).await;
    assert_eq!((bench.slots.held().collect::<Vec<_>>(), bench.state(1).await), (vec![0], None));
    assert_eq!(bench.notes(), ["lets 1 go, held [0]"]);
    assert_eq!(bench.metric("thingcall_slots_given_back_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_given_back_with_work_is_taken_over_without_waiting_for_a_lease_to_end() {
    let bench = bench().await;
    bench.serve().await;
    let stopped = bench.store.leases.take(&instance("stopped"), None).await.unwrap();
    bench.store.leases.work(stopped.slot, true);
    bench.store.leases.release(&[stopped]).await.unwrap();
    sleep(2 * SECOND + SECOND / 10).await;
    assert!(bench.slots.holds(CallId::new(stopped.slot, 1)));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ends_takes_nothing_over_and_gives_everything_back() {
    let bench = bench().await;
    bench.serve().await;
    bench.keeper.drain();
    bench.store.leases.work(5, true);
    sleep(20 * SECOND).await;
    assert_eq!(bench.slots.held().collect::<Vec<_>>(), [0]);
    bench.notes();
    let (store, slots, notes) = (bench.store.clone(), bench.slots.clone(), bench.notes.clone());
    bench.keeper.stop().await;
    assert_eq!(slots.held().count(), 0);
    assert_eq!(notes.lock().unwrap().as_slice(), ["lost while not ready, held []"]);
    assert!(store.leases.all().await.unwrap().iter().all(|state| state.holder.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_cannot_be_looked_into_is_not_held_until_it_can() {
    let bench = bench().await;
    *bench.holder.fault.lock().unwrap() = Some("the disk is slow".to_owned());
    let served = tokio::time::timeout(20 * SECOND, bench.serve()).await;
    assert!(served.is_err() && bench.slots.own().is_none());
    let failure = bench.failure().unwrap();
    assert!(failure.contains("looks at what is in it from before"), "{failure}");
    *bench.holder.fault.lock().unwrap() = None;
    sleep(SECOND).await;
    assert_eq!((bench.slots.own(), bench.failure()), (Some(0), None));
}

#[tokio::test(start_paused = true)]
async fn plugins_that_differ_between_instances_are_counted() {
    let bench = bench().await;
    bench.serve().await;
    let plugin = |name: &str| LoadedPlugin { name: name.to_owned(), generation: 1, sha256: "ab".to_owned() };
    let other = Instance { plugins: vec![plugin("p"), plugin("q")], ..instance("other") };
    let lease = bench.store.leases.take(&other, None).await.unwrap();
    sleep(3 * SECOND).await;
    assert_eq!(bench.metric(r#"thingcall_plugins_differing{by="sha256"}"#), 2.0);
    assert_eq!(bench.metric("thingcall_instances"), 2.0);
    bench.store.leases.release(&[lease]).await.unwrap();
    sleep(3 * SECOND).await;
    assert_eq!(bench.metric(r#"thingcall_plugins_differing{by="sha256"}"#), 0.0);
}
