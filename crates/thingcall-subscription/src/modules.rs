//! Which modules of a thing model a message is about.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use thingcall_core::{Message, MessageKind};

/// What a body says of identifiers, whatever kind it is of.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Names<'a> {
    /// Of a result: the topic of the reply.
    #[serde(borrow)]
    topic: Cow<'a, str>,
    /// Of an event.
    #[serde(borrow)]
    identifier: Option<Cow<'a, str>>,
    /// Of properties.
    #[serde(borrow)]
    items: HashMap<Cow<'a, str>, IgnoredAny>,
    /// Of a batch.
    #[serde(borrow)]
    payload: HashMap<Cow<'a, str>, IgnoredAny>,
}

/// Whether a message concerns one of these modules of a thing model; the empty text is the default module. Messages that are about
/// no module, such as a status, concern everybody, and so do all where no module is named.
pub fn concerns(modules: &[String], message: &Message) -> bool {
    if modules.is_empty() {
        return true;
    }
    match message.kind {
        MessageKind::Result | MessageKind::Property | MessageKind::Event | MessageKind::History => {}
        MessageKind::Status | MessageKind::LifeCycle | MessageKind::Tag | MessageKind::Custom => return true,
    }
    let Ok(names) = serde_json::from_slice::<Names<'_>>(&message.words.body) else { return true };
    let service = names.topic.rsplit_once('/').and_then(|(_, last)| last.strip_suffix("_reply"));
    let items = names.items.keys().chain(names.payload.keys()).chain(&names.identifier).map(|name| &**name);
    let mut all = service.into_iter().chain(items).map(module).peekable();
    all.peek().is_none() || all.any(|module| modules.iter().any(|wanted| wanted == module))
}

/// What stands before an identifier's colon.
fn module(name: &str) -> &str {
    name.split_once(':').map_or("", |(module, _)| module)
}

#[cfg(test)]
mod tests {
    //! Bodies as `words` writes them.

    use thingcall_core::{DeviceKey, MessageId, UnixMillis, Words};

    use super::*;

    fn is_told(modules: &[&str], kind: MessageKind, body: &'static str) -> bool {
        let device = DeviceKey { product: "pk".try_into().unwrap(), name: "d".try_into().unwrap() };
        let words = Words { topic: "t".to_owned(), body: body.into(), trace: None };
        let message = Message { place: 1, id: MessageId(7), kind, device, at: UnixMillis(5), words };
        concerns(&modules.iter().map(|module| (*module).to_owned()).collect::<Vec<_>>(), &message)
    }

    #[test]
    fn each_kind_names_its_modules() {
        let result = r#"{"code":200,"topic":"/sys/pk/d/thing/service/fb:do_reply","data":{}}"#;
        let main = r#"{"code":200,"topic":"/sys/pk/d/thing/service/do_reply","data":{}}"#;
        let properties = r#"{"items":{"fb:a":{"value":1},"b":{"value":2}},"checkFailedData":{}}"#;
        let event = r#"{"identifier":"fb:e","value":{}}"#;
        let batch = r#"{"payload":{"fb:a":[{"value":1}]}}"#;
        for (kind, body) in [
            (MessageKind::Result, result),
            (MessageKind::Property, properties),
            (MessageKind::Event, event),
            (MessageKind::History, batch),
        ] {
            assert!(is_told(&["fb"], kind, body) && is_told(&["x", "fb"], kind, body), "{body}");
            assert!(!is_told(&["f"], kind, body), "{body}");
        }
        assert!(is_told(&[""], MessageKind::Result, main) && !is_told(&[""], MessageKind::Result, result));
        assert!(is_told(&[""], MessageKind::Property, properties));
    }

    #[test]
    fn what_is_about_no_module_concerns_everybody() {
        assert!(is_told(&["fb"], MessageKind::Status, r#"{"status":"online"}"#));
        assert!(is_told(&["fb"], MessageKind::Property, r#"{"items":{},"checkFailedData":{}}"#));
        assert!(is_told(&[], MessageKind::Event, r#"{"identifier":"e"}"#));
    }
}
