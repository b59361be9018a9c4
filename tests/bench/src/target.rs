//! A server that is measured, its own or a given one, and devices that answer at once.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use thingcall_api::sign::Signer;
use thingcall_store::Store;

use crate::args::Args;
use crate::broker::{Address, Broker};
use crate::child::Child;
use crate::deployment::Deployment;
use crate::device::Device;
use crate::load::{self, Expected};
use crate::pace::Plan;
use crate::posting::{POSTERS, Posted, Posting, Posts};
use crate::registered::{IDENTIFIER, IDENTIFIER_ASYNC, devices, names, scratch, subscribe};
use crate::report::Report;
use crate::requests::{Form, Requests, Service};
use crate::through::Through;
use crate::{amqp, device, wire};

/// Starts the server or finds the one of `--url`, connects its devices, and measures.
///
/// # Errors
/// What could not be done.
pub(crate) async fn turn(
    args: &Args,
    Setup { through, deployment, posts }: Setup<'_>,
    plan: Plan,
) -> anyhow::Result<(Report, Option<Posted>)> {
    let folder = scratch()?;
    let data = args.data.clone().unwrap_or_else(|| folder.path().join("data"));
    let shared = deployment.start().await?;
    // Before the server starts, so that it knows them from the beginning.
    let store = Store::open(shared.store(), &data).await?;
    let registered = Registered::new(args, posts, &store).await;
    store.close().await;
    let registered = registered?;
    if let Some(url) = &args.url {
        let pids = args.server_pid.into_iter().collect();
        return registered.measure(args, plan, Target { urls: vec![url.clone()], embedded: None, pids }).await;
    }
    let configuration = configuration(&args.broker) + &shared.configuration() + &through.install(&data)?;
    let mut children = vec![serve(args, through, &configuration, &data).await?];
    for number in 1..deployment.instances() {
        let data = folder.path().join(format!("data-{number}"));
        children.push(serve(args, through, &configuration, &data).await?);
    }
    let measured = registered.measure(args, plan, Target::of(&children)?).await;
    for child in children {
        child.stop().await;
    }
    shared.stop().await;
    measured
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) through: Through<'a>,
    pub(crate) deployment: Deployment,
    pub(crate) posts: Option<Posts>,
}

/// Starts a server with this configuration, on data that are there, and nothing else.
///
/// # Errors
/// If it does not start.
pub(crate) async fn start(args: &Args, configuration: &str, data: &Path) -> anyhow::Result<Child> {
    serve(args, Through::BuiltIn, configuration, data).await
}

/// The servers that are measured.
struct Target {
    urls: Vec<String>,
    /// Where the one server's own broker listens.
    embedded: Option<String>,
    /// Their processes, where they are known.
    pids: Vec<u32>,
}

impl Target {
    fn of(children: &[Child]) -> anyhow::Result<Self> {
        let urls = children.iter().map(|child| Ok(format!("http://{}", child.said("api")?)));
        let embedded = children.first().and_then(|child| child.said("mqtt").ok()).map(str::to_owned);
        let pids = children.iter().flat_map(Child::id).collect();
        Ok(Self { urls: urls.collect::<anyhow::Result<_>>()?, embedded, pids })
    }

    /// Where devices that speak MQTT are.
    fn mqtt(&self, broker: &Broker) -> anyhow::Result<Address> {
        match broker {
            Broker::At(address) => Ok(address.clone()),
            Broker::Embedded => {
                let embedded = self.embedded.as_deref();
                let embedded = embedded.context("--url needs --broker too: where the server's devices connect")?;
                embedded.parse().map_err(anyhow::Error::msg)
            }
            Broker::Amqp(_) => anyhow::bail!("--posts needs devices that speak MQTT"),
        }
    }
}

/// What is registered with the server, and the key to call it with.
struct Registered {
    signer: Signer,
    devices: Vec<Device>,
    /// Those that report, and how many reports all of them make a second.
    posters: Option<(Vec<Device>, u32)>,
}

impl Registered {
    async fn new(args: &Args, posts: Option<Posts>, store: &Arc<Store>) -> anyhow::Result<Self> {
        store.first_key(thingcall_store::NewKey::default()).await?;
        let key = store.keys().into_iter().find(|key| key.enabled).context("the store has no access key")?;
        let more = if posts.is_some() { POSTERS } else { 0 };
        let mut devices = devices(store, args.devices + more, true).await?;
        let posters = posts.map(|posts| (devices.split_off(args.devices as usize), posts.rate));
        if posts.is_some_and(|posts| posts.written) {
            subscribe(store).await?;
        }
        let signer = Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: None };
        Ok(Self { signer, devices, posters })
    }

    async fn measure(self, args: &Args, plan: Plan, target: Target) -> anyhow::Result<(Report, Option<Posted>)> {
        let service = Service {
            signer: self.signer,
            signature: args.signature,
            identifier: if args.asynchronous { IDENTIFIER_ASYNC } else { IDENTIFIER },
            qos: args.qos,
        };
        let addresses = target.urls.iter().map(|url| wire::address_of(url)).collect::<anyhow::Result<Vec<_>>>()?;
        let host = addresses.first().context("no server")?;
        let requests = Requests::once_each(&Form::Service(service), host, &names(args.devices), plan)?;
        let mut running = match &args.broker {
            Broker::At(_) | Broker::Embedded => {
                device::connect(self.devices, &target.mqtt(&args.broker)?, args.habit()).await?
            }
            Broker::Amqp(rabbit) => {
                let names: Vec<_> = self.devices.into_iter().map(|device| device.key).collect();
                amqp::connect(&rabbit.uri(), &names).await?
            }
        };
        let expected = if args.asynchronous { Expected::MessageId } else { Expected::Result };
        let posting = match self.posters {
            Some((devices, rate)) => Some(Posting::start(devices, &target.mqtt(&args.broker)?, rate).await?),
            None => None,
        };
        let measured = load::measure(&addresses, (requests, expected), plan, &target.pids).await;
        let posted = match posting {
            Some(posting) => Some(posting.stop().await?),
            None => None,
        };
        running.shutdown().await;
        Ok((measured?, posted))
    }
}

/// Starts a server on free ports, with its configuration in its data folder.
async fn serve(args: &Args, through: Through<'_>, configuration: &str, data: &Path) -> anyhow::Result<Child> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let file = data.join("bench.toml");
    std::fs::write(&file, configuration)?;
    let free = "127.0.0.1:0";
    let mut arguments = ["serve", "--api", free, "--mqtt", free, "--metrics", free].map(Into::into).to_vec();
    arguments.extend(["--config".into(), file.into_os_string(), "--data".into(), data.as_os_str().to_owned()]);
    let child = Child::start(&program(args)?, arguments).await?;
    through.check(child.said("metrics")?).await?;
    Ok(child)
}

/// The thingcall that is measured.
fn program(args: &Args) -> anyhow::Result<PathBuf> {
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("thingcall"));
    let program = args.program.clone().map_or_else(beside, Ok)?;
    anyhow::ensure!(
        program.is_file(),
        "{} is not there: build the package thingcall, or give --program",
        program.display()
    );
    Ok(program)
}

/// What all of them have in common. JSON's quoting is TOML's.
pub(crate) fn configuration(broker: &Broker) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let enabled = *broker == Broker::Embedded;
    let mut text = format!("[broker]\nenabled = {enabled}\n[log]\nlevel = \"warn\"\n");
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
