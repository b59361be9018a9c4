//! Read as the URL standard says, and known to be canonical if it is.

use proptest::prelude::*;

use super::*;
use crate::canonical;

proptest! {
    #[test]
    fn any_bytes_are_read_as_another_library_reads_them(raw in "([a-z0-9~*/?é ]|%[0-9a-fA-F]{2}|%|\\+){0,12}") {
        let all: Vec<_> = form_urlencoded::parse(raw.as_bytes()).collect();
        let expected = all.first().map_or("", |(name, _)| name);
        prop_assert_eq!(piece(&raw, Part::Name).0.text, expected);
    }

    #[test]
    fn canonical_is_what_would_be_written_so_again(raw in "([a-z0-9~*/ ]|%[0-9A-F]{2}|%[0-9a-f]{2}|%|\\+){0,6}") {
        let (piece, _) = piece(&raw, Part::Value);
        let mut again = Vec::new();
        canonical::encode_into(&mut again, &piece.text);
        prop_assert_eq!(piece.canonical, again == raw.as_bytes());
    }
}

#[test]
fn what_is_not_utf_8_is_replaced_and_not_canonical() {
    let (piece, _) = piece("a%FFb", Part::Value);
    assert_eq!((&*piece.text, piece.canonical), ("a\u{fffd}b", false));
}

#[test]
fn a_piece_ends_where_its_kind_does() {
    for (text, part, is, behind) in [
        ("a=b", Part::Name, "a", "=b"),
        ("a=b&c", Part::Value, "a=b", "&c"),
        ("%41&c", Part::Name, "A", "&c"),
        ("%41=%42", Part::Name, "A", "=%42"),
        ("", Part::Name, "", ""),
        ("&", Part::Value, "", "&"),
    ] {
        let (piece, rest) = piece(text, part);
        assert_eq!((&*piece.text, rest), (is, behind), "{text}");
    }
}
