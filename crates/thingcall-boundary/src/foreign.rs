//! Reading what a plugin points at: copies, never references to foreign structs, and sizes checked before bytes.
//!
//! **Invariant:** of a struct no more is read than it says it has.
#![expect(unsafe_code, reason = "reads memory that a plugin points at")]

use std::ffi::c_void;
use std::mem::MaybeUninit;

use thingcall_plugin::abi::{Bytes, CallResult, Forward};

use crate::fault::Fault;

/// A pointer of the plugin's, which it alone follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreign(pub(crate) *mut c_void);

impl Foreign {
    pub(crate) const NULL: Self = Self(std::ptr::null_mut());
}

// SAFETY: it is handed back to the plugin, never followed; the header tells authors that threads differ.
unsafe impl Send for Foreign {}

/// A struct of the ABI that begins with its size.
///
/// # Safety
/// All its fields may be zero, and it begins with a `u32`.
pub(crate) unsafe trait Sized32: Copy {
    /// What the first minor version had: nothing shorter is right.
    const LEAST: usize;
}

// SAFETY: integers and pointers, the size first.
unsafe impl Sized32 for CallResult {
    const LEAST: usize = 48;
}

// SAFETY: integers and pointers, the size first.
unsafe impl Sized32 for Forward {
    const LEAST: usize = 32;
}

/// What a struct of ours says of its size.
pub(crate) const fn size32<T>() -> u32 {
    const { assert!(size_of::<T>() < 4096) };
    #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
    let size = size_of::<T>() as u32;
    size
}

/// A copy of a foreign struct, as far as it goes; the rest is zero. `None` for null and for what is too short.
///
/// # Safety
/// `from` is null or points at a `u32` and as many readable bytes as it says.
pub(crate) unsafe fn read_sized<T: Sized32>(from: *const T) -> Option<T> {
    if from.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for four bytes; they need not be aligned.
    let size = unsafe { from.cast::<u32>().read_unaligned() } as usize;
    if size < T::LEAST {
        return None;
    }
    if size >= size_of::<T>() {
        // SAFETY: all of it can be read, at whatever address, and any bytes are integers and pointers.
        return Some(unsafe { from.read_unaligned() });
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `size` bytes can be read, the copy holds `size_of::<T>()`, and they are apart: the copy is ours.
    unsafe { copy.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(from.cast(), size) };
    // SAFETY: all fields may be zero, and any bytes are integers and pointers.
    Some(unsafe { copy.assume_init() })
}

/// The bytes, at most `max` of them: none for null with a length, nor more.
///
/// # Safety
/// `bytes` is what it says for as long as `'a`, unless its pointer is null.
pub(crate) unsafe fn bytes<'a>(bytes: Bytes, max: usize) -> Result<&'a [u8], Fault> {
    match (bytes.ptr.is_null(), bytes.len) {
        (_, len) if len > max && !bytes.ptr.is_null() => Err(Fault::Limit),
        (_, 0) => Ok(&[]),
        (true, _) => Err(Fault::Invalid),
        // SAFETY: the caller vouches for them, and `max` is far below `isize::MAX`.
        (false, len) => Ok(unsafe { std::slice::from_raw_parts(bytes.ptr, len) }),
    }
}

/// The start of the text at `at`: bad bytes replaced, cut to `max` bytes. Empty for null.
///
/// # Safety
/// `at` is null or points at bytes that are what they say, unless their pointer is null.
pub(crate) unsafe fn text(at: *const Bytes, max: usize) -> String {
    if at.is_null() {
        return String::new();
    }
    // SAFETY: the caller vouches for it; it need not be aligned.
    let given = unsafe { at.read_unaligned() };
    // SAFETY: a part of what the caller vouches for.
    let part = unsafe { bytes(Bytes { ptr: given.ptr, len: given.len.min(max) }, max) }.unwrap_or_default();
    let mut text = String::from_utf8_lossy(part).into_owned();
    // A replaced byte is longer than the byte was.
    text.truncate(text.floor_char_boundary(max));
    text
}

#[cfg(test)]
mod tests;
