//! What a plugin points at is read within its bounds.
#![expect(unsafe_code, reason = "plays a plugin")]

use super::*;

#[test]
fn a_struct_is_read_as_far_as_it_says_and_no_further() {
    for size in 0..=2 * size_of::<CallResult>() {
        // As long as it says (its size at least), so that a checker of memory sees a byte too many.
        let mut memory = vec![0xa5_u8; size.max(4)].into_boxed_slice();
        memory[..4].copy_from_slice(&u32::try_from(size).unwrap().to_ne_bytes());
        // SAFETY: as long as it says.
        let read = unsafe { read_sized(memory.as_ptr().cast::<CallResult>()) };
        assert_eq!(read.is_some(), size >= 48, "{size} bytes");
        if let Some(read) = read {
            assert_eq!(read.code, i32::from_ne_bytes([0xa5; 4]));
        }
    }
}

#[test]
fn null_is_no_struct() {
    // SAFETY: null is allowed.
    assert!(unsafe { read_sized(std::ptr::null::<Forward>()) }.is_none());
}

#[test]
fn bytes_are_taken_with_their_length_or_refused_unseen() {
    let given = b"abc";
    let at = |len| Bytes { ptr: given.as_ptr(), len };
    let null = |len| Bytes { ptr: std::ptr::null(), len };
    // SAFETY: what is within `given` is readable; the rest is refused before it is read.
    unsafe {
        assert_eq!(bytes(at(3), 3), Ok(&given[..]));
        assert_eq!(bytes(at(0), 3), Ok(&[][..]));
        assert_eq!(bytes(null(0), 3), Ok(&[][..]));
        assert_eq!(bytes(null(3), 3), Err(Fault::Invalid));
        assert_eq!(bytes(null(1 << 60), 3), Err(Fault::Invalid));
        assert_eq!(bytes(at(3), 2), Err(Fault::Limit));
        assert_eq!(bytes(at(1 << 60), 3), Err(Fault::Limit));
        assert_eq!(bytes(at(usize::MAX), 3), Err(Fault::Limit));
    }
}

#[test]
fn texts_are_cut_and_mended() {
    let of = |given: &[u8], max| {
        let given = Bytes::of(given);
        // SAFETY: readable.
        unsafe { text(&raw const given, max) }
    };
    assert_eq!(of(b"hello", 3), "hel");
    assert_eq!(of("\u{e9}\u{e9}".as_bytes(), 3), "\u{e9}");
    assert_eq!(of(b"a\xffb", 10), "a\u{fffd}b");
    // SAFETY: null is allowed.
    assert_eq!(unsafe { text(std::ptr::null(), 3) }, "");
}
