//! Facts about `load.rs`.
