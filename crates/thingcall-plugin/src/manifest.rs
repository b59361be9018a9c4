//! The manifest: a JSON text in the library, made while the plugin is compiled, so that a host can read it without running
//! anything.

/// The version of this crate.
pub const SDK: &str = env!("CARGO_PKG_VERSION");

/// The longest name of a plugin.
const NAME_BYTES_MAX: usize = 40;

/// Refuses to compile a name that no host takes.
pub const fn check_name(name: &str) {
    let mut bytes = name.as_bytes();
    assert!(!bytes.is_empty() && bytes.len() <= NAME_BYTES_MAX, "a plugin's name has 1 to 40 characters");
    while let [first, rest @ ..] = bytes {
        assert!(
            first.is_ascii_lowercase() || first.is_ascii_digit() || *first == b'-',
            "a plugin's name is of a-z, 0-9 and -"
        );
        bytes = rest;
    }
}

/// Refuses to compile a claim or a product key that would need escapes in JSON. What it means is for the host to check.
pub const fn check_plain(text: &str) {
    let mut bytes = text.as_bytes();
    assert!(!bytes.is_empty(), "a claim or codec is empty");
    while let [first, rest @ ..] = bytes {
        assert!(first.is_ascii_graphic() && *first != b'"' && *first != b'\\', "a claim or codec is of visible ASCII");
        bytes = rest;
    }
}

/// How many bytes the parts have together.
pub const fn length(mut parts: &[&str]) -> usize {
    let mut length = 0;
    while let [first, rest @ ..] = parts {
        length += first.len();
        parts = rest;
    }
    length
}

/// The parts in one piece; `N` is their [`length`].
#[allow(clippy::indexing_slicing, reason = "runs when the plugin is built, where a wrong index does not compile")]
pub const fn join<const N: usize>(mut parts: &[&str]) -> [u8; N] {
    let mut joined = [0; N];
    let mut at = 0;
    while let [first, rest @ ..] = parts {
        let mut bytes = first.as_bytes();
        while let [byte, others @ ..] = bytes {
            joined[at] = *byte;
            at += 1;
            bytes = others;
        }
        parts = rest;
    }
    joined
}

#[cfg(test)]
mod tests;
