//! What the loader counts. Every plugin's series exist from its load on and stay.

/// The loader's counters.
#[derive(Debug)]
pub struct Metrics {}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn register(_registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {})
    }
}
