//! An answer as XML.
//!
//! **Invariant:** always well-formed: names are ours, text is escaped, and characters that XML 1.0 cannot hold are
//! replaced.

use std::io::Write;

use super::{Fields, Node};

/// The whole answer under the element `root`, which is a word.
pub(super) fn document(root: &str, fields: &Fields) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"<?xml version='1.0' encoding='UTF-8'?>");
    element(&mut out, root, |out| children(out, fields));
    out
}

fn children(out: &mut Vec<u8>, fields: &Fields) {
    for (name, node) in fields {
        value(out, name, node);
    }
}

fn value(out: &mut Vec<u8>, name: &str, node: &Node) {
    match node {
        Node::Text(text) => element(out, name, |out| escape(out, text)),
        Node::Flag(flag) => element(out, name, |out| out.extend_from_slice(if *flag { b"true" } else { b"false" })),
        Node::Number(number) => element(out, name, |out| {
            write!(out, "{number}").ok();
        }),
        Node::Object(fields) => element(out, name, |out| children(out, fields)),
        Node::List(items) => items.iter().for_each(|item| value(out, name, item)),
        Node::Each(each, items) => element(out, name, |out| items.iter().for_each(|item| value(out, each, item))),
    }
}

fn element(out: &mut Vec<u8>, name: &str, inside: impl FnOnce(&mut Vec<u8>)) {
    write!(out, "<{name}>").ok();
    inside(out);
    write!(out, "</{name}>").ok();
}

fn escape(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\'' => out.extend_from_slice(b"&apos;"),
            // As itself a reader would make a line feed of it.
            '\r' => out.extend_from_slice(b"&#13;"),
            '\t' | '\n' => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.extend_from_slice("\u{fffd}".as_bytes()),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
