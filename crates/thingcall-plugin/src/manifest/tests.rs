//! The manifest that the macro makes, and what it refuses.

#![allow(unsafe_code, reason = "exports the symbols of a plugin, and reads what they name")]

use serde_json::{json, Value};

use super::{check_name, check_plain, join, length};
use crate::abi;
use crate::prelude::*;

struct Plain;

#[async_trait]
impl Handler for Plain {}

crate::plugin! {
    name: "plain-1",
    claims: ["testFb:*", "a1BwAGVxxxx/*"],
    codecs: ["a1BwAGVxxxx"],
    handler: Plain,
    create: |_setup| Ok(Plain),
}

#[test]
fn manifest_says_what_the_macro_was_told() {
    let (end, text) = thingcall_plugin_exports::thingcall_plugin_manifest_v1.split_last().unwrap();
    assert_eq!(*end, 0, "a C string");

    let manifest: Value = serde_json::from_slice(text).unwrap();

    let expected = json!({
        "abi": [abi::MAJOR, abi::MINOR],
        "name": "plain-1",
        "version": env!("CARGO_PKG_VERSION"),
        "claims": ["testFb:*", "a1BwAGVxxxx/*"],
        "codecs": ["a1BwAGVxxxx"],
        "lang": "rust",
        "panic": "unwind",
        "sdk": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(manifest, expected);
}

#[test]
fn table_is_whole() {
    // SAFETY: a static.
    let table = unsafe { &*thingcall_plugin_exports::thingcall_plugin_entry_v1() };

    assert_eq!((table.struct_size, table.abi_major), (abi::struct_size::<abi::PluginApi>(), abi::MAJOR));
    assert!(table.create.is_some() && table.begin.is_some() && table.poll.is_some() && table.end.is_some());
    assert!(table.encode.is_some() && table.decode.is_some() && table.destroy.is_some());
}

#[test]
fn parts_are_joined() {
    const PARTS: &[&str] = &["ab", "", "c"];
    const JOINED: [u8; length(PARTS)] = join(PARTS);

    assert_eq!(&JOINED, b"abc");
}

fn refuses(check: impl FnOnce() + std::panic::UnwindSafe) -> bool {
    std::panic::catch_unwind(check).is_err()
}

#[test]
fn names_that_no_host_takes_are_refused() {
    check_name("a-1");
    check_name(&"a".repeat(40));

    for name in ["", "A", "a_b", "a b", "ä", &"a".repeat(41)] {
        assert!(refuses(|| check_name(name)), "{name:?}");
    }
}

#[test]
fn claims_that_would_break_the_manifest_are_refused() {
    for claim in ["*", ":*", "testFb:testService", "a1BwAGVxxxx/testFb:*"] {
        check_plain(claim);
    }
    for claim in ["", "a\"b", "a\\b", "a b", "ä", "a\n"] {
        assert!(refuses(|| check_plain(claim)), "{claim:?}");
    }
}
