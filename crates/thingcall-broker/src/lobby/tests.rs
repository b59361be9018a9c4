//! Whose a place is, and how many files devices' sockets may take.

use super::*;

#[test]
fn rest_of_the_server_keeps_its_files() {
    for (wanted, files, reserved, expected) in [
        (21_000, 1_000_000, 512, 21_000),
        (21_000, 1024, 512, 512),
        (21_000, 4096, 512, 3584),
        (100, 1024, 512, 100),
        // Where there are few, both get half.
        (21_000, 256, 512, 128),
        (21_000, 1, 512, 1),
        (21_000, 0, 512, 1),
        (21_000, usize::MAX, 0, 21_000),
    ] {
        assert_eq!(share(wanted, files, reserved), expected, "{wanted} {files} {reserved}");
    }
}

#[test]
fn a_place_that_was_given_away_is_freed_by_its_new_socket_alone() {
    let lobby = Lobby::new(1, IntGauge::new("sockets", "open").unwrap());
    let Entry::Free(first) = lobby.enter() else { panic!("there was room") };
    let Entry::MadeRoom(mut second) = lobby.enter() else { panic!("the first was silent") };

    drop(first);
    assert!(second.keep(), "it logs in");
    assert!(matches!(lobby.enter(), Entry::Full), "nobody is silent");
    assert_eq!(lobby.shown.get(), 1);

    drop(second);
    assert!(matches!(lobby.enter(), Entry::Free(_)));
    assert_eq!(lobby.shown.get(), 0);
}
