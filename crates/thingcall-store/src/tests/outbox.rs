//! QoS 1 commands that wait for their device.

use super::*;

#[tokio::test]
async fn commands_wait_in_the_order_they_were_accepted() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    for id in [7, 3, 5] {
        bench.open("d1", id, Qos::AtLeastOnce).await.unwrap();
    }
    bench.open("d1", 4, Qos::AtMostOnce).await.unwrap();
    bench.open("d2", 8, Qos::AtLeastOnce).await.unwrap();
    assert_eq!(bench.waiting("d1").await, [7, 3, 5]);
    let bench = bench.reopened().await;
    assert_eq!(bench.waiting("d1").await, [7, 3, 5]);
    let after = |after: u32, max| bench.store.unacknowledged(&KEY, Some(CallId::from_u32(after)), max);
    let ids = |found: Vec<Delivery>| found.iter().map(|d| d.id.as_u32()).collect::<Vec<_>>();
    static KEY: std::sync::LazyLock<DeviceKey> = std::sync::LazyLock::new(|| key("d1"));
    assert_eq!(ids(after(7, 1).await.unwrap()), [3]);
    assert_eq!(ids(after(3, 9).await.unwrap()), [5]);
    assert_eq!(ids(after(5, 9).await.unwrap()), [0; 0]);
}

#[tokio::test]
async fn a_waiting_command_is_told_whole() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 7, Qos::AtLeastOnce).await.unwrap();
    let delivery = bench.store.unacknowledged(&key("d1"), None, 1).await.unwrap().remove(0);
    assert_eq!((delivery.device, delivery.params.as_str()), (bench.device("d1").await, r#"{"x":10.0}"#));
    assert_eq!((delivery.service.to_string().as_str(), delivery.qos), ("testFb:SetScene", Qos::AtLeastOnce));
    assert_eq!((delivery.mode, delivery.deadline.is_none()), (CallMode::Async, true));
}

#[tokio::test]
async fn a_devices_own_bytes_are_kept_as_they_are() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let commands: [Option<&[u8]>; 4] = [Some(b"\x00\xff{\"id\":\"9\"\r\n\x00"), None, Some(b""), Some(b"text")];
    for (id, raw) in (1..).zip(commands) {
        let mut entry = entry(&bench.device("d1").await, id, Qos::AtLeastOnce);
        entry.delivery.raw = raw.map(|bytes| bytes.to_vec().into());
        bench.store.open(entry).await.unwrap();
    }
    let bench = bench.reopened().await;
    let kept = bench.store.unacknowledged(&key("d1"), None, 9).await.unwrap();
    assert_eq!(kept.iter().map(|delivery| delivery.raw.as_deref()).collect::<Vec<_>>(), commands);
    assert!(kept.iter().all(|delivery| delivery.params.as_str() == r#"{"x":10.0}"#));
}

#[tokio::test]
async fn a_command_leaves_when_it_is_acknowledged_answered_or_failed() {
    let bench = bench().await.with_devices(&["d1"]).await;
    for id in 1..=5 {
        bench.open("d1", id, Qos::AtLeastOnce).await.unwrap();
        bench.store.sent(&key("d1"), CallId::from_u32(id), TransportKind::Embedded, Sent::Kept);
    }
    assert_eq!(bench.waiting("d1").await, [1, 2, 3, 4, 5]);
    bench.store.acknowledged(&key("d1"), CallId::from_u32(2));
    assert_eq!(bench.waiting("d1").await, [1, 3, 4, 5]);
    bench.store.complete(vec![reply("d1", 3, 200)]).await.unwrap();
    assert_eq!(bench.waiting("d1").await, [1, 4, 5]);
    bench.store.failed(&key("d1"), CallId::from_u32(4), Outcome::TooLarge, "too large");
    assert_eq!(bench.waiting("d1").await, [1, 5]);
    let bench = bench.reopened().await;
    assert_eq!(bench.waiting("d1").await, [1, 5]);
    assert_eq!(bench.store.shared().write.lock().await.waiting.len(), 2);
}

#[tokio::test]
async fn what_another_transport_took_does_not_wait_here() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.store.sent(&key("d1"), CallId::from_u32(1), TransportKind::Mqtt, Sent::Sent);
    assert_eq!(bench.waiting("d1").await, [0; 0]);
    assert_eq!(bench.store.shared().write.lock().await.waiting.len(), 0);
    let bench = bench.reopened().await;
    assert_eq!(bench.store.shared().write.lock().await.waiting.len(), 0);
}

#[tokio::test]
async fn a_device_has_room_for_so_many_commands() {
    let bench = bench_with(Config {
        outbox_calls_per_device_max: std::num::NonZeroUsize::new(2).unwrap(),
        ..Config::default()
    })
    .await;
    let bench = bench.with_devices(&["d1", "d2"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.open("d1", 2, Qos::AtLeastOnce).await.unwrap();
    assert_eq!(bench.open("d1", 3, Qos::AtLeastOnce).await, Err(JournalError::DeviceFull(2)));
    bench.open("d1", 4, Qos::AtMostOnce).await.unwrap();
    bench.open("d2", 5, Qos::AtLeastOnce).await.unwrap();
    bench.store.acknowledged(&key("d1"), CallId::from_u32(1));
    bench.open("d1", 6, Qos::AtLeastOnce).await.unwrap();
    let bench = bench.reopened().await;
    assert_eq!(bench.open("d1", 7, Qos::AtLeastOnce).await, Err(JournalError::DeviceFull(2)));
    assert_eq!(bench.waiting("d1").await, [2, 6]);
}

#[tokio::test]
async fn a_call_that_was_not_written_takes_no_room() {
    let bench = bench_with(Config {
        outbox_calls_per_device_max: std::num::NonZeroUsize::new(2).unwrap(),
        ..Config::default()
    })
    .await;
    let bench = bench.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    for _ in 0..3 {
        assert_eq!(bench.open("d1", 1, Qos::AtLeastOnce).await, Err(JournalError::IdInUse));
    }
    assert_eq!(bench.store.shared().write.lock().await.waiting.len(), 0);
}

#[tokio::test]
async fn the_outbox_as_a_whole_has_a_limit() {
    let bench =
        bench_with(Config { journal_records_max: std::num::NonZeroUsize::new(2).unwrap(), ..Config::default() }).await;
    let bench = bench.with_devices(&["d1", "d2"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.open("d2", 1, Qos::AtLeastOnce).await.unwrap();
    assert_eq!(bench.open("d2", 2, Qos::AtLeastOnce).await, Err(JournalError::QueueFull(2)));
}
