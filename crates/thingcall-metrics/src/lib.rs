//! Families of metrics by closed lists of labels.
//!
//! A metric is a field of its crate's metrics, and the field's type says which labels it has: an `IntCounter` has none, an
//! `EnumMap<TransportKind, EnumMap<Outcome, IntCounter>>` is a counter for each transport and outcome. `README.md` shows
//! how to add one.
//!
//! **Invariants:** every series is there from its registration on, at zero. Finding one by its labels is an index into an
//! array: no lock, no hash, nothing that can fail.

mod exemplars;
mod maker;
mod openmetrics;
mod series;

pub use exemplars::{Exemplars, TraceId, Traced};
pub use maker::{Maker, gauge_of};
pub use openmetrics::{OPENMETRICS_TYPE, openmetrics};
pub use series::{Family, Label, Series};

#[cfg(test)]
mod tests;
