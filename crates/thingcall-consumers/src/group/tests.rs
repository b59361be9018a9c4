//! Who of a group gets what.

use std::sync::Arc;

use bytes::Bytes;
use thingcall_core::{
    DeviceKey, DeviceName, GroupId, Message, MessageId, MessageKind, ProductKey, Taken, UnixMillis, Words,
};

use super::{Group, Guest, Handed, NoPlace};

fn group(clients_max: usize, connects: u32) -> Arc<Group> {
    Arc::new(Group::new(GroupId::default_group(), clients_max, connects))
}

fn guest() -> Guest {
    Guest { client: "c".to_owned(), key_id: "k".to_owned(), address: "127.0.0.1:1".parse().unwrap() }
}

fn message(place: i64) -> Handed {
    let device = DeviceKey { product: ProductKey::try_from("a1").unwrap(), name: DeviceName::try_from("d").unwrap() };
    let words = Words { topic: "/a1/d".to_owned(), body: Bytes::new(), trace: None };
    let (id, kind) = (MessageId(place.unsigned_abs()), MessageKind::Property);
    let message = Message { place, id, kind, device, at: UnixMillis(1), words };
    Handed { taken: Taken { message, tries: 0 }, fresh: true }
}

fn places<'a>(handed: impl IntoIterator<Item = &'a Handed>) -> Vec<i64> {
    handed.into_iter().map(|handed| handed.taken.message.place).collect()
}

#[test]
fn each_who_has_room_gets_as_much_as_the_others() {
    let group = group(9, 9);
    let members: Vec<_> = (0..3).map(|_| group.join(guest()).unwrap()).collect();
    members[0].wants(2, false);
    members[1].wants(9, false);
    members[2].wants(9, false);
    assert_eq!(group.wanted(), 20);

    group.hand_out((0..8).map(message));

    let given: Vec<_> = members.iter().map(|member| member.given().messages.len()).collect();
    assert_eq!(given, [2, 3, 3]);
}

#[test]
fn what_one_cannot_take_another_gets_first() {
    let group = group(9, 9);
    let (one, other) = (group.join(guest()).unwrap(), group.join(guest()).unwrap());
    one.wants(3, false);
    group.hand_out((0..3).map(message));
    let given = one.given().messages;

    one.put_back(given);
    other.wants(9, false);
    group.hand_out([message(3)]);

    assert_eq!(places(&other.given().messages), [0, 1, 2, 3]);
}

#[test]
fn who_leaves_leaves_what_it_did_not_send() {
    let group = group(9, 9);
    let member = group.join(guest()).unwrap();
    member.wants(2, false);
    group.hand_out((0..2).map(message));

    drop(member);

    assert!(group.is_empty());
    assert_eq!(places(&group.take_spare()), [0, 1]);
}

#[test]
fn a_group_that_is_full_or_was_joined_too_often_takes_nobody() {
    let full = group(1, 9);
    let _member = full.join(guest()).unwrap();
    assert_eq!(full.join(guest()).unwrap_err(), NoPlace::Full);

    let often = group(9, 2);
    for _ in 0..2 {
        drop(often.join(guest()).unwrap());
    }
    assert_eq!(often.join(guest()).unwrap_err(), NoPlace::TooOften);

    often.close();
    assert_eq!(often.join(guest()).unwrap_err(), NoPlace::Closed);
}
