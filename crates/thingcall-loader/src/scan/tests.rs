//! Facts about `scan.rs`.
