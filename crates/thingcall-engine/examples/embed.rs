//! The engine without the program, behind a transport of one's own: here a device that is a function beside it. A broker
//! would write `delivery` to its socket and hand on what comes back. Run it with
//! `cargo run --example embed -p thingcall-engine`.

#![allow(clippy::print_stdout, reason = "it shows what comes out")]

use std::error::Error;
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use thingcall_core::{
    Answer, Asks, BuiltInOnly, Deadline, DeliverError, Delivery, Device, DeviceKey, DeviceRef, IotId, NoJournal,
    NoRecords, Presence, Qos, Repairs, Reply, ReplyBody, ReplySink, Request, RequestId, Sent, Slots, Transport,
    TransportKind, TransportName, Unawaited, UnixMillis,
};
use thingcall_engine::{Config, Engine, EngineParts, Invoked, Reports};
use thingcall_tsl::{InMemoryRegistry, Product, ProductNotes, ProductSettings, ThingModel};
use tokio::time::Instant;

const MODEL: &str = r#"{"schema": "", "profile": {"version": "1.5", "productKey": "lamp"}, "properties": [], "events": [],
  "services": [{"identifier": "dim", "name": "dim", "callType": "sync", "method": "thing.service.dim",
    "inputData": [{"identifier": "level", "name": "l", "dataType": {"type": "int", "specs": {"min": "0", "max": "100"}}}],
    "outputData": [{"identifier": "level", "name": "l", "dataType": {"type": "int", "specs": {"min": "0", "max": "100"}}}]}]}"#;

/// The way to the devices; what they say goes to the engine.
#[derive(Default)]
struct Loopback(OnceLock<Weak<Engine>>);

#[async_trait]
impl Transport for Loopback {
    fn kind(&self) -> TransportKind {
        TransportKind::Embedded
    }
    fn name(&self) -> TransportName {
        TransportName::EMBEDDED
    }
    fn presence(&self, _: &DeviceKey) -> Presence {
        Presence::Online
    }
    fn ready(&self) -> bool {
        true
    }
    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        let engine = self.0.get().and_then(Weak::upgrade).ok_or(DeliverError::Down)?;
        let data = delivery.params.as_str().to_owned();
        let (device, payload_id, bytes) = (delivery.device.key.clone(), Some(delivery.id), data.len());
        let body = Ok(ReplyBody { code: ReplyBody::SUCCESS, message: None, data });
        let (transport, repairs) = (self.kind(), Repairs::NONE);
        engine.accept(
            Reply { device, transport, payload_id, topic_id: None, repairs, body, bytes },
            "loopback",
            &Unawaited,
        );
        Ok(Sent::Sent)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let registry = Arc::new(InMemoryRegistry::default());
    let (key, created_at) = (DeviceKey { product: "lamp".parse()?, name: "kitchen".parse()? }, UnixMillis::now());
    let (settings, model) = (ProductSettings::default(), Some(Arc::new(ThingModel::parse(MODEL, &[])?)));
    let (notes, silence) = (ProductNotes::default(), Arc::default());
    registry.put_product(Product {
        key: "lamp".parse()?,
        name: "Lamp".to_owned(),
        notes,
        settings,
        model,
        created_at,
        silence,
    });
    registry.put_device(Device { key: key.clone(), iot_id: IotId::try_from("1")?, enabled: true, transport: None });

    let slots = Slots::alone(0);
    let parts = EngineParts {
        registry,
        journal: Arc::new(NoJournal),
        handlers: Arc::new(BuiltInOnly),
        slots,
        reports: Reports::default(),
        records: Arc::new(NoRecords),
        tracer: None,
    };
    let engine = Engine::new(Config::default(), parts, &prometheus::Registry::new())?;
    let loopback = Arc::new(Loopback(OnceLock::from(Arc::downgrade(&engine))));
    engine.attach(loopback);
    for args in [r#"{"level": 70}"#, r#"{"level": 700}"#] {
        let deadline = Deadline::at((Instant::now() + engine.reply_timeout()).into_std());
        let (target, args) = (DeviceRef::Key(key.clone()), args.to_owned());
        let (request_id, service, qos) = (RequestId::random(), "dim".parse()?, Qos::AtMostOnce);
        let (action, key, arrived, asks) = ("", None, Instant::now().into_std(), Asks::Service);
        let request = Request {
            request_id,
            action,
            key,
            arrived,
            target,
            asks,
            service,
            args,
            qos,
            deadline,
            fails_by_code: false,
            trace: None,
        };
        match engine.invoke(request).await {
            Ok(Invoked { answer: Answer::Replied(body), .. }) => println!("answered: {}", body.data),
            Ok(Invoked { id, .. }) => println!("on its way: {id}"),
            Err(error) => println!("refused: {error}"),
        }
    }
    engine.drain(engine.reply_timeout()).await;
    Ok(())
}
