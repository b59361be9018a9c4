//! Facts about endings that overtake beginnings, and about how many there may be.

use crate::packet::Version;
use std::sync::Mutex;

use super::*;
use crate::connection::Begin;

#[derive(Default)]
struct Told(Mutex<Vec<(&'static str, DeviceKey)>>);

impl PresenceSink for Told {
    fn online(&self, device: &DeviceKey, _: TransportName, _: Option<&str>, _: UnixMillis) {
        self.0.lock().unwrap().push(("online", device.clone()));
    }
    fn offline(&self, device: &DeviceKey, _: UnixMillis) {
        self.0.lock().unwrap().push(("offline", device.clone()));
    }
    fn seen(&self, _: &DeviceKey, _: TransportName, _: UnixMillis) {}
    fn logged_in(&self, _: &DeviceKey, _: &thingcall_core::Login<'_>, _: UnixMillis) {}
}

fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".try_into().unwrap(), name: name.try_into().unwrap() }
}

fn sessions(max: usize) -> (Sessions, Arc<Told>) {
    let told = Arc::new(Told::default());
    (Sessions::new(told.clone(), max), told)
}

/// A connection of the device.
fn connection(name: &str) -> Arc<Connection> {
    let begin = Begin {
        keeps: crate::packet::Keeps::Nothing,
        device: key(name),
        peer: ([127, 0, 0, 1], 1).into(),
        ext_rrpc: false,
        version: Version::V3,
        packet_bytes_max: 1000,
        window: 1,
    };
    Arc::new(Connection::new(begin))
}

fn enter(sessions: &Sessions, connection: &Arc<Connection>) -> Result<bool, NoRoom> {
    sessions.enter(connection, "127.0.0.1:1").map(|old| old.is_some())
}

#[test]
fn late_end_of_the_predecessor_does_not_end_the_successor() {
    let (sessions, told) = sessions(10);
    let (old, new) = (connection("a"), connection("a"));
    assert_eq!(enter(&sessions, &old), Ok(false));
    assert_eq!(enter(&sessions, &new), Ok(true));
    assert!(old.gone.is_cancelled() && !new.gone.is_cancelled());
    assert!(!sessions.leave(&old, || {}));
    assert!(sessions.of_device(&key("a")).is_some_and(|current| Arc::ptr_eq(&current, &new)));
    assert!(sessions.leave(&new, || {}));
    assert!(!sessions.leave(&new, || {}), "once");
    let expected = ["online", "online", "offline"].map(|word| (word, key("a")));
    assert_eq!(*told.0.lock().unwrap(), expected);
    assert_eq!(sessions.count(), 0);
}

#[test]
fn full_broker_takes_no_other_device_but_a_second_connection_of_one() {
    let (sessions, told) = sessions(1);
    let (a, again, b) = (connection("a"), connection("a"), connection("b"));
    assert_eq!(enter(&sessions, &a), Ok(false));
    assert_eq!(enter(&sessions, &b), Err(NoRoom::Full));
    assert_eq!(enter(&sessions, &again), Ok(true));
    assert!(sessions.leave(&again, || {}));
    assert_eq!(enter(&sessions, &b), Ok(false));
    assert!(!told.0.lock().unwrap().contains(&("offline", key("b"))));
}

#[test]
fn nobody_enters_after_close() {
    let (sessions, told) = sessions(1);
    sessions.close();
    assert_eq!(enter(&sessions, &connection("a")), Err(NoRoom::Closed));
    assert!(told.0.lock().unwrap().is_empty());
}

#[test]
fn connection_whose_session_has_ended_is_told_nothing() {
    let (sessions, _) = sessions(1);
    let silent = connection("a");
    assert_eq!(enter(&sessions, &silent), Ok(false));
    silent.orders.end();
    assert!(sessions.of_device(&key("a")).is_none());
}
