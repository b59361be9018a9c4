//! What keeps a transport from starting.

use thingcall_core::Problems;

/// Why a transport to an external broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerStartError {
    /// Its section cannot be used.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// The metrics are registered already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}
