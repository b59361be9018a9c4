//! Times in requests: milliseconds since 1970.
//!
//! **Invariant:** what can only be a mistake is told as one, not looked for in vain.

use std::ops::Range;

use thingcall_core::UnixMillis;

use crate::error::ActionError;
use crate::params::Params;

/// Now in seconds is among these, and in milliseconds they are days before any device reported: of 1970 to 1973.
const SECONDS: Range<i64> = 100_000_000..100_000_000_000;

/// The time of a parameter that must be there.
pub(super) fn read(params: &Params<'_>, name: &'static str) -> Result<UnixMillis, ActionError> {
    let given = params.need(name)?;
    let millis = given.parse::<i64>().ok().filter(|millis| *millis >= 0 && !SECONDS.contains(millis));
    millis.map(UnixMillis).ok_or_else(|| {
        let shown: String = given.chars().take(64).collect();
        let seconds =
            if given.parse().is_ok_and(|seconds| SECONDS.contains(&seconds)) { ", and not seconds" } else { "" };
        let right = format!("right is milliseconds since 1970{seconds}, such as 1579249499000");
        ActionError::illegal(format!("{name} is {shown:?}; {right}"))
    })
}

/// The first is no later than the other one.
pub(super) fn must_be_in_order(start: UnixMillis, end: UnixMillis) -> Result<(), ActionError> {
    if start <= end {
        return Ok(());
    }
    Err(ActionError::illegal(format!("StartTime is {}, which is later than EndTime, {}", start.0, end.0)))
}
