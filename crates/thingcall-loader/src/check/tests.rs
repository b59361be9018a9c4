//! Facts about `check.rs`.
