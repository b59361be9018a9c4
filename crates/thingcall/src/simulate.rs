//! `thingcall device simulate`: devices that connect over MQTT with real credentials and answer from their model.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use thingcall_core::{DeviceKey, DeviceName, DeviceRef, ProductKey, TransportName};
use thingcall_store::Store;
use thingcall_tsl::{DeviceRecord, Directory, DirectoryError, NewDevice, Registry};
use tokio::task::JoinSet;

use crate::addresses::Addresses;
use crate::exit::WrongUse;
use crate::output;
use crate::pages::Pages;
use crate::serve::Signals;
use crate::tool::{self, Place, device_ref};

mod answers;
mod device;

pub(crate) use answers::{Asked, Behaviour, DeviceAnswer};
pub(crate) use device::{Address, Device, Listener, Said};

/// More than one machine's ports and descriptors allow.
const DEVICES_MAX: u32 = 20_000;

/// What devices answer that fail.
const FAILURE: i64 = 460;

/// Which devices, where, and how they behave.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall device simulate --product a1BwAGVxxxx --count 3\n  thingcall device \
    simulate a1BwAGVxxxx/lamp1 --delay 500\n  thingcall device simulate --product a1BwAGVxxxx --code 460\n\nThey run \
    until Ctrl-C. Their secrets and thing model come from the store in --data, the broker from the server that runs on it, \
    else from the configuration.")]
pub(crate) struct Args {
    /// The devices: PRODUCTKEY/DEVICENAME, or IotIds
    #[arg(value_name = "DEVICE", value_parser = device_ref, required_unless_present = "product", conflicts_with = "product")]
    devices: Vec<DeviceRef>,
    /// Instead: all devices of this product
    #[arg(long, value_name = "PRODUCTKEY")]
    product: Option<ProductKey>,
    /// The product's devices sim-0001 to sim-N; missing ones are registered
    #[arg(long, value_name = "N", requires = "product", value_parser = clap::value_parser!(u32).range(1..=i64::from(DEVICES_MAX)))]
    count: Option<u32>,
    /// The broker they connect to [default: that of their transport, as the server of the data folder knows it]
    #[arg(long, env = "THINGCALL_MQTT_URL")]
    url: Option<Address>,
    /// How long they take over each call, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay: u64,
    /// The code they answer; 200 is success
    #[arg(long, default_value_t = answers::SUCCESS)]
    code: i64,
    /// So many of 100 answer with that code, or with 460, and the others with success
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    fail: Option<u8>,
    /// They take calls and never answer
    #[arg(long)]
    silent: bool,
    /// They answer with an id nobody asked with
    #[arg(long)]
    wrong_id: bool,
    /// They connect without `ext`, and so take synchronous calls on /sys/.../rrpc/request/...
    #[arg(long)]
    no_ext: bool,
    /// Print no line for each call
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall device simulate` until a signal ends it.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let store = args.place.open_existing().await?;
    let known = store.stats().devices;
    let records = args.records(&store).await;
    if store.stats().devices > known {
        tool::known(&store).await;
    }
    let devices = records.and_then(|records| args.devices_of(&store, &records));
    store.close().await;
    let devices = devices?;
    let mut signals = Signals::new()?;
    let brokers: BTreeSet<_> = devices.iter().map(|(_, broker)| broker.to_string()).collect();
    let brokers = brokers.into_iter().collect::<Vec<_>>().join(" and ");
    output::line(format_args!("devices: {}, connecting to {brokers}; Ctrl-C ends them", devices.len()));
    let listener = printing(args.quiet);
    let mut running = JoinSet::new();
    for (device, broker) in devices {
        running.spawn(device.run(broker, listener.clone()));
    }
    signals.next().await;
    running.shutdown().await;
    Ok(())
}

impl Args {
    async fn records(&self, store: &Store) -> anyhow::Result<Vec<DeviceRecord>> {
        let Some(product) = &self.product else {
            let mut records = Vec::new();
            for device in &self.devices {
                records.push(store.device(device).await?);
            }
            return Ok(records);
        };
        let records = match self.count {
            Some(count) => registered(store, product, count).await?,
            None => {
                let (mut all, mut pages) = (Vec::new(), Pages::new(product));
                while let Some(page) = pages.next(store).await? {
                    all.extend(page);
                }
                all
            }
        };
        if records.is_empty() {
            bail!(WrongUse(format!("product {product} has no devices; --count N registers and simulates N")));
        }
        Ok(records)
    }

    /// The devices, and where each connects.
    fn devices_of(&self, store: &Store, records: &[DeviceRecord]) -> anyhow::Result<Vec<(Device, Address)>> {
        let behaviour = |number| Behaviour {
            delay: Duration::from_millis(self.delay),
            code: self.code_of(number),
            silent: self.silent,
            wrong_id: self.wrong_id,
        };
        let device =
            |number, record| Device { ext: !self.no_ext, behaviour: behaviour(number), ..simulated(store, record) };
        let numbered = || records.iter().enumerate();
        if let Some(url) = &self.url {
            return Ok(numbered().map(|(number, record)| (device(number, record), url.clone())).collect());
        }
        let addresses = self.addresses()?;
        let broker = |record| addresses.broker_of(transport(store, record));
        numbered().map(|(number, record)| Ok((device(number, record), broker(record)?))).collect()
    }

    /// What the device of this number answers: those that fail stand evenly among the others.
    fn code_of(&self, number: usize) -> i64 {
        let Some(percent) = self.fail else { return self.code };
        let before = |number: usize| number * usize::from(percent) / 100;
        match before(number + 1) > before(number) {
            true if self.code == answers::SUCCESS => FAILURE,
            true => self.code,
            false => answers::SUCCESS,
        }
    }

    /// The server's, or where it will listen when it runs.
    fn addresses(&self) -> anyhow::Result<Addresses> {
        self.place.server("--url URL").or_else(|error| {
            let configured = Addresses::configured(&self.place.configuration()?).reached();
            output::note(format_args!("{error}; the devices go where its configuration says, and try again"));
            Ok(configured)
        })
    }
}

impl Addresses {
    /// Where devices of this transport connect.
    ///
    /// # Errors
    /// If that is not known, or simulated devices cannot.
    pub(crate) fn broker_of(&self, transport: Option<TransportName>) -> anyhow::Result<Address> {
        let embedded = self.mqtt.filter(|_| transport.is_none_or(|name| name == TransportName::EMBEDDED));
        if let Some(embedded) = embedded {
            return Ok(embedded.into());
        }
        let broker = match transport {
            Some(name) => self.brokers.get(&name),
            None => self.brokers.get(&TransportName::MQTT).or(self.brokers.values().next()),
        };
        let Some(url) = broker else {
            let which = transport.map_or("the server".to_owned(), |name| format!("transport {name}"));
            bail!(WrongUse(format!("{which} has no MQTT broker that is known here; --url names the devices' broker")));
        };
        url.parse().map_err(|_| {
            let right = "--url names a listener without";
            WrongUse(format!("simulated devices cannot connect to {url}: they speak no TLS; {right}")).into()
        })
    }
}

/// The transport that is set for a device, if one is.
fn transport(store: &Store, record: &DeviceRecord) -> Option<TransportName> {
    let of_product = || store.product(&record.device.key.product).and_then(|product| product.settings.transport);
    record.device.transport.or_else(of_product)
}

/// The well-behaved device of a record.
pub(crate) fn simulated(store: &Store, record: &DeviceRecord) -> Device {
    let key = record.device.key.clone();
    let model = store.product(&key.product).and_then(|product| product.model.clone());
    Device { key, secret: record.secret.clone(), ext: true, model, behaviour: Behaviour::default() }
}

/// The name of the simulated device of this number.
fn name(number: u32) -> String {
    format!("sim-{number:04}")
}

/// The product's devices `sim-0001` to `sim-{count}`; those that are missing are registered.
///
/// # Errors
/// Why one could not be.
async fn registered(store: &Store, product: &ProductKey, count: u32) -> anyhow::Result<Vec<DeviceRecord>> {
    let mut records = Vec::new();
    let mut missing = Vec::new();
    for number in 1..=count {
        let name: DeviceName = name(number).as_str().try_into()?;
        let key = DeviceKey { product: product.clone(), name: name.clone() };
        match store.device(&DeviceRef::Key(key)).await {
            Err(DirectoryError::NoDevice(_)) => {
                missing.push(NewDevice {
                    product: product.clone(),
                    name: Some(name),
                    secret: None,
                    nickname: None,
                    transport: None,
                });
            }
            found => records.push(found?),
        }
    }
    records.extend(store.register_all(missing).await?);
    Ok(records)
}

/// Prints what devices tell, one line each.
fn printing(quiet: bool) -> Listener {
    Arc::new(move |device, said| match said {
        Said::Online => output::line(format_args!("{device}  online")),
        Said::Refused(why) => output::line(format_args!("{device}  refused: {why}")),
        Said::Lost(why) => output::line(format_args!("{device}  connection lost: {why}")),
        Said::Asked(Asked { topic, id, service, params }) if !quiet => {
            output::line(format_args!("{device}  < {service} {params}  (id {id}, {topic})"));
        }
        Said::Answers(DeviceAnswer { topic, payload }) if !quiet => {
            output::line(format_args!("{device}  > {payload}  ({topic})"));
        }
        Said::Asked(_) | Said::Answers(_) => {}
    })
}

#[cfg(test)]
mod tests;
