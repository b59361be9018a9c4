//! Facts about `settle.rs`.

use super::*;

const FILE: &str = "/plugins/a.so";

/// The stamp of a real file that is changed between two of them.
fn stamps() -> (Stamp, Stamp) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let stamp = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Stamp::of(&file).unwrap().unwrap()
    };
    (stamp("a"), stamp("ab"))
}

fn differing(stamp: Option<Stamp>) -> BTreeMap<PathBuf, Option<Stamp>> {
    BTreeMap::from([(FILE.into(), stamp)])
}

fn file() -> BTreeSet<PathBuf> {
    BTreeSet::from([FILE.into()])
}

#[test]
fn file_is_due_when_it_was_the_same_long_enough() {
    let (one, _) = stamps();
    let (start, mut settling, none) = (Instant::now(), Settling::default(), BTreeSet::new());
    assert!(settling.look(start, differing(Some(one)), &none).is_empty());
    assert!(settling.look(start + SETTLE / 2, differing(Some(one)), &none).is_empty());
    assert!(!settling.is_empty());
    assert_eq!(settling.look(start + SETTLE, differing(Some(one)), &none), file());
    assert!(settling.is_empty());
}

#[test]
fn each_change_starts_the_wait_again() {
    let (one, two) = stamps();
    let (start, mut settling, none) = (Instant::now(), Settling::default(), BTreeSet::new());
    assert!(settling.look(start, differing(Some(one)), &none).is_empty());
    assert!(settling.look(start + SETTLE, differing(Some(two)), &none).is_empty());
    assert!(settling.look(start + SETTLE * 3 / 2, differing(Some(two)), &none).is_empty());
    assert_eq!(settling.look(start + SETTLE * 2, differing(Some(two)), &none), file());
}

#[test]
fn renamed_file_is_due_at_once() {
    let (one, _) = stamps();
    let mut settling = Settling::default();
    assert_eq!(settling.look(Instant::now(), differing(Some(one)), &file()), file());
}

#[test]
fn file_that_went_away_is_due_only_when_it_stays_away() {
    let (one, _) = stamps();
    let (start, mut settling, none) = (Instant::now(), Settling::default(), BTreeSet::new());
    assert!(settling.look(start, differing(None), &file()).is_empty());
    assert!(settling.look(start + SETTLE / 2, differing(Some(one)), &none).is_empty());
    assert!(settling.look(start + SETTLE, differing(None), &none).is_empty());
    assert_eq!(settling.look(start + SETTLE * 2, differing(None), &none), file());
}

#[test]
fn file_that_is_as_it_was_read_is_forgotten() {
    let (one, _) = stamps();
    let (start, mut settling, none) = (Instant::now(), Settling::default(), BTreeSet::new());
    assert!(settling.look(start, differing(Some(one)), &none).is_empty());
    assert!(settling.look(start + SETTLE, BTreeMap::new(), &none).is_empty());
    assert!(settling.look(start + SETTLE * 2, differing(Some(one)), &none).is_empty());
}
