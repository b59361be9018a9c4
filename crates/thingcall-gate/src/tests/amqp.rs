//! As much of an AMQP 0.9.1 client as a device needs, written for these tests alone: it waits for each answer.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::real::PATIENCE;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xCE;

/// The broker refused: with this reply code, or by closing the connection without a word.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Option<u16>);

/// ACCESS_REFUSED.
pub(crate) const ACCESS_REFUSED: Refused = Refused(Some(403));

/// A connection with one channel, on which publishes are confirmed.
pub(crate) struct Amqp(TcpStream);

/// The arguments of a method.
#[derive(Default)]
struct Args(Vec<u8>);

impl Args {
    fn short(mut self, text: &str) -> Self {
        self.0.push(u8::try_from(text.len()).unwrap());
        self.0.extend(text.as_bytes());
        self
    }

    fn long(mut self, bytes: &[u8]) -> Self {
        self.0.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        self.0.extend(bytes);
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

fn args() -> Args {
    Args::default()
}

/// The two bytes that most methods begin with and nobody uses.
fn ticket() -> Args {
    args().bytes(&[0, 0])
}

impl Amqp {
    /// Logs in and opens a channel.
    pub(crate) async fn connect(broker: SocketAddr, user: &str, password: &str) -> Result<Self, Refused> {
        let mut amqp = Self(TcpStream::connect(broker).await.unwrap());
        amqp.0.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        amqp.wait((10, 10)).await?;
        let login = args().long(b"").short("PLAIN").long(format!("\0{user}\0{password}").as_bytes()).short("en_US");
        amqp.send(0, (10, 11), login).await;
        let tune = amqp.wait((10, 30)).await?;
        amqp.send(0, (10, 31), args().bytes(&tune[..6]).bytes(&[0, 0])).await;
        amqp.send(0, (10, 40), args().short("/").short("").bytes(&[0])).await;
        amqp.wait((10, 41)).await?;
        amqp.call((20, 10), args().short("")).await?;
        amqp.call((85, 10), args().bytes(&[0])).await?;
        Ok(amqp)
    }

    /// Declares a durable topic exchange.
    pub(crate) async fn exchange(&mut self, name: &str) -> Result<(), Refused> {
        self.call((40, 10), ticket().short(name).short("topic").bytes(&[2]).long(b"")).await
    }

    /// Declares an exclusive queue, and binds it.
    pub(crate) async fn queue(&mut self, name: &str, exchange: &str, key: &str) -> Result<(), Refused> {
        self.call((50, 10), ticket().short(name).bytes(&[4]).long(b"")).await?;
        self.call((50, 20), ticket().short(name).short(exchange).short(key).bytes(&[0]).long(b"")).await
    }

    /// Publishes, and waits for the confirm.
    pub(crate) async fn publish(&mut self, exchange: &str, key: &str, body: &str) -> Result<(), Refused> {
        self.send(1, (60, 40), ticket().short(exchange).short(key).bytes(&[0])).await;
        let size = u64::try_from(body.len()).unwrap().to_be_bytes();
        self.frame(HEADER, 1, args().bytes(&[0, 60, 0, 0]).bytes(&size).bytes(&[0, 0])).await;
        self.frame(BODY, 1, args().bytes(body.as_bytes())).await;
        self.wait((60, 80)).await.map(drop)
    }

    /// Consumes from a queue.
    pub(crate) async fn consume(&mut self, queue: &str) -> Result<(), Refused> {
        self.call((60, 20), ticket().short(queue).short("").bytes(&[2]).long(b"")).await
    }

    /// The body of the next message.
    pub(crate) async fn message(&mut self) -> String {
        loop {
            let (kind, payload) = self.read().await.unwrap();
            if kind == BODY {
                return String::from_utf8(payload).unwrap();
            }
        }
    }

    /// Asks on the channel; the answer is the method with the next number.
    async fn call(&mut self, method: (u16, u16), args: Args) -> Result<(), Refused> {
        self.send(1, method, args).await;
        self.wait((method.0, method.1 + 1)).await.map(drop)
    }

    async fn send(&mut self, channel: u16, (class, method): (u16, u16), args: Args) {
        let head = Args::default().bytes(&class.to_be_bytes()).bytes(&method.to_be_bytes());
        self.frame(METHOD, channel, head.bytes(&args.0)).await;
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: Args) {
        let frame = args().bytes(&[kind]).bytes(&channel.to_be_bytes()).long(&payload.0).bytes(&[END]);
        self.0.write_all(&frame.0).await.unwrap();
    }

    /// The arguments of the next method of this number.
    async fn wait(&mut self, wanted: (u16, u16)) -> Result<Vec<u8>, Refused> {
        loop {
            let Some((kind, payload)) = self.read().await else { return Err(Refused(None)) };
            if kind != METHOD {
                continue;
            }
            let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
            match (number(0), number(2)) {
                method if method == wanted => return Ok(payload[4..].to_vec()),
                (10, 50) | (20, 40) => return Err(Refused(Some(number(4)))),
                _ => {}
            }
        }
    }

    /// The next frame; `None` if the connection is closed.
    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 7];
        timeout(PATIENCE, self.0.read_exact(&mut head)).await.expect("the broker answers").ok()?;
        let [kind, _, _, size @ ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes(size)).unwrap() + 1];
        self.0.read_exact(&mut payload).await.ok()?;
        assert_eq!(payload.pop(), Some(END));
        Some((kind, payload))
    }
}
