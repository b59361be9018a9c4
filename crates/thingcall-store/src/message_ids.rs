//! Names of messages: 19 digits, which begin with their time.

use std::sync::{Mutex, PoisonError};

use thingcall_core::{MessageId, UnixMillis};

/// Bits of a count within a millisecond, and of a slot.
const COUNT_BITS: u32 = 16;
const SLOT_BITS: u32 = 6;

/// Makes names. No two that one process makes are the same.
#[derive(Debug)]
pub(crate) struct MessageIds {
    /// Where counting begins: processes of one slot, one after the other or side by side, seldom begin alike.
    begin: u16,
    /// The last millisecond, and how many names were made in it.
    last: Mutex<(u64, u32)>,
}

impl MessageIds {
    /// Names of this process.
    pub(crate) fn new() -> Self {
        let mut begin = [0; 2];
        // Without randomness counting begins at 0.
        let _random = getrandom::fill(&mut begin);
        Self { begin: u16::from_le_bytes(begin), last: Mutex::default() }
    }

    /// A name nobody has.
    pub(crate) fn next(&self, slot: u8) -> MessageId {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (millis, count) = &mut *last;
        let now = u64::try_from(UnixMillis::now().0).unwrap_or(0);
        if now > *millis {
            (*millis, *count) = (now, 0);
        } else if *count > u32::from(u16::MAX) {
            (*millis, *count) = (*millis + 1, 0);
        }
        let counted = self.begin.wrapping_add(u16::try_from(*count).unwrap_or(0));
        *count += 1;
        let slot = u64::from(slot) & ((1 << SLOT_BITS) - 1);
        MessageId(*millis << (COUNT_BITS + SLOT_BITS) | slot << COUNT_BITS | u64::from(counted))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_is_made_twice_and_each_has_19_digits() {
        let ids = MessageIds::new();
        let made: HashSet<_> = (0..200_000).map(|_| ids.next(63)).collect();
        assert_eq!(made.len(), 200_000);
        assert!(made.iter().all(|id| id.to_string().len() == 19), "{made:?}");
    }
}
