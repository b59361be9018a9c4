//! Listeners, by what their peers see.

mod doors;
mod http;
