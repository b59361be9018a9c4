//! Calls as what is registered grows: devices that are called in no order, products, services in a model.
//!
//! One connection answers for all devices: what grows is what the server knows, not what the broker holds. The warm-up is long
//! enough to call most devices once, so that what is measured is not how they are read from the disk.

use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use thingcall_api::sign::Signer;
use thingcall_store::{NewKey, Store};

use crate::args::Args;
use crate::broker::{Address, Broker};
use crate::load::{self, Expected};
use crate::pace::Plan;
use crate::registered::{Called, IDENTIFIER, Size, fill, scratch};
use crate::report::Report;
use crate::requests::{Form, Requests, Service};
use crate::rest::Resting;
use crate::{device, output, target, wire};

const DEVICES: [u32; 3] = [1_000, 10_000, 100_000];
const PRODUCTS: [u32; 3] = [10, 100, 1_000];
/// How many devices a second are called for the first time, at least.
const CALLED_ONCE_PER_SECOND: u64 = 5000;
const SERVICES: [u32; 3] = [10, 100, 300];

/// Measures each size in turn.
///
/// # Errors
/// What could not be started or measured.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let Broker::At(broker) = &args.broker else {
        bail!("growth needs --broker mqtt://HOST:PORT that lets everybody do everything");
    };
    let resting = Resting(&args.taking);
    for _ in 0..args.rounds {
        for (name, size) in sizes() {
            resting.turn_of(&["calls", &args.broker.to_string()])?;
            let report = turn(args, broker, size).await?;
            print(args, &name, size, &report);
        }
    }
    Ok(())
}

/// The usual one, and each with one part of it grown.
fn sizes() -> Vec<(String, Size)> {
    let usual = Size::default();
    let devices = DEVICES.map(|devices| (format!("devices-{devices}"), Size { devices, ..usual }));
    // Each has a device that is called.
    let products = PRODUCTS.map(|products| {
        (format!("products-{products}"), Size { products, devices: products.max(usual.devices), ..usual })
    });
    let services = SERVICES.map(|services| (format!("services-{services}"), Size { services, ..usual }));
    [("usual".to_owned(), usual)].into_iter().chain(devices).chain(products).chain(services).collect()
}

async fn turn(args: &Args, broker: &Address, size: Size) -> anyhow::Result<Report> {
    let (folder, plan) = (scratch()?, args.plan());
    let warm_up = plan.warm_up + Duration::from_millis(u64::from(size.devices) * 1000 / CALLED_ONCE_PER_SECOND);
    let plan = Plan { warm_up, ..plan };
    let data = folder.path().join("data");
    let store = Store::open(thingcall_store::Config::default(), &data).await?;
    let key = store.add_key(NewKey::default()).await?;
    let mut called = fill(&store, size).await?;
    store.close().await;
    shuffle(&mut called);
    let configuration =
        target::configuration(&args.broker) + "[api]\ncalls_per_second_max = 0\nnonces_max = 100000000\n";
    let server = target::start(args, &configuration, &data).await?;
    let devices = device::answer_for_all(broker).await?;
    let address = wire::address_of(&format!("http://{}", server.said("api")?))?;
    let signer = Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: None };
    let service = Service { signer, signature: args.signature, identifier: IDENTIFIER, qos: args.qos };
    let requests = Requests::once_each(&Form::Service(service), &address, &called, plan)?;
    let measured = load::measure(&[address], (requests, Expected::Result), plan, &server.id()).await;
    drop(devices);
    server.stop().await;
    measured
}

/// The same for every run.
fn shuffle(all: &mut [Called]) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for last in (1..all.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap_or_default() % (last + 1);
        all.swap(last, other);
    }
}

fn print(args: &Args, name: &str, size: Size, report: &Report) {
    if !args.json {
        return output::line(report.text(name, &args.broker.to_string()));
    }
    let mut object = report.json();
    let about = [
        ("what", json!(name)),
        ("devices", json!(size.devices)),
        ("products", json!(size.products)),
        ("services", json!(size.services)),
    ];
    object.extend(about.map(|(name, value)| (name.to_owned(), value)));
    output::object(object);
}
