//! Places that a plugin writes bytes to. What it gets is a token made to look like a pointer, so that writing to a place
//! that is gone is refused, not undefined.

use std::sync::{Arc, LazyLock, Mutex};

use thingcall_plugin::abi::{Out, Token};

use crate::fault::Fault;
use crate::slots::{self, Slots, lock};

static OUTS: Slots<Arc<Mutex<OutBytes>>, ()> = Slots::new(slots::OUTS);
/// Who owns a place is not asked.
static NOBODY: LazyLock<Arc<()>> = LazyLock::new(Arc::default);

/// What was written to a place.
#[derive(Default)]
struct OutBytes {
    bytes: Vec<u8>,
    bytes_max: usize,
    overflowed: bool,
}

/// A place to write to, as long as it lives.
pub(crate) struct OutPlace {
    token: Token,
    written: Arc<Mutex<OutBytes>>,
}

impl OutPlace {
    /// A place for so many bytes; `None` if there are too many places.
    pub(crate) fn new(bytes_max: usize) -> Option<Self> {
        let written = Arc::new(Mutex::new(OutBytes { bytes_max, ..OutBytes::default() }));
        OUTS.insert(&NOBODY, |token| (written.clone(), token)).map(|token| Self { token, written })
    }

    /// What the plugin gets.
    pub(crate) fn handle(&self) -> *mut Out {
        std::ptr::without_provenance_mut(usize::try_from(self.token).unwrap_or_default())
    }

    /// What was written; `None` if that was more than allowed.
    pub(crate) fn take(self) -> Option<Vec<u8>> {
        let mut written = lock(&self.written);
        if written.overflowed { None } else { Some(std::mem::take(&mut written.bytes)) }
    }
}

impl Drop for OutPlace {
    fn drop(&mut self) {
        drop(OUTS.kill(self.token));
    }
}

/// Appends `len` bytes to a place. If that is more than allowed, nothing of them is looked at.
pub(crate) fn write<'a>(
    out: *mut Out,
    len: usize,
    bytes: impl FnOnce() -> Result<&'a [u8], Fault>,
) -> Result<(), Fault> {
    let place = OUTS.get(out.addr() as Token).ok_or(Fault::Stale)?;
    let mut written = lock(&place);
    if len > written.bytes_max.saturating_sub(written.bytes.len()) {
        written.overflowed = true;
        return Err(Fault::Limit);
    }
    written.bytes.extend_from_slice(bytes()?);
    Ok(())
}
