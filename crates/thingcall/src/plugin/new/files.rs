//! The templates' files, embedded. A test compares the lists with the folders.

/// A file's place in the folder that is made, and its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

macro_rules! files {
    ($from:literal to $to:literal: $($path:literal),* $(,)?) => {
        &[$(File { path: concat!($to, $path), text: include_str!(concat!("../../../", $from, $path)) }),*]
    };
}

/// A plugin in Rust.
pub(super) const RUST: &[File] = files!("templates/plugin-rust/" to "":
    ".gitignore", "Cargo.toml", "README.md", "src/lib.rs", "src/tests.rs",
);

/// The manifest of what it depends on.
pub(super) const SDK_MANIFEST: &[File] = files!("templates/sdk/" to "thingcall-plugin/": "Cargo.toml");

/// The sources of what it depends on, without their tests.
pub(super) const SDK: &[File] = files!("../thingcall-plugin/src/" to "thingcall-plugin/src/":
    "abi.rs",
    "call.rs",
    "device.rs",
    "foreign.rs",
    "glue.rs",
    "guard.rs",
    "handler.rs",
    "host.rs",
    "lib.rs",
    "log.rs",
    "macros.rs",
    "manifest.rs",
    "operation.rs",
    "reply.rs",
    "runtime.rs",
    "setup.rs",
    "testing.rs",
    "testing/bench_host.rs",
    "testing/test_call.rs",
    "trace.rs",
);

/// A plugin in C.
pub(super) const C: &[File] = files!("templates/plugin-c/" to "": ".gitignore", "Makefile", "README.md", "my-plugin.c");

/// What it includes.
pub(super) const HEADER: &[File] = files!("../thingcall-plugin/include/" to "": "thingcall_plugin.h");
