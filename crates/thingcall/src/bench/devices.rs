//! The benchmark's devices by themselves, for programs that are measured from outside.
//!
//! They take requests on `/sys/a1BenchLamp/NAME/rrpc/request/ID` and answer on `.../rrpc/response/ID`.

use anyhow::bail;
use thingcall_store::Store;

use super::{Args, Broker, device, target};
use crate::exit::WrongUse;
use crate::output;
use crate::simulate::Device;
use crate::tool::scratch;

/// Connects them, says so in one line, and answers until the future is dropped.
///
/// # Errors
/// If they cannot connect.
pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    let Broker::At(address) = &args.broker else {
        bail!(WrongUse("devices by themselves need --broker mqtt://HOST:PORT".to_owned()));
    };
    let folder = scratch("thingcall-bench-")?;
    let store = Store::open(thingcall_store::Config::default(), folder.path()).await?;
    let product = target::product(&store).await?;
    let devices = target::devices(&store, &product, args.devices).await?;
    let devices = devices.into_iter().map(|device| Device { ext: false, ..device }).collect();
    let mut running = device::connect(devices, address, args.habit()).await?;
    output::line(format_args!("ready devices={}", args.devices));
    while running.join_next().await.is_some() {}
    Ok(())
}
