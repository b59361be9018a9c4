//! Facts about logins that do not get as far as a connection, and about endings that overtake beginnings.

use std::sync::Mutex;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use rmqtt::types::{Message, SessionTx};

use super::*;
use crate::connection::Begin;

#[derive(Default)]
struct Offline(Mutex<Vec<DeviceKey>>);

impl PresenceSink for Offline {
    fn online(&self, _: &DeviceKey, _: TransportName, _: Option<&str>, _: UnixMillis) {}
    fn offline(&self, device: &DeviceKey, _: UnixMillis) {
        self.0.lock().unwrap().push(device.clone());
    }
    fn seen(&self, _: &DeviceKey, _: TransportName, _: UnixMillis) {}
    fn logged_in(&self, _: &DeviceKey, _: &thingcall_core::Login<'_>, _: UnixMillis) {}
}

fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".try_into().unwrap(), name: name.try_into().unwrap() }
}

const LOGIN_TIME: Duration = Duration::from_secs(10);

fn sessions() -> (Sessions, Arc<Offline>) {
    let told = Arc::new(Offline::default());
    (Sessions::new(told.clone(), LOGIN_TIME), told)
}

#[tokio::test]
async fn client_id_is_anothers_until_its_login_has_timed_out() {
    let (sessions, _) = sessions();
    let (id, now) = (ClientId::from("same"), Instant::now());
    assert_eq!(sessions.login(&key("a"), &id, false, now), Ok(()));
    assert_eq!(sessions.login(&key("b"), &id, false, now), Err(Taken));
    assert_eq!(sessions.login(&key("a"), &id, true, now), Ok(()), "its own login again");
    assert_eq!(sessions.login(&key("b"), &id, false, now + LOGIN_TIME), Ok(()));
    assert_eq!(sessions.claimed(&id), Some((key("b"), false)));
}

#[tokio::test]
async fn device_holds_one_client_id_while_it_logs_in() {
    let (sessions, _) = sessions();
    let now = Instant::now();
    for n in 0..100 {
        assert_eq!(sessions.login(&key("a"), &ClientId::from(n.to_string()), false, now), Ok(()));
    }
    assert_eq!((sessions.clients.len(), sessions.devices.len()), (1, 1));
}

#[tokio::test]
async fn login_that_comes_to_nothing_is_swept_without_a_word() {
    let (sessions, told) = sessions();
    let now = Instant::now();
    assert_eq!(sessions.login(&key("a"), &ClientId::from("a"), false, now), Ok(()));
    let (over, absent) = sessions.sweep(now + LOGIN_TIME);
    assert!(over.is_empty() && absent.is_empty() && told.0.lock().unwrap().is_empty());
    assert_eq!((sessions.clients.len(), sessions.devices.len()), (0, 0));
}

#[tokio::test]
async fn nobody_logs_in_after_close() {
    let (sessions, _) = sessions();
    sessions.close();
    assert_eq!(sessions.login(&key("a"), &ClientId::from("a"), false, Instant::now()), Err(Taken));
}

/// A connection of the device, and its session, which ends when dropped.
fn connection(device: &DeviceKey, client_id: &str) -> (Arc<Connection>, UnboundedReceiver<Message>) {
    let (tx, session) = unbounded();
    let connection = Connection::new(Begin {
        id: Id::new(1, 1, None, None, client_id.into(), None),
        device: device.clone(),
        ext_rrpc: false,
        packet_bytes_max: 1000,
        window: 1,
        tx: SessionTx::new(tx),
    });
    (Arc::new(connection), session)
}

#[tokio::test]
async fn late_end_of_the_predecessor_does_not_end_the_successor() {
    let (sessions, told) = sessions();
    let (old, _old) = connection(&key("a"), "old");
    let (new, _new) = connection(&key("a"), "new");
    assert!(sessions.enter(&old, None).is_none());
    assert!(sessions.enter(&new, None).is_some());
    assert_eq!(sessions.leave(&old, Instant::now()), Left::Stale);
    assert!(sessions.of_device(&key("a")).is_some_and(|current| current.id == new.id));
    assert!(told.0.lock().unwrap().is_empty());
    assert_eq!(sessions.leave(&new, Instant::now()), Left::Offline);
}

#[tokio::test]
async fn takeover_that_does_not_happen_ends_as_offline() {
    let (sessions, told) = sessions();
    let (old, _session) = connection(&key("a"), "id");
    let now = Instant::now();
    assert!(sessions.enter(&old, None).is_none());
    assert_eq!(sessions.login(&key("a"), &ClientId::from("id"), false, now), Ok(()));
    assert_eq!(sessions.leave(&old, now), Left::Handover);
    assert!(told.0.lock().unwrap().is_empty());
    assert_eq!(sessions.sweep(now + LOGIN_TIME).1, [key("a")]);
    assert_eq!(*told.0.lock().unwrap(), [key("a")]);
}

#[tokio::test]
async fn connection_whose_session_ended_without_a_word_is_swept() {
    let (sessions, _) = sessions();
    let (silent, session) = connection(&key("a"), "id");
    assert!(sessions.enter(&silent, None).is_none());
    drop(session);
    assert!(sessions.of_device(&key("a")).is_none(), "nothing is sent to it");
    let (over, _) = sessions.sweep(Instant::now());
    assert_eq!(over.len(), 1);
}
