//! Waiting for something to become true, and for a port to be free.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

/// How long any wait may take before the test fails: far more than anything needs, also on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks until there is an answer, for what nobody announces. `what` is what the failure says was waited for.
///
/// # Panics
/// If there is no answer within [`TIMEOUT`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The system gives these to nobody who asks for any port, nor to one end of a connection: what ended on one of them can begin
/// there again.
const NOT_GIVEN: Range<u16> = 10_000..32_768;

/// A port on the loopback interface that nobody listens on, for servers that cannot take port 0.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let [port] = free_ports();
    port
}

/// So many different ones.
///
/// # Panics
/// If there are none.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let bound = || TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(NOT_GIVEN))).ok();
    let any = || std::iter::repeat_with(bound).take(10_000).flatten().next();
    let listeners: [_; N] = std::array::from_fn(|_| any().expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}
