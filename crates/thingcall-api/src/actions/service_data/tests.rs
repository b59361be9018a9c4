//! Pages of calls, and the tokens that name places.

use async_trait::async_trait;
use thingcall_core::{CallFilter, CallPlaces, CallRecord, CallTimes, JournalError, KeptCalls, LateAnswer};

use super::*;

#[test]
fn a_token_names_its_place_and_nothing_else_is_one() {
    let place = CallPlace { at: UnixMillis(15), source: CallSource::Records, place: 7 };
    assert_eq!(place_of("15r7"), Some(place));
    assert_eq!(place_of("15j7"), Some(CallPlace { source: CallSource::Journal, ..place }));
    for token in ["", "15", "r7", "15x7", "15r", "j1r2"] {
        assert_eq!(place_of(token), None, "{token}");
    }
}

/// A call at each of these times.
struct At(Vec<i64>);

fn call(place: i64, at: i64) -> KeptCall {
    KeptCall {
        source: CallSource::Journal,
        place,
        request_id: String::new(),
        action: None,
        call_id: None,
        device: String::new(),
        service: "s".to_owned(),
        key_id: None,
        mode: None,
        state: None,
        outcome: None,
        code: None,
        executed: None,
        stage: None,
        transport: None,
        plugin: None,
        instance: None,
        text: None,
        hint: None,
        accepted_at: UnixMillis(at),
        times: CallTimes::default(),
        args: None,
        reply_code: None,
        data: None,
        late: None,
        trace_id: None,
    }
}

#[async_trait]
impl CallRecords for At {
    fn kept(&self) -> KeptCalls {
        KeptCalls::None
    }

    fn put(&self, _: CallRecord) {}

    fn put_refused(&self, _: CallRecord) {}

    fn put_late(&self, _: LateAnswer) {}

    async fn calls(&self, _: &CallFilter, _: (CallOrder, CallPlaces), _: usize) -> Result<Vec<KeptCall>, JournalError> {
        Ok(Vec::new())
    }

    async fn service_calls(&self, asked: &ServiceCalls, max: usize) -> Result<Vec<KeptCall>, JournalError> {
        let all = (0..).zip(&self.0).map(|(place, at)| call(place, *at));
        let mut all: Vec<_> = all.filter(|call| (asked.since..=asked.until).contains(&call.accepted_at)).collect();
        if asked.order == CallOrder::NewestFirst {
            all.reverse();
        }
        all.truncate(max);
        Ok(all)
    }

    async fn newest_calls(&self) -> Result<CallPlaces, JournalError> {
        Ok(CallPlaces { journal: 0, records: 0 })
    }
}

fn asked(order: CallOrder) -> ServiceCalls {
    let device = thingcall_core::DeviceKey { product: "p".try_into().unwrap(), name: "d".try_into().unwrap() };
    let (since, until) = (UnixMillis(0), UnixMillis(100));
    ServiceCalls { device, service: None, since, until, order, behind: None }
}

/// Those of a millisecond that had more than a page were left out but for the first page.
#[tokio::test]
async fn pages_of_any_size_tell_each_call_once() {
    let records = At(vec![3, 5, 5, 5, 6, 7, 7, 9, 9, 9, 9, 9]);
    for (size, order) in (1..14).flat_map(|size| [(size, CallOrder::OldestFirst), (size, CallOrder::NewestFirst)]) {
        let (mut asked, mut told) = (asked(order), Vec::new());
        for _ in 0..13 {
            let (calls, next) = page(&records, &asked, size).await.unwrap();
            told.extend(calls.iter().map(|call| call.place));
            match (next, order) {
                (None, _) => break,
                (Some(next), CallOrder::OldestFirst) => asked.since = next,
                (Some(next), CallOrder::NewestFirst) => asked.until = next,
            }
        }
        told.sort_unstable();
        assert_eq!(told, (0..12).collect::<Vec<_>>(), "{size} {order:?}");
    }
    let crowd = At(vec![5; MOMENT_MAX + 1]);
    let refused = page(&crowd, &asked(CallOrder::OldestFirst), 50).await.unwrap_err();
    assert!(
        matches!(refused, ActionError::Service(failure) if failure.text.contains("QueryDeviceOriginalServiceData"))
    );
}
