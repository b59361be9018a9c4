//! How many files devices' sockets may take.

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
