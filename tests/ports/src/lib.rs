//! Ports on the loopback interface for servers that cannot take port 0.
//!
//! None that the system itself gives out: a server needs seconds to start, and until it listens any connection of any
//! process may be given such a port. And none that another test was told: each is held by a UDP socket of the same number,
//! which keeps no TCP server from it, until this process ends.

#![allow(clippy::expect_used, reason = "a helper of tests")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// Below are those of well-known servers.
const FIRST: u16 = 10_000;

/// What the system gives out begins here, where it does not say.
const SYSTEM: u16 = 32_768;

/// Those that were told, each with what holds it.
static TOLD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port that nobody listens on, and that nobody else is told while this process lives.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let all = FIRST..system();
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    // Processes that run side by side begin at different ones.
    let begin = (std::process::id() as usize * 61 + told.len()) % all.len();
    let ports = all.clone().cycle().skip(begin).take(all.len());
    let (port, held) = ports.filter_map(|port| Some((port, hold(port)?))).next().expect("a free port");
    told.push(held);
    port
}

/// So many different ones.
///
/// # Panics
/// If there are none.
pub fn free_ports<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| free_port())
}

fn hold(port: u16) -> Option<UdpSocket> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let held = UdpSocket::bind(address).ok()?;
    TcpListener::bind(address).ok().map(|_| held)
}

/// The first of those that the system gives out.
fn system() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(SYSTEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_told_twice_and_none_that_the_system_gives_out() {
        let mut ports: Vec<_> = (0..500).map(|_| free_port()).collect();
        assert!(ports.iter().all(|&port| port < system()), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 500);
    }

    #[test]
    fn a_server_listens_on_its_port_and_another_process_is_not_told_it() {
        let port = free_port();
        drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("nothing keeps a server from it"));
        assert!(hold(port).is_none(), "nobody listens yet, and it is told again");
    }
}
