//! What is kept of dropped messages, and how often one is told.

use thingcall_core::MalformedReply;

use super::*;

fn device(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: name.parse().unwrap() }
}

fn messages(devices_max: usize) -> DroppedMessages {
    DroppedMessages::register(Maker::new(&prometheus::Registry::new()), devices_max, Arc::default()).unwrap()
}

fn dropped<'a>(device: &'a DeviceKey, reason: DropReason, topic: &'a str) -> Dropped<'a> {
    Dropped { device: Some(device), transport: TransportKind::Mqtt, reason, topic, bytes: 3, problem: None }
}

#[tokio::test(start_paused = true)]
async fn a_device_gets_one_line_a_minute_which_says_what_was_left_out() {
    let (d1, mut noted) = (device("d1"), Noted::default());
    let message = dropped(&d1, DropReason::Echo, "/x");
    assert_eq!(noted.note(&message, Instant::now()), Some(0));
    for _ in 0..3 {
        tokio::time::advance(LINE_PAUSE / 4).await;
        assert_eq!(noted.note(&message, Instant::now()), None);
    }
    tokio::time::advance(LINE_PAUSE / 4).await;
    assert_eq!(noted.note(&message, Instant::now()), Some(3));
    assert_eq!(noted.note(&message, Instant::now()), None);
}

#[test]
fn the_last_message_of_a_device_is_kept_and_those_of_quiet_devices_are_forgotten() {
    let messages = messages(2);
    let [d1, d2, d3] = [device("d1"), device("d2"), device("d3")];
    messages.note(&dropped(&d1, DropReason::Echo, "/first"));
    messages.note(&dropped(&d2, DropReason::Echo, "/second"));
    messages.note(&dropped(&d1, DropReason::UnknownId, "/third"));
    messages.note(&dropped(&d3, DropReason::Echo, "/fourth"));
    let last = messages.last(&d1).unwrap();
    assert_eq!((last.reason, last.topic.as_str(), last.times), (DropReason::UnknownId, "/third", 2));
    assert_eq!(messages.last(&d2), None, "d2 was quiet longest");
    assert_eq!(messages.devices.get(), 2);
}

#[test]
fn what_a_device_says_makes_no_long_text() {
    let (messages, d1) = (messages(2), device("d1"));
    let problem = MalformedReply::NotJson("y".repeat(9_000));
    let topic = format!("/a\n{}", "x".repeat(9_000));
    messages.note(&Dropped { problem: Some(&problem), ..dropped(&d1, DropReason::Unreadable, &topic) });
    let last = messages.last(&d1).unwrap();
    assert!(last.topic.starts_with(r"/a\nxxx") && last.topic.len() < 300, "{}", last.topic);
    assert!(last.problem.unwrap().len() < 300);
}
