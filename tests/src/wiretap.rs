//! A wire to a server that keeps what callers send over it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Carries connections to a server, and keeps what came from the near end of each.
#[derive(Debug)]
pub struct Wiretap {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Wiretap {
    /// A wire to this server.
    ///
    /// # Panics
    /// If there is no port for it.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let sent: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let all = sent.clone();
        // Ends with the test run: tests are few, and each of these waits for nothing but its listener.
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(server) else { continue };
                let (Ok(mut from), Ok(mut to)) = (far.try_clone(), near.try_clone()) else { continue };
                let place = {
                    let mut all = all.lock().expect("no carrier panicked");
                    all.push(Vec::new());
                    all.len() - 1
                };
                let kept = all.clone();
                std::thread::spawn(move || keep(near, far, &kept, place));
                std::thread::spawn(move || io::copy(&mut from, &mut to));
            }
        });
        Self { address, sent }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the latest caller sent, which has its answer.
    ///
    /// # Panics
    /// If nobody sent anything, or it is no text.
    pub fn latest(&self) -> String {
        let all = self.sent.lock().expect("no carrier panicked");
        let bytes = all.iter().rev().find(|bytes| !bytes.is_empty()).expect("a request");
        String::from_utf8(bytes.clone()).expect("text")
    }
}

/// What is sent is kept before it is handed on, so that it is there when its answer is.
fn keep(mut near: TcpStream, mut far: TcpStream, kept: &Mutex<Vec<Vec<u8>>>, place: usize) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = near.read(&mut buffer) {
        let bytes = buffer.get(..count).unwrap_or_default();
        if let Some(all) = kept.lock().expect("no carrier panicked").get_mut(place) {
            all.extend_from_slice(bytes);
        }
        if far.write_all(bytes).is_err() {
            return;
        }
    }
}
