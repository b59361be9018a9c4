//! Rows of either database, and what they become in memory.

use std::sync::Arc;

use thingcall_core::{
    AccessKey, AllowList, Args, CallMode, CallSource, Delivery, Device, EndedCall, IotId, KeptCall, KeptHop, OpenCall,
    Outcome, ProductKey, Qos, ReaderName, Record, ResultShape, Secret, TakenOver, Temporary, TransportName, UnixMillis,
};
use thingcall_tsl::{Product, ProductNotes, ThingModel};
use tracing::error;

use crate::calls::{Called, Candidate};
use crate::change::{ChangeRow, Subject};
use crate::columns::{self, Columns, decode, device_key, maybe_time};
use crate::live::{Live, Seen};
use crate::memory::DeviceEntry;
use crate::record_body;

/// A product and the texts of its model.
///
/// What cannot be read of settings or model is logged and left at its default: one bad product must not stop the rest.
pub(crate) fn product(row: &impl Columns, texts: &[String]) -> Result<Product, sqlx::Error> {
    let key = ProductKey::try_from(row.text("key")?).map_err(decode)?;
    let settings = serde_json::from_str(row.text("settings")?).unwrap_or_else(|problem| {
        error!(product = %key, %problem, "settings of a product cannot be read; its calls are treated by default");
        thingcall_tsl::ProductSettings::default()
    });
    Ok(Product {
        model: model_of(&key, texts),
        name: row.text("name")?.to_owned(),
        notes: notes_of(row)?,
        settings,
        created_at: UnixMillis(row.number("created_at")?),
        silence: Arc::default(),
        key,
    })
}

/// What is said of a product is for people: what cannot be read is left out.
fn notes_of(row: &impl Columns) -> Result<ProductNotes, sqlx::Error> {
    Ok(row.maybe_text("notes")?.and_then(|notes| serde_json::from_str(notes).ok()).unwrap_or_default())
}

fn model_of(key: &ProductKey, texts: &[String]) -> Option<Arc<ThingModel>> {
    let (main, modules) = texts.split_first()?;
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    match ThingModel::parse_stored(main, &modules) {
        Ok(model) => Some(Arc::new(model)),
        Err(problem) => {
            error!(product = %key, %problem, "stored thing model cannot be read; set it again");
            None
        }
    }
}

/// A device.
pub(crate) fn device(row: &impl Columns) -> Result<DeviceEntry, sqlx::Error> {
    let device = Device {
        key: device_key(row.text("product")?, row.text("name")?)?,
        iot_id: IotId::try_from(row.text("iot_id")?).map_err(decode)?,
        enabled: row.flag("enabled")?,
        transport: row.maybe_text("transport")?.and_then(TransportName::new),
    };
    let seen = Seen {
        online: row.flag("online")?,
        activated_at: maybe_time(row, "activated_at")?,
        last_seen_at: maybe_time(row, "last_seen_at")?,
        online_at: maybe_time(row, "online_at")?,
        address: row.maybe_text("address")?.map(str::to_owned),
        came_from: row.maybe_text("came_from")?.and_then(TransportName::new),
        sync_topic: row.maybe_text("sync_topic")?.and_then(|word| word.parse().ok()),
    };
    Ok(DeviceEntry {
        device: Arc::new(device),
        secret: Secret::new(row.text("secret")?),
        nickname: row.maybe_text("nickname")?.map(str::to_owned),
        created_at: UnixMillis(row.number("created_at")?),
        live: Arc::new(Live::new(seen)),
    })
}

/// An access key.
pub(crate) fn key(row: &impl Columns) -> Result<AccessKey, sqlx::Error> {
    Ok(AccessKey {
        id: row.text("id")?.to_owned(),
        secret: Secret::new(row.text("secret")?),
        account: row.text("account")?.to_owned(),
        enabled: row.flag("enabled")?,
        security_token: row.maybe_text("security_token")?.map(Secret::new),
        result: row.maybe_text("result")?.and_then(result_of),
        allow: row.maybe_text("allowed")?.map(|text| allowed(row, text)).transpose()?,
        temporary: temporary(row)?,
    })
}

fn temporary(row: &impl Columns) -> Result<Option<Temporary>, sqlx::Error> {
    let (of, ends_at) = (row.maybe_text("made_of")?, maybe_time(row, "ends_at")?);
    Ok(of.zip(ends_at).map(|(of, ends_at)| Temporary { of: of.to_owned(), ends_at }))
}

/// Rules that cannot be read allow nothing: a newer program may have written them.
fn allowed(row: &impl Columns, text: &str) -> Result<Arc<AllowList>, sqlx::Error> {
    let key = row.text("id")?;
    Ok(Arc::new(text.parse().unwrap_or_else(|problem: thingcall_core::BadRule| {
        error!(key, %problem, "rules of an access key cannot be read, so it may do nothing; set them again");
        AllowList::nothing()
    })))
}

fn result_of(word: &str) -> Option<ResultShape> {
    [ResultShape::Envelope, ResultShape::Data].into_iter().find(|shape| result_word(*shape) == word)
}

/// The word for a result's shape in a row.
pub(crate) const fn result_word(shape: ResultShape) -> &'static str {
    match shape {
        ResultShape::Envelope => "envelope",
        ResultShape::Data => "data",
    }
}

/// A record of a call, with the column `device_enabled` beside it: whether its device is registered and may connect.
pub(crate) fn record(row: &impl Columns) -> Result<Record, sqlx::Error> {
    let owned = |column| Ok::<_, sqlx::Error>(row.maybe_text(column)?.map(str::to_owned));
    let (times, trace) = record_body::beside_of(row.maybe_text("times")?);
    Ok(Record {
        id: columns::call_id(row)?,
        request_id: row.text("request_id")?.to_owned(),
        action: owned("action")?,
        key_id: owned("key_id")?,
        device: Device {
            key: device_key(row.text("product")?, row.text("device")?)?,
            iot_id: IotId::try_from(row.text("iot_id")?).map_err(decode)?,
            enabled: row.flag("device_enabled")?,
            transport: None,
        },
        service: columns::service(row)?,
        params: row.text("params")?.to_owned(),
        qos: u8::try_from(row.number("qos")?).unwrap_or_default(),
        state: columns::state_of(row.number("state")?),
        outcome: columns::outcome(row)?,
        transport: columns::transport(row)?,
        code: row.maybe_number("code")?,
        message: owned("message")?,
        data: owned("data")?,
        accepted_at: UnixMillis(row.number("accepted_at")?),
        times,
        sent_at: maybe_time(row, "sent_at")?,
        acked_at: maybe_time(row, "acked_at")?,
        ended_at: maybe_time(row, "ended_at")?,
        taken_over: taken_over(row)?,
        trace,
    })
}

/// A call that is kept, as this kind of row.
pub(crate) fn kept_call(source: CallSource, row: &impl Columns) -> Result<KeptCall, sqlx::Error> {
    match source {
        CallSource::Records => record_body::kept(row),
        CallSource::Journal => Ok(KeptCall::of_journal(row.number("seq")?, record(row)?)),
    }
}

fn taken_over(row: &impl Columns) -> Result<Option<TakenOver>, sqlx::Error> {
    let (by, at) = (row.maybe_text("taken_over_by")?, maybe_time(row, "taken_over_at")?);
    Ok(by.zip(at).map(|(by, at)| TakenOver { by: by.to_owned(), at }))
}

/// A call that a reply may be for.
pub(crate) fn candidate(row: &impl Columns) -> Result<Candidate, sqlx::Error> {
    Ok(Candidate {
        seq: row.number("seq")?,
        device: device_key(row.text("product")?, row.text("device")?)?,
        outcome: columns::outcome(row)?,
        ended_at: maybe_time(row, "ended_at")?,
        code: row.maybe_number("code")?,
        called: called(row)?,
    })
}

/// A call that has not ended, with the column `device_enabled` as for [`record`].
pub(crate) fn open_call(row: &impl Columns) -> Result<OpenCall, sqlx::Error> {
    let raw = row.maybe_bytes("raw")?.map(|bytes| bytes.to_vec().into());
    Ok(OpenCall { place: row.number("seq")?, record: record(row)?, raw })
}

/// What the record of a call that was open says of it.
pub(crate) fn called(row: &impl Columns) -> Result<Called, sqlx::Error> {
    let iot_id = IotId::try_from(row.text("iot_id")?).map_err(decode)?;
    let (service, transport) = (columns::service(row)?, columns::transport(row)?);
    let trace = record_body::trace_beside(row.maybe_text("times")?);
    let left = maybe_time(row, "sent_at")?.unwrap_or(UnixMillis(row.number("accepted_at")?));
    Ok(Called { place: row.number("seq")?, iot_id, service, transport, trace: trace.map(|hop| Box::new((hop, left))) })
}

/// The result of a call that ended.
pub(crate) fn ended_call(row: &impl Columns) -> Result<EndedCall, sqlx::Error> {
    let outcome = columns::outcome(row)?.unwrap_or(Outcome::NotDelivered);
    // A reply that came after the end is kept in the record alone: whether it did before the result was published is
    // chance, and a result that is published twice must say the same twice.
    let answered = matches!(outcome, Outcome::Ok | Outcome::DeviceError);
    Ok(EndedCall {
        place: row.number("seq")?,
        at: maybe_time(row, "ended_at")?.unwrap_or(UnixMillis(0)),
        id: columns::call_id(row)?,
        device: device_key(row.text("product")?, row.text("device")?)?,
        iot_id: IotId::try_from(row.text("iot_id")?).map_err(decode)?,
        service: columns::service(row)?,
        outcome,
        code: row.maybe_number("code")?.filter(|_| answered),
        message: row.maybe_text("message")?.map(str::to_owned),
        data: row.maybe_text("data")?.filter(|_| answered).map(str::to_owned),
        trace: record_body::trace_beside(row.maybe_text("times")?).map(|hop| hop.context),
        activated: true,
    })
}

/// A command that waits for this device.
pub(crate) fn delivery(row: &impl Columns, device: &Arc<Device>) -> Result<Delivery, sqlx::Error> {
    Ok(Delivery {
        letter: None,
        id: columns::call_id(row)?,
        device: device.clone(),
        service: columns::service(row)?,
        raw: row.maybe_bytes("raw")?.map(|bytes| bytes.to_vec().into()),
        params: Args::checked(row.text("params")?),
        mode: CallMode::Async,
        qos: Qos::AtLeastOnce,
        deadline: None,
        sync_topic: None,
        trace: record_body::trace_beside(row.maybe_text("times")?).map(KeptHop::hop),
    })
}

/// What a row of `changes` says.
pub(crate) fn change(row: &impl Columns) -> Result<ChangeRow, sqlx::Error> {
    let subject = match (row.text("kind")?, row.text("subject")?, row.maybe_text("name")?) {
        ("product", key, None) => Some(Subject::Product(ProductKey::try_from(key).map_err(decode)?)),
        ("added", "", None) => Some(Subject::Added(None)),
        ("added", product, None) => Some(Subject::Added(Some(ProductKey::try_from(product).map_err(decode)?))),
        ("device", product, Some(name)) => Some(Subject::Device(device_key(product, name)?)),
        ("disabled", product, Some(name)) => Some(Subject::Disabled(device_key(product, name)?)),
        ("heard", _, None) => Some(Subject::Heard(None)),
        ("heard", product, Some(name)) => Some(Subject::Heard(Some(device_key(product, name)?))),
        ("removed", product, Some(name)) => Some(Subject::Removed(device_key(product, name)?)),
        ("subscribed", _, None) => Some(Subject::Subscribed),
        ("reader", name, None) => Some(Subject::Reader(ReaderName(name.to_owned()))),
        ("key", id, None) => Some(Subject::Key(id.to_owned())),
        _ => None,
    };
    Ok(ChangeRow { seq: row.number("seq")?, subject })
}
