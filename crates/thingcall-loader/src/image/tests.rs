//! Facts about `image.rs`.
