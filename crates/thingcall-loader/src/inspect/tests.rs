//! Facts about `inspect.rs`.
