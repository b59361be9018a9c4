//! Facts about `error.rs`.
