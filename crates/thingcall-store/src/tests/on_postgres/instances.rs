//! Several instances on one database.

use thingcall_core::{
    GivenBack, Lease, MessageKind, MessageKinds, MessageLog, NewMessage, PresenceSink, ReaderName, TransportName,
    Wanted, Words,
};

use super::*;

/// The slot's lease, as somebody takes it.
async fn lease(bench: &Bench, slot: u8) -> Lease {
    let take = match slot {
        0 => "UPDATE slots SET generation = generation + 1 WHERE slot = 0 RETURNING generation::TEXT",
        _ => "UPDATE slots SET generation = generation + 1 WHERE slot = 1 RETURNING generation::TEXT",
    };
    Lease { slot, generation: bench.ask(take).await[0].parse().unwrap() }
}

fn in_slot(slot: u8, counter: u32) -> u32 {
    CallId::new(slot, counter).as_u32()
}

#[tokio::test]
async fn who_lost_a_slot_writes_nothing_more_of_its_calls() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let (mine, other) = (in_slot(0, 1), in_slot(1, 1));
    for slot in [0, 1] {
        bench.store.shared().held.take(lease(&bench, slot).await);
    }
    for id in [mine, other] {
        bench.open("d1", id, Qos::AtLeastOnce).await.unwrap();
    }
    // Somebody takes slot 1 over.
    lease(&bench, 1).await;
    bench.store.failed(&key("d1"), CallId::from_u32(other), Outcome::Offline, "gone");
    bench.store.failed(&key("d1"), CallId::from_u32(mine), Outcome::Offline, "gone");
    bench.store.flush().await;
    assert_eq!(bench.record(mine).await.outcome, Some(Outcome::Offline));
    assert_eq!(bench.record(other).await.outcome, None, "whoever took it over ends it");
    assert_eq!(bench.store.stats().notes_lost, 1);
    let refused = bench.open("d1", in_slot(1, 2), Qos::AtMostOnce).await.unwrap_err();
    let words = "this instance's lease in the store is over".to_owned();
    assert_eq!(refused, JournalError::Unwritable { why: words, in_doubt: false });
    bench.open("d1", in_slot(0, 2), Qos::AtMostOnce).await.unwrap();
}

#[tokio::test]
async fn what_a_device_answered_is_written_also_by_who_lost_the_slot_meanwhile() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let id = in_slot(1, 1);
    bench.store.shared().held.take(lease(&bench, 1).await);
    bench.open("d1", id, Qos::AtLeastOnce).await.unwrap();
    lease(&bench, 1).await;
    let did = bench.store.complete(vec![reply("d1", id, 200)]).await.unwrap();
    assert!(matches!(did[..], [Completion::Matched { outcome: Outcome::Ok, .. }]), "{did:?}");
    assert_eq!(bench.record(id).await.outcome, Some(Outcome::Ok));
}

#[tokio::test]
async fn a_result_is_handed_out_once_whichever_instance_ended_its_call() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let other = bench.other().await;
    let reader = ReaderName("exchange:results".to_owned());
    for (store, slot) in [(&bench.store, 0), (&other, 1)] {
        store.tell_in(Arc::new(PlainWords));
        bench.serves(store, slot).await;
        let results = MessageKinds::NONE.with(MessageKind::Result);
        store.set_reader(&reader, Wanted { of: vec![(None, results)] }).await.unwrap();
    }
    while !other.is_wanted(&"p".try_into().unwrap(), MessageKind::Result) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for (store, id) in [(&bench.store, in_slot(0, 1)), (&other, in_slot(1, 1))] {
        store.open(entry(&bench.device("d1").await, id, Qos::AtMostOnce)).await.unwrap();
        store.complete(vec![reply("d1", id, 200)]).await.unwrap();
    }
    let (mine, others) = tokio::join!(bench.store.take(&reader, 1), other.take(&reader, 1));
    let mut places: Vec<_> =
        [mine.unwrap(), others.unwrap()].concat().iter().map(|taken| taken.message.place).collect();
    places.sort_unstable();
    assert_eq!(places, [1, 2]);
    assert!(bench.store.take(&reader, 9).await.unwrap().is_empty());
    // What an instance has in hand whose lease is over comes to the other one.
    bench.run("UPDATE slots SET holder = NULL WHERE slot = 1").await;
    let mut again = Vec::new();
    while again.is_empty() {
        again = bench.store.take_again(&reader, 9).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(again.len(), 1);
}

#[tokio::test]
async fn what_is_settled_late_counts_unless_another_instance_has_it_by_then() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let reader = ReaderName("group:a".to_owned());
    let events = MessageKinds::NONE.with(MessageKind::Event);
    bench.store.set_reader(&reader, Wanted { of: vec![(None, events)] }).await.unwrap();
    let other = bench.other().await;
    bench.serves(&bench.store, 0).await;
    bench.serves(&other, 1).await;
    let words = Words { topic: "t".to_owned(), body: "{}".into(), trace: None };
    let event = NewMessage { kind: MessageKind::Event, device: key("d1"), at: UnixMillis::now(), words };
    bench.store.append(vec![event.clone(), event]).await.unwrap();
    let taken: Vec<_> = bench.store.take(&reader, 2).await.unwrap().iter().map(|taken| taken.message.place).collect();
    let back =
        |place: &i64| GivenBack { place: *place, again_at: Some(UnixMillis(0)), tried: true, why: String::new() };
    bench.store.give_back(&reader, taken.iter().map(back).collect());
    bench.store.flush().await;
    assert_eq!(other.take_again(&reader, 1).await.unwrap().len(), 1);
    bench.store.settle(&reader, &taken);
    bench.store.flush().await;
    // Of two that came back one is settled, and the other one is in its hands.
    assert_eq!(bench.ask("SELECT slot::TEXT FROM backlog").await, ["1"]);
    other.settle(&reader, &taken[..1]);
    other.flush().await;
    assert_eq!(bench.ask("SELECT slot::TEXT FROM backlog").await, [] as [String; 0]);
}

#[tokio::test]
async fn calls_of_many_instances_at_once_are_each_written_once() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let others = [bench.other().await, bench.other().await, bench.other().await];
    let device = bench.device("d1").await;
    let calls = others.iter().enumerate().map(|(at, store)| {
        let device = &device;
        async move {
            for counter in 0..50 {
                let id = in_slot(u8::try_from(at).unwrap(), counter);
                store.open(entry(device, id, Qos::AtMostOnce)).await.unwrap();
                store.complete(vec![reply("d1", id, 200)]).await.unwrap();
            }
        }
    });
    let mut calls = calls;
    let (a, b, c) = (calls.next().unwrap(), calls.next().unwrap(), calls.next().unwrap());
    tokio::join!(a, b, c);
    assert_eq!(bench.ask("SELECT COUNT(*)::TEXT FROM calls WHERE state = 3 AND outcome = 'ok'").await, ["150"]);
}

#[tokio::test]
async fn changes_of_many_instances_at_once_are_numbered_without_gaps() {
    let bench = bench().await.with_devices(&[]).await;
    let others = [bench.other().await, bench.other().await];
    let register = async |store: &Store, first: char| {
        for number in 0..20 {
            store.register(device(&format!("{first}{number}"))).await.unwrap();
        }
    };
    tokio::join!(register(&others[0], 'a'), register(&others[1], 'b'));
    let numbers = bench.ask("SELECT (MAX(seq) - MIN(seq) + 1)::TEXT || ' of ' || COUNT(*) FROM changes").await;
    assert_eq!(numbers, ["41 of 41"]);
}

#[tokio::test]
async fn an_earlier_sign_that_another_instance_heard_does_not_set_a_device_back() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let other = bench.other().await;
    bench.store.online(&key("d1"), TransportName::MQTT, Some("10.0.0.1:5"), UnixMillis(200));
    bench.store.flush().await;
    other.online(&key("d1"), TransportName::AMQP, Some("10.0.0.9:9"), UnixMillis(100));
    other.flush().await;
    let told = told(&*bench.other().await, "d1").await;
    assert_eq!((told.last_seen_at, told.activated_at), (Some(UnixMillis(200)), Some(UnixMillis(200))));
    // Clocks differ: what was written last is where it is.
    assert_eq!((told.came_from, told.address.as_deref()), (Some(TransportName::AMQP), Some("10.0.0.9:9")));
}

#[tokio::test]
async fn devices_of_another_server_stay_online_when_one_starts() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.online(&key("d1"), TransportName::MQTT, None, UnixMillis(100));
    bench.store.flush().await;
    let other = bench.other().await;
    other.claim(&Conditions::default()).await.unwrap();
    assert!(told(&other, "d1").await.online);
    other.nobody_is_online().await;
    assert!(!told(&*bench.other().await, "d1").await.online);
}

#[tokio::test]
async fn a_commit_that_was_made_in_doubt_and_made_again_is_there_once() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let open = entry(&bench.device("d1").await, 1, Qos::AtMostOnce);
    let answered =
        JournalEntry { answer: reply("d1", 2, 200).body.ok(), ..entry(&bench.device("d1").await, 2, Qos::AtMostOnce) };
    for round in 0..2 {
        let mut side = bench.store.shared().write.lock().await;
        let mut tx = side.conn.begin().await.unwrap();
        let refused = tx.insert_calls(&[&open, &answered], UnixMillis(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(refused.is_empty(), "round {round}: {refused:?}");
    }
    assert_eq!((bench.store.find_records(1).await.len(), bench.store.find_records(2).await.len()), (1, 1));
    // Another request's call with that id is another one.
    assert_eq!(bench.open("d1", 1, Qos::AtMostOnce).await, Err(JournalError::IdInUse));
}

#[tokio::test]
async fn what_one_instance_hears_of_a_device_another_that_knew_it_tells_too() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let other = bench.other().await;
    assert!(!told(&other, "d1").await.online, "memory has it");
    bench.store.online(&key("d1"), TransportName::MQTT, None, UnixMillis(5));
    bench.store.flush().await;
    let mut looks = 0;
    while !told(&other, "d1").await.online {
        looks += 1;
        assert!(looks < 1_000, "people are promised a second, and this is ten");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
