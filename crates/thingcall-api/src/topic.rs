//! What topics say of whom they are.

/// The name of the device that a topic names behind its product key.
pub(crate) fn named_in_topic<'t>(product: &str, topic: &'t str) -> Option<&'t str> {
    topic.split('/').skip_while(|level| *level != product).nth(1)
}
