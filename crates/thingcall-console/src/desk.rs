//! What all pages share.
//!
//! **Invariant:** nothing here belongs to one visitor; who asks is a `Seat`.

use std::sync::Arc;

use thingcall_core::Refusals;

use crate::config::Config;
use crate::ended::Ended;
use crate::history::History;
use crate::lockout::Lockout;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::strangers::Strangers;
use crate::tails::Tails;

/// What all pages share.
pub(crate) struct Desk {
    /// Its settings.
    pub(crate) config: Config,
    /// What pages ask, and have done.
    pub(crate) operations: Arc<dyn Operations>,
    /// Who failed to log in too often.
    pub(crate) lockout: Lockout,
    /// The same of ids that no key has.
    pub(crate) lockout_of_nobody: Lockout,
    /// Logins that were ended before their time.
    pub(crate) ended: Ended,
    /// How many refusals of each key are noted.
    pub(crate) refusals: Refusals,
    /// Whom nobody knows, as far as they are noted.
    pub(crate) strangers: Strangers,
    /// How many pages may follow what happens.
    pub(crate) tails: Tails,
    /// How calls went in the last hour.
    pub(crate) history: History,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// The name of the cookie of a login.
    pub(crate) cookie: String,
}
