//! A request passes once at all instances together, or is refused in words.

use std::future::pending;
use std::sync::Mutex;

use async_trait::async_trait;
use thingcall_core::testing::MemoryNonces;
use thingcall_core::{ConditionState, Conditions, Weight};

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const SKEW: Duration = Duration::from_secs(900);
const ASK: Duration = Duration::from_secs(1);

/// Never answers, and keeps what it was asked.
#[derive(Default)]
struct Silent(Mutex<Vec<Duration>>);

#[async_trait]
impl SharedNonces for Silent {
    async fn note(&self, used: NonceUse<'_>) -> Result<NonceVerdict, SharedError> {
        self.0.lock().unwrap().push(used.keep);
        pending().await
    }
}

fn shared(set: Arc<dyn SharedNonces>, conditions: &Conditions) -> Arc<SharedSet> {
    let condition = conditions.add("nonces", Weight::Required);
    let metrics = SharedMetrics::register(&prometheus::Registry::new()).unwrap();
    Arc::new(SharedSet::new((set, condition), (SKEW, ASK), &metrics))
}

fn state(conditions: &Conditions) -> ConditionState {
    conditions.states().into_iter().next().unwrap()
}

#[tokio::test]
async fn a_nonce_passes_at_one_instance_once() {
    let conditions = Conditions::default();
    let set = Arc::new(MemoryNonces::began(NOW));
    let (first, second) = (shared(set.clone(), &conditions), shared(set, &conditions));
    assert_eq!(first.note(("k", "n"), (NOW, NOW)).await, Ok(()));
    assert_eq!(second.note(("k", "n"), (NOW, NOW)).await, Err(GatewayError::NonceUsed));
    assert_eq!(second.note(("k2", "n"), (NOW, NOW)).await, Ok(()));
    assert_eq!(state(&conditions).failure, None);
    let counted = NonceResult::New;
    assert_eq!((first.counted[counted].get(), second.counted[NonceResult::Used].get()), (1, 1));
}

#[tokio::test]
async fn what_was_signed_before_the_set_began_is_refused() {
    let conditions = Conditions::default();
    let set = shared(Arc::new(MemoryNonces::began(NOW)), &conditions);
    let earlier = UnixMillis(NOW.0 - 3000);
    assert_eq!(set.note(("k", "n"), (earlier, NOW)).await, Err(GatewayError::BeforeMemory { seconds: 3 }));
    assert_eq!(set.note(("k", "n"), (NOW, NOW)).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_answers_in_time_the_request_is_refused_and_readiness_says_why() {
    let (conditions, silent) = (Conditions::default(), Arc::new(Silent::default()));
    let set = shared(silent.clone(), &conditions);
    let since = Instant::now();
    let future = UnixMillis(NOW.0 + 60_000);
    assert_eq!(set.note(("k", "n"), (future, NOW)).await, Err(GatewayError::NoncesUnknown));
    assert_eq!(since.elapsed(), ASK);
    let told = state(&conditions).failure.unwrap();
    assert_eq!(
        told,
        "it does not answer within 1000 ms; requests are refused while it cannot be told whether they were sent before"
    );
    let keep = silent.0.lock().unwrap()[0];
    assert_eq!(keep, SKEW * 2 + Duration::from_secs(60), "also for an instance whose clock is behind by the skew");
}

#[tokio::test(start_paused = true)]
async fn it_is_looked_whether_it_can_be_asked_without_any_request() {
    let (conditions, memory) = (Conditions::default(), Arc::new(MemoryNonces::began(NOW)));
    let set = shared(memory.clone(), &conditions);
    let clock: Clock = Arc::new(|| NOW);
    let watch = tokio::spawn(set.watch(clock));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(state(&conditions).failure, None);
    memory.fails(Some("redis at 127.0.0.1:1: refused"));
    sleep(PROBE_PAUSE * 2).await;
    let told = state(&conditions).failure.unwrap();
    assert!(told.starts_with("redis at 127.0.0.1:1: refused; requests are refused"), "{told}");
    memory.fails(None);
    sleep(RETRY_PAUSE * 2).await;
    assert_eq!(state(&conditions).failure, None);
    watch.abort();
}

#[tokio::test(start_paused = true)]
async fn a_set_that_just_began_is_waited_for() {
    let (conditions, start) = (Conditions::default(), Instant::now());
    let clock: Clock = Arc::new(move || UnixMillis(NOW.0 + i64::try_from(start.elapsed().as_millis()).unwrap()));
    let set = shared(Arc::new(MemoryNonces::began(UnixMillis(NOW.0 + 700))), &conditions);
    set.begun(&clock, Duration::from_millis(500)).await;
    let told = state(&conditions).failure.unwrap();
    assert!(told.starts_with("used nonces are remembered from 2027-01-15T08:00:00Z on"), "{told}");
    set.begun(&clock, Duration::from_secs(5)).await;
    assert_eq!(state(&conditions).failure, None);
    assert!((700..=1000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}
