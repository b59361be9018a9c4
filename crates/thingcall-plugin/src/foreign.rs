//! Memory of the host: read without ever making a reference to more than is there.

#![allow(unsafe_code, reason = "reads the host's memory")]

use crate::abi::{self, Bytes};

/// A struct of the ABI that is plain numbers and pointers, for which all bits zero is a value, and whose first field is
/// its size in bytes as a `u32`.
///
/// # Safety
/// All of that is so.
pub(crate) unsafe trait Sized32: Copy {}

// SAFETY: `repr(C)`, begins with `struct_size`; zero is a null pointer or an absent function.
unsafe impl Sized32 for abi::HostApi {}
// SAFETY: as above.
unsafe impl Sized32 for abi::Request {}
// SAFETY: as above.
unsafe impl Sized32 for abi::CallResult {}
// SAFETY: as above.
unsafe impl Sized32 for abi::CodecRequest {}

/// Copies what is there; the rest is zero. `None` for null, and for a size that cannot be one.
///
/// # Safety
/// `from` is null, or points to as many readable bytes as the `u32` it begins with says.
pub(crate) unsafe fn read_sized<T: Sized32>(from: *const u8) -> Option<T> {
    if from.is_null() {
        return None;
    }
    // SAFETY: it begins with its size.
    let size = unsafe { from.cast::<u32>().read_unaligned() } as usize;
    if size < size_of::<u32>() {
        return None;
    }
    if size >= size_of::<T>() {
        // SAFETY: all of it is readable, at whatever address, and what the host wrote is a value of T.
        return Some(unsafe { from.cast::<T>().read_unaligned() });
    }
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: that many bytes are readable there and writable here, and the two do not overlap. Zero is a value of T, and
    // so is what the host wrote over it.
    unsafe {
        std::ptr::copy_nonoverlapping(from, value.as_mut_ptr().cast::<u8>(), size);
        Some(value.assume_init())
    }
}

/// The bytes; none where the pointer is null.
///
/// # Safety
/// They are readable and do not change for `'a`.
pub(crate) unsafe fn bytes<'a>(from: Bytes) -> &'a [u8] {
    if from.ptr.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(from.ptr, from.len) }
}

/// The same as text; empty if it is not UTF-8, which the ABI rules out.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn text<'a>(from: Bytes) -> &'a str {
    // SAFETY: the caller's promise.
    text_of(unsafe { bytes(from) })
}

/// Bytes as text; empty if they are not UTF-8, which the ABI rules out.
pub(crate) fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests;
