//! A wire between two that can be cut.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Carries connections to a server, until it is cut. Those that come later are carried again.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    carried: Arc<Mutex<Vec<TcpStream>>>,
    left: Arc<Mutex<Option<usize>>>,
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
        let left: Arc<Mutex<Option<usize>>> = Arc::default();
        let (all, limit) = (carried.clone(), left.clone());
        // Ends with the test run: tests are few, and each of these waits for nothing but its listener.
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // A server that is away is what the wire's other end is to see.
                let Ok(far) = TcpStream::connect(server) else { continue };
                let kept = [&near, &far].into_iter().filter_map(|end| end.try_clone().ok());
                all.lock().expect("no carrier panicked").extend(kept);
                let (Ok(from), Ok(to), limit) = (far.try_clone(), near.try_clone(), limit.clone()) else { continue };
                std::thread::spawn(move || carry(from, Limited { to, left: limit }));
                std::thread::spawn(move || carry(near, far));
            }
        });
        Self { address, carried, left }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Carries so many bytes more of what the server says, and then ends the connection that they are on, once.
    ///
    /// # Panics
    /// Never: no carrier panics.
    pub fn cuts_after(&self, bytes: usize) {
        *self.left.lock().expect("no carrier panicked") = Some(bytes);
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

/// The end that something is carried to.
trait End: Write {
    fn ends(&self);
}

impl End for TcpStream {
    fn ends(&self) {
        // It may have ended by itself.
        let _gone = self.shutdown(Shutdown::Both);
    }
}

/// One that may be cut in the middle of what is said.
struct Limited {
    to: TcpStream,
    left: Arc<Mutex<Option<usize>>>,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut limit = self.left.lock().expect("no carrier panicked");
        match *limit {
            Some(left) => {
                let last = bytes.get(..left);
                *limit = if last.is_some() { None } else { Some(left - bytes.len()) };
                self.to.write_all(last.unwrap_or(bytes))?;
                if last.is_some() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(bytes.len()) }
            }
            None => self.to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl End for Limited {
    fn ends(&self) {
        self.to.ends();
    }
}

fn carry(mut from: TcpStream, mut to: impl End) {
    // However it ends, the other end is told.
    let _bytes = io::copy(&mut from, &mut to);
    to.ends();
    from.ends();
}
