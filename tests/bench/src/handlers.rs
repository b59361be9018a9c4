//! What a handler costs: the same call through the engine to a device that answers at once, by the built-in handler, by
//! one inside the server, and by plugins.
//!
//! No HTTP, no broker: what is measured is the engine's own path and what a handler adds to it. Rows are taken in turns,
//! a batch of calls each, so that whatever else the machine does meets all of them.

use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use prometheus::Registry as Metering;
use serde_json::json;
use tempfile::TempDir;
use thingcall_core::{
    Answer, BuiltInOnly, Call, CallError, Codec, Command, Conditions, Deadline, DeliverError, Delivery, DeviceKey,
    DeviceLink, DeviceRef, Handler, Handlers, Presence, ProductKey, Qos, Repairs, Reply, ReplyBody, ReplySink, Request,
    RequestId, Sent, Slots, Transport, TransportKind, TransportName, Unawaited,
};
use thingcall_engine::Engine;
use thingcall_loader::{Execution, PluginConfig, PluginConfigs, Plugins};
use thingcall_store::Store;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::output;
use crate::registered::{self, scratch};

/// Calls in a batch, and how many batches each row gets.
const BATCH_CALLS: u32 = 2_000;
const BATCHES: usize = 100;
/// How many calls run at once in the rows that say so.
const AT_ONCE: u32 = 64;

/// One way to handle a call.
struct Row {
    name: &'static str,
    engine: Arc<Engine>,
    at_once: u32,
    /// Nanoseconds a call, one figure a batch.
    nanos: Vec<f64>,
}

/// Measures and prints.
///
/// # Errors
/// If the plugin cannot be loaded.
pub(crate) async fn run(plugin: &Path, json: bool) -> anyhow::Result<()> {
    let folder = scratch()?;
    let bench = Bench::new(&folder).await?;
    let inline = bench.plugins(plugin, Execution::Inline).await?;
    let pool = bench.plugins(plugin, Execution::Pool).await?;
    let mut rows = vec![
        bench.row("built-in", Arc::new(BuiltInOnly), 1)?,
        bench.row("trait object", Arc::new(OneHandler(Arc::new(Echo))), 1)?,
        bench.row("plugin, inline", inline.clone(), 1)?,
        bench.row("plugin, pool", pool.clone(), 1)?,
        bench.row("built-in, 64 at once", Arc::new(BuiltInOnly), AT_ONCE)?,
        bench.row("plugin, inline, 64 at once", inline.clone(), AT_ONCE)?,
        bench.row("plugin, pool, 64 at once", pool.clone(), AT_ONCE)?,
    ];
    // On a worker, as calls run in a server.
    let rows = tokio::spawn(async move {
        for _ in 0..BATCHES {
            for row in &mut rows {
                bench.batch(row).await?;
            }
        }
        anyhow::Ok(rows)
    })
    .await??;
    for row in &rows {
        row.print(json);
    }
    inline.shutdown().await;
    pool.shutdown().await;
    Ok(())
}

impl Row {
    fn print(&self, json: bool) {
        let mut sorted = self.nanos.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, median) = (sorted.first().copied(), sorted.get(sorted.len() / 2).copied());
        let (least, median) = (least.unwrap_or_default(), median.unwrap_or_default());
        if json {
            output::line(json!({ "what": "handlers", "row": self.name, "medianNs": median, "leastNs": least }));
        } else {
            output::line(format!("{:<28} median {median:>7.0} ns/call   least {least:>7.0} ns/call", self.name));
        }
    }
}

/// What all rows share: the store with one device.
struct Bench {
    folder: std::path::PathBuf,
    store: Arc<Store>,
    device: DeviceKey,
}

impl Bench {
    async fn new(folder: &TempDir) -> anyhow::Result<Self> {
        let store = Store::open(thingcall_store::Config::default(), &folder.path().join("data")).await?;
        let devices = registered::devices(&store, 1, true).await?;
        let device = devices.first().context("a device")?.key.clone();
        Ok(Self { folder: folder.path().to_owned(), store, device })
    }

    async fn plugins(&self, file: &Path, execution: Execution) -> anyhow::Result<Arc<Plugins>> {
        let name = thingcall_loader::inspect(&std::fs::read(file)?)?.manifest.name;
        let claims = Some(vec!["*".to_owned()]);
        let config = PluginConfig { execution, claims, ..PluginConfig::default() };
        let data = self.folder.join(format!("{execution:?}"));
        std::fs::create_dir(&data)?;
        let configs = PluginConfigs::from([(name, config)]);
        let loader = thingcall_loader::Config { watch: false, ..thingcall_loader::Config::default() };
        let plugins = Plugins::start(loader, configs, &data, &Conditions::default(), &Metering::new()).await?;
        plugins.load_file(file).await?;
        Ok(plugins)
    }

    fn row(&self, name: &'static str, handlers: Arc<dyn Handlers>, at_once: u32) -> anyhow::Result<Row> {
        let (registry, journal, slots) = (self.store.clone(), self.store.clone(), Slots::alone(0));
        let parts = thingcall_engine::EngineParts {
            registry,
            journal,
            handlers,
            slots,
            reports: thingcall_engine::Reports::default(),
            records: Arc::new(thingcall_core::NoRecords),
            tracer: None,
        };
        let engine = Engine::new(thingcall_engine::Config::default(), parts, &Metering::new())?;
        let sink: Weak<Engine> = Arc::downgrade(&engine);
        let wire = Arc::new(Wire { engine: OnceLock::from(sink) });
        engine.attach(wire);
        Ok(Row { name, engine, at_once, nanos: Vec::with_capacity(BATCHES) })
    }

    async fn batch(&self, row: &mut Row) -> anyhow::Result<()> {
        let began = Instant::now();
        for _ in 0..BATCH_CALLS / row.at_once {
            if row.at_once == 1 {
                let _invoked = row.engine.invoke(self.request()).await?;
            } else {
                let mut calls: JoinSet<_> =
                    (0..row.at_once).map(|_| invoke(row.engine.clone(), self.request())).collect();
                while let Some(ended) = calls.join_next().await {
                    ended??;
                }
            }
        }
        let calls = f64::from(BATCH_CALLS / row.at_once * row.at_once);
        row.nanos.push(began.elapsed().as_secs_f64() * 1e9 / calls);
        Ok(())
    }

    fn request(&self) -> Request {
        Request {
            request_id: RequestId::random(),
            action: "InvokeThingService",
            key: None,
            arrived: Instant::now().into_std(),
            target: DeviceRef::Key(self.device.clone()),
            asks: thingcall_core::Asks::Service,
            service: registered::IDENTIFIER.parse().unwrap_or_else(|_| unreachable!()),
            args: r#"{"param1":7}"#.to_owned(),
            qos: Qos::AtMostOnce,
            deadline: Deadline::at((Instant::now() + Duration::from_secs(8)).into_std()),
            trace: None,
            fails_by_code: false,
        }
    }
}

async fn invoke(engine: Arc<Engine>, request: Request) -> Result<(), CallError> {
    engine.invoke(request).await.map(drop)
}

/// A device on a wire without length.
struct Wire {
    engine: OnceLock<Weak<Engine>>,
}

#[async_trait]
impl Transport for Wire {
    fn kind(&self) -> TransportKind {
        TransportKind::Mqtt
    }

    fn name(&self) -> TransportName {
        TransportName::MQTT
    }

    fn presence(&self, _device: &DeviceKey) -> Presence {
        Presence::Online
    }

    fn ready(&self) -> bool {
        true
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        let engine = self.engine.get().and_then(Weak::upgrade).ok_or(DeliverError::Down)?;
        let body = ReplyBody { code: ReplyBody::SUCCESS, message: None, data: delivery.params.as_str().to_owned() };
        let reply = Reply {
            device: delivery.device.key.clone(),
            transport: TransportKind::Mqtt,
            payload_id: Some(delivery.id),
            topic_id: None,
            repairs: Repairs::NONE,
            body: Ok(body),
            bytes: delivery.params.as_str().len(),
        };
        engine.accept(reply, "", &Unawaited);
        Ok(Sent::Sent)
    }
}

/// What the echo plugin does, inside the server: the price of a handler without a boundary.
struct Echo;

#[async_trait]
impl Handler for Echo {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        device.call(Command { service: call.service.clone(), params: call.args.clone() }).await
    }
}

struct OneHandler(Arc<dyn Handler>);

impl Handlers for OneHandler {
    fn find(&self, _call: &Call) -> Option<Arc<dyn Handler>> {
        Some(self.0.clone())
    }

    fn codec(&self, _product: &ProductKey) -> Option<Arc<dyn Codec>> {
        None
    }
}
