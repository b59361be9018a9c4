//! Whose an operation may be: a call's, or the plugin's own.

use std::sync::Arc;
use std::time::Duration;

use thingcall_plugin::abi::DoneFn;

use crate::fault::Fault;
use crate::foreign::Foreign;

/// Who may have timers, and whose operations may be given up.
pub(crate) trait Scope: Send + Sync {
    /// Starts a timer and says its number.
    ///
    /// # Errors
    /// If it is over, or has too many.
    fn timer(self: Arc<Self>, wait: Duration, done: DoneFn, user: Foreign) -> Result<i32, Fault>;

    /// Gives an operation up.
    ///
    /// # Errors
    /// If it is over, or has none of this number.
    fn cancel(self: Arc<Self>, number: i32) -> Result<(), Fault>;
}
