//! Maps a library and takes its table.
//!
//! **Invariant:** what was mapped is never unmapped: threads and thread-locals of a plugin may outlive every call.
#![expect(unsafe_code, reason = "opens libraries and reads a table that foreign code gives")]

use std::mem::{ManuallyDrop, offset_of, size_of};
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use thingcall_plugin::abi::{self, PluginApi};

/// Why a library gave no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The system's loader refused.
    #[error("the system cannot load it: {why}{}", hint(why))]
    Open {
        /// The system's words.
        why: String,
    },
    /// The file's symbol is not the library's.
    #[error("{} is not exported", abi::ENTRY_SYMBOL)]
    NoEntry,
    /// Nothing usable came back.
    #[error("plugin table is missing or too short")]
    NoTable,
    /// The table is of another major version than the manifest says.
    #[error("plugin table of ABI {found}, host has {host}", host = abi::MAJOR)]
    Abi {
        /// The table's.
        found: u16,
    },
    /// The plugin says it can what its table cannot.
    #[error("the plugin has {what}, but its table has no {function}")]
    NoFunction {
        /// Claims or codecs.
        what: &'static str,
        /// The function that would be called.
        function: &'static str,
    },
}

/// What helps with the commonest of the system's refusals.
fn hint(why: &str) -> &'static str {
    if why.contains("GLIBC_") {
        " (it was built on a newer system: build it on this one, or an older one)"
    } else if why.contains("failed to map segment") {
        " (is the data folder's file system mounted noexec?)"
    } else if why.contains("undefined symbol") {
        " (link it with -Wl,-z,defs to see what is missing when it is built)"
    } else {
        ""
    }
}

/// Opens the library at a path that this process never opened before, and copies its table.
///
/// Runs the library's constructors: may block, not for a runtime's worker.
///
/// # Errors
/// Why there is no table. Except after [`ImageError::Open`] the library stays mapped.
pub(crate) fn open(path: &Path) -> Result<PluginApi, ImageError> {
    // SAFETY: constructors run foreign code, as the operator who put the file there asked for; its manifest was read
    // and its owner checked before.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    let library = ManuallyDrop::new(library.map_err(|error| ImageError::Open { why: words(&error) })?);
    // SAFETY: the ABI gives this symbol this type.
    let entry = unsafe { library.get::<abi::EntryFn>(abi::ENTRY_SYMBOL) }.map_err(|_| ImageError::NoEntry)?;
    // SAFETY: the ABI lets the host call it at any time; it returns a static.
    let table = unsafe { (*entry)() };
    // SAFETY: the ABI says that it points to a table that lives as long as the library: for ever.
    unsafe { copy(table) }
}

/// The loader's words without the private copy's path, which says nothing to an operator.
fn words(error: &libloading::Error) -> String {
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    match text.split_once(".so: ") {
        Some((path, rest)) if path.starts_with('/') => rest.to_owned(),
        Some(_) | None => text,
    }
}

/// Copies as much of a table as both sides know.
///
/// # Safety
/// `table` is null, or points to a table at least as long as its `struct_size` says.
unsafe fn copy(table: *const PluginApi) -> Result<PluginApi, ImageError> {
    // Up to `create`: without it there is no instance.
    const SHORTEST: usize = offset_of!(PluginApi, begin);
    if table.is_null() || !table.is_aligned() {
        return Err(ImageError::NoTable);
    }
    // SAFETY: not null and aligned; every table begins with its size, whatever its version.
    let size = unsafe { table.cast::<u32>().read() } as usize;
    if size < SHORTEST {
        return Err(ImageError::NoTable);
    }
    // SAFETY: all of it is integers and nullable function pointers: zero is a value of each.
    let mut ours = unsafe { std::mem::zeroed::<PluginApi>() };
    // SAFETY: the plugin's table has `size` bytes, ours `size_of::<PluginApi>()`; ours was made here.
    unsafe {
        std::ptr::copy_nonoverlapping(
            table.cast::<u8>(),
            (&raw mut ours).cast::<u8>(),
            size.min(size_of::<PluginApi>()),
        );
    }
    if ours.abi_major != abi::MAJOR {
        return Err(ImageError::Abi { found: ours.abi_major });
    }
    Ok(ours)
}

#[cfg(test)]
mod tests;
