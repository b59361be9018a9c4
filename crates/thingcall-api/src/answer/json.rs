//! An answer as JSON.
//!
//! **Invariant:** members stand in the order they were given.

use super::{Fields, Node};

/// The whole answer.
pub(super) fn document(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    object(&mut out, fields);
    out
}

/// Appends `text` as a JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape_into(out, text.as_bytes());
    out.push(b'"');
}

/// Appends what stands for `text` within a JSON string. Written here, since an answer is a JSON text within another: what is
/// written for the inner one is escaped straight into the outer one.
pub(super) fn escape_into(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')) {
        let (run, special) = rest.split_at(plain);
        out.extend_from_slice(run);
        let Some((byte, behind)) = special.split_first() else { return };
        let short = match byte {
            b'"' | b'\\' => *byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => b'u',
        };
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let low = byte & 15;
            out.extend_from_slice(&[
                b'0',
                b'0',
                b'0' + (byte >> 4),
                if low < 10 { b'0' + low } else { b'a' + low - 10 },
            ]);
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// Appends a number.
pub(super) fn number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn object(out: &mut Vec<u8>, fields: &Fields) {
    out.push(b'{');
    for (i, (name, node)) in fields.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        // Names are ours, and hold nothing that needs to be escaped.
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        value(out, node);
    }
    out.push(b'}');
}

fn value(out: &mut Vec<u8>, node: &Node) {
    match node {
        Node::Text(text) => string(out, text),
        Node::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Node::Number(value) => number(out, *value),
        Node::Object(fields) => object(out, fields),
        Node::List(items) | Node::Each(_, items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                value(out, item);
            }
            out.push(b']');
        }
    }
}
