//! A broker of lines, by hand.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub struct Broker(TcpListener);

impl Broker {
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port is free"))
    }

    pub fn url(&self) -> String {
        format!("line://{}", self.0.local_addr().expect("it listens"))
    }

    /// Takes a connection, and grants what it subscribes to.
    pub async fn let_in(&self) -> Peer {
        let (socket, _) = self.0.accept().await.expect("a connection comes");
        let mut peer = Peer(BufReader::new(socket));
        for _ in thingcall_alink::REPLY_FILTERS {
            assert!(peer.line().await.starts_with("SUB /"));
            peer.say("OK").await;
        }
        peer
    }
}

/// A client's connection.
pub struct Peer(BufReader<TcpStream>);

impl Peer {
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("a line comes");
        line.trim_end().to_owned()
    }

    pub async fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await.expect("the client reads");
    }
}
