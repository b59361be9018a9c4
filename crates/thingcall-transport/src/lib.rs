//! What transports to devices have in common: where an external broker is and how it is trusted, whether it carries
//! messages, and what every transport counts.

mod address;
mod certificates;

mod metrics;
mod probe;
mod standing;
mod start;

pub use address::{BrokerAddress, BrokerTls};
pub use certificates::{certificates, of_certificate, of_private_key, private_key};
pub use metrics::{ConnectResult, PublishResult, Publishing, ReceivedKind, TransportMetrics, Unacknowledged};
pub use probe::{Probe, Verdict};
pub use standing::Standing;
pub use start::BrokerStartError;
