//! A consumer of the benchmark: one AMQP 1.0 connection that takes messages and accepts each of them, one disposition a
//! message, as the platform's clients do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::amqp10::{self, Heard};

/// Messages that may be on their way, as Qpid JMS has it.
const CREDIT: u32 = 1000;
const ATTACH_TIMEOUT: Duration = Duration::from_secs(20);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Where messages are, and who takes them.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) address: String,
    pub(crate) tls: Option<TlsConnector>,
    pub(crate) user: String,
    pub(crate) password: String,
    /// What the link names.
    pub(crate) source: String,
}

/// Messages that are still to come, to all consumers together.
pub(crate) struct Tally {
    left: AtomicU64,
    done: Notify,
}

pub(crate) struct Consumer {
    stream: Box<dyn Stream>,
    read: BytesMut,
    out: Vec<u8>,
    next_incoming: u32,
    count: u32,
    credit: u32,
    /// The delivery whose parts come.
    delivery: u32,
}

/// Trusts this certificate and nothing else.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn trusting(certificate: &Path) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).map_err(|error| anyhow::anyhow!("{error}"))?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Tally {
    pub(crate) fn new(messages: u64) -> Self {
        Self { left: messages.into(), done: Notify::new() }
    }

    fn came(&self, many: u64) {
        if many > 0 && self.left.fetch_sub(many, Ordering::Relaxed) <= many {
            self.done.notify_one();
        }
    }

    /// Returns when all have come.
    pub(crate) async fn done(&self) {
        self.done.notified().await;
    }

    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }
}

impl Consumer {
    /// Connects, logs in and attaches, without credit.
    ///
    /// # Errors
    /// What the server does not do.
    pub(crate) async fn attach(way: &Way) -> anyhow::Result<Self> {
        timeout(ATTACH_TIMEOUT, Self::attached(way)).await.context("no link in time")?
    }

    async fn attached(way: &Way) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(&way.address).await?;
        socket.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &way.tls {
            Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost")?, socket).await?),
            None => Box::new(socket),
        };
        let (read, out) = (BytesMut::new(), Vec::new());
        let mut this = Self { stream, read, out, next_incoming: 0, count: 0, credit: 0, delivery: 0 };
        amqp10::login(&mut this.out, &way.user, &way.password);
        loop {
            match this.next().await? {
                Heard::Login(true) => amqp10::open(&mut this.out, &way.source),
                Heard::Login(false) => bail!("{} refused {}", way.address, way.user),
                Heard::Begin(first) => this.next_incoming = first,
                Heard::Attach(count) => {
                    this.count = count;
                    return Ok(this);
                }
                Heard::End => bail!("{} ended the connection", way.address),
                Heard::Transfer { .. } | Heard::Other => {}
            }
        }
    }

    /// The next frame. For the time before messages come.
    async fn next(&mut self) -> anyhow::Result<Heard> {
        self.flush().await?;
        loop {
            if let Some((heard, len)) = amqp10::hear(&self.read)? {
                self.read.advance(len);
                return Ok(heard);
            }
            self.more().await?;
        }
    }

    /// Gives credit: from now on messages come.
    ///
    /// # Errors
    /// If the connection ends.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<()> {
        self.credit = CREDIT;
        amqp10::credit(&mut self.out, self.next_incoming, self.count, CREDIT);
        self.flush().await
    }

    /// Takes messages for as long as it is polled.
    ///
    /// # Errors
    /// If the connection ends.
    pub(crate) async fn run(mut self, tally: &Tally) -> anyhow::Result<()> {
        self.begin().await?;
        loop {
            self.more().await?;
            let came = self.take()?;
            if self.credit <= CREDIT / 2 {
                self.credit = CREDIT;
                amqp10::credit(&mut self.out, self.next_incoming, self.count, CREDIT);
            }
            self.flush().await?;
            tally.came(came);
        }
    }

    /// Accepts what has come whole; how many.
    fn take(&mut self) -> anyhow::Result<u64> {
        let mut came = 0;
        while let Some((heard, len)) = amqp10::hear(&self.read)? {
            self.read.advance(len);
            match heard {
                Heard::Transfer { delivery, more } => {
                    self.next_incoming = self.next_incoming.wrapping_add(1);
                    self.delivery = delivery.unwrap_or(self.delivery);
                    if !more {
                        amqp10::accept(&mut self.out, self.delivery);
                        self.count = self.count.wrapping_add(1);
                        self.credit = self.credit.saturating_sub(1);
                        came += 1;
                    }
                }
                Heard::End => bail!("the server ended the link"),
                Heard::Login(_) | Heard::Begin(_) | Heard::Attach(_) | Heard::Other => {}
            }
        }
        Ok(came)
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        self.read.reserve(4096);
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the server ended the connection");
        }
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.stream.flush().await?;
            self.out.clear();
        }
        Ok(())
    }
}
