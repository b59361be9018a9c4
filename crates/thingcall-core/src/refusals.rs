//! What keys were refused, as far as it is noted: whoever may do nothing can ask for it again and again.
//!
//! **Invariant:** no key's refusals push what was done, or another key's, out of the audit log faster than so many a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::UnixMillis;

/// Of a minute.
const MILLIS: i64 = 60_000;
/// So many refusals of one key are noted in a minute.
const PER_MINUTE_MAX: u32 = 30;

/// How many were noted in this minute, by key. There are as many as keys that ask in a minute.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<(i64, HashMap<String, u32>)>);

impl Refusals {
    /// Whether one more of this key is noted at this time.
    pub fn one_more(&self, key: &str, at: UnixMillis) -> bool {
        let minute = at.0.div_euclid(MILLIS);
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 != minute {
            *now = (minute, HashMap::new());
        }
        let noted = now.1.entry(key.to_owned()).or_default();
        let fits = *noted < PER_MINUTE_MAX;
        *noted += u32::from(fits);
        fits
    }
}

#[cfg(test)]
mod tests {
    //! How many they may be.

    use super::*;

    #[test]
    fn so_many_of_a_key_are_noted_a_minute_and_those_of_another_beside() {
        let refusals = Refusals::default();
        let minute = UnixMillis(600_000);
        let noted = (0..1000).filter(|_| refusals.one_more("a", minute)).count();
        assert_eq!((noted, refusals.one_more("b", minute)), (30, true));
        assert!(refusals.one_more("a", UnixMillis(660_000)));
    }
}
