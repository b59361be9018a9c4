//! Whose a client id of free text is, over time.

use super::*;

fn device(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: name.parse().unwrap() }
}

const HOLD: Duration = Duration::from_secs(60);

#[test]
fn an_id_is_its_devices_until_it_was_not_seen_for_long() {
    let ids = ClientIds::new(10, HOLD);
    let (a, b, start) = (device("a"), device("b"), Instant::now());
    assert_eq!(ids.claim("x", &a, start), Ok(1));
    assert_eq!(ids.claim("x", &b, start), Err(NotFree::Taken));
    assert_eq!(ids.claim("x", &a, start + HOLD / 2), Ok(1));
    assert_eq!(ids.claim("x", &b, start + HOLD), Err(NotFree::Taken));
    assert_eq!(ids.claim("x", &b, start + HOLD * 3 / 2), Ok(1));
    assert_eq!(ids.claim("x", &a, start + HOLD * 3 / 2), Err(NotFree::Taken));
}

#[test]
fn a_device_gives_up_the_id_it_used_least_recently() {
    let ids = ClientIds::new(100, HOLD);
    let (a, b, now) = (device("a"), device("b"), Instant::now());
    for n in 0..PER_DEVICE_MAX {
        ids.claim(&n.to_string(), &a, now).unwrap();
    }
    ids.claim("0", &a, now).unwrap();
    assert_eq!(ids.claim("one more", &a, now), Ok(PER_DEVICE_MAX));

    assert_eq!(ids.claim("0", &b, now), Err(NotFree::Taken));
    assert_eq!(ids.claim("1", &b, now), Ok(PER_DEVICE_MAX + 1));
    assert_eq!(ids.claim("1", &a, now), Err(NotFree::Taken));
}

#[test]
fn a_full_table_takes_no_new_id_until_old_ones_expire() {
    let ids = ClientIds::new(2, HOLD);
    let start = Instant::now();
    assert_eq!(ids.claim("x", &device("a"), start), Ok(1));
    assert_eq!(ids.claim("y", &device("b"), start + HOLD / 2), Ok(2));
    assert_eq!(ids.claim("z", &device("c"), start + HOLD / 2), Err(NotFree::Full));
    assert_eq!(ids.claim("x", &device("a"), start + HOLD / 2), Ok(2), "one that is there stays");
    assert_eq!(ids.claim("z", &device("c"), start + HOLD * 3 / 2), Ok(1), "both had expired");
    assert!(!ids.held.lock().unwrap().devices.contains_key(&device("a")));
}

#[test]
fn an_id_that_is_used_does_not_hide_older_ones_that_expired() {
    let ids = ClientIds::new(2, HOLD);
    let start = Instant::now();
    assert_eq!(ids.claim("x", &device("a"), start), Ok(1));
    assert_eq!(ids.claim("y", &device("b"), start), Ok(2));
    assert_eq!(ids.claim("x", &device("a"), start + HOLD / 2), Ok(2));
    assert_eq!(ids.claim("z", &device("c"), start + HOLD), Ok(2), "in the place of y");
    assert_eq!(ids.claim("x", &device("b"), start + HOLD), Err(NotFree::Taken));
}
