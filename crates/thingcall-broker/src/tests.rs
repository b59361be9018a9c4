//! Facts about the running broker, told by real connections over loopback.

mod acknowledgements;
mod bench;
mod broadcasts;
mod client;

mod confinement;
mod deliveries;
mod kept;
mod listeners;
mod logins;
mod many;
mod mutations;
mod nagle;
mod outbox;
mod raw;
mod sockets;
mod takeover;
mod versions;
