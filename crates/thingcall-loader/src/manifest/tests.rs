//! Facts about `manifest.rs`.
