//! Facts about `plugins.rs`.
