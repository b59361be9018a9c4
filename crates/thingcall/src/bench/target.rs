//! A server that is measured, its own or a given one, and devices that answer at once.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tempfile::TempDir;
use thingcall_api::sign::Signer;
use thingcall_core::ProductKey;
use thingcall_store::Store;
use thingcall_tsl::{Directory, NewProduct, ProductSettings, Registry, ThingModel};

use super::child::Child;
use super::load::{Calls, Expected, Form, Service};
use super::pace::Plan;
use super::report::Report;
use super::through::Through;
use super::{Args, Broker, amqp, device, load};
use crate::client::server_url;
use crate::simulate::{self, Address, Device, simulated};
use crate::tool::scratch;

/// The service that is called; it sends its parameter back, so that every answer can be checked.
pub(super) const IDENTIFIER: &str = "testFb:testService";
/// The same, called asynchronously.
const IDENTIFIER_ASYNC: &str = "testFb:testServiceAsync";
pub(super) const PRODUCT: &str = "a1BenchLamp";
const MODEL: &str = include_str!("../../models/lamp.json");
const MODULE: &str = include_str!("../../models/bench.json");

/// Starts the server or finds the one of `--url`, connects its devices, and measures.
///
/// # Errors
/// What could not be done.
pub(super) async fn turn(args: &Args, through: Through<'_>, plan: Plan) -> anyhow::Result<Report> {
    let folder = scratch("thingcall-bench-")?;
    let target = Target::running(args)?;
    let store = match &target {
        Some(_) => args.place().open().await?,
        None => Store::open(thingcall_store::Config::default(), &data(&folder)).await?,
    };
    // Before the server starts, so that it knows them from the beginning.
    let registered = Registered::new(args, &store).await;
    store.close().await;
    let registered = registered?;
    if let Some(target) = target {
        return registered.measure(args, plan, target).await;
    }
    let child = serve(args, through, &folder).await?;
    let url = format!("http://{}", child.said("api")?);
    let embedded = child.said("mqtt").ok().map(str::parse).transpose().map_err(anyhow::Error::msg)?;
    let target = Target { url, broker: embedded, pids: child.id() };
    let measured = registered.measure(args, plan, target).await;
    child.stop().await;
    measured
}

/// The server that is measured.
struct Target {
    url: String,
    /// Where its devices connect, unless `--broker` says it.
    broker: Option<Address>,
    /// Its process, where it is known.
    pids: Vec<u32>,
}

impl Target {
    /// The one that runs already, if that is meant.
    fn running(args: &Args) -> anyhow::Result<Option<Self>> {
        let place = args.place();
        if let Some(url) = args.url.clone() {
            // Before anything is registered or connected for it.
            server_url(&url)?;
            let broker = place.server("").ok().and_then(|addresses| addresses.broker_of(None).ok());
            return Ok(Some(Self { url, broker, pids: args.server_pid.into_iter().collect() }));
        }
        if !place.is_said() {
            return Ok(None);
        }
        let addresses = place.server("--url URL")?;
        let broker = match &args.broker {
            Broker::Embedded => Some(addresses.broker_of(None)?),
            Broker::At(_) | Broker::Amqp(_) => None,
        };
        Ok(Some(Self { url: format!("http://{}", addresses.api), broker, pids: vec![addresses.pid] }))
    }
}

/// What is registered with the server, and the key to call it with.
struct Registered {
    signer: Signer,
    devices: Vec<Device>,
}

impl Registered {
    async fn new(args: &Args, store: &Store) -> anyhow::Result<Self> {
        store.first_key().await?;
        let key = store.keys().into_iter().find(|key| key.enabled).context("the store has no access key")?;
        let product = product(store).await?;
        let devices = devices(store, &product, args.devices).await?;
        let signer = Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: None };
        Ok(Self { signer, devices })
    }

    async fn measure(self, args: &Args, plan: Plan, target: Target) -> anyhow::Result<Report> {
        let Target { url, broker, pids } = target;
        let local = || Address { host: Ipv4Addr::LOCALHOST.to_string(), port: 1883 };
        let mut running = match &args.broker {
            Broker::At(address) => device::connect(self.devices, address, args.habit()).await?,
            Broker::Embedded => device::connect(self.devices, &broker.unwrap_or_else(local), args.habit()).await?,
            Broker::Amqp(rabbit) => {
                let names: Vec<_> = self.devices.into_iter().map(|device| device.key).collect();
                amqp::connect(&rabbit.uri(), &names).await?
            }
        };
        let service = Service {
            signer: self.signer,
            signature: args.signature,
            product: PRODUCT.to_owned(),
            identifier: if args.asynchronous { IDENTIFIER_ASYNC } else { IDENTIFIER },
            qos: args.qos,
            expected: if args.asynchronous { Expected::MessageId } else { Expected::Result },
        };
        let calls = Calls { url, devices: names(args.devices), form: Form::Service(service) };
        let measured = load::measure(&calls, plan, &pids).await;
        running.shutdown().await;
        measured
    }
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// Starts a server on free ports, without a quota.
async fn serve(args: &Args, through: Through<'_>, folder: &TempDir) -> anyhow::Result<Child> {
    let file = folder.path().join("bench.toml");
    let treated = through.install(&data(folder))?;
    std::fs::write(&file, configuration(&args.broker) + &treated)?;
    let (file, data) = (file.into_os_string(), data(folder).into_os_string());
    let free = "127.0.0.1:0";
    let mut arguments = ["serve", "--api", free, "--mqtt", free, "--metrics", free].map(Into::into).to_vec();
    arguments.extend(["--config".into(), file, "--data".into(), data]);
    let child = Child::start(arguments).await?;
    through.check(child.said("metrics")?).await?;
    Ok(child)
}

/// JSON's quoting is TOML's.
fn configuration(broker: &Broker) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let enabled = *broker == Broker::Embedded;
    let mut text = format!(
        "[api]\ncalls_per_second_max = 0\nnonces_max = 100000000\n[broker]\nenabled = {enabled}\n[log]\nlevel = \"warn\"\n"
    );
    match broker {
        Broker::Embedded => {}
        Broker::At(address) => text.push_str(&format!("[mqtt]\nurl = {}\n", quoted(&address.to_string()))),
        Broker::Amqp(rabbit) => text.push_str(&format!(
            "[amqp]\nurl = {}\nusername = {}\npassword = {}\n",
            quoted(&rabbit.url()),
            quoted(&rabbit.username),
            quoted(&rabbit.password)
        )),
    }
    text
}

/// The names of that many registered devices.
pub(super) fn names(count: u32) -> Arc<[String]> {
    (1..=count).map(simulate::name).collect()
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
