//! How the server is set, as pages show it.

use std::time::Duration;

use thingcall_core::UnixMillis;

/// One key of the configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name with its section, such as `api.listen`.
    pub key: String,
    /// Its value; `None` where that is a secret.
    pub value: Option<String>,
    /// Where it stands, such as `default`, `thingcall.toml:7` or `environment variable THINGCALL__API__LISTEN`.
    pub place: String,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel {
    /// The filter that counts now.
    pub now: String,
    /// The one that counts after a start.
    pub configured: String,
    /// Until when it is not that one, if it is not for good.
    pub until: Option<UnixMillis>,
}

/// What is to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogChange {
    /// This, for so long or until the server ends.
    To {
        /// A level or a filter.
        level: String,
        /// How long.
        lasts: Option<Duration>,
    },
    /// What is configured.
    Back,
}
