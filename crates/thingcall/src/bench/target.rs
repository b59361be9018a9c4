//! What is measured: a server, its own or a given one, and devices that answer at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use prometheus::Registry as Metering;
use tempfile::TempDir;
use thingcall_api::sign::Signer;
use thingcall_core::{DeviceKey, ProductKey, Secret};
use thingcall_store::Store;
use thingcall_tsl::{Directory, NewProduct, ProductSettings, Registry, ThingModel};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::series::Through;
use super::{Args, Broker, amqp};
use crate::config::Config;
use crate::server::{Server, Stopped};
use crate::simulate::{self, Address, Device, Said, simulated};
use crate::tool::scratch;

/// The service that is called; it sends its parameter back, so that every answer can be checked.
pub(super) const IDENTIFIER: &str = "testFb:testService";
const PRODUCT: &str = "a1BenchLamp";
const MODEL: &str = include_str!("../../models/lamp.json");
const MODULE: &str = include_str!("../../models/testFb.json");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// A server and its devices.
pub(super) struct Target {
    pub(super) url: String,
    pub(super) signer: Signer,
    pub(super) product: ProductKey,
    pub(super) devices: Vec<DeviceKey>,
    running: JoinSet<()>,
    own: Option<(Server, TempDir)>,
}

impl Target {
    /// Starts or finds the server, registers the devices and connects them.
    ///
    /// # Errors
    /// What could not be done.
    pub(super) async fn start(args: &Args, through: Through<'_>) -> anyhow::Result<Self> {
        let (url, store, own) = match &args.url {
            Some(url) => (url.clone(), args.place.open().await?, None),
            None => {
                let folder = scratch("thingcall-bench-")?;
                let mut config = configuration(args, &folder);
                through.put_into(&mut config)?;
                let server = Server::start(config, &Metering::new()).await?;
                through.check(&server)?;
                (format!("http://{}", server.addresses.api), server.store.clone(), Some((server, folder)))
            }
        };
        let local = |port| Address { host: Ipv4Addr::LOCALHOST.to_string(), port };
        let embedded = own.as_ref().and_then(|(server, _)| server.addresses.mqtt).map_or(1883, |mqtt| mqtt.port());
        let product = product(&store).await?;
        let key = store.keys().into_iter().find(|key| key.enabled).context("the store has no access key")?;
        let devices = devices(&store, &product, args.devices).await?;
        let names: Vec<_> = devices.iter().map(|device| device.key.clone()).collect();
        let running = match &args.broker {
            Broker::At(address) => connect(devices, address).await?,
            Broker::Embedded => connect(devices, &local(embedded)).await?,
            Broker::Amqp(rabbit) => amqp::connect(&rabbit.uri(), &names).await?,
        };
        let signer = Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: None };
        Ok(Self { url, signer, product, devices: names, running, own })
    }

    /// Ends the devices and, if it is its own, the server.
    pub(super) async fn stop(mut self) -> Stopped {
        self.running.shutdown().await;
        match self.own {
            Some((server, _folder)) => server.stop(Duration::from_secs(1)).await,
            None => Stopped::Wholly,
        }
    }
}

/// The defaults, on free ports and without a quota.
fn configuration(args: &Args, folder: &TempDir) -> Config {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = Config { data: folder.path().join("data"), ..Config::default() };
    config.api.listen = free;
    config.broker.listen = free;
    config.metrics.listen = free;
    config.api.calls_per_second_max = 0;
    config.api.nonces_max = 100_000_000;
    config.broker.enabled = args.broker == Broker::Embedded;
    match &args.broker {
        Broker::Embedded => {}
        Broker::At(address) => {
            let url = address.to_string();
            config.mqtt = Some(thingcall_mqtt::Config { url, ..thingcall_mqtt::Config::default() });
        }
        Broker::Amqp(rabbit) => {
            config.amqp = Some(thingcall_amqp::Config {
                url: rabbit.url(),
                username: rabbit.username.clone(),
                password: Secret::new(&rabbit.password),
                ..thingcall_amqp::Config::default()
            });
        }
    }
    config
}

pub(super) async fn product(store: &Store) -> anyhow::Result<ProductKey> {
    let key: ProductKey = PRODUCT.try_into()?;
    if store.product(&key).is_none() {
        let new = NewProduct { key: Some(key.clone()), name: "bench".to_owned(), settings: ProductSettings::default() };
        store.create_product(new).await?;
    }
    store.set_model(&key, ThingModel::parse(MODEL, &[MODULE])?).await?;
    Ok(key)
}

/// Registered devices that answer at once.
pub(super) async fn devices(store: &Store, product: &ProductKey, count: u32) -> anyhow::Result<Vec<Device>> {
    let records = simulate::registered(store, product, count).await?;
    Ok(records.iter().map(|record| simulated(store, record)).collect())
}

/// Connects devices; they end with the returned set.
///
/// # Errors
/// If one is refused, or they take longer than a minute.
pub(super) async fn connect(devices: Vec<Device>, broker: &Address) -> anyhow::Result<JoinSet<()>> {
    let (online, mut came) = mpsc::channel(devices.len().saturating_mul(2).max(1));
    let listener: simulate::Listener = Arc::new(move |device, said| {
        let told = match said {
            Said::Online => Ok(()),
            Said::Refused(why) | Said::Lost(why) => Err(format!("{device}: {why}")),
            Said::Asked(_) | Said::Answers(_) => return,
        };
        // Full or closed: nobody waits any more.
        drop(online.try_send(told));
    });
    let mut running = JoinSet::new();
    for device in devices {
        running.spawn(device.run(broker.clone(), listener.clone()));
    }
    // One that is refused tries again: a server may not have seen yet that it is registered.
    let (mut there, mut why) = (0, "no answer".to_owned());
    let all = async {
        while there < running.len() {
            match came.recv().await {
                Some(Ok(())) => there += 1,
                Some(Err(refusal)) => why = refusal,
                None => return,
            }
        }
    };
    // Whether in time or not shows in how many are there.
    let _in_time = timeout(CONNECT_TIMEOUT, all).await;
    if there < running.len() {
        bail!("{there} of {} devices connected to {broker} within a minute; the last word was: {why}", running.len());
    }
    Ok(running)
}
