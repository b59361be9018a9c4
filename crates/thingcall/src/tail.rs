//! `thingcall tail`: messages in the terminal, as they come.
//!
//! **Invariants:** it takes nothing from anybody. What it wants is written for it from its start on, and no longer than it runs;
//! where it is killed, for ten minutes at most.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thingcall_core::{
    DeviceKey, DeviceRef, Message, MessageKind, MessageKinds, MessageLog, PeerText, ProductKey, Subscriptions,
    UnixMillis, Wanted,
};
use thingcall_store::Store;
use thingcall_subscription::{Envelope, LiveReader};
use thingcall_tsl::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::group;
use crate::output::{self, Output, moment};
use crate::tool::{self, Place};

/// How many messages are read at once.
const PAGE: usize = 256;
/// How soon messages are seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Which messages.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  thingcall tail\n  thingcall tail --kind result,status --product a1BwAGVxxxx\n  thingcall tail \
    --group orders --json | jq .data\n\nShows what is written from now on and takes it from nobody. Without --group also what \
    nobody else wants, which is written as long as this runs. Text is one line a message: time, kind, device, and its body \
    in the platform's words; --json is what a webhook is sent."
)]
pub(crate) struct Args {
    /// What goes to this consumer group, by id or name, and nothing else
    #[arg(long)]
    group: Option<String>,
    /// Of these kinds: result, status, life_cycle, property, event, history, tag, custom
    #[arg(long = "kind", value_name = "KIND,...", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<MessageKind>,
    /// About this device; several by further --device
    #[arg(long = "device", value_name = "PRODUCTKEY/DEVICENAME|IOTID", value_parser = tool::device_ref)]
    devices: Vec<DeviceRef>,
    /// About devices of these products
    #[arg(long = "product", value_name = "PRODUCTKEY,...", value_delimiter = ',')]
    products: Vec<ProductKey>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

fn kind(text: &str) -> Result<MessageKind, String> {
    tool::word(text)
}

/// What is shown.
struct Filter {
    group: Option<thingcall_core::GroupId>,
    kinds: MessageKinds,
    products: Vec<ProductKey>,
    devices: Vec<DeviceKey>,
}

/// Runs `thingcall tail` until it is told to end, or nobody reads it any more.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let store = args.place.open_existing().await?;
    let filter = Filter::of(&args, &store).await?;
    let shown = show(&store, &filter, args.output).await;
    store.close().await;
    shown
}

async fn show(store: &Arc<Store>, filter: &Filter, output: Output) -> anyhow::Result<()> {
    let mut live = None;
    if filter.group.is_none() {
        live = Some(LiveReader::begin(store.clone(), filter.wanted(store), UnixMillis::now()).await?);
        tool::known(store).await;
    } else if filter.wanted(store).of.is_empty() {
        output::note("nothing of this goes to the group; `thingcall subscription set` says what does");
    }
    let told = tokio::select! {
        told = follow(store, filter, output, live.as_mut()) => told,
        () = stopped() => Ok(()),
    };
    if let Some(live) = live {
        live.end().await?;
    }
    told
}

/// Prints messages until nobody reads them.
async fn follow(
    store: &Store,
    filter: &Filter,
    output: Output,
    mut live: Option<&mut LiveReader>,
) -> anyhow::Result<()> {
    let mut after = *store.places().await?.end();
    while is_read() {
        let newest = *store.places().await?.end();
        let page = store.look(after, &filter.wanted(store), PAGE).await?;
        // Behind the look: what was dropped just before it is told, too; all behind the first that was found was there.
        let kept_from = *store.places().await?.start();
        if page.first().map_or(kept_from, |first| first.place.min(kept_from)) > after + 1 {
            output::note("messages were dropped from the log before they were shown");
        }
        for message in &page {
            after = message.place;
            if filter.shows(message) && print(message, output).is_err() {
                return Ok(());
            }
        }
        if page.len() < PAGE {
            // What is behind `after` and not wanted need not be looked at again.
            after = after.max(newest);
            sleep(LOOK_EVERY).await;
        }
        if let Some(live) = &mut live {
            live.renew(UnixMillis::now()).await?;
        }
    }
    Ok(())
}

fn print(message: &Message, output: Output) -> io::Result<()> {
    if output.json {
        return output::try_line(text(&Envelope::of(message).to_json()));
    }
    let body = String::from_utf8_lossy(&message.words.body);
    let (at, kind, body) = (moment(message.at), message.kind.as_str(), PeerText::at_most(&body, usize::MAX));
    output::try_line(format_args!("{at} {kind} {} {body}", message.device))
}

fn text(json: &Bytes) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(json)
}

/// Whether somebody reads stdout. Of a file or a terminal that cannot be known and need not be.
pub(crate) fn is_read() -> bool {
    let stdout = io::stdout();
    let mut one = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut one, Some(&at_once)).is_err() {
        return true;
    }
    let [stdout] = &one;
    !stdout.revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
}

/// Returns when the program is told to end.
pub(crate) async fn stopped() {
    let mut all = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        // Without a handler the signal ends the program as it ends any other.
        all.extend(signal(kind));
    }
    let ends = all.iter_mut().map(|signal| Box::pin(signal.recv()));
    if ends.len() == 0 {
        return std::future::pending().await;
    }
    futures::future::select_all(ends).await;
}

impl Filter {
    async fn of(args: &Args, store: &Store) -> anyhow::Result<Self> {
        let mut devices = Vec::new();
        for device in &args.devices {
            let key = match device {
                DeviceRef::Key(key) => Some(key.clone()),
                DeviceRef::IotId(_) => store.find(device).await?.map(|found| found.device.key.clone()),
            };
            if let Some(key) = &key
                && store.find(device).await?.is_none()
            {
                output::note(format_args!("there is no device {key}; what comes of one by that name is shown"));
            }
            devices.push(key.ok_or_else(|| anyhow::anyhow!("there is no device {device}"))?);
        }
        for product in args.products.iter().filter(|product| store.product(product).is_none()) {
            output::note(format_args!("there is no product {product}; what comes of one by that key is shown"));
        }
        let group = args.group.as_deref().map(|group| group::found(store, group)).transpose()?;
        let kinds = if args.kinds.is_empty() { MessageKinds::all() } else { args.kinds.iter().copied().collect() };
        Ok(Self { group: group.map(|group| group.id.clone()), kinds, products: args.products.clone(), devices })
    }

    /// What is read of the log. A group's subscriptions may change meanwhile.
    fn wanted(&self, store: &Store) -> Wanted {
        let Some(group) = &self.group else {
            let of_devices = self.devices.iter().map(|device| &device.product);
            let mut products: Vec<_> = self.products.iter().chain(of_devices).cloned().collect();
            products.sort();
            products.dedup();
            let of: Vec<_> = products.into_iter().map(|product| (Some(product), self.kinds)).collect();
            return Wanted { of: if of.is_empty() { vec![(None, self.kinds)] } else { of } };
        };
        let all = store.subscriptions();
        let of_group = all.iter().filter(|subscription| subscription.groups.contains(group));
        let of = of_group.filter_map(|subscription| {
            let kinds: MessageKinds = subscription.kinds().iter().filter(|kind| self.kinds.contains(*kind)).collect();
            (!kinds.is_empty()).then(|| (Some(subscription.product.clone()), kinds))
        });
        Wanted { of: of.collect() }
    }

    /// Whether a message that was read is shown.
    fn shows(&self, message: &Message) -> bool {
        let product = self.products.is_empty() || self.products.contains(&message.device.product);
        product && (self.devices.is_empty() || self.devices.contains(&message.device))
    }
}
