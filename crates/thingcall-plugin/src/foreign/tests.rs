//! Structs of other sizes than ours: of an older host, and of a newer one.

#![allow(unsafe_code, reason = "reads bytes that play the host's memory")]

use super::{bytes, read_sized, text};
use crate::abi::{Bytes, CallResult, HostApi, Request};

/// A struct of that many bytes, all 7 but its size, in memory that has not one byte more.
fn given(size: u32) -> Box<[u8]> {
    let mut memory = vec![7; size as usize].into_boxed_slice();
    memory[..4].copy_from_slice(&size.to_ne_bytes());
    memory
}

#[test]
fn what_is_missing_is_zero_and_what_is_more_is_left() {
    let whole = u32::try_from(size_of::<CallResult>()).unwrap();
    for size in 4..=2 * whole {
        let memory = given(size);
        // SAFETY: it begins with its size.
        let read: CallResult = unsafe { read_sized(memory.as_ptr()) }.unwrap();

        assert_eq!(read.struct_size, size);
        let code: [u8; 4] = read.code.to_ne_bytes();
        let expected = std::array::from_fn(|at| if 8 + at < size as usize { 7 } else { 0 });
        assert_eq!(code, expected, "{size}");
        assert_eq!(read.message.len == usize::from_ne_bytes([7; 8]), size >= whole, "{size}");
    }
}

#[test]
fn functions_that_an_older_host_lacks_are_not_there() {
    let mut memory = given(u32::try_from(std::mem::offset_of!(HostApi, out_write)).unwrap());
    memory[8..].fill(0);
    // SAFETY: it begins with its size, and functions that are zero are none.
    let read: HostApi = unsafe { read_sized(memory.as_ptr()) }.unwrap();

    assert!(read.out_write.is_none());
}

#[test]
fn null_and_sizes_that_cannot_be_are_refused() {
    // SAFETY: null is allowed.
    assert!(unsafe { read_sized::<Request>(std::ptr::null()) }.is_none());
    for size in 0u32..4 {
        // SAFETY: four bytes are there; it says fewer.
        assert!(unsafe { read_sized::<Request>(size.to_ne_bytes().as_ptr()) }.is_none(), "{size}");
    }
}

#[test]
fn null_is_no_bytes_and_bad_text_is_empty() {
    // SAFETY: null is allowed, and the other lives long enough.
    unsafe {
        assert!(bytes(Bytes { ptr: std::ptr::null(), len: 7 }).is_empty());
        assert_eq!(text(Bytes::of("ä".as_bytes())), "ä");
        assert_eq!(text(Bytes::of(b"\xff")), "");
    }
}
