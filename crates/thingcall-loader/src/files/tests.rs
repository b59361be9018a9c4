//! Facts about `files.rs`.
