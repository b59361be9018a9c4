//! Facts about `claim.rs`.
