//! The pump between a made-up outbox and a made-up broker.

use std::collections::VecDeque;
use std::sync::Mutex;

use thingcall_core::{CallId, JournalError, Outcome, UnixMillis};
use tokio::sync::Notify;

use super::*;

/// An outbox, and a broker that does what is planned and then takes everything.
#[derive(Default)]
struct Both {
    due: Mutex<Vec<CallResult>>,
    plan: Mutex<VecDeque<Published>>,
    seen: Mutex<Vec<i64>>,
    changed: Notify,
    trimmed: Mutex<u64>,
    all_done: Notify,
}

#[async_trait]
impl ResultsOutbox for Both {
    async fn publishing(&self, _: bool) -> Result<(), JournalError> {
        Ok(())
    }

    async fn due(&self, max: usize) -> Result<Vec<CallResult>, JournalError> {
        Ok(self.due.lock().unwrap().iter().take(max).cloned().collect())
    }

    async fn published(&self, places: &[i64]) -> Result<(), JournalError> {
        let mut due = self.due.lock().unwrap();
        due.retain(|result| !places.contains(&result.place));
        if due.is_empty() {
            self.all_done.notify_one();
        }
        Ok(())
    }

    async fn trim(&self) -> Result<u64, JournalError> {
        *self.trimmed.lock().unwrap() += 1;
        Ok(0)
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[async_trait]
impl ResultSink for Both {
    async fn publish(&self, result: &CallResult) -> Published {
        let planned = self.plan.lock().unwrap().pop_front().unwrap_or(Published::Yes);
        if planned == Published::Yes {
            self.seen.lock().unwrap().push(result.place);
        }
        planned
    }
}

fn result(place: i64, device: &str) -> CallResult {
    CallResult {
        place,
        at: UnixMillis(place),
        id: CallId::from_u32(u32::try_from(place).unwrap()),
        device: DeviceKey { product: "pk".try_into().unwrap(), name: device.try_into().unwrap() },
        iot_id: "i".try_into().unwrap(),
        service: "do".try_into().unwrap(),
        outcome: Outcome::Ok,
        code: Some(200),
        message: None,
        data: None,
    }
}

async fn started(due: Vec<CallResult>, plan: Vec<Published>) -> (Arc<Both>, Publishing) {
    let both = Arc::new(Both { due: Mutex::new(due), plan: Mutex::new(plan.into()), ..Both::default() });
    let publishing = start(both.clone(), both.clone(), &Metering::new()).await.unwrap();
    (both, publishing)
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_gets_each_result_once_when_it_is_back_in_a_device_s_order() {
    let away = || Published::NotYet("away".to_owned());
    let due = (1..=5).map(|place| result(place, "d")).collect();
    let (both, publishing) = started(due, vec![away(), away(), Published::Yes, away()]).await;
    both.all_done.notified().await;
    assert_eq!(*both.seen.lock().unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(*both.trimmed.lock().unwrap(), 3, "each time there was a delay");
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_can_never_be_published_does_not_hold_up_the_others() {
    let never = Published::Never("no".to_owned());
    let (both, publishing) = started((1..=3).map(|place| result(place, "d")).collect(), vec![never]).await;
    both.all_done.notified().await;
    assert_eq!(*both.seen.lock().unwrap(), [2, 3]);
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_becomes_due_later_is_published_when_it_is_told_and_more_than_a_batch_at_once() {
    let (both, publishing) = started(Vec::new(), Vec::new()).await;
    both.due.lock().unwrap().extend((1..=600).map(|place| result(place, if place % 2 == 0 { "a" } else { "b" })));
    let before = tokio::time::Instant::now();
    both.changed.notify_one();
    both.all_done.notified().await;
    assert_eq!(before.elapsed(), Duration::ZERO, "nothing waits for the next look");
    assert_eq!(both.seen.lock().unwrap().len(), 600);
    publishing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_process_ended_is_found_without_being_told() {
    let (both, publishing) = started(Vec::new(), Vec::new()).await;
    both.due.lock().unwrap().push(result(1, "d"));
    both.all_done.notified().await;
    assert_eq!(*both.seen.lock().unwrap(), [1]);
    publishing.stop().await;
}
