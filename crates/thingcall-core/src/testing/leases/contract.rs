//! What every store of leases must do.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use crate::{CallId, Instance, Lease, LeaseError, Leases, LoadedPlugin, Renewal, SlotState, UnixMillis};

/// A store of leases that nobody has used yet, and what moves it.
#[async_trait]
pub trait LeasesUnderTest: Send + Sync {
    /// The leases.
    fn leases(&self) -> Arc<dyn Leases>;

    /// Lets so much of the store's time go by.
    async fn pass(&self, time: Duration);

    /// Gives a slot something to do, an open call, or takes it away.
    async fn work(&self, slot: u8, there: bool);
}

/// Holds leases to all that is asked of them; each fact gets a store of its own.
///
/// # Panics
/// Where they break a fact.
pub async fn assert_leases(make: impl AsyncFn() -> Box<dyn LeasesUnderTest>) {
    instances_that_ask_at_the_same_time_get_slots_of_their_own(&*make().await).await;
    the_wanted_slot_is_given_where_it_is_free(&*make().await).await;
    a_lease_lasts_as_long_as_it_is_renewed(&*make().await).await;
    a_lease_that_is_over_is_not_renewed(&*make().await).await;
    a_slot_whose_lease_is_over_goes_to_the_next_with_a_higher_generation(&*make().await).await;
    a_slot_that_is_held_is_not_taken_over(&*make().await).await;
    one_of_many_takes_a_slot_over(&*make().await).await;
    a_lease_that_is_given_back_is_free_at_once(&*make().await).await;
    giving_back_leaves_what_is_anothers_alone(&*make().await).await;
    what_an_instance_says_is_kept_as_it_says_it_last(&*make().await).await;
    slots_with_work_are_told_though_nobody_holds_them(&*make().await).await;
    an_embedded_broker_is_alone(&*make().await).await;
    of_many_with_an_embedded_broker_one_begins(&*make().await).await;
    there_are_as_many_leases_as_slots(&*make().await).await;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits for all, side by side.
async fn together<T>(mut futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, slot) in futures.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// An instance of this name.
pub fn instance(name: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        run: name.bytes().fold(1, |run, byte| run * 31 + u64::from(byte)),
        api: "127.0.0.1:8080".to_owned(),
        operator: "127.0.0.1:9464".to_owned(),
        version: "1.2.3".to_owned(),
        since: UnixMillis(1_700_000_000_000),
        calls: 0,
        embedded: false,
        plugins: Vec::new(),
        shares: String::new(),
        clients: Vec::new(),
    }
}

fn with_broker(name: &str) -> Instance {
    Instance { embedded: true, ..instance(name) }
}

async fn take(leases: &dyn Leases, name: &str) -> Lease {
    leases.take(&instance(name), None).await.expect("a slot is free")
}

async fn renew(leases: &dyn Leases, name: &str, held: &[Lease]) -> Renewal {
    leases.renew(&instance(name), held).await.expect("the store answers")
}

async fn state(leases: &dyn Leases, slot: u8) -> Option<SlotState> {
    let all = leases.all().await.expect("the store answers");
    assert!(all.is_sorted_by_key(|state| state.slot), "lowest first");
    all.into_iter().find(|state| state.slot == slot)
}

async fn holder(leases: &dyn Leases, slot: u8) -> Option<String> {
    state(leases, slot).await.and_then(|state| state.holder).map(|holder| holder.name)
}

async fn instances_that_ask_at_the_same_time_get_slots_of_their_own(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let names = ["a", "b", "c", "d", "e"];
    let all = names.iter().map(|name| Box::pin(take(&*leases, name)) as Boxed<'_, Lease>);
    let taken = together(all.collect()).await;
    for (lease, name) in taken.iter().zip(names) {
        assert_eq!(holder(&*leases, lease.slot).await.as_deref(), Some(name), "{taken:?}");
    }
    let mut slots: Vec<_> = taken.iter().map(|lease| lease.slot).collect();
    slots.sort_unstable();
    assert_eq!(slots, [0, 1, 2, 3, 4]);
}

async fn the_wanted_slot_is_given_where_it_is_free(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let first = leases.take(&instance("a"), Some(63)).await.expect("it is free");
    let second = leases.take(&instance("b"), Some(63)).await.expect("another one is free");
    assert_eq!((first.slot, second.slot), (63, 0));
}

async fn a_lease_lasts_as_long_as_it_is_renewed(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let lease = take(&*leases, "a").await;
    for _ in 0..3 {
        test.pass(Lease::TIME - Duration::from_secs(1)).await;
        assert_eq!(renew(&*leases, "a", &[lease]).await.held, [lease]);
        let left = state(&*leases, lease.slot).await.expect("it is told").left;
        assert!(left > Lease::TIME - Duration::from_secs(5) && left <= Lease::TIME, "{left:?}");
    }
}

async fn a_lease_that_is_over_is_not_renewed(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let lease = take(&*leases, "a").await;
    test.pass(Lease::TIME + Duration::from_secs(1)).await;
    assert_eq!(renew(&*leases, "a", &[lease]).await, Renewal::default());
    assert_eq!(holder(&*leases, lease.slot).await, None);
    let next = take(&*leases, "a").await;
    assert!(next.slot == lease.slot && next.generation > lease.generation, "{next:?} after {lease:?}");
}

async fn a_slot_whose_lease_is_over_goes_to_the_next_with_a_higher_generation(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let old = take(&*leases, "a").await;
    test.pass(Lease::TIME + Duration::from_secs(1)).await;
    let new = take(&*leases, "b").await;
    assert!(new.slot == old.slot && new.generation > old.generation, "{new:?} after {old:?}");
    assert_eq!(renew(&*leases, "a", &[old]).await.held, []);
    assert_eq!(renew(&*leases, "b", &[new]).await.held, [new]);
    assert_eq!(holder(&*leases, new.slot).await.as_deref(), Some("b"));
}

async fn a_slot_that_is_held_is_not_taken_over(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let old = take(&*leases, "a").await;
    let by_b = async |seen| leases.take_over(&instance("b"), old.slot, seen).await.expect("the store answers");
    assert_eq!(by_b(old.generation).await, None);
    test.pass(Lease::TIME + Duration::from_secs(1)).await;
    assert_eq!(by_b(old.generation - 1).await, None, "that was another's end");
    let new = by_b(old.generation).await.expect("nobody holds it");
    assert!(new.slot == old.slot && new.generation > old.generation, "{new:?} after {old:?}");
    let told = state(&*leases, new.slot).await.expect("it is told");
    assert!(told.taken_over && told.generation == new.generation, "{told:?}");
    assert_eq!(renew(&*leases, "a", &[old]).await.held, []);
    assert_eq!(renew(&*leases, "b", &[new]).await.held, [new]);
}

async fn one_of_many_takes_a_slot_over(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let old = take(&*leases, "a").await;
    test.pass(Lease::TIME + Duration::from_secs(1)).await;
    let others = ["b", "c", "d"].map(instance);
    let all = others.iter().map(|me| leases.take_over(me, old.slot, old.generation));
    let taken = together(all.collect()).await;
    assert_eq!(taken.iter().filter(|one| matches!(one, Ok(Some(_)))).count(), 1, "{taken:?}");
}

async fn a_lease_that_is_given_back_is_free_at_once(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let (first, second) = (take(&*leases, "a").await, take(&*leases, "b").await);
    leases.release(&[first, second]).await.expect("the store answers");
    assert_eq!(holder(&*leases, first.slot).await, None);
    assert_eq!(renew(&*leases, "a", &[first]).await.held, []);
    let next = take(&*leases, "c").await;
    assert!(next.slot == first.slot && next.generation > first.generation, "{next:?} after {first:?}");
}

async fn giving_back_leaves_what_is_anothers_alone(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let old = take(&*leases, "a").await;
    test.pass(Lease::TIME + Duration::from_secs(1)).await;
    let new = take(&*leases, "b").await;
    leases.release(&[old]).await.expect("the store answers");
    assert_eq!(renew(&*leases, "b", &[new]).await.held, [new]);
}

async fn what_an_instance_says_is_kept_as_it_says_it_last(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let lease = take(&*leases, "a").await;
    let plugins = vec![LoadedPlugin { name: "test-fb".to_owned(), generation: 2, sha256: "ab12".to_owned() }];
    let now = Instance { calls: 7, plugins, ..instance("a") };
    let slots = leases.renew(&now, &[lease]).await.expect("the store answers").slots;
    let holders: Vec<_> = slots.into_iter().filter_map(|state| state.holder).collect();
    assert_eq!(holders, std::slice::from_ref(&now));
    assert_eq!(state(&*leases, lease.slot).await.and_then(|state| state.holder), Some(now));
}

async fn slots_with_work_are_told_though_nobody_holds_them(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let (first, second) = (take(&*leases, "a").await, take(&*leases, "b").await);
    test.work(first.slot, true).await;
    test.pass(Lease::TIME - Duration::from_secs(1)).await;
    assert_eq!(
        renew(&*leases, "b", &[second]).await.slots.iter().map(|told| told.work).collect::<Vec<_>>(),
        [true, false]
    );
    test.pass(Duration::from_secs(2)).await;
    let told = renew(&*leases, "b", &[second]).await.slots;
    let orphan = SlotState {
        slot: first.slot,
        generation: first.generation,
        holder: None,
        taken_over: false,
        left: Duration::ZERO,
        work: true,
    };
    assert_eq!(told.first(), Some(&orphan));
    test.work(first.slot, false).await;
    assert_eq!(state(&*leases, first.slot).await, None, "neither held nor with work");
}

async fn an_embedded_broker_is_alone(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let refused = async |me: &Instance| leases.take(me, None).await.expect_err("not beside it");
    let mine = leases.take(&with_broker("a"), None).await.expect("nobody lives");
    let other = |other: &str, slot| (other.to_owned(), slot);
    let (name, slot) = other("a", mine.slot);
    assert_eq!(refused(&instance("b")).await, LeaseError::EmbeddedThere { other: name, slot });
    let (name, slot) = other("a", mine.slot);
    assert_eq!(refused(&with_broker("b")).await, LeaseError::EmbeddedHere { other: name, slot });
    // Itself is not another.
    let again = leases.take(&with_broker("a"), None).await.expect("it is alone");
    leases.release(&[mine, again]).await.expect("the store answers");
    let plain = take(&*leases, "b").await;
    let (name, slot) = other("b", plain.slot);
    assert_eq!(refused(&with_broker("a")).await, LeaseError::EmbeddedHere { other: name, slot });
    test.pass(Lease::TIME + Duration::from_secs(1)).await;
    let _alone = leases.take(&with_broker("a"), None).await.expect("nobody lives any more");
}

async fn of_many_with_an_embedded_broker_one_begins(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    let instances = ["a", "b", "c", "d"].map(with_broker);
    let taken = together(instances.iter().map(|me| leases.take(me, None)).collect()).await;
    assert_eq!(taken.iter().filter(|one| one.is_ok()).count(), 1, "{taken:?}");
}

async fn there_are_as_many_leases_as_slots(test: &dyn LeasesUnderTest) {
    let leases = test.leases();
    for slot in 0..=CallId::SLOT_MAX {
        assert_eq!(take(&*leases, "a").await.slot, slot);
    }
    assert_eq!(leases.take(&instance("b"), None).await, Err(LeaseError::NoneFree));
}
