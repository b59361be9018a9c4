//! One product, one device and one key in memory, and a device that answers at once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock, Weak};

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use thingcall_alink::{Uplink, payload, request_topic, uplink};
use thingcall_core::{
    AccessKey, CallId, Completion, DeliverError, Delivery, Device, DeviceKey, DeviceName, DeviceRef, Ending, IotId,
    Journal, JournalEntry, JournalError, Keys, LookUp, OpenCall, Presence, ProductKey, Record, ReplySink, Secret, Sent,
    SyncTopic, Transport, TransportKind, TransportName, Unawaited, UnixMillis,
};
use thingcall_engine::Engine;
use thingcall_tsl::{
    Applied, Batch, BatchId, Batches, DeviceCounts, DevicePage, DeviceRecord, Directory, DirectoryError, Found,
    ModelVersion, ModelVersions, NewDevice, NewProduct, Product, ProductChange, ProductEdit, ProductNotes,
    ProductSettings, Registry, Tags, ThingModel,
};

/// The model of the benchmark.
const MODEL: &str = include_str!("../../../crates/thingcall/models/lamp.json");
const MODULE: &str = include_str!("../../bench/model.json");
pub(crate) const PRODUCT: &str = "a1BenchLamp";
pub(crate) const DEVICE: &str = "sim-0001";

/// What is registered.
pub(crate) struct Site {
    pub(crate) found: Found,
    key: Arc<AccessKey>,
}

impl Site {
    pub(crate) fn new() -> anyhow::Result<Arc<Self>> {
        Self::with(MODULE)
    }

    /// With so many services in the module, the one that is called as the last.
    pub(crate) fn with_services(count: usize) -> anyhow::Result<Arc<Self>> {
        let (head, rest) = MODULE.split_once(r#""services": ["#).context("services")?;
        let (service, _) = rest.split_once(r#"{"identifier": "testServiceAsync""#).context("a second service")?;
        let other = |number: usize| service.replace("testService", &format!("another{number}"));
        // Two stand there already.
        let others: String = (2..count).map(other).collect();
        Self::with(&format!(r#"{head}"services": [{others}{rest}"#))
    }

    fn with(module: &str) -> anyhow::Result<Arc<Self>> {
        let key = DeviceKey { product: PRODUCT.try_into()?, name: DEVICE.try_into()? };
        let product = Product {
            key: key.product.clone(),
            name: "bench".to_owned(),
            settings: ProductSettings::default(),
            model: Some(Arc::new(ThingModel::parse(MODEL, &[module])?)),
            created_at: UnixMillis(0),
            notes: ProductNotes::default(),
            silence: Arc::default(),
        };
        let device = Device { key, iot_id: IotId::try_from("bench")?, enabled: true, transport: None };
        let key = AccessKey {
            id: "testid".to_owned(),
            secret: Secret::new("testsecret"),
            account: "account".to_owned(),
            enabled: true,
            security_token: None,
            result: None,
            allow: None,
            temporary: None,
        };
        let found = Found { device: Arc::new(device), product: Arc::new(product), way: None };
        Ok(Arc::new(Self { found, key: Arc::new(key) }))
    }

    pub(crate) fn key(&self) -> &AccessKey {
        &self.key
    }
}

impl Registry for Site {
    fn find(&self, target: &DeviceRef) -> LookUp<'_, Found> {
        let known = matches!(target, DeviceRef::Key(key) if *key == self.found.device.key);
        LookUp::known(known.then(|| self.found.clone()))
    }

    fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        (*key == self.found.product.key).then(|| self.found.product.clone())
    }
}

impl Keys for Site {
    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        (id == self.key.id).then(|| self.key.clone())
    }
}

/// Takes everything at once and keeps nothing: what is counted is the engine's part alone.
#[async_trait]
impl Journal for Site {
    async fn open(&self, _: JournalEntry) -> Result<(), JournalError> {
        Ok(())
    }
    fn note(&self, _: &DeviceKey, _: CallId, _: TransportKind, _: Sent) {}
    fn end(&self, ending: Ending) {
        if let Ending::Replied(reply) = ending {
            reply.told(Completion::Unknown);
        }
    }
    async fn find(&self, _: CallId) -> Result<Vec<Record>, JournalError> {
        Ok(Vec::new())
    }
    async fn open_calls(&self, _: &DeviceKey, _: usize) -> Result<Vec<Record>, JournalError> {
        Ok(Vec::new())
    }
    async fn last_place(&self) -> Result<i64, JournalError> {
        Ok(0)
    }
    async fn open_in_slot(&self, _: u8, _: RangeInclusive<i64>, _: usize) -> Result<Vec<OpenCall>, JournalError> {
        Ok(Vec::new())
    }
    async fn taken_over(&self, _: &[i64], _: &str) -> Result<(), JournalError> {
        Ok(())
    }
}

fn nothing<T>() -> Result<T, DirectoryError> {
    Err(DirectoryError::Store("nothing is changed here".to_owned()))
}

/// No call needs it; the front does.
#[async_trait]
impl Directory for Site {
    async fn create_product(&self, _: NewProduct) -> Result<Arc<Product>, DirectoryError> {
        nothing()
    }
    async fn change_settings(&self, _: &ProductKey, _: ProductSettings) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn edit_product(&self, _: &ProductKey, _: &mut ProductEdit<'_>) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn set_model(&self, _: &ProductKey, _: ThingModel) -> Result<(), DirectoryError> {
        nothing()
    }
    fn products(&self) -> Vec<Arc<Product>> {
        Vec::new()
    }
    async fn register(&self, _: NewDevice) -> Result<DeviceRecord, DirectoryError> {
        nothing()
    }
    async fn device(&self, _: &DeviceRef) -> Result<DeviceRecord, DirectoryError> {
        nothing()
    }
    async fn devices(
        &self,
        _: &ProductKey,
        _: Option<&DeviceName>,
        _: usize,
    ) -> Result<Vec<DeviceRecord>, DirectoryError> {
        nothing()
    }
    async fn count_devices(&self, _: &ProductKey) -> Result<u64, DirectoryError> {
        nothing()
    }
    async fn change_product(&self, _: &ProductKey, _: ProductChange) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn remove_product(&self, _: &ProductKey) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn count_each(&self, _: &[ProductKey]) -> Result<Vec<u64>, DirectoryError> {
        nothing()
    }
    async fn device_counts(&self, _: Option<&ProductKey>) -> Result<DeviceCounts, DirectoryError> {
        nothing()
    }
    async fn page(&self, _: &ProductKey, _: &DevicePage) -> Result<Vec<DeviceRecord>, DirectoryError> {
        nothing()
    }
    async fn set_enabled(&self, _: &DeviceKey, _: bool) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn set_transport(&self, _: &DeviceKey, _: Option<TransportName>) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn remove(&self, _: &DeviceKey) -> Result<(), DirectoryError> {
        nothing()
    }
}

#[async_trait]
impl Batches for Site {
    async fn apply(&self, _: &ProductKey, _: Vec<Applied>) -> Result<BatchId, DirectoryError> {
        nothing()
    }
    async fn register_some(&self, _: &ProductKey, _: usize) -> Result<BatchId, DirectoryError> {
        nothing()
    }
    async fn register_batch(&self, _: &ProductKey, _: BatchId) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn batch(&self, _: BatchId) -> Result<(Batch, Vec<Applied>), DirectoryError> {
        nothing()
    }
    async fn batch_page(&self, _: &Batch, _: u64, _: usize) -> Result<(Vec<DeviceRecord>, u64), DirectoryError> {
        nothing()
    }
}

#[async_trait]
impl ModelVersions for Site {
    async fn model_versions(&self, _: &ProductKey) -> Result<Vec<ModelVersion>, DirectoryError> {
        nothing()
    }
    async fn model_of(&self, _: &ProductKey, _: &str) -> Result<Option<ThingModel>, DirectoryError> {
        nothing()
    }
    async fn publish_model(&self, _: &ProductKey, _: Option<&str>, _: Option<&str>) -> Result<(), DirectoryError> {
        nothing()
    }
}

#[async_trait]
impl Tags for Site {
    async fn tags(&self, _: &DeviceKey) -> Result<BTreeMap<String, String>, DirectoryError> {
        nothing()
    }
    async fn save_tags(&self, _: &DeviceKey, _: &BTreeMap<String, String>) -> Result<(), DirectoryError> {
        nothing()
    }
    async fn remove_tag(&self, _: &DeviceKey, _: &str) -> Result<(), DirectoryError> {
        nothing()
    }
}

/// Puts a delivery into topic and payload as a transport does, and has the answer read as one does.
pub(crate) struct Wire {
    pub(crate) engine: OnceLock<Weak<Engine>>,
    answers: bool,
}

impl Wire {
    pub(crate) fn answering(engine: OnceLock<Weak<Engine>>) -> Self {
        Self { engine, answers: true }
    }

    pub(crate) fn silent(engine: OnceLock<Weak<Engine>>) -> Self {
        Self { engine, answers: false }
    }

    fn deliver_now(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        let request = (request_topic(delivery, SyncTopic::Rrpc), payload(delivery));
        if !self.answers {
            return Ok(Sent::Sent);
        }
        let engine = self.engine.get().and_then(Weak::upgrade).ok_or(DeliverError::Down)?;
        if delivery.deadline.is_some()
            && let Uplink::Reply(reply) = read(&answer(delivery, &request.0))
        {
            engine.accept(reply, &request.0, &Unawaited);
        }
        Ok(Sent::Sent)
    }
}

#[async_trait]
impl Transport for Wire {
    fn kind(&self) -> TransportKind {
        TransportKind::Mqtt
    }
    fn name(&self) -> TransportName {
        TransportName::MQTT
    }
    fn presence(&self, _: &DeviceKey) -> Presence {
        Presence::Unknown
    }
    fn ready(&self) -> bool {
        true
    }
    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        self.deliver_now(delivery)
    }
    fn deliver_at_once(&self, delivery: &Delivery) -> Option<Result<Sent, DeliverError>> {
        Some(self.deliver_now(delivery))
    }
}

/// What the device publishes: its topic and its payload.
pub(crate) type Message = (String, Bytes);

/// The device's answer to a request on this topic. As cheap as may be: it is no part of what is counted.
pub(crate) fn answer(delivery: &Delivery, topic: &str) -> Message {
    let (way, id) = topic.rsplit_once('/').unwrap_or_default();
    let data = delivery.params.as_str();
    let payload = joined([r#"{"id":""#, id, r#"","code":200,"data":"#, data, r#","message":"success"}"#]);
    (joined([way.strip_suffix("request").unwrap_or(way), "response/", id]), Bytes::from(payload))
}

fn joined<const N: usize>(pieces: [&str; N]) -> String {
    let mut text = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        text.push_str(piece);
    }
    text
}

pub(crate) fn read((topic, payload): &Message) -> Uplink {
    uplink(TransportKind::Mqtt, topic, payload, 256 * 1024, |_, _| thingcall_core::Takes::Alink)
}
