//! A wire between us and the broker that can be cut, and that can fall silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// Carries all, in this generation of connections.
    Whole(u32),
    /// Takes connections and carries nothing.
    Silent,
}

pub(super) struct Proxy {
    pub(super) port: u16,
    wire: Arc<watch::Sender<Wire>>,
    /// How many connections have come and are not closed yet by who made them.
    open: Arc<AtomicUsize>,
}

impl Proxy {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let wire = Arc::new(watch::Sender::new(Wire::Whole(0)));
        let (states, open) = (wire.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = open.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (states, open) = (states.subscribe(), counted.clone());
                open.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    carry(near, port, states).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { port: own, wire, open }
    }

    /// Ends all connections; new ones are carried.
    pub(super) fn cut(&self) {
        self.wire.send_modify(|wire| {
            *wire = match *wire {
                Wire::Whole(generation) => Wire::Whole(generation + 1),
                Wire::Silent => Wire::Whole(0),
            };
        });
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Carries nothing more, and ends nothing.
    pub(super) fn silence(&self) {
        self.wire.send_replace(Wire::Silent);
    }
}

async fn carry(mut near: TcpStream, port: u16, mut states: watch::Receiver<Wire>) {
    let mut _far = None;
    if *states.borrow_and_update() != Wire::Silent {
        let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
            _ = states.changed() => {}
        }
        if *states.borrow_and_update() != Wire::Silent {
            return;
        }
        // Stays open, and hears nothing.
        _far = Some(far);
    }
    let mut nowhere = tokio::io::sink();
    tokio::select! {
        _ = tokio::io::copy(&mut near, &mut nowhere) => {}
        _ = states.changed() => {}
    }
}
