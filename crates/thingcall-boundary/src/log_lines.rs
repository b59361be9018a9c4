//! What plugins log, as events of one target.

use tracing::Level;

/// How much of a message, and of its fields, is kept.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// How much of the name of the place in the plugin is kept.
pub(crate) const TARGET_BYTES_MAX: usize = 128;

macro_rules! at_level {
    ($level:expr, $do:ident) => {
        match $level {
            Level::ERROR => $do!(Level::ERROR),
            Level::WARN => $do!(Level::WARN),
            Level::INFO => $do!(Level::INFO),
            Level::DEBUG => $do!(Level::DEBUG),
            Level::TRACE => $do!(Level::TRACE),
        }
    };
}

/// Whether anybody wants plugins' lines of this level.
pub(crate) fn enabled(level: Level) -> bool {
    macro_rules! ask {
        ($level:expr) => {
            tracing::enabled!(target: "plugin", $level)
        };
    }
    at_level!(level, ask)
}

/// A line of a plugin.
pub(crate) struct Line<'a> {
    pub(crate) plugin: &'a str,
    /// The call it is about, by its id.
    pub(crate) call: Option<u32>,
    /// Where in the plugin.
    pub(crate) module: &'a str,
    pub(crate) message: &'a str,
    /// JSON, or nothing.
    pub(crate) fields: &'a str,
}

/// Writes a line.
pub(crate) fn write(level: Level, line: &Line<'_>) {
    let Line { plugin, call, module, message, fields } = *line;
    macro_rules! write {
        ($level:expr) => {
            tracing::event!(target: "plugin", $level, plugin, call, module, fields, "{message}")
        };
    }
    at_level!(level, write);
}

#[cfg(test)]
mod tests;
