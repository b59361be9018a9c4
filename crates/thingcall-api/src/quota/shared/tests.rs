//! Several instances and one quota, with a clock that stands unless everybody waits.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;
use thingcall_core::testing::MemoryQuota;
use thingcall_core::{Conditions, Grant, SharedError, Weight};
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// A quota whose answers take a while.
struct Slow(Arc<MemoryQuota>, Duration);

#[async_trait]
impl SharedQuota for Slow {
    async fn reserve(&self, wants: &[Want], max: NonZeroU32) -> Result<Vec<Grant>, SharedError> {
        sleep(self.1 / 2).await;
        let grants = self.0.reserve(wants, max).await;
        sleep(self.1 / 2).await;
        grants
    }
}

struct Bench {
    quota: Arc<MemoryQuota>,
    instances: Vec<Arc<SharedAccounts>>,
    conditions: Conditions,
    live: Arc<AtomicU32>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

fn bench(max: u32, instances: u32, round_trip: Duration) -> Bench {
    let start = Instant::now();
    let quota = MemoryQuota::new(move || i64::try_from(start.elapsed().as_micros()).unwrap());
    let (conditions, live) = (Conditions::default(), Arc::new(AtomicU32::new(instances)));
    let made = (0..instances).map(|_| {
        let (live, slow) = (live.clone(), Arc::new(Slow(quota.clone(), round_trip)));
        let instances: Instances = Arc::new(move || NonZeroU32::new(live.load(Ordering::Relaxed)).unwrap());
        let metrics = SharedMetrics::register(&prometheus::Registry::new()).unwrap();
        SharedAccounts::new(
            NonZeroU32::new(max).unwrap(),
            (slow, conditions.add("quota", Weight::Told)),
            (instances, Duration::from_secs(1)),
            Accounts::new(),
            &metrics,
        )
    });
    let instances: Vec<_> = made.collect();
    let tasks = instances.iter().map(|one| AbortOnDropHandle::new(tokio::spawn(one.clone().settle()))).collect();
    Bench { quota, instances, conditions, live, _tasks: tasks }
}

const STEP: Duration = Duration::from_millis(5);

impl Bench {
    /// Has each instance asked for so many calls a second, evenly, for so long; when each call was let through, and where.
    async fn calls(&self, per_second: &[f64], seconds: f64) -> Vec<(Instant, usize)> {
        let (start, mut made, mut due) = (Instant::now(), Vec::new(), vec![0.0; per_second.len()]);
        while start.elapsed().as_secs_f64() < seconds {
            for (place, (due, rate)) in due.iter_mut().zip(per_second).enumerate() {
                *due += rate * STEP.as_secs_f64();
                while *due >= 1.0 {
                    *due -= 1.0;
                    if self.instances[place].take("a").is_ok() {
                        made.push((Instant::now(), place));
                    }
                }
            }
            sleep(STEP).await;
        }
        made
    }
}

/// The most calls within a second.
fn most_in_a_second(made: &[(Instant, usize)]) -> usize {
    let within = |from: Instant| move |(at, _): &&(Instant, usize)| *at >= from && *at < from + Duration::from_secs(1);
    made.iter().map(|(from, _)| made.iter().filter(within(*from)).count()).max().unwrap_or(0)
}

fn by_instance(made: &[(Instant, usize)], instance: usize) -> usize {
    made.iter().filter(|(_, place)| *place == instance).count()
}

#[tokio::test(start_paused = true)]
async fn a_burst_as_large_as_the_share_passes_at_an_instance_that_never_asked() {
    let bench = bench(300, 3, Duration::from_millis(2));
    let passed = (0..300).filter(|_| bench.instances[0].take("a").is_ok()).count();
    assert_eq!(passed, 100);
    sleep(Duration::from_millis(100)).await;
    let passed = (0..300).filter(|_| bench.instances[0].take("a").is_ok()).count();
    assert!(passed >= 100, "the quota is not used up, and now it knows: {passed}");
}

#[tokio::test(start_paused = true)]
async fn one_instance_may_use_the_whole_quota() {
    let bench = bench(300, 3, Duration::from_millis(2));
    let made = bench.calls(&[290.0, 0.0, 0.0], 5.0).await;
    assert!(made.len() >= 1430, "of 1450, though it is three times its share: {}", made.len());
}

#[tokio::test(start_paused = true)]
async fn instances_that_want_too_much_get_about_the_same() {
    let bench = bench(300, 3, Duration::from_millis(2));
    let made = bench.calls(&[600.0, 600.0, 600.0], 10.0).await;
    assert!((2900..=3600).contains(&made.len()), "{}", made.len());
    for instance in 0..3 {
        let part = by_instance(&made, instance);
        assert!(part >= 600, "of 1000: {part}");
    }
    let late: Vec<_> = made.iter().copied().skip(made.len() / 2).collect();
    assert!(most_in_a_second(&late) <= 360, "it keeps to the quota once it knows: {}", most_in_a_second(&late));
}

#[tokio::test(start_paused = true)]
async fn a_quota_smaller_than_the_number_of_instances_is_right_over_time_and_starves_none() {
    let bench = bench(1, 3, Duration::from_millis(2));
    let made = bench.calls(&[10.0, 10.0, 10.0], 60.0).await;
    assert!((50..=64).contains(&made.len()), "one a second: {}", made.len());
    assert!(most_in_a_second(&made) <= 4, "{}", most_in_a_second(&made));
    assert!((0..3).all(|instance| by_instance(&made, instance) >= 6), "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_keeps_to_a_small_quota_is_never_refused() {
    let bench = bench(1, 3, Duration::from_millis(2));
    for second in 0..60 {
        let instance = [0, 0, 1, 2, 1][second % 5];
        assert!(bench.instances[instance].take("a").is_ok(), "{second} at {instance}");
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_keeps_is_there_for_others_soon_after_its_last_call() {
    let bench = bench(100, 2, Duration::from_millis(2));
    let made = bench.calls(&[100.0, 0.0], 3.0).await;
    assert!(made.len() >= 290, "{}", made.len());
    sleep(Duration::from_secs(3)).await;
    let asked = bench.quota.asked();
    let (used, ahead): (u32, u32) =
        (asked.iter().map(|want| want.used).sum(), asked.iter().map(|want| want.ahead).sum());
    let unused: u32 = asked.iter().map(|want| want.unused).sum();
    assert_eq!(used as usize + ahead as usize - unused as usize, made.len(), "all is settled");
    assert!(bench.instances[0].lock().accounts.is_empty(), "and nothing is kept");
    sleep(Duration::from_secs(10)).await;
    let idle = bench.quota.asked();
    assert!(idle.len() <= 44 && idle.iter().all(|want| *want == Want::default()), "at rest it only looks: {idle:?}");
}

#[tokio::test(start_paused = true)]
async fn while_nobody_can_be_asked_each_instance_lets_through_its_share() {
    let bench = bench(300, 3, Duration::from_millis(2));
    bench.calls(&[100.0, 100.0, 100.0], 1.0).await;
    bench.quota.fails(Some("the store is away"));
    let made = bench.calls(&[300.0, 300.0, 300.0], 10.0).await;
    assert!((2800..=3400).contains(&made.len()), "{}", made.len());
    let told = bench.conditions.states()[0].failure.clone().unwrap();
    assert_eq!(told, "the store is away; each instance lets through its share of every account's quota");
    bench.live.store(2, Ordering::Relaxed);
    let made = bench.calls(&[300.0, 0.0, 0.0], 10.0).await;
    assert!((1450..=1750).contains(&made.len()), "one of the three is gone: {}", made.len());

    bench.quota.fails(None);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.conditions.states()[0].failure, None);
    let made = bench.calls(&[290.0, 0.0, 0.0], 5.0).await;
    assert!(made.len() >= 1400, "all of it again: {}", made.len());
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_does_not_answer_counts_as_away_and_holds_up_no_call() {
    let bench = bench(300, 3, Duration::from_secs(3600));
    let made = bench.calls(&[300.0, 300.0, 300.0], 10.0).await;
    assert!((2600..=3600).contains(&made.len()), "{}", made.len());
    let told = bench.conditions.states()[0].failure.clone().unwrap();
    assert!(told.starts_with("it does not answer within 250 ms"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// What is stated: over any time, the quota of that time, a full bucket, and a share for each instance.
    #[test]
    fn over_all_instances_no_more_than_the_quota_and_what_is_stated(
        max in 1_u32..200,
        round_trip_ms in 0_u64..60,
        phases in prop::collection::vec((prop::collection::vec(0.0_f64..400.0, 4), 0.1_f64..1.5), 1..4),
        instances in 1_u32..5,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = bench(max, instances, Duration::from_millis(round_trip_ms));
            let (start, mut made) = (Instant::now(), Vec::new());
            for (rates, seconds) in &phases {
                made.extend(bench.calls(&rates[..instances as usize], *seconds).await);
            }
            let (quota, shares) = (f64::from(max), f64::from(max.max(instances)));
            let allowed = quota * start.elapsed().as_secs_f64() + quota + shares;
            prop_assert!(made.len() as f64 <= allowed, "{} of {allowed}", made.len());
            let most = most_in_a_second(&made);
            prop_assert!(most as f64 <= 2.0 * quota + shares, "{most} in a second");
            Ok(())
        })?;
    }
}
