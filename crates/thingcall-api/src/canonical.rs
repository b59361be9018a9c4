//! The canonical text of parameters, the same for both signatures: decoded, then encoded in one way.
//!
//! **Invariant:** works on decoded text alone. What a caller wrote on the wire (`+` or `%20`, raw `*` or `%2A`) is
//! gone before it comes here, because SDKs and their HTTP libraries differ in it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but letters, digits and `-_.~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Appends `text` encoded: `%XX` upper-case, space as `%20`.
pub(crate) fn encode_into(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, RESERVED));
}

/// Appends `name=value` joined with `&`. The pairs are decoded, sorted by name.
pub(crate) fn query_into<'a>(out: &mut String, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (i, (name, value)) in pairs.into_iter().enumerate() {
        if i > 0 {
            out.push('&');
        }
        encode_into(out, name);
        out.push('=');
        encode_into(out, value);
    }
}

/// The same as a text of its own.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::with_capacity(512);
    query_into(&mut out, pairs);
    out
}

#[cfg(test)]
mod tests;
