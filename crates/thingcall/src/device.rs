//! `thingcall device ...`: devices in the store, and simulated ones.

use serde_json::{Value, json};
use thingcall_core::{DeviceName, DeviceRef, NotAName, Presence, ProductKey, Secret, TransportName};
use thingcall_tsl::{DeviceRecord, Directory, NewDevice};

use crate::config::Config;
use crate::device_words::{members, state, told_state};
use crate::output::{self, Listing, Output, second};
use crate::pages::Pages;
use crate::running::Running;
use crate::simulate;
use crate::tool::{self, Place, device_ref};

mod import;

/// What to do with devices.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Register a device and print what it connects with
    #[command(after_help = "Example:\n  thingcall device add --product a1BwAGVxxxx --name lamp1 --json")]
    Add {
        /// The product it is one of
        #[arg(long, value_name = "PRODUCTKEY")]
        product: ProductKey,
        /// Its name within the product [default: a new one]
        #[arg(long)]
        name: Option<DeviceName>,
        /// Its secret [default: a random one]
        #[arg(long, env = "THINGCALL_DEVICE_SECRET", hide_env_values = true)]
        secret: Option<String>,
        /// What people call it
        #[arg(long)]
        nickname: Option<String>,
        /// The transport that serves it: embedded, mqtt, amqp, or the name of a further broker [default: its product's]
        #[arg(long, value_name = "NAME")]
        transport: Option<TransportName>,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Register devices that have names and secrets from elsewhere, from a file
    #[command(after_help = "Example of a line:\n  \
        {\"productKey\":\"a1BwAGVxxxx\",\"deviceName\":\"lamp1\",\"deviceSecret\":\"...\",\"nickname\":\"hall\"}\n\n\
        Their products must be there. A device that is there with the same secret stays as it is, so a file may be\n\
        imported again. It ends at the first line that is wrong; what it says it added is there.")]
    Import(import::Args),
    /// List devices
    List {
        /// Only those of this product
        #[arg(long, value_name = "PRODUCTKEY")]
        product: Option<ProductKey>,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Show all that is known of a device
    Show {
        /// Its secret too
        #[arg(long)]
        secret: bool,
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        running: Running,
    },
    /// Close a device's connection and let it connect no more
    Disable(One),
    /// Let a device connect again
    Enable(One),
    /// Set the transport that serves a device
    Route {
        /// embedded, mqtt, amqp, the name of a further broker, or `auto` for its product's or the one it came from
        #[arg(long, value_name = "NAME|auto", value_parser = transport)]
        transport: Transport,
        #[command(flatten)]
        one: One,
    },
    /// Forget a device and all that waits for it
    Remove(One),
    /// Connect simulated devices that answer from their thing model
    Simulate(simulate::Args),
}

/// One device in the store.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// PRODUCTKEY/DEVICENAME, or an IotId
    #[arg(value_parser = device_ref)]
    device: DeviceRef,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall device ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add { product, name, secret, nickname, transport, output, place } => {
            let secret = secret.as_deref().map(Secret::new);
            add(NewDevice { product, name, secret, nickname, transport }, output, &place).await
        }
        Command::Import(args) => import::run(args).await,
        Command::List { product, output, place } => list(product, output, &place).await,
        Command::Show { secret, one, running } => one.show(secret, running).await,
        Command::Disable(one) => one.change(Change::Enabled(false)).await,
        Command::Enable(one) => one.change(Change::Enabled(true)).await,
        Command::Route { transport, one } => one.change(Change::Transport(transport)).await,
        Command::Remove(one) => one.change(Change::Remove).await,
        Command::Simulate(args) => simulate::run(args).await,
    }
}

async fn add(new: NewDevice, output: Output, place: &Place) -> anyhow::Result<()> {
    let store = place.open_existing().await?;
    let record = store.register(new).await?;
    tool::known(&store).await;
    let DeviceRecord { device, secret, .. } = &record;
    output::one(
        output,
        &[
            ("productKey", json!(device.key.product.as_str())),
            ("deviceName", json!(device.key.name.as_str())),
            ("deviceSecret", json!(secret.expose())),
            ("iotId", json!(device.iot_id.as_str())),
        ],
    );
    store.close().await;
    Ok(())
}

/// So many devices are shown at once, where there are so many.
const ROWS_AT_ONCE: usize = 500;

async fn list(product: Option<ProductKey>, output: Output, place: &Place) -> anyhow::Result<()> {
    let store = place.open_existing().await?;
    let products = match product {
        Some(key) => vec![key],
        None => store.products().iter().map(|product| product.key.clone()).collect(),
    };
    let mut listing = Listing::new(output, &["DEVICE", "IOTID", "STATE", "LAST SEEN", "NICKNAME"]);
    let config = place.configuration()?;
    let without_secret = |record: &DeviceRecord| members(record, None, kept_state(record, &config));
    let row = |record: &DeviceRecord| row(record, kept_state(record, &config));
    // A table has its widths from what is printed first, so that is not less than there is.
    let (mut read, mut waiting) = (true, Vec::new());
    for product in products {
        let mut pages = Pages::new(&product);
        while read && let Some(page) = pages.next(&store).await? {
            waiting.extend(page);
            if waiting.len() >= ROWS_AT_ONCE {
                read = listing.page(&std::mem::take(&mut waiting), without_secret, row);
            }
        }
    }
    store.close().await;
    if read {
        listing.page(&waiting, without_secret, row);
    }
    Ok(())
}

fn row(record: &DeviceRecord, state: &str) -> Vec<String> {
    vec![
        record.device.key.to_string(),
        record.device.iot_id.to_string(),
        state.to_owned(),
        record.last_seen_at.map(second).unwrap_or_default(),
        record.nickname.clone().unwrap_or_default(),
    ]
}

/// A transport by its name, or whichever fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transport(pub(crate) Option<TransportName>);

/// Reads a name, or `auto`.
pub(crate) fn transport(text: &str) -> Result<Transport, NotAName> {
    if text == "auto" { Ok(Transport(None)) } else { text.parse().map(|name| Transport(Some(name))) }
}

/// What becomes of a device.
enum Change {
    Enabled(bool),
    Transport(Transport),
    Remove,
}

impl One {
    /// Makes the change and prints the device as it is then, or as it was if it is gone.
    async fn change(self, change: Change) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let mut record = store.device(&self.device).await?;
        match change {
            Change::Enabled(enabled) => {
                store.set_enabled(&record.device.key, enabled).await?;
                record = store.device(&self.device).await?;
            }
            Change::Transport(Transport(transport)) => {
                store.set_transport(&record.device.key, transport).await?;
                record = store.device(&self.device).await?;
            }
            Change::Remove => {
                store.remove(&record.device.key).await?;
                output::note(format_args!("{} is removed", record.device.key));
            }
        }
        tool::known(&store).await;
        print(self.output, &members(&record, None, kept_state(&record, &self.place.configuration()?)));
        store.close().await;
        Ok(())
    }

    /// Prints the device, and what a running server was told by it and did not understand.
    async fn show(self, secret: bool, running: Running) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let record = store.device(&self.device).await;
        store.close().await;
        let record = record?;
        let state = match running.presence(&self.place, &record.device.key).await {
            Ok(told) => told_state(&record, &told),
            Err(_) => kept_state(&record, &self.place.configuration()?),
        };
        let mut shown = members(&record, secret.then_some(&record.secret), state);
        // Without a running server there is nothing that it remembers.
        let dropped = running.dropped(&self.place, &record.device.key).await.ok().flatten();
        if let (Value::Object(members), Some(dropped)) = (&mut shown, dropped) {
            members.insert("lastDropped".to_owned(), dropped);
        }
        print(self.output, &shown);
        Ok(())
    }
}

fn print(output: Output, members: &Value) {
    if let Value::Object(members) = members {
        let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        output::one(output, &members);
    }
}

/// Alibaba's words for a device's state, as the store was told it last, and `UNKNOWN` where nobody tells it.
fn kept_state(record: &DeviceRecord, config: &Config) -> &'static str {
    state(
        record,
        match (record.online, record.came_from) {
            (true, _) => Presence::Online,
            (false, Some(transport)) if !config.tells_of_devices(transport) => Presence::Unknown,
            (false, _) => Presence::Offline,
        },
    )
}
