//! Facts about `routes.rs`.
