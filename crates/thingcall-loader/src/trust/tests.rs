//! Facts about `trust.rs`.
