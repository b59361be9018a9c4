//! Messages in the words of the platform's server-side subscription: a topic, which begins without `/sys`, and a body of
//! JSON, or a device's own bytes.
//!
//! Source of the bodies: `PROTOCOL.md` 9.
//!
//! **Invariant:** a value stands in a body as the device wrote it; what is no JSON, however it came here, stands there as a
//! text.

use bytes::Bytes;
use serde::Serialize;
use thingcall_core::{
    Device, DeviceKey, EndedCall, LifeCycle, MessageWords, Report, ReportWords, StatusChange, UnixMillis, Words,
};

mod changes;
mod reports;
mod result;
pub(crate) mod time;
mod values;

/// The platform's words.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlatformWords;

impl MessageWords for PlatformWords {
    fn result(&self, ended: &EndedCall) -> Words {
        result::result(ended)
    }

    fn status(&self, change: &StatusChange) -> Words {
        changes::status(change)
    }

    fn life_cycle(&self, device: &Device, did: LifeCycle, at: UnixMillis) -> Words {
        changes::life_cycle(device, did, at)
    }
}

impl ReportWords for PlatformWords {
    fn report(&self, device: &Device, id: &str, at: UnixMillis, report: &Report) -> Words {
        reports::report(device, id, at, report)
    }
}

/// A topic of a device, and a body.
fn words(device: &DeviceKey, rest: &str, body: &impl Serialize) -> Words {
    Words { topic: format!("/{}/{}/{rest}", device.product, device.name), body: json(body), trace: None }
}

/// Nothing that is written here can fail to be: the keys of all maps are texts.
fn json(body: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(body).unwrap_or_default())
}

#[cfg(test)]
mod tests;
