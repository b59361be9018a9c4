//! The map against a model of it.

use std::collections::HashMap;

use proptest::prelude::*;
use thingcall_core::{IotId, ReplyBody};

use super::*;

fn device(index: u8) -> Arc<Device> {
    let key = DeviceKey { product: "pk".parse().unwrap(), name: format!("d{index}").parse().unwrap() };
    Arc::new(Device { key, iot_id: IotId::try_from("i").unwrap(), enabled: true, transport: None })
}

fn open(calls: &PendingCalls, id: CallId, on: u8) -> Result<PendingCall<'_>, NotOpened> {
    let (device, service) = (device(on), "s".parse().unwrap());
    let (transport, request_id) = (TransportName::EMBEDDED, RequestId::random());
    calls.open(Opening { id, device: &device, transport, request_id, service: &service, account: None }, Instant::now())
}

fn reply(from: u8, id: CallId) -> Reply {
    Reply {
        device: device(from).key.clone(),
        transport: thingcall_core::TransportKind::Embedded,
        payload_id: Some(id),
        topic_id: None,
        repairs: thingcall_core::Repairs::NONE,
        body: Ok(ReplyBody { code: 200, message: None, data: "{}".to_owned() }),
        bytes: 2,
    }
}

#[derive(Debug, Clone)]
enum Step {
    Open { id: u32, device: u8 },
    Drop { nth: usize },
    Reply { id: u32, device: u8 },
    Gone { device: u8 },
    Lost,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u32..6, 0u8..3).prop_map(|(id, device)| Step::Open { id, device }),
        3 => (0usize..8).prop_map(|nth| Step::Drop { nth }),
        4 => (0u32..6, 0u8..3).prop_map(|(id, device)| Step::Reply { id, device }),
        1 => (0u8..3).prop_map(|device| Step::Gone { device }),
        1 => Just(Step::Lost),
    ]
}

/// What the map must hold: for each waiting id, its device and which guard owns it.
#[derive(Default)]
struct Model {
    waiting: HashMap<u32, (u8, usize)>,
    next_guard: usize,
}

proptest! {
    #[test]
    fn the_map_holds_what_the_model_holds(steps in proptest::collection::vec(step(), 1..60)) {
        const MAX: usize = 5;
        let calls = PendingCalls::new(MAX, 16);
        let mut guards: Vec<(usize, u32, PendingCall<'_>)> = Vec::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Open { id, device: on } => {
                    let opened = open(&calls, CallId::from_u32(id), on);
                    if guards.len() >= MAX {
                        prop_assert_eq!(opened.err(), Some(NotOpened::NoRoom(NoRoom::Full)));
                    } else if model.waiting.contains_key(&id) {
                        prop_assert_eq!(opened.err(), Some(NotOpened::InUse));
                    } else {
                        model.waiting.insert(id, (on, model.next_guard));
                        guards.push((model.next_guard, id, opened.unwrap()));
                        model.next_guard += 1;
                    }
                }
                Step::Drop { nth } if !guards.is_empty() => {
                    let (guard, id, pending) = guards.remove(nth % guards.len());
                    drop(pending);
                    if model.waiting.get(&id).is_some_and(|(_, owner)| *owner == guard) {
                        model.waiting.remove(&id);
                    }
                }
                Step::Drop { .. } => {}
                Step::Reply { id, device: from } => {
                    let met = calls.accept(CallId::from_u32(id), &mut reply(from, CallId::from_u32(id)));
                    match model.waiting.get(&id) {
                        Some((on, _)) if *on == from => {
                            prop_assert!(matches!(met, Met::Waiting), "{:?}", met);
                            model.waiting.remove(&id);
                        }
                        Some(_) => prop_assert!(matches!(met, Met::OtherDevice), "{:?}", met),
                        None => prop_assert!(!matches!(met, Met::Waiting), "{:?}", met),
                    }
                }
                Step::Gone { device: gone } => {
                    calls.device_gone(&device(gone).key, TransportName::EMBEDDED);
                    model.waiting.retain(|_, (on, _)| *on != gone);
                }
                Step::Lost => {
                    calls.transport_lost(TransportName::EMBEDDED);
                    model.waiting.clear();
                }
            }
            prop_assert_eq!((calls.len(), calls.of_devices.len() >= calls.len()), (model.waiting.len(), true));
            for id in model.waiting.keys() {
                prop_assert!(calls.contains(CallId::from_u32(*id)));
            }
        }
        drop(guards);
        prop_assert_eq!((calls.len(), calls.room.taken(), calls.of_devices.len()), (0, 0, 0));
    }
}

#[test]
fn an_old_guard_leaves_the_next_call_under_its_id_alone() {
    let calls = PendingCalls::new(4, 16);
    let id = CallId::from_u32(1);
    let first = open(&calls, id, 0).unwrap();
    assert!(matches!(calls.accept(id, &mut reply(0, id)), Met::Waiting));
    let _second = open(&calls, id, 0).unwrap();
    drop(first);
    assert!(calls.contains(id), "the second call's entry went with the first call's guard");
}

#[tokio::test]
async fn one_reply_of_many_at_once_wins() {
    let calls = Arc::new(PendingCalls::new(4, 16));
    let id = CallId::from_u32(1);
    let mut pending = open(&calls, id, 0).unwrap();
    let racers: Vec<_> = (0..8)
        .map(|_| {
            let calls = calls.clone();
            std::thread::spawn(move || matches!(calls.accept(id, &mut reply(0, id)), Met::Waiting))
        })
        .collect();
    let winners = racers.into_iter().filter_map(|racer| racer.join().ok()).filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert!(matches!(pending.wait().await, End::Replied(_)));
}

#[tokio::test]
async fn a_call_that_is_ended_by_hand_has_that_end_and_its_answer_is_late() {
    let calls = PendingCalls::new(4, 16);
    let (id, other) = (CallId::from_u32(1), CallId::from_u32(2));
    let mut pending = open(&calls, id, 0).unwrap();
    let _other = open(&calls, other, 0).unwrap();
    let listed: Vec<_> = calls.oldest_calls(1).into_iter().map(|call| (call.id, call.waits_for)).collect();
    assert_eq!(listed, [(id, WaitsFor::Device(TransportName::EMBEDDED))]);
    assert!(calls.cancel(id) && !calls.cancel(id));
    assert!(matches!(pending.wait().await, End::Cancelled));
    assert!(matches!(calls.accept(id, &mut reply(0, id)), Met::Late(_)));
    assert!(calls.contains(other));
}

#[test]
fn no_room_is_left_taken_by_a_refused_call() {
    let calls = PendingCalls::new(1, 16);
    let id = CallId::from_u32(1);
    let held = open(&calls, id, 0).unwrap();
    for other in 2..5 {
        let refused = open(&calls, CallId::from_u32(other), 0);
        assert_eq!(refused.err(), Some(NotOpened::NoRoom(NoRoom::Full)));
    }
    drop(held);
    assert!(open(&calls, id, 0).is_ok());
}
