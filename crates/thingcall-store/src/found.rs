//! What can be known of a store without opening it to write.

use std::collections::BTreeMap;

use thingcall_core::{Problem, TransportName};

/// What was found.
#[derive(Debug, Default)]
pub struct Look {
    /// Why a server could not open it.
    pub problems: Vec<Problem>,
    /// Whom each transport was set for: products and devices.
    pub transports: BTreeMap<TransportName, Vec<String>>,
}

impl Look {
    /// A product has these settings, as the store holds them.
    pub(crate) fn product(&mut self, key: &str, settings: &str) {
        let settings: Result<thingcall_tsl::ProductSettings, _> = serde_json::from_str(settings);
        if let Some(name) = settings.ok().and_then(|settings| settings.transport) {
            self.transports.entry(name).or_default().push(format!("product {key}"));
        }
    }

    /// So many devices have this transport, and this is the first.
    pub(crate) fn devices(&mut self, transport: &str, first: &str, many: i64) {
        let others = if many > 1 { format!(" and {} more", many - 1) } else { String::new() };
        if let Some(name) = TransportName::new(transport) {
            self.transports.entry(name).or_default().push(format!("device {first}{others}"));
        }
    }
}
