//! How the last words are written. That they are is a fact of the whole program: `tests/tests/plugin_ends.rs`.

use std::io::Read;

use super::*;

#[test]
fn numbers_are_written_in_decimal() {
    let mut file = tempfile::tempfile().unwrap();
    for number in [0, 7, 10, u32::MAX] {
        put_number(file.as_raw_fd(), number);
        put(file.as_raw_fd(), b" ");
    }
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "0 7 10 4294967295 ");
}
