//! Records of calls: written behind their callers' backs, found with those of the journal, bounded.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use thingcall_core::{
    AccessKey, CallFilter, CallOrder, CallPlace, CallPlaces, CallRecord, CallRecords, CallSource, CallStep, CallTimes,
    Executed, FailedAt, KeptCall, KeptCalls, LateAnswer, Letter, LetterTo, MalformedReply, RecordedDevice, RecordedKey,
    RecordedService, Secret, ServiceCalls,
};

use super::*;
use crate::RecordsConfig;
use crate::recording::LeftOut;

fn record(number: u32, outcome: Outcome) -> CallRecord {
    let mut times = CallTimes::default();
    times.set(CallStep::Told, Duration::from_millis(5));
    let secret = Secret::new("s");
    let key = AccessKey {
        id: "k1".to_owned(),
        secret,
        account: "a".to_owned(),
        enabled: true,
        security_token: None,
        result: None,
        allow: None,
        temporary: None,
    };
    CallRecord {
        request_id: RequestId::random(),
        action: "Ask".into(),
        call_id: Some(CallId::from_u32(number)),
        device: RecordedDevice::Asked(DeviceRef::Key(key_of("d1"))),
        service: RecordedService::Named("m:s".parse().unwrap()),
        key: Some(RecordedKey::Signed(Arc::new(key))),
        mode: Some(CallMode::Sync),
        outcome,
        code: (outcome != Outcome::Ok).then(|| "iot.code".into()),
        executed: Executed::Maybe,
        stage: FailedAt::Device,
        transport: Some(TransportKind::Mqtt),
        plugin: None,
        text: "no reply\nat all".to_owned(),
        hint: Some("look".to_owned()),
        accepted_at: UnixMillis(i64::from(number) * 1000),
        times,
        args: Some(Args::checked(r#"{"a":"b"}"#)),
        letter: None,
        reply: Some(ReplyBody { code: 200, message: None, data: r#"{"x":10.0}"#.to_owned() }),
        said: None,
        trace_id: None,
    }
}

fn key_of(name: &str) -> DeviceKey {
    key(name)
}

async fn newest(store: &Store, filter: &CallFilter, max: usize) -> Vec<KeptCall> {
    store.flush().await;
    store.calls(filter, (CallOrder::NewestFirst, CallPlaces::END), max).await.unwrap()
}

fn ids(calls: &[KeptCall]) -> Vec<u32> {
    calls.iter().map(|call| call.call_id.map_or(0, CallId::as_u32)).collect()
}

#[tokio::test]
async fn a_record_is_found_with_all_it_holds_after_a_restart_too() {
    let bench = bench().await;
    bench.store.records_as("one");
    let put = record(7, Outcome::Timeout);
    let request = put.request_id.to_string();
    bench.store.put(put);
    bench.store.flush().await;
    let bench = bench.reopened().await;
    let filter = CallFilter { request_id: Some(request.clone()), ..CallFilter::default() };
    let [found] = <[KeptCall; 1]>::try_from(newest(&bench.store, &filter, 9).await).unwrap();
    assert_eq!((found.source, &*found.request_id, found.place), (CallSource::Records, &*request, 1));
    assert_eq!((ids(std::slice::from_ref(&found)), &*found.device, &*found.service), (vec![7], "p/d1", "m:s"));
    assert_eq!(found.action.as_deref(), Some("Ask"));
    let words = [found.key_id, found.mode, found.code, found.executed, found.stage, found.transport, found.instance];
    let expected = ["k1", "sync", "iot.code", "maybe", "device", "mqtt", "one"];
    assert_eq!(words.map(Option::unwrap_or_default), expected);
    assert_eq!((found.text.as_deref(), found.hint.as_deref()), (Some(r"no reply\nat all"), Some("look")));
    assert_eq!((found.outcome, found.accepted_at), (Some(Outcome::Timeout), UnixMillis(7000)));
    assert_eq!(found.times.steps(), [(CallStep::Told, 5000)]);
    assert_eq!((found.args.as_deref(), found.data.as_deref()), (Some(r#"{"a":"b"}"#), Some(r#"{"x":10.0}"#)));
}

#[tokio::test]
async fn calls_of_journal_and_records_are_found_together_by_what_is_looked_for() {
    let bench = bench().await.with_devices(&["d1"]).await;
    for number in [2, 4] {
        bench.store.put(record(number, if number == 2 { Outcome::Ok } else { Outcome::Timeout }));
    }
    let device = bench.device("d1").await;
    for number in [3, 5] {
        let accepted_at = UnixMillis(i64::from(number) * 1000);
        bench.store.open(JournalEntry { accepted_at, ..entry(&device, number, Qos::AtMostOnce) }).await.unwrap();
    }
    let all = newest(&bench.store, &CallFilter::default(), 9).await;
    assert_eq!(ids(&all), [5, 4, 3, 2]);
    assert_eq!((all[0].source, all[0].outcome, all[0].state), (CallSource::Journal, None, Some(RecordState::Queued)));

    let store = &*bench.store;
    let by = |filter: CallFilter| async move { ids(&newest(store, &filter, 9).await) };
    let default = CallFilter::default;
    assert_eq!(by(CallFilter { device: Some(key("d1")), ..default() }).await, [5, 4, 3, 2]);
    assert_eq!(by(CallFilter { device: Some(key("d2")), ..default() }).await, [0; 0]);
    assert_eq!(by(CallFilter { action: Some("Ask".to_owned()), ..default() }).await, [4, 2]);
    assert_eq!(by(CallFilter { action: Some("Invoke".to_owned()), ..default() }).await, [5, 3]);
    let journal_places = vec![all[0].place, all[2].place, 99];
    assert_eq!(by(CallFilter { journal_places, ..default() }).await, [5, 3]);
    assert_eq!(by(CallFilter { outcome: Some(Outcome::Timeout), ..default() }).await, [4]);
    assert_eq!(by(CallFilter { key_id: Some("k1".to_owned()), ..default() }).await, [4, 2]);
    assert_eq!(by(CallFilter { service: Some("m:s".parse().unwrap()), ..default() }).await, [4, 2]);
    assert_eq!(by(CallFilter { service: Some("testFb:SetScene".parse().unwrap()), ..default() }).await, [5, 3]);
    let (since, until) = (Some(UnixMillis(3000)), Some(UnixMillis(4000)));
    assert_eq!(by(CallFilter { since, until, ..default() }).await, [4, 3]);
    assert_eq!(by(CallFilter { call_id: Some(CallId::from_u32(2)), ..default() }).await, [2]);

    let mut places = CallPlaces::END;
    let mut paged = Vec::new();
    loop {
        let page = bench.store.calls(&default(), (CallOrder::NewestFirst, places), 1).await.unwrap();
        let Some(call) = page.first() else { break };
        places = places.at(call);
        paged.extend(ids(&page));
    }
    assert_eq!(paged, [5, 4, 3, 2], "page by page");
    let start = CallPlaces { journal: 0, records: 0 };
    let oldest = bench.store.calls(&default(), (CallOrder::OldestFirst, start), 3).await.unwrap();
    assert_eq!(ids(&oldest), [2, 3, 4]);
}

#[tokio::test]
async fn what_is_too_long_is_left_out_of_a_record() {
    let records = RecordsConfig { args_bytes_max: 8, reply_bytes_max: 10, ..RecordsConfig::default() };
    let bench = bench_with(Config { records, ..Config::default() }).await;
    bench.store.put(record(1, Outcome::Ok));
    let found = newest(&bench.store, &CallFilter::default(), 1).await.remove(0);
    assert_eq!((found.args, found.reply_code, found.data.as_deref()), (None, Some(200), Some(r#"{"x":10.0}"#)));
}

#[tokio::test]
async fn the_oldest_are_dropped_by_count_by_bytes_and_by_age() {
    let count = RecordsConfig { records_max: NonZeroU64::new(3).unwrap(), ..RecordsConfig::default() };
    let bytes = RecordsConfig { bytes_max: NonZeroU64::new(2000).unwrap(), ..RecordsConfig::default() };
    let age = RecordsConfig { age_max: Duration::from_secs(60), ..RecordsConfig::default() };
    for (records, left) in [(count, 3), (bytes, 5), (age, 1)] {
        let old_are_kept = records.age_max > Duration::from_secs(60);
        let records = if old_are_kept {
            RecordsConfig { age_max: Duration::from_secs(86_400 * 3650), ..records }
        } else {
            records
        };
        let bench = bench_with(Config { records, ..Config::default() }).await;
        let now = UnixMillis::now().0;
        for number in 1..=10 {
            let accepted_at = UnixMillis(if number == 10 || old_are_kept { now } else { now - 61_000 });
            bench.store.put(CallRecord { accepted_at, ..record(number, Outcome::Ok) });
        }
        bench.store.flush().await;
        bench.serves(&bench.store, 0).await;
        // Dropped by a look each second.
        let dropped = async {
            loop {
                let found = newest(&bench.store, &CallFilter::default(), 20).await;
                if found.len() <= left {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), dropped).await.expect("the oldest are dropped");
        assert_eq!(ids(&found), (1..=10).rev().take(left).collect::<Vec<_>>());
        let size = bench.store.shared().reads.record_size().await.unwrap();
        let sum = bench.ask("SELECT CAST(COALESCE(SUM(bytes), 0) AS TEXT) FROM call_records").await;
        assert_eq!((size.records, size.bytes.to_string()), (left as u64, sum[0].clone()));
    }
}

#[tokio::test]
async fn what_finds_no_room_is_counted_and_holds_up_nobody() {
    let records = RecordsConfig {
        keep: KeptCalls::All,
        queue_records_max: NonZeroUsize::new(2).unwrap(),
        refused_per_minute_max: 1,
        ..RecordsConfig::default()
    };
    let bench = bench_with(Config { records, ..Config::default() }).await;
    // Nothing is written meanwhile.
    let side = bench.store.shared().write.lock().await;
    let recording = &bench.store.shared().recording;
    let mut put = 0;
    while recording.left_out(LeftOut::Queue) == 0 {
        put += 1;
        bench.store.put(record(put, Outcome::Ok));
        tokio::task::yield_now().await;
    }
    drop(side);
    assert_eq!(ids(&newest(&bench.store, &CallFilter::default(), 99).await).len(), put as usize - 1);
    for _ in 0..3 {
        bench.store.put_refused(record(99, Outcome::Denied));
        bench.store.flush().await;
    }
    // A minute may begin in between.
    assert!((1..=2).contains(&recording.left_out(LeftOut::Refused)));
}

#[tokio::test]
async fn what_could_not_be_written_is_written_once_it_can_be() {
    let bench = bench().await;
    bench
        .run(match bench.on {
            On::Sqlite => "CREATE TRIGGER full BEFORE INSERT ON call_records BEGIN SELECT RAISE(ABORT, 'planted'); END",
            On::Postgres => {
                "CREATE FUNCTION full_() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER full_ BEFORE INSERT ON call_records EXECUTE FUNCTION full_()"
            }
        })
        .await;
    bench.store.put(record(1, Outcome::Ok));
    assert!(newest(&bench.store, &CallFilter::default(), 9).await.is_empty());
    bench
        .run(match bench.on {
            On::Sqlite => "DROP TRIGGER full",
            On::Postgres => "DROP TRIGGER full_ ON call_records",
        })
        .await;
    bench.store.put(record(2, Outcome::Ok));
    let found = newest(&bench.store, &CallFilter::default(), 9).await;
    assert_eq!(ids(&found), [2, 1]);
}

fn late(request_id: RequestId, number: u32, data: &str) -> LateAnswer {
    let body = ReplyBody { code: 200, message: Some("it's \"done\"\n".to_owned()), data: data.to_owned() };
    let (call_id, at, after_end) = (CallId::from_u32(number), UnixMillis(9000), Duration::from_millis(2500));
    LateAnswer { request_id, call_id, at, after_end, answer: Ok(body) }
}

#[tokio::test]
async fn an_answer_that_came_too_late_is_added_to_the_record_of_its_call() {
    let bench = bench().await;
    // What a text may hold and JSON or a database may stumble over, and what looks like the answer's own place.
    let odd = "{\"a\":\"\\u0000 ,\\\"late\\\":{\"}";
    let (first, second) =
        (record(7, Outcome::Cancelled), CallRecord { text: odd.to_owned(), ..record(8, Outcome::Timeout) });
    let second = CallRecord { args: Some(Args::checked(odd)), ..second };
    let ids = [first.request_id, second.request_id];
    // Before its record: it is looked for once more.
    bench.store.put_late(late(ids[0], 7, odd));
    bench.store.flush().await;
    bench.store.put(first);
    bench.store.put(second);
    bench.store.put_late(late(ids[1], 8, "{}"));
    // Another call had this id before.
    bench.store.put_late(late(RequestId::random(), 8, "{}"));
    bench.store.flush().await;
    bench.store.put_late(late(ids[1], 8, r#"{"second":1}"#));

    let found = newest(&bench.store, &CallFilter::default(), 9).await;
    let told: Vec<_> = found.iter().map(|call| call.late.clone().unwrap()).collect();
    assert_eq!(
        (found[1].outcome, told[1].at, told[1].after_end),
        (Some(Outcome::Cancelled), UnixMillis(9000), Duration::from_millis(2500))
    );
    assert_eq!((told[1].code, told[1].data.as_deref()), (Some(200), Some(odd)));
    assert_eq!(told[1].message.as_deref(), Some("it's \"done\"\\n"));
    assert_eq!(told[0].data.as_deref(), Some("{}"), "the first one counts");
    assert_eq!(
        (found[0].args.as_deref(), found[0].data.as_deref()),
        (Some(odd), Some(r#"{"x":10.0}"#)),
        "the rest stays"
    );
    let size = bench.store.shared().reads.record_size().await.unwrap();
    let sums = "SELECT CAST(SUM(bytes) AS TEXT) FROM call_records";
    assert_eq!((size.records, size.bytes.to_string()), (2, bench.ask(sums).await[0].clone()));

    let malformed = MalformedReply::NotJson("x".to_owned());
    bench.store.put(CallRecord { request_id: ids[0], ..record(9, Outcome::Timeout) });
    bench.store.put_late(LateAnswer { answer: Err(malformed), ..late(ids[0], 9, "") });
    let unreadable = newest(&bench.store, &CallFilter::default(), 1).await.remove(0).late.unwrap();
    assert_eq!((unreadable.code, unreadable.data), (None, None));
    assert!(unreadable.message.is_some());
}

#[tokio::test]
async fn calls_of_a_devices_services_are_paged_by_their_times() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let device = bench.device("d1").await;
    for (number, at) in [(2, 10), (4, 20), (6, 20), (8, 30)] {
        bench.store.put(CallRecord { accepted_at: UnixMillis(at), ..record(number, Outcome::Ok) });
        let accepted_at = UnixMillis(at);
        let other = entry(&device, number + 1, Qos::AtMostOnce);
        bench.store.open(JournalEntry { accepted_at, ..other }).await.unwrap();
    }
    let refused = CallRecord { call_id: None, accepted_at: UnixMillis(20), ..record(50, Outcome::Denied) };
    bench.store.put(refused);
    bench.store.flush().await;
    let all = ServiceCalls {
        device: key("d1"),
        service: None,
        since: UnixMillis(10),
        until: UnixMillis(20),
        order: CallOrder::OldestFirst,
        behind: None,
    };
    let oldest = bench.store.service_calls(&all, 9).await.unwrap();
    assert_eq!(ids(&oldest), [3, 2, 5, 7, 4, 6]);
    let newest = ServiceCalls { order: CallOrder::NewestFirst, ..all.clone() };
    assert_eq!(ids(&bench.store.service_calls(&newest, 3).await.unwrap()), [6, 4, 7]);
    let of = ServiceCalls { service: Some("m:s".parse().unwrap()), ..all.clone() };
    assert_eq!(ids(&bench.store.service_calls(&of, 9).await.unwrap()), [2, 4, 6]);
    for (asked, expected) in [(all, vec![3, 2, 5, 7, 4, 6]), (newest, vec![6, 4, 7, 5, 2, 3])] {
        let (mut asked, mut paged) = (asked, Vec::new());
        while let Some(call) = bench.store.service_calls(&asked, 1).await.unwrap().pop() {
            asked.behind = Some(CallPlace { at: call.accepted_at, source: call.source, place: call.place });
            paged.extend(ids(&[call]));
        }
        assert_eq!(paged, expected);
    }
}

#[tokio::test]
async fn an_applications_own_message_is_on_record_as_it_was_and_so_is_its_answer() {
    let records = RecordsConfig { args_bytes_max: 8, ..RecordsConfig::default() };
    let bench = bench_with(Config { records, ..Config::default() }).await;
    let letter = |to: LetterTo, payload: &'static [u8], said: Option<&'static [u8]>| CallRecord {
        letter: Some(Arc::new(Letter { to, payload: Bytes::from_static(payload), extras: None })),
        said: said.map(Bytes::from_static),
        args: None,
        reply: None,
        ..record(1, Outcome::Ok)
    };
    bench.store.put(letter(LetterTo::Topic("/p/d1/user/get".into()), "hej å".as_bytes(), None));
    bench.store.put(letter(LetterTo::Rrpc, b"\x00\x01", Some(b"\xff")));
    bench.store.put(letter(LetterTo::RrpcOn("/t".into()), b"more than 8", Some(b"yes")));
    let found = newest(&bench.store, &CallFilter::default(), 9).await;
    let told: Vec<_> = found.iter().rev().map(|call| (call.args.as_deref(), call.data.as_deref())).collect();
    assert_eq!(
        told,
        [
            (Some(r#"{"text":"hej å","topic":"/p/d1/user/get"}"#), None),
            (Some(r#"{"base64":"AAE="}"#), Some(r#"{"base64":"/w=="}"#)),
            (Some(r#"{"bytes":11,"topic":"/t"}"#), Some(r#"{"text":"yes"}"#)),
        ]
    );
    assert!(found.iter().all(|call| call.reply_code.is_none()));
}

#[tokio::test]
async fn what_a_refused_request_said_of_its_device_is_shown_as_it_was_said() {
    let bench = bench().await;
    for said in ["p/d1", "p", "/d1", ""] {
        bench.store.put(CallRecord { device: RecordedDevice::Said(said.to_owned()), ..record(1, Outcome::Denied) });
    }
    let found = newest(&bench.store, &CallFilter::default(), 9).await;
    assert_eq!(found.iter().rev().map(|call| &*call.device).collect::<Vec<_>>(), ["p/d1", "p", "/d1", ""]);
}

#[tokio::test]
async fn of_an_asynchronous_call_there_is_who_asked_and_what_was_before_it_was_written() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let device = bench.device("d1").await;
    let mut times = CallTimes::default();
    times.set(CallStep::Checked, Duration::from_micros(312));
    let key = Some(RecordedKey::Said("k9".to_owned()));
    let answer = Some(ReplyBody { code: 200, message: None, data: "{}".to_owned() });
    for (number, answer) in [(3, None), (4, answer)] {
        let entry = entry(&device, number, Qos::AtMostOnce);
        bench.store.open(JournalEntry { times, key: key.clone(), answer, ..entry }).await.unwrap();
    }
    let found = newest(&bench.store, &CallFilter { key_id: Some("k9".to_owned()), ..CallFilter::default() }, 9).await;
    assert_eq!(ids(&found), [4, 3]);
    for call in &found {
        assert_eq!((call.action.as_deref(), call.times.get(CallStep::Checked)), (Some("Invoke"), Some(312)));
        assert!(
            call.times.steps().is_sorted_by_key(|(step, _)| *step),
            "what is known in milliseconds is not before it"
        );
    }
}

#[tokio::test]
async fn records_of_an_earlier_release_are_read_too() {
    let bench = bench().await;
    bench.store.put(record(1, Outcome::Ok));
    bench.store.flush().await;
    bench.run("UPDATE call_records SET action = NULL, body = '{}'").await;
    let found = newest(&bench.store, &CallFilter::default(), 9).await.remove(0);
    assert_eq!((found.action, found.args, found.times.steps().len()), (None, None, 0));
}
