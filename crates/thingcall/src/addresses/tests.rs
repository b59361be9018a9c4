//! What a server leaves is found while it runs, and never after.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn addresses() -> Addresses {
    let mut addresses = Addresses::configured(&Config::default());
    addresses.brokers.insert(TransportName::MQTT, "mqtt://broker:1883".to_owned());
    addresses
}

#[test]
fn what_a_server_left_is_found_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Addresses::of_server(folder.path()).unwrap(), None);

    let left = Left::leave(folder.path(), &addresses()).unwrap();
    for _ in 0..2 {
        assert_eq!(Addresses::of_server(folder.path()).unwrap(), Some(addresses()), "who looks changes nothing");
    }
    let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    drop(left);
    assert_eq!(Addresses::of_server(folder.path()).unwrap(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "an orderly end leaves nothing");
}

#[test]
fn what_nobody_holds_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    for text in [serde_json::to_string(&addresses()).unwrap(), String::new()] {
        fs::write(folder.path().join(FILE), text).unwrap();
        assert_eq!(Addresses::of_server(folder.path()).unwrap(), None);
    }

    let _left = Left::leave(folder.path(), &addresses()).unwrap();
    assert_eq!(Addresses::of_server(folder.path()).unwrap(), Some(addresses()), "the next server takes its place");
}

#[test]
fn who_listens_everywhere_is_reached_at_home() {
    let folder = tempfile::tempdir().unwrap();
    let mut everywhere = addresses();
    everywhere.api = "0.0.0.0:80".parse().unwrap();
    everywhere.mqtt = Some("[::]:1883".parse().unwrap());
    let _left = Left::leave(folder.path(), &everywhere).unwrap();

    let found = Addresses::of_server(folder.path()).unwrap().unwrap();

    assert_eq!((found.api.to_string(), found.mqtt.unwrap().to_string()), ("127.0.0.1:80".into(), "[::1]:1883".into()));
    assert_eq!(found.metrics, everywhere.metrics);
}
