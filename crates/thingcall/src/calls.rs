//! `thingcall calls`: calls that the store keeps, newest last; with `--follow` also those that come, and how those shown end.

use std::time::Duration;

use thingcall_core::{
    CallFilter, CallOrder, CallPlaces, CallRecords, DeviceRef, KeptCall, Outcome, ProductKey, ServiceId, UnixMillis,
};
use thingcall_store::Store;
use thingcall_tsl::Registry;

mod follow;

use follow::Following;

use crate::kept;
use crate::output::{Listing, Output};
use crate::tail::stopped;
use crate::tool::{self, Place};

/// How many are read at once.
const PAGE: usize = 500;

/// Which calls.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall calls --since 1h --outcome timeout\n  thingcall calls --device \
    a1BwAGVxxxx/light1 --follow\n  thingcall calls --key app1 --json | jq .elapsedUs\n\nShows asynchronous calls, and what [records] keep of the \
    configuration says: by default other calls that failed and requests that were refused. One is there within a second of its \
    end. `thingcall explain ID` tells one of them whole.")]
pub(crate) struct Args {
    /// To this device
    #[arg(long, value_name = "PRODUCTKEY/DEVICENAME|IOTID", value_parser = tool::device_ref)]
    device: Option<DeviceRef>,
    /// To devices of this product
    #[arg(long, value_name = "PRODUCTKEY", conflicts_with = "device")]
    product: Option<ProductKey>,
    /// Asked for by this action, such as RRpc
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Of this service: IDENTIFIER, or MODULE:IDENTIFIER
    #[arg(long, value_parser = service)]
    service: Option<ServiceId>,
    /// That ended so: ok, device_error, timeout, offline, ...
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Not older than this, such as 1h
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// Signed with this access key
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Go on with those that come, and show one that had not ended once more when it has
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

fn service(text: &str) -> Result<ServiceId, String> {
    ServiceId::try_from(text).map_err(|error| error.to_string())
}

/// Reads an outcome.
///
/// # Errors
/// Which there are.
pub(crate) fn outcome(text: &str) -> Result<Outcome, String> {
    let all = || (0..<Outcome as enum_map::Enum>::LENGTH).map(<Outcome as enum_map::Enum>::from_usize);
    let words = || all().map(Outcome::as_str).collect::<Vec<_>>().join(", ");
    text.parse().map_err(|_| format!("right is one of {}", words()))
}

/// Runs `thingcall calls`.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let store = args.place.open_existing().await?;
    let shown = show(&store, &args).await;
    store.close().await;
    shown
}

async fn show(store: &Store, args: &Args) -> anyhow::Result<()> {
    let device = match &args.device {
        Some(DeviceRef::Key(key)) => Some(key.clone()),
        Some(id @ DeviceRef::IotId(_)) => {
            let found = store.find(id).await?;
            Some(found.ok_or_else(|| anyhow::anyhow!("there is no device {id}"))?.device.key.clone())
        }
        None => None,
    };
    let filter = CallFilter {
        device,
        product: args.product.clone(),
        action: args.action.clone(),
        service: args.service.clone(),
        outcome: args.outcome,
        key_id: args.key.clone(),
        since: args.since.map(before_now),
        ..CallFilter::default()
    };
    let mut listing = Listing::new(args.output, &kept::COLUMNS);
    // Before the newest are read: what comes in between is shown by the look after it.
    let newest = store.newest_calls().await?;
    let mut calls = newest_calls(store, &filter, args.limit as usize).await?;
    in_order(&mut calls);
    if !listing.page(&calls, kept::as_json, kept::as_row) || !args.follow {
        return Ok(());
    }
    let following = Following::begin(store, &filter, newest, &calls).await?;
    tokio::select! {
        followed = following.run(listing) => followed,
        () = stopped() => Ok(()),
    }
}

fn before_now(age: Duration) -> UnixMillis {
    UnixMillis(UnixMillis::now().0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)))
}

async fn newest_calls(store: &Store, filter: &CallFilter, max: usize) -> anyhow::Result<Vec<KeptCall>> {
    let mut calls: Vec<KeptCall> = Vec::new();
    let mut places = CallPlaces::END;
    while calls.len() < max {
        let wanted = PAGE.min(max - calls.len());
        let page = store.calls(filter, (CallOrder::NewestFirst, places), wanted).await?;
        places = page.iter().fold(places, CallPlaces::at);
        let is_last = page.len() < wanted;
        calls.extend(page);
        if is_last {
            break;
        }
    }
    Ok(calls)
}

/// By the times of their requests, which is about how they are read.
fn in_order(calls: &mut [KeptCall]) {
    calls.sort_by_key(|call| (call.accepted_at, call.source, call.place));
}
