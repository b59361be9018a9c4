//! An answer as JSON.
//!
//! **Invariant:** members stand in the order they were given.

use std::io::Write;

use super::{Fields, Node};

/// The whole answer.
pub(super) fn document(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    object(&mut out, fields);
    out
}

/// Appends `text` as a JSON string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    // Writing text to memory cannot fail.
    serde_json::to_writer(out, text).ok();
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
        Node::Number(number) => {
            write!(out, "{number}").ok();
        }
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
