//! What is read in a measurement of messages, and where: servers, and how consumers reach them.
//!
//! thingcall's messages are in its log before it starts; RabbitMQ's wait in a durable queue. They say the same.

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use tempfile::TempDir;
use thingcall_core::{AccessKey, GroupId, MessageKind, MessageLog, NewMessage, UnixMillis, Words};
use thingcall_store::{Config, Store};
use tokio_rustls::TlsConnector;

use crate::args::{Args, Flags};
use crate::child::Child;
use crate::consumer::{self, Way};
use crate::queue::Queue;
use crate::registered::{PRODUCT, devices, scratch, subscribe};
use crate::target;

/// Messages that are written at once.
const BATCH: u64 = 500;
/// What limits stand at, so that none is measured.
const NO_LIMIT: u32 = 1_000_000;

/// Whose messages are read, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    rabbit: bool,
    tls: bool,
}

/// A server that consumers may connect to.
pub(crate) struct Serving {
    pub(crate) way: Way,
    pub(crate) pids: Vec<u32>,
    of: Of,
}

enum Of {
    Thingcall { child: Child, folder: TempDir },
    Rabbit(Queue),
}

impl Flags {
    /// All that can be measured, in turns.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let mut all = vec![Source { rabbit: false, tls: false }];
        if self.tls_cert.is_some() {
            all.push(Source { rabbit: false, tls: true });
        }
        if self.rabbit.is_some() {
            all.push(Source { rabbit: true, tls: false });
        }
        if self.rabbit_tls.is_some() {
            all.push(Source { rabbit: true, tls: true });
        }
        all
    }

    fn connector(&self, source: Source) -> anyhow::Result<Option<TlsConnector>> {
        let certificate = self.tls_cert.as_deref().filter(|_| source.tls);
        certificate.map(|file| consumer::trusting(file).with_context(|| file.display().to_string())).transpose()
    }
}

impl Source {
    pub(crate) fn name(self) -> &'static str {
        match (self.rabbit, self.tls) {
            (false, false) => "thingcall",
            (false, true) => "thingcall-tls",
            (true, false) => "rabbitmq",
            (true, true) => "rabbitmq-tls",
        }
    }

    /// Starts it, or finds it, with so many messages that wait.
    ///
    /// # Errors
    /// What cannot be started or written.
    pub(crate) async fn start(self, args: &Args, messages: u64) -> anyhow::Result<Serving> {
        let flags = &args.reading;
        let tls = flags.connector(self)?;
        if !self.rabbit {
            return thingcall(args, tls, messages).await;
        }
        let plain = flags.rabbit.as_deref().context("--rabbit")?;
        let address = if self.tls { flags.rabbit_tls.as_deref().context("--rabbit-tls")? } else { plain };
        let queue = Queue::filled(plain, messages, &body(0)).await?;
        let (user, source) = ("guest".to_owned(), queue.source());
        let way = Way { address: address.to_owned(), tls, password: user.clone(), user, source };
        Ok(Serving { way, pids: flags.rabbit_pid.into_iter().collect(), of: Of::Rabbit(queue) })
    }
}

impl Serving {
    /// Ends it, and looks whether all that was accepted is settled there.
    ///
    /// # Errors
    /// If something is left.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let left = match self.of {
            Of::Rabbit(queue) => queue.left().await?,
            Of::Thingcall { child, folder } => {
                child.stop().await;
                let store = Store::open(Config::default(), &data(&folder)).await?;
                let left = store.standing(&GroupId::default_group().reader()).await?.unread;
                store.close().await;
                left
            }
        };
        anyhow::ensure!(left == 0, "{left} messages were accepted and are not settled");
        Ok(())
    }
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

async fn thingcall(args: &Args, tls: Option<TlsConnector>, messages: u64) -> anyhow::Result<Serving> {
    let folder = scratch()?;
    let store = Store::open(Config::default(), &data(&folder)).await?;
    let filled = fill(&store, messages).await;
    store.close().await;
    let AccessKey { id, secret, .. } = filled?;
    let child = target::start(args, &configuration(&args.reading, tls.is_some())?, &data(&folder)).await?;
    let address = child.said(if tls.is_some() { "amqp10" } else { "amqp10_plain" })?.to_owned();
    let signed =
        Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes())?.chain_update(format!("authId={id}&timestamp=1"));
    let way = Way {
        address,
        tls,
        user: format!(
            "bench|authMode=aksign,signMethod=hmacsha1,timestamp=1,authId={id},consumerGroupId={}|",
            GroupId::DEFAULT
        ),
        password: STANDARD.encode(signed.finalize().into_bytes()),
        source: "bench".to_owned(),
    };
    Ok(Serving { way, pids: child.id(), of: Of::Thingcall { child, folder } })
}

/// A key, a product with a subscription, and these messages.
async fn fill(store: &Store, messages: u64) -> anyhow::Result<AccessKey> {
    store.first_key(thingcall_store::NewKey::default()).await?;
    let device = devices(store, 1, false).await?.into_iter().next().context("a device")?.key;
    subscribe(store).await?;
    for first in (0..messages).step_by(usize::try_from(BATCH)?) {
        let message = |number| NewMessage {
            kind: MessageKind::Property,
            device: device.clone(),
            at: UnixMillis::now(),
            words: Words { topic: topic(&device.name.to_string()), body: Bytes::from(body(number)), trace: None },
        };
        store.append((first..messages.min(first + BATCH)).map(message).collect()).await?;
    }
    let key = store.keys().into_iter().find(|key| key.enabled).context("the store has no access key")?;
    Ok((*key).clone())
}

fn topic(device: &str) -> String {
    format!("/{PRODUCT}/{device}/thing/event/property/post")
}

/// A report of one property, as applications are told it: some 330 bytes.
fn body(number: u64) -> String {
    let now = UnixMillis::now().0;
    format!(
        r#"{{"deviceType":"CustomCategory","iotId":"4z819VQHk6VSLmmBJfrf00107ee200","requestId":"{number}","productKey":"{PRODUCT}","deviceName":"sim-0001","gmtCreate":{now},"items":{{"Power":{{"value":1,"time":{now}}}}},"checkFailedData":{{}}}}"#
    )
}

/// JSON's quoting is TOML's.
fn configuration(flags: &Flags, tls: bool) -> anyhow::Result<String> {
    let mut text = format!(
        "[log]\nlevel = \"warn\"\n[subscription]\nplain_amqp_listen = \"127.0.0.1:0\"\nconnections_max = {NO_LIMIT}\n\
         clients_per_group_max = {NO_LIMIT}\nconnects_per_minute_per_group_max = {NO_LIMIT}\n\
         messages_per_second_per_connection_max = {NO_LIMIT}\n"
    );
    if tls {
        let quoted = |file: &Option<PathBuf>| {
            let file = file.as_deref().and_then(Path::to_str).context("--tls-cert and --tls-key")?;
            anyhow::Ok(serde_json::Value::from(file).to_string())
        };
        let (cert, key) = (quoted(&flags.tls_cert)?, quoted(&flags.tls_key)?);
        text.push_str(&format!(
            "[subscription.tls]\ncert_file = {cert}\nkey_file = {key}\namqp_listen = \"127.0.0.1:0\"\n"
        ));
    }
    Ok(text)
}
