//! What is known of all tokens of calls that are made once.

use std::sync::atomic::AtomicU64;

/// What is known of all tokens of the store.
#[derive(Debug, Default)]
pub(crate) struct Once {
    /// This process, and none before it.
    pub(crate) holder: String,
    pub(crate) tokens: AtomicU64,
    pub(crate) bytes: AtomicU64,
}
