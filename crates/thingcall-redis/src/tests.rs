//! A real Redis, which is stopped, emptied and started anew.

mod server;

mod contract;
mod memory;
mod tls;
