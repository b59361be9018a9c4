//! Which messages go to a reader that is configured: filters that an operator writes down.

use serde::Deserialize;

use crate::{MessageKind, MessageKinds, ProductKey, Wanted};

/// Filters; a list that is empty lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageFilter {
    /// Of which products' devices.
    pub products: Vec<ProductKey>,
    /// Which kinds.
    pub kinds: Vec<MessageKind>,
    /// Of which modules, where a message is about modules. The empty text is the default module.
    pub modules: Vec<String>,
}

impl MessageFilter {
    /// What is read of the log for it. Modules are not known there.
    pub fn wanted(&self) -> Wanted {
        let kinds: MessageKinds =
            if self.kinds.is_empty() { MessageKinds::all() } else { self.kinds.iter().copied().collect() };
        if self.products.is_empty() {
            return Wanted { of: vec![(None, kinds)] };
        }
        let mut products = self.products.clone();
        products.sort();
        products.dedup();
        Wanted { of: products.into_iter().map(|product| (Some(product), kinds)).collect() }
    }
}

#[cfg(test)]
mod tests {
    //! What is asked of the log.

    use super::*;

    #[test]
    fn products_and_kinds_are_wanted_of_the_log() {
        let products = vec!["b".try_into().unwrap(), "a".try_into().unwrap(), "a".try_into().unwrap()];
        let filter = MessageFilter { kinds: vec![MessageKind::Result], products, modules: Vec::new() };
        let wanted = filter.wanted();
        let of: Vec<_> = wanted.of.iter().map(|(product, _)| product.as_ref().map(ProductKey::as_str)).collect();
        assert_eq!(of, [Some("a"), Some("b")]);
        assert_eq!(wanted.kinds(&"c".try_into().unwrap()), MessageKinds::NONE);
        assert_eq!(MessageFilter::default().wanted().of, [(None, MessageKinds::all())]);
    }
}
