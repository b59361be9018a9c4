//! One text for every spelling on the wire.

use proptest::prelude::*;

use super::*;
use crate::params::Params;

proptest! {
    #[test]
    fn what_is_canonical_stays_so_when_decoded_and_encoded(pairs in prop::collection::btree_map(".{0,8}", ".{0,16}", 0..8)) {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(n, v)| !(n.is_empty() && v.is_empty())).collect();
        let text = query(pairs.iter().copied());
        let params = Params::read(&text, &[]);
        prop_assert_eq!(query(params.all()), text.clone());
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~%&=".contains(&b)));
    }

    #[test]
    fn every_spelling_of_a_value_has_the_same_canonical_text(value in ".{1,16}", spelling in prop::collection::vec(0..3_u8, 64)) {
        let mut wire = String::from("a=");
        for (i, byte) in value.bytes().enumerate() {
            let raw = byte.is_ascii_alphanumeric() || b"*()'!~/:,@$;-_.".contains(&byte);
            match spelling[i % spelling.len()] {
                _ if byte == b' ' && spelling[i % spelling.len()] == 0 => wire.push('+'),
                0 | 1 if raw => wire.push(byte as char),
                1 => wire.push_str(&format!("%{byte:02x}")),
                _ => wire.push_str(&format!("%{byte:02X}")),
            }
        }
        prop_assert_eq!(query(Params::read(&wire, &[]).all()), query([("a", value.as_str())]));
    }
}

#[test]
fn reserved_characters_are_encoded_as_alibaba_does() {
    assert_eq!(query([("a", " *~+/'()!é")]), "a=%20%2A~%2B%2F%27%28%29%21%C3%A9");
}
