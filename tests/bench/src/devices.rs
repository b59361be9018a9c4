//! The benchmark's devices by themselves, for programs that are measured from outside.
//!
//! They take requests on `/sys/a1BenchLamp/NAME/rrpc/request/ID` and answer on `.../rrpc/response/ID`.

use anyhow::bail;
use thingcall_store::Store;

use crate::args::Args;
use crate::broker::Broker;
use crate::registered::{self, scratch};
use crate::{device, output};

/// Connects them, says so in one line, and answers until the future is dropped.
///
/// # Errors
/// If they cannot connect.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let Broker::At(address) = &args.broker else {
        bail!("devices by themselves need --broker mqtt://HOST:PORT");
    };
    let folder = scratch()?;
    let store = Store::open(thingcall_store::Config::default(), folder.path()).await?;
    let devices = registered::devices(&store, args.devices, false).await?;
    let mut running = device::connect(devices, address, args.habit()).await?;
    output::line(format_args!("ready devices={}", args.devices));
    while running.join_next().await.is_some() {}
    Ok(())
}
