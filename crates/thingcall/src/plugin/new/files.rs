//! The templates' files, embedded. A test compares the lists with the folders.

/// A file's place in the folder that is made, and its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

macro_rules! files {
    ($from:literal: $($path:literal),* $(,)?) => {
        &[$(File { path: $path, text: include_str!(concat!("../../../", $from, "/", $path)) }),*]
    };
}

/// A plugin in Rust.
pub(super) const RUST: &[File] = &[];

/// What it depends on.
pub(super) const SDK: &[File] = &[];

/// A plugin in C.
pub(super) const C: &[File] = files!("templates/plugin-c": "Makefile", "README.md", "my-plugin.c");

/// What it includes.
pub(super) const HEADER: &[File] = files!("../thingcall-plugin/include": "thingcall_plugin.h");
