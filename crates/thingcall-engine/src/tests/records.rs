//! What is put on record of a call, and when its steps were.

use std::sync::Arc;

use thingcall_core::{
    AccessKey, Asks, CallMode, CallRecord, CallStep, DeliverError, DeviceRef, Executed, FailedAt, Failure, Letter,
    LetterTo, Outcome, RecordedDevice, RecordedKey, Request, Secret, Sent, TransportKind,
};

use crate::testbench::{Bench, SECOND, answers_after, bench, device};

const MEASURE: &str = r#"{"channel":1}"#;

fn the_one(bench: &Bench) -> CallRecord {
    let [record] = <[CallRecord; 1]>::try_from(bench.records.take()).expect("one record");
    record
}

fn key() -> Arc<AccessKey> {
    let (id, secret) = ("k1".to_owned(), Secret::new("s"));
    Arc::new(AccessKey {
        id,
        secret,
        account: "a".to_owned(),
        enabled: true,
        security_token: None,
        result: None,
        allow: None,
        temporary: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_is_on_record_with_its_steps() {
    let bench = bench(answers_after(2 * SECOND, r#"{"mean":1}"#));
    let request = bench.request("Measure", MEASURE);
    tokio::time::sleep(SECOND).await;
    let request = Request { key: Some(RecordedKey::Signed(key())), ..request };
    let (id, invoked) = (request.request_id, bench.engine.invoke(request).await.unwrap());
    let record = the_one(&bench);
    assert_eq!((record.request_id, record.call_id, record.mode), (id, Some(invoked.id), Some(CallMode::Sync)));
    assert_eq!(record.action, "Invoke");
    assert!(matches!(&record.device, RecordedDevice::Known(device) if device.key.to_string() == "pk1/dev1"));
    assert!(matches!(&record.key, Some(RecordedKey::Signed(key)) if key.id == "k1"));
    assert_eq!((record.outcome, record.code, record.executed), (Outcome::Ok, None, Executed::Yes));
    assert_eq!((record.transport, record.plugin), (Some(TransportKind::Embedded), None));
    assert_eq!((record.args.unwrap().as_str(), record.reply.unwrap().data.as_str()), (MEASURE, r#"{"mean":1}"#));
    // From the request's arrival, a second before the engine had it.
    let steps = [(CallStep::Checked, 1_000_000), (CallStep::Sent, 1_000_000), (CallStep::Answered, 3_000_000)];
    let told = [(CallStep::Told, 3_000_000)];
    assert_eq!(record.times.steps(), [&steps[..], &told].concat());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_on_record_as_it_is_told() {
    let bench = bench(|_, _| Ok(Sent::Acked));
    let error = bench.engine.invoke(bench.request("Measure", MEASURE)).await.unwrap_err();
    let record = the_one(&bench);
    assert_eq!((record.outcome, record.executed, record.stage), (Outcome::Timeout, Executed::Maybe, FailedAt::Device));
    assert_eq!((record.text, record.code.as_deref()), (error.to_string(), Some(error.code().as_str())));
    let steps: Vec<_> = record.times.steps().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [CallStep::Checked, CallStep::Sent, CallStep::Acked, CallStep::Told]);

    let error = bench.engine.invoke(bench.request("Unknown", "{}")).await.unwrap_err();
    let record = the_one(&bench);
    assert_eq!((record.outcome, record.call_id, record.mode), (error.outcome(), None, None));
    assert_eq!(record.action, "Invoke");
    assert!(matches!(&record.device, RecordedDevice::Asked(device) if device.to_string() == "pk1/dev1"));

    let hung_up = tokio::time::timeout(SECOND, bench.engine.invoke(bench.request("Measure", MEASURE))).await;
    assert!(hung_up.is_err());
    assert_eq!(the_one(&bench).outcome, Outcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_call_is_in_the_journal_or_on_record_and_never_in_both() {
    let taken = bench(|_, _| Ok(Sent::Sent));
    let key = key();
    let request = Request { key: Some(RecordedKey::Signed(key)), ..taken.request("SetScene", "{}") };
    let id = taken.engine.invoke(request).await.unwrap().id;
    let [kept] = <[_; 1]>::try_from(taken.journal.records()).unwrap();
    assert_eq!((kept.id, kept.key_id.as_deref(), kept.action.as_deref()), (id, Some("k1"), Some("Invoke")));
    assert!(kept.times.get(CallStep::Checked).is_some(), "{kept:?}");
    assert!(taken.records.take().is_empty());

    let refuses = bench(|_, _| Err(DeliverError::Refused("no".to_owned())));
    refuses.engine.invoke(refuses.request("SetScene", "{}")).await.unwrap_err();
    assert!(refuses.records.take().is_empty(), "its end is in the journal");

    refuses.engine.invoke(refuses.request("SetScene", "not JSON")).await.unwrap_err();
    assert_eq!(the_one(&refuses).outcome, Outcome::InvalidArgs, "it did not come to the journal");
}

#[tokio::test(start_paused = true)]
async fn refused_requests_that_anybody_can_make_are_put_apart() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let request = bench.request("Unknown", "{}");
    let id = request.request_id.to_string();
    bench.engine.invoke(request).await.unwrap_err();
    let failure = Failure { key_id: Some("k9".to_owned()), ..bench.engine.failures(&id).remove(0) };
    bench.records.take();
    bench.engine.refused(failure.clone(), true);
    assert!(matches!(the_one(&bench).key, Some(RecordedKey::Said(id)) if id == "k9"));
    bench.engine.refused(failure.clone(), false);
    bench.engine.refused(Failure { outcome: Outcome::Throttled, ..failure }, true);
    assert!(bench.records.take().is_empty());
    assert_eq!(bench.records.take_refused().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_on_record_as_itself_whether_it_is_let_in_or_not() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let payload = bytes::Bytes::from_static(b"hello");
    let letter = Arc::new(Letter { to: LetterTo::Topic("/t".into()), payload, extras: Some(Box::default()) });
    // The one is not carried, the other is to nobody.
    for (name, outcome) in [("dev1", Outcome::NotDelivered), ("nobody", Outcome::UnknownTarget)] {
        let (asks, target) = (Asks::Letter(letter.clone()), DeviceRef::Key(device(name)));
        bench.engine.invoke(Request { asks, target, ..bench.request("Pub", "{}") }).await.unwrap_err();
        let record = the_one(&bench);
        assert_eq!(record.outcome, outcome);
        assert_eq!(record.letter.as_ref().map(|letter| &letter.payload[..]), Some(&b"hello"[..]));
        assert!(record.args.is_none() && record.reply.is_none());
    }
}
