//! Facts about `chain.rs`.
