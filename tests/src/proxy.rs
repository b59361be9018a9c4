//! A wire between two that can be cut.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Carries connections to a server, until it is cut. Those that come later are carried again.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    carried: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// A wire to this server.
    ///
    /// # Panics
    /// If there is no port for it.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let carried: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let all = carried.clone();
        // Ends with the test run: tests are few, and each of these waits for nothing but its listener.
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // A server that is away is what the wire's other end is to see.
                let Ok(far) = TcpStream::connect(server) else { continue };
                let kept = [&near, &far].into_iter().filter_map(|end| end.try_clone().ok());
                all.lock().expect("no carrier panicked").extend(kept);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    std::thread::spawn(move || carry(from, to));
                }
            }
        });
        Self { address, carried }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections at once, whatever is on its way.
    ///
    /// # Panics
    /// Never: no carrier panics.
    pub fn cut(&self) {
        for end in self.carried.lock().expect("no carrier panicked").drain(..) {
            // It may have ended by itself.
            let _gone = end.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    // However it ends, the other end is told.
    let _bytes = io::copy(&mut from, &mut to);
    let _gone = to.shutdown(Shutdown::Both);
    let _gone = from.shutdown(Shutdown::Both);
}
