//! A client that speaks just enough STOMP.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(super) struct Client {
    socket: TcpStream,
    read: Vec<u8>,
}

/// What the server said.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) command: String,
    /// All of it.
    pub(super) text: String,
}

impl Frame {
    pub(super) fn header(&self, name: &str) -> String {
        let value = self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("no {name} in {}", self.text)).to_owned()
    }
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    pub(super) async fn login(&mut self, group: &str, secret: &str) {
        let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap().chain_update("authId=testid&timestamp=1");
        let passcode = STANDARD.encode(mac.finalize().into_bytes());
        let login = format!("c|authMode=aksign,signMethod=hmacsha1,timestamp=1,authId=testid,consumerGroupId={group}|");
        self.say(&format!("STOMP\naccept-version:1.1\nheart-beat:0,0\nlogin:{login}\npasscode:{passcode}\n\n")).await;
    }

    pub(super) async fn subscribe(&mut self, ack: &str) {
        self.say(&format!("SUBSCRIBE\ndestination:/topic/#\nid:1\nack:{ack}\n\n")).await;
    }

    pub(super) async fn acknowledge(&mut self, id: &str) {
        self.say(&format!("ACK\nsubscription:1\nmessage-id:{id}\n\n")).await;
    }

    pub(super) async fn refuse(&mut self, id: &str) {
        self.say(&format!("NACK\nsubscription:1\nmessage-id:{id}\n\n")).await;
    }

    async fn say(&mut self, frame: &str) {
        // Where the server has hung up, what it said is still to be read.
        self.socket.write_all(format!("{frame}\0").as_bytes()).await.ok();
    }

    /// The next frame; `None` at the end.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == 0) {
                let frame: Vec<u8> = self.read.drain(..=end).collect();
                let text = String::from_utf8_lossy(&frame).trim_matches(['\n', '\0']).to_owned();
                return Some(Frame { command: text.lines().next().unwrap_or_default().to_owned(), text });
            }
            let mut bytes = [0; 4096];
            match self.socket.read(&mut bytes).await {
                Ok(read @ 1..) => self.read.extend_from_slice(&bytes[..read]),
                Ok(0) | Err(_) => return None,
            }
        }
    }
}
