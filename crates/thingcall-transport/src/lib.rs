//! A kit for transports: whoever brings a client and its topics gets the rest. `README.md` beside this crate walks through
//! a small one.
//!
//! Read in this order: the common part of a section of the configuration ([`broker_section!`], [`Keys`]), what a transport
//! brings ([`Protocol`], its connections' [`Session`]), what it works with ([`Contact`]), and what it becomes: a
//! [`BrokerTransport`], which connects, runs, closes and connects again. One that probes its broker is [`Probed`], and has
//! a [`Watch`] on each connection.
//!
//! **Invariants:** deliveries are taken only between a session's beginning and its end. The engine is told of an end once,
//! after deliveries are refused and the session, with all that was queued on it, is gone.

mod address;
mod backoff;
mod certificates;
mod section;
mod validity;

mod arrivals;
mod foreign;
mod metrics;
mod presence;
mod probe;
mod standing;

mod contact;
mod protocol;
mod supervisor;
mod transport;
mod watch;

pub use address::{BrokerAddress, Scheme};
pub use arrivals::{Arrivals, Arriving};
pub use backoff::Backoff;
pub use certificates::{BrokerTls, certificates, no_authorities, of_certificate, of_private_key, private_key};
pub use contact::{Around, Contact, Found};
pub use foreign::KeptMax;
pub use metrics::{ConnectResult, PublishResult, ReceivedKind, TransportMetrics, Unacknowledged};
pub use presence::{Session as DeviceSession, Told};
pub use probe::{Probe, Verdict};
pub use protocol::{Ended, NotSent, Protocol, Session};
pub use section::{BrokerSection, Keys};
pub use transport::{BrokerStartError, BrokerTransport};
pub use validity::{Validity, certificate_ends, doubt_of_certificate, not_valid};
pub use watch::{Probed, Said, Watch};
