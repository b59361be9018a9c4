//! Times, as status messages have them.

use jiff::Timestamp;
use jiff::tz::Offset;
use thingcall_core::UnixMillis;

/// The platform's own zone, in which it writes times without one: eight hours ahead of UTC.
const LOCAL: Offset = Offset::constant(8);

/// `2018-08-31 15:32:28.205`, in the platform's zone.
pub(super) fn local(at: UnixMillis) -> String {
    let Ok(time) = Timestamp::from_millisecond(at.0) else { return String::new() };
    LOCAL.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}

/// `2018-08-31T07:32:28.205Z`.
pub(crate) fn utc(at: UnixMillis) -> String {
    let Ok(time) = Timestamp::from_millisecond(at.0) else { return String::new() };
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
