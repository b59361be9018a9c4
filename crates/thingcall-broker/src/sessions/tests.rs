//! Facts about logins that do not get as far as a connection.

use std::sync::Mutex;

use super::*;

#[derive(Default)]
struct Offline(Mutex<Vec<DeviceKey>>);

impl PresenceSink for Offline {
    fn online(&self, _: &DeviceKey, _: TransportKind, _: Option<&str>, _: UnixMillis) {}
    fn offline(&self, device: &DeviceKey, _: UnixMillis) {
        self.0.lock().unwrap().push(device.clone());
    }
    fn seen(&self, _: &DeviceKey, _: UnixMillis) {}
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
