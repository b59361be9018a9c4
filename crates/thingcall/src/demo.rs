//! `thingcall demo`: everything at work in a scratch folder, explained while it happens.
//!
//! **Invariant:** nothing is faked: a real server, real MQTT connections, real signatures.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use prometheus::Registry as Metering;
use thingcall_api::sign::Signer;
use thingcall_core::{AccessKey, DeviceKey, KeptCalls, ProductKey};
use thingcall_loader::PluginConfig;
use thingcall_store::Store;
use thingcall_tsl::{Directory, NewDevice, NewProduct, ProductNotes, ProductSettings, ThingModel};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::Client;
use crate::config::Config;
use crate::logs::{self, Log, LogFormat};
use crate::output::{self, Paint};
use crate::plugin;
use crate::preflight;
use crate::serve::Signals;
use crate::server::Server;
use crate::simulate::{Address, Asked, Device, DeviceAnswer, Listener, Said, simulated};
use crate::tool::scratch;
use crate::trust::Trust;

mod next;
mod steps;

/// The default module of the demonstration's product.
const MODEL: &str = include_str!("../models/lamp.json");
/// Its custom module.
const MODULE: &str = include_str!("../models/testFb.json");
const PRODUCT: &str = "a1DemoLamp0";
/// Says `ext` at its connect, as the Python device SDK does.
const WITH_EXT: &str = "lamp1";
/// Does not, as the Node device SDK does not.
const WITHOUT_EXT: &str = "lamp2";
/// Is registered and never connects.
const AWAY: &str = "lamp3";
/// The plugin that handles the custom module's calls.
const PLUGIN_FILE: &str = "libtest_fb.so";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(3);

/// How long it goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "It takes the usual ports where they are free, keeps everything in a scratch folder, and \
    removes that at its end.")]
pub(crate) struct Args {
    /// Exit after the calls; status 0 only if all went as they should
    #[arg(long)]
    once: bool,
}

/// Runs `thingcall demo`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let folder = scratch("thingcall-demo-")?;
    let metering = Metering::new();
    logs::start(&Log { level: "warn".to_owned(), format: LogFormat::Text, ..Log::default() }, &metering)?;
    let mut signals = Signals::new()?;
    let paint = Paint::for_stdout();

    let mut config = Config { data: folder.path().join("data"), ..config() };
    let plugin = plugin_beside();
    if let Some(file) = &plugin {
        plugin::install(&mut config, file, PluginConfig::default())?;
    }
    let listeners = preflight::bind(&config)?;
    let server = Server::start(config, listeners, &metering).await?;
    if plugin.is_some() {
        plugin::loaded(server.reloads.plugins()).context(PLUGIN_FILE)?;
    }
    let key = server.first_key.clone().context("a new store has no key yet")?;
    let mqtt = server.addresses.mqtt.context("the demo runs the embedded broker")?;
    steps::introduce(paint, &server, &key, folder.path());
    let show = Show { paint, plugin: plugin.is_some(), asked: Arc::default() };
    let devices = connect(&server.store, mqtt, &show).await?;

    let url = format!("http://{}", server.addresses.api);
    let mut client = Client::connect(&url, &Trust::default(), signer(&key)).await?;
    let failed = steps::run(&show, &mut client, &server.store).await?;
    if !args.once {
        next::print(paint, &server, &key, folder.path());
        signals.next().await;
        output::line("");
    }
    drop((client, devices));
    let stopped = server.stop(Duration::ZERO, DRAIN).await;
    Ok(stopped.exit(if failed == 0 { Ok(()) } else { Err(()) }))
}

/// What the steps share with the devices.
#[derive(Debug, Clone)]
struct Show {
    paint: Paint,
    /// Whether the plugin is loaded.
    plugin: bool,
    /// How often devices were asked so far.
    asked: Arc<AtomicUsize>,
}

/// The plugin's file, which cargo puts beside the program.
fn plugin_beside() -> Option<PathBuf> {
    let file = std::env::current_exe().ok()?.with_file_name(PLUGIN_FILE);
    file.is_file().then_some(file)
}

/// The defaults, on other ports where somebody else has the usual ones.
fn config() -> Config {
    let mut config = Config::default();
    // What is shown can be looked at in the console.
    config.records.keep = KeptCalls::All;
    for address in
        [&mut config.api.listen, &mut config.broker.listen, &mut config.metrics.listen, &mut config.console.listen]
    {
        if TcpListener::bind(*address).is_err() {
            *address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        }
    }
    config
}

fn signer(key: &AccessKey) -> Signer {
    Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: None }
}

/// Registers the product and its devices, and connects those that are not away. They end with the returned set.
async fn connect(store: &Arc<Store>, mqtt: SocketAddr, show: &Show) -> anyhow::Result<JoinSet<()>> {
    let product: ProductKey = PRODUCT.try_into()?;
    let new = NewProduct {
        key: Some(product.clone()),
        name: "demo lamp".to_owned(),
        notes: ProductNotes::default(),
        settings: ProductSettings::default(),
    };
    store.create_product(new).await?;
    let model = ThingModel::parse(MODEL, &[MODULE]).context("the demo's thing model")?;
    store.set_model(&product, model).await?;

    let (online, mut came) = mpsc::channel(8);
    let listener = telling(show, online);
    let broker = Address::from(mqtt);
    let mut running = JoinSet::new();
    for name in [WITH_EXT, WITHOUT_EXT, AWAY] {
        let new = NewDevice {
            product: product.clone(),
            name: Some(name.try_into()?),
            secret: None,
            nickname: None,
            transport: None,
        };
        let record = store.register(new).await?;
        if name != AWAY {
            let device = Device { ext: name == WITH_EXT, ..simulated(store, &record) };
            running.spawn(device.run(broker.clone(), listener.clone()));
        }
    }
    for _ in 0..running.len() {
        match timeout(CONNECT_TIMEOUT, came.recv()).await {
            Ok(Some(Ok(()))) => {}
            Ok(Some(Err(why))) => bail!("a simulated device could not connect: {why}"),
            Ok(None) | Err(_) => bail!("the simulated devices did not connect within 10 s"),
        }
    }
    Ok(running)
}

/// Prints what devices see, and passes on whether they could connect.
fn telling(show: &Show, online: mpsc::Sender<Result<(), String>>) -> Listener {
    let Show { paint, asked, .. } = show.clone();
    Arc::new(move |device: &DeviceKey, said| {
        let name = &device.name;
        let told = match said {
            Said::Online => Ok(()),
            Said::Refused(why) | Said::Lost(why) => Err(why),
            Said::Asked(Asked { topic, params, .. }) => {
                asked.fetch_add(1, Ordering::Relaxed);
                return output::line(paint.faint(&format!("    {name} gets      {params} on {topic}")));
            }
            Said::Answers(DeviceAnswer { topic, payload }) => {
                return output::line(paint.faint(&format!("    {name} answers   {payload} on {topic}")));
            }
        };
        // Full or closed: nobody waits any more.
        drop(online.try_send(told));
    })
}
